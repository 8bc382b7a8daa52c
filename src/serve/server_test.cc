#include "serve/server.h"

#include <array>
#include <future>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mutex>
#include <thread>

#include "tandem/error.h"

#include "serve/raw_client.h"

namespace tandem::serve {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Response run_echo(Service&, const Request& request) {
  Response answer;
  answer.content_type = "text/plain";
  answer.body = request.body;
  answer.headers.emplace_back("X-Peer", request.peer);
  answer.headers.emplace_back("X-Q", request.query.contains("q") ? request.query.at("q") : "");
  return answer;
}

Response run_slow(Service&, const Request&) {
  std::this_thread::sleep_for(milliseconds(300));
  return {.body = "\"slow\""};
}

Response run_large(Service&, const Request&) { return {.body = std::string(8 << 20, 'x')}; }

Response run_failing(Service&, const Request& request) {
  if (request.query.contains("http")) throw HttpError(422, "odd", "it is odd", "input[3]", 7);
  if (request.query.contains("error")) throw Error(Kind::kIo, "cannot read /secret/place");
  throw std::runtime_error("inner");
}

constexpr Route kRoutes[] = {
    {"POST", "/echo", Access::kRead, 1000, run_echo},
    {"GET", "/echo", Access::kRead, 0, run_echo},
    {"POST", "/write", Access::kWrite, 1000, run_echo},
    {"GET", "/slow", Access::kRead, 0, run_slow},
    {"GET", "/large", Access::kRead, 0, run_large},
    {"GET", "/failing", Access::kRead, 0, run_failing},
    {"GET", "/tei", Access::kRead, 0, run_failing, ErrorShape::kTei},
};

class Running {
 public:
  explicit Running(ServerOptions options = {}) : options_(std::move(options)) {
    options_.port = 0;
    options_.access_log = [this](const std::string& line) {
      const std::lock_guard lock(mutex_);
      log_ += line + "\n";
    };
    std::promise<std::uint16_t> listening;
    auto port = listening.get_future();
    thread_ = std::thread([this, &listening] {
      const std::array<std::span<const Route>, 2> tables = {std::span<const Route>(kRoutes),
                                                            health_routes()};
      serve(service_, tables, options_, stop_,
            [&](std::uint16_t value) { listening.set_value(value); });
      ended_ = true;
    });
    port_ = port.get();
  }
  ~Running() { stop(); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  void ask_to_stop() { stop_ = true; }
  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  bool ended() const { return ended_; }
  std::uint16_t port() const { return port_; }
  std::string log() {
    const std::lock_guard lock(mutex_);
    return log_;
  }

  // What one request is answered, on a connection of its own.
  std::string ask(const std::string& bytes) const {
    RawClient client(port_);
    client.send(bytes);
    return client.answer();
  }
  std::string get(const std::string& path, const std::string& headers = "") const {
    return ask("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n");
  }
  std::string post(const std::string& path, const std::string& headers,
                   const std::string& body) const {
    return ask("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body);
  }

 private:
  ServerOptions options_;
  Service service_{ServiceOptions{}};
  std::atomic<bool> stop_ = false;
  std::atomic<bool> ended_ = false;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  std::string log_;
  std::thread thread_;
};

ServerOptions hasty() {
  ServerOptions options;
  options.header_timeout = milliseconds(600);
  options.body_idle_timeout = milliseconds(600);
  options.keep_alive = milliseconds(600);
  return options;
}

TEST(Server, answers_one_request_after_the_other_on_a_connection) {
  const Running server;
  RawClient client(server.port());
  for (int i = 0; i < 3; ++i) {
    client.send("POST /echo?q=a%20b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");
    const auto answer = client.answer();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nX-Q: a b\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\n\r\nhello"));
    EXPECT_THAT(answer, HasSubstr("X-Content-Type-Options: nosniff\r\n"));
    EXPECT_THAT(answer, HasSubstr("Cache-Control: no-store\r\n"));
  }
}

TEST(Server, answers_pipelined_requests_in_order) {
  const Running server;
  RawClient client(server.port());
  std::string bytes;
  for (int i = 0; i < 500; ++i) {
    bytes += "GET /" + std::string(i % 7 == 0 ? "echo?q=" + std::to_string(i) : "nothing") +
             " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  }
  client.send(bytes);
  for (int i = 0; i < 500; ++i) {
    const auto answer = client.answer();
    if (i % 7 == 0) {
      ASSERT_THAT(answer, HasSubstr("X-Q: " + std::to_string(i) + "\r\n"));
    } else {
      ASSERT_THAT(answer, StartsWith("HTTP/1.1 404"));
    }
  }
}

TEST(Server, takes_a_request_byte_by_byte) {
  const Running server;
  RawClient client(server.port());
  for (const char c : std::string("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
                                  "chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: r\r\n\r\n")) {
    client.send({&c, 1});
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  EXPECT_THAT(client.answer(), HasSubstr("\r\n\r\nabcde"));
}

TEST(Server, speaks_http_1_0_and_says_continue) {
  const Running server;
  RawClient old(server.port());
  old.send("GET /echo HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.rest(), HasSubstr("Connection: close\r\n"));
  RawClient careful(server.port());
  careful.send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: "
      "100-continue\r\n\r\n");
  EXPECT_EQ(careful.answer(), "HTTP/1.1 100 Continue\r\n\r\n");
  careful.send("ok");
  EXPECT_THAT(careful.answer(), HasSubstr("\r\n\r\nok"));
}

TEST(Server, answers_head_as_get_without_a_body) {
  const Running server;
  RawClient client(server.port());
  client.send(
      "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /ping HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.answer(true), HasSubstr("Content-Length: 3\r\n"));
  EXPECT_THAT(client.answer(), StartsWith("HTTP/1.1 421"));
}

TEST(Server, refuses_what_breaks_the_rules_and_closes) {
  const Running server;
  const std::string head = "POST /echo HTTP/1.1\r\nHost: localhost\r\n";
  const std::vector<std::pair<std::string, int>> cases = {
      {head + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400},
      {head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {head + "Content-Length: -5\r\n\r\n", 400},
      {head + "Content-Length: 0x5\r\n\r\n", 400},
      {head + "A: b\r\n folded\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: localhost\n\n", 400},
      {head + "Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n", 400},
      {head + "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", 400},
      {head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400},
      {head + "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", 400},
      {head + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", 400},
      {head + "Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n", 413},
      {head + "Content-Length: 1001\r\n\r\n", 413},
      {"GET /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\na", 413},
      {"GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414},
      {head + "A: " + std::string(9000, 'a') + "\r\n\r\n", 431},
      {"GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"GET / HTTP/3.0\r\nHost: localhost\r\n\r\n", 505},
      {"\x16\x03\x01\x02\r\n\r\n", 400},
  };
  for (const auto& [bytes, status] : cases) {
    RawClient client(server.port());
    client.send(bytes);
    const auto all = client.rest();
    EXPECT_THAT(all, StartsWith("HTTP/1.1 " + std::to_string(status))) << bytes.substr(0, 120);
    EXPECT_THAT(all, HasSubstr("Connection: close\r\n"));
    EXPECT_EQ(all.find("\nHTTP/1.1"), std::string::npos)
        << all;  // nothing was read as a second one
  }
}

TEST(Server, refuses_other_hosts_routes_methods_and_encodings) {
  const Running server;
  EXPECT_THAT(server.ask("GET /echo HTTP/1.1\r\nHost: rebound.test\r\n\r\n"),
              StartsWith("HTTP/1.1 421"));
  EXPECT_THAT(server.ask("GET http://rebound.test/echo HTTP/1.1\r\nHost: localhost\r\n\r\n"),
              StartsWith("HTTP/1.1 421"));
  EXPECT_THAT(server.get("/unknown"), StartsWith("HTTP/1.1 404"));
  const auto wrong_method = server.ask("PUT /echo HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(wrong_method, StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(wrong_method, HasSubstr("Allow: POST, GET, HEAD\r\n"));
  EXPECT_THAT(server.post("/echo", "Content-Encoding: gzip\r\n", "x"), StartsWith("HTTP/1.1 415"));
  EXPECT_THAT(server.ask("OPTIONS /echo HTTP/1.1\r\nHost: localhost\r\nOrigin: "
                         "http://a.test\r\nAccess-Control-Request-Method: POST\r\n\r\n"),
              StartsWith("HTTP/1.1 405"));
}

TEST(Server, a_small_refused_body_leaves_the_connection_open) {
  const Running server;
  RawClient client(server.port());
  client.send("POST /unknown HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30000\r\n\r\n" +
              std::string(30000, 'G') + "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(client.answer(), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(client.answer(), HasSubstr("pong"));
}

TEST(Server, asks_for_a_key_and_checks_what_it_may) {
  ServerOptions options;
  options.keys = {{"phone", "secret-of-the-phone", Access::kRead},
                  {"metrics", "secret-of-metrics", Access::kAdmin}};
  Running server(options);
  const auto without = server.get("/echo");
  EXPECT_THAT(without, StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(without, HasSubstr("WWW-Authenticate: Bearer\r\n"));
  EXPECT_THAT(server.get("/healthz"), StartsWith("HTTP/1.1 200"));
  const std::string phone = "Authorization: Bearer secret-of-the-phone\r\n";
  EXPECT_THAT(server.get("/echo", phone), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(server.post("/write", phone, "x"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(server.get("/metrics", phone), StartsWith("HTTP/1.1 403"));
  const auto metrics = server.get("/metrics", "Authorization: Bearer secret-of-metrics\r\n");
  EXPECT_THAT(metrics, HasSubstr("tandem_http_requests_total{route=\"/echo\",status=\"401\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("tandem_connections 1"));
  EXPECT_THAT(server.log(), HasSubstr("\"key\":\"phone\""));
  EXPECT_THAT(server.log(), Not(HasSubstr("secret")));
}

TEST(Server, pages_from_elsewhere_may_not_write) {
  ServerOptions options;
  options.cors_origins = {"https://listed.test"};
  const Running server(options);
  const auto from = [](const std::string& origin) { return "Origin: " + origin + "\r\n"; };
  EXPECT_THAT(server.post("/write", from("http://localhost"), "x"), StartsWith("HTTP/1.1 200"));
  for (const auto* origin : {"http://evil.test", "null", "https://listed.test.evil"}) {
    EXPECT_THAT(server.post("/write", from(origin), "x"), StartsWith("HTTP/1.1 403")) << origin;
    EXPECT_THAT(server.get("/echo", from(origin)), Not(HasSubstr("Access-Control"))) << origin;
  }
  const auto listed = server.post("/write", from("https://listed.test"), "x");
  EXPECT_THAT(listed, HasSubstr("Access-Control-Allow-Origin: https://listed.test\r\n"));
  const auto preflight = server.ask(
      "OPTIONS /write HTTP/1.1\r\nHost: localhost\r\nOrigin: https://listed.test\r\n\r\n");
  EXPECT_THAT(preflight, StartsWith("HTTP/1.1 204"));
  EXPECT_THAT(preflight, HasSubstr("Access-Control-Allow-Methods: POST\r\n"));
}

TEST(Server, limits_the_rate_of_each_peer) {
  ServerOptions options;
  options.rate_per_s = 0.5;
  options.rate_burst = 2;
  options.proxies = {"127.0.0.1"};
  const Running server(options);
  const std::string peer = "X-Forwarded-For: 9.9.9.9\r\n";
  EXPECT_THAT(server.get("/echo", peer), HasSubstr("X-Peer: 9.9.9.9\r\n"));
  EXPECT_THAT(server.get("/echo", peer), StartsWith("HTTP/1.1 200"));
  const auto refused = server.get("/echo", peer);
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 429"));
  EXPECT_THAT(refused, HasSubstr("Retry-After: 2\r\n"));
  EXPECT_THAT(server.get("/echo", "X-Forwarded-For: 8.8.8.8\r\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(server.get("/healthz", peer), StartsWith("HTTP/1.1 200"));
}

TEST(Server, refuses_at_once_what_it_cannot_work_on_and_stays_healthy) {
  ServerOptions options;
  options.max_concurrent = 2;
  const Running server(options);
  const std::string request = "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n";
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(std::make_unique<RawClient>(server.port()));
    clients.back()->send(request);
  }
  std::this_thread::sleep_for(milliseconds(100));
  const auto began = Clock::now();
  const auto refused = server.ask(request);
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 429"));
  EXPECT_THAT(refused, HasSubstr("Retry-After: 1\r\n"));
  EXPECT_THAT(server.get("/healthz"), StartsWith("HTTP/1.1 200"));
  EXPECT_LT(Clock::now() - began, milliseconds(150));
  for (auto& client : clients) EXPECT_THAT(client->answer(), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(server.ask(request), StartsWith("HTTP/1.1 200"));
}

TEST(Server, turns_what_routes_throw_into_answers_without_inner_texts) {
  const Running server;
  const auto http = server.get("/failing?http", "X-Request-Id: mine-1\r\n");
  EXPECT_THAT(http, StartsWith("HTTP/1.1 422"));
  EXPECT_THAT(http, HasSubstr("Retry-After: 7\r\n"));
  EXPECT_THAT(http, HasSubstr(R"({"error":{"code":422,"type":"odd","message":"it is odd",)"
                              R"("param":"input[3]"},"request_id":"mine-1"})"));
  for (const auto* path : {"/failing?error", "/failing"}) {
    const auto answer = server.get(path, "X-Request-Id: not sane\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 500"));
    EXPECT_THAT(answer, Not(HasSubstr("secret")));
    EXPECT_THAT(answer, Not(HasSubstr("inner")));
    EXPECT_THAT(answer, Not(HasSubstr("not sane")));
  }
  EXPECT_THAT(server.get("/tei?http"),
              HasSubstr(R"({"error":"it is odd","error_type":"Validation"})"));
}

TEST(Server, ends_connections_that_are_slow_or_silent) {
  const Running server(hasty());
  RawClient silent(server.port());
  RawClient slow_head(server.port());
  slow_head.send("GET /echo HTTP/1.1\r\nHo");
  RawClient slow_body(server.port());
  slow_body.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhe");
  RawClient idle(server.port());
  idle.send("GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(idle.answer(), HasSubstr("pong"));
  const auto began = Clock::now();
  EXPECT_THAT(slow_head.rest(), StartsWith("HTTP/1.1 408"));
  EXPECT_THAT(slow_body.rest(), StartsWith("HTTP/1.1 408"));
  EXPECT_TRUE(silent.closed());
  EXPECT_TRUE(idle.closed());
  EXPECT_LT(Clock::now() - began, milliseconds(2500));
}

TEST(Server, a_trickle_does_not_hold_a_connection_for_ever) {
  const Running server(hasty());
  RawClient client(server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n");
  const auto began = Clock::now();
  for (int i = 0; i < 10; ++i) {
    client.send("a");
    std::this_thread::sleep_for(milliseconds(150));
  }
  EXPECT_THAT(client.rest(), StartsWith("HTTP/1.1 408"));
  EXPECT_LT(Clock::now() - began, milliseconds(3000));
}

TEST(Server, sends_large_answers_to_slow_readers) {
  const Running server;
  RawClient client(server.port());
  client.send(
      "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\nGET /ping HTTP/1.1\r\nHost: "
      "localhost\r\n\r\n");
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_GT(client.answer().size(), std::size_t{8} << 20);
  EXPECT_THAT(client.answer(), HasSubstr("pong"));
}

TEST(Server, finishes_what_was_admitted_before_it_ends) {
  Running server;
  RawClient working(server.port());
  working.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
  RawClient idle(server.port());
  std::this_thread::sleep_for(milliseconds(100));
  server.ask_to_stop();
  const auto answer = working.rest();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(idle.closed());
  server.stop();
  EXPECT_TRUE(server.ended());
  EXPECT_FALSE(RawClient(server.port()).connected());
}

TEST(Server, is_not_ready_once_it_is_asked_to_stop) {
  Running server;
  RawClient client(server.port());
  RawClient working(server.port());
  working.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::this_thread::sleep_for(milliseconds(50));
  server.ask_to_stop();
  std::this_thread::sleep_for(milliseconds(120));
  client.send("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(client.answer(), StartsWith("HTTP/1.1 503"));
}

TEST(Server, does_not_start_for_others_without_keys) {
  Service service{ServiceOptions{}};
  const std::atomic<bool> stop = true;
  ServerOptions options;
  options.port = 0;
  options.address = "0.0.0.0";
  const std::array tables = {health_routes()};
  EXPECT_THROW(serve(service, tables, options, stop, [](std::uint16_t) {}), Error);
  options.keys = {{"a", "a-long-enough-secret", Access::kRead}};
  serve(service, tables, options, stop, [](std::uint16_t port) { EXPECT_GT(port, 0); });
  options.address = "no address";
  EXPECT_THROW(serve(service, tables, options, stop, [](std::uint16_t) {}), Error);
}

}  // namespace
}  // namespace tandem::serve
