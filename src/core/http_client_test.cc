#include "core/http_client.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Answers one connection after another with the texts given, then closes. Keeps what it was asked.
class CannedServer {
 public:
  explicit CannedServer(std::vector<std::string> answers) : answers_(std::move(answers)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~CannedServer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  std::string url(const std::string& path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  std::vector<std::string> asked;  // read after the requests are over

 private:
  void serve() {
    for (const auto& answer : answers_) {
      const int connection = accept(listener_, nullptr, nullptr);
      if (connection < 0) return;
      std::string request;
      char buffer[4096];
      while (request.find("\r\n\r\n") == std::string::npos) {
        const auto got = recv(connection, buffer, sizeof(buffer), 0);
        if (got <= 0) break;
        request.append(buffer, static_cast<std::size_t>(got));
      }
      asked.push_back(request);
      send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
      close(connection);
    }
  }
  std::vector<std::string> answers_;
  int listener_ = -1;
  int port_ = 0;
  std::thread thread_;
};

std::string answer(const std::string& head, const std::string& body = "") {
  return "HTTP/1.1 " + head + "\r\nConnection: close\r\n\r\n" + body;
}

HttpResponse fetch(const HttpRequest& request, std::string* text = nullptr,
                   HttpOptions options = {.plain_http = true}) {
  HttpClient client(std::move(options));
  return client.send(request, [text](const HttpResponse&, std::span<const std::byte> piece) {
    if (text != nullptr) text->append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return true;
  });
}

TEST(HttpClient, BringsStatusHeadersAndBody) {
  CannedServer server({answer("200 OK\r\nETag: \"abc\"\r\nContent-Length: 5", "hello")});
  std::string text;
  const auto response = fetch({.url = server.url()}, &text);
  EXPECT_TRUE(response.ok());
  EXPECT_EQ(response.header("etag"), "\"abc\"");
  EXPECT_EQ(text, "hello");
}

TEST(HttpClient, SaysThatABodyWasCut) {
  CannedServer server({answer("200 OK\r\nContent-Length: 50", "hello")});
  std::string text;
  const auto response = fetch({.url = server.url()}, &text);
  EXPECT_FALSE(response.ok());
  EXPECT_EQ(response.failure, "the connection was cut after 5 bytes");
  EXPECT_TRUE(response.worth_retry);
  EXPECT_EQ(text, "hello");
}

TEST(HttpClient, SendsTheTokenToItsOriginAndNeverAfterLeavingIt) {
  CannedServer second({answer("302 Found\r\nLocation: BACK"), answer("200 OK", "x")});
  CannedServer first({answer("302 Found\r\nLocation: " + second.url("/a"))});
  const auto response = fetch({.url = first.url(), .bearer_token = "secret"});
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(first.asked.at(0), HasSubstr("Authorization: Bearer secret"));
  EXPECT_THAT(second.asked.at(0), Not(HasSubstr("secret")));
  EXPECT_THAT(second.asked.at(1), HasSubstr("GET /BACK "));
  EXPECT_THAT(second.asked.at(1), Not(HasSubstr("secret")));
}

TEST(HttpClient, ReturnsARedirectThatLeavesTheOriginWhenToldTo) {
  CannedServer server({answer("302 Found\r\nLocation: /here"),
                       answer("302 Found\r\nX-Linked-Size: 7\r\nLocation: http://127.0.0.1:1/x")});
  const auto response =
      fetch({.url = server.url(), .head_only = true, .leave_origin = false, .bearer_token = "s"});
  EXPECT_EQ(response.status, 302);
  EXPECT_EQ(response.header("x-linked-size"), "7");
  EXPECT_THAT(server.asked.at(1), HasSubstr("Bearer s"));
}

TEST(HttpClient, GoesNowhereButToHttp) {
  for (const auto* target : {"file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"}) {
    CannedServer server({answer(std::string("302 Found\r\nLocation: ") + target)});
    std::string text;
    const auto response = fetch({.url = server.url()}, &text);
    EXPECT_FALSE(response.ok()) << target;
    EXPECT_THAT(response.failure, HasSubstr("refused to go to")) << target;
    EXPECT_EQ(text, "");
  }
  EXPECT_THAT(fetch({.url = "file:///etc/passwd"}).failure, HasSubstr("refused"));
}

TEST(HttpClient, RefusesPlainHttpUnlessAllowed) {
  const auto response = fetch({.url = "http://127.0.0.1:1/"}, nullptr, {});
  EXPECT_EQ(response.failure, "refused to go to http://127.0.0.1:1/: expected https");
  EXPECT_FALSE(response.worth_retry);
}

TEST(HttpClient, StopsARedirectLoop) {
  CannedServer server(std::vector<std::string>(20, answer("302 Found\r\nLocation: /again")));
  EXPECT_EQ(fetch({.url = server.url()}).failure, "redirected more than 10 times");
}

TEST(HttpClient, DropsTheBodyOfAnErrorAndKeepsItsHeaders) {
  CannedServer server({answer("429 Too Many Requests\r\nRetry-After: 3", "go away")});
  std::string text;
  const auto response = fetch({.url = server.url()}, &text);
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(response.header("retry-after"), "3");
  EXPECT_EQ(text, "");
}

TEST(HttpClient, StopsWhenToldTo) {
  CannedServer server({answer("200 OK", "body")});
  const std::atomic<bool> stop = true;
  EXPECT_TRUE(
      fetch({.url = server.url()}, nullptr, {.plain_http = true, .stop = &stop}).interrupted);
}

TEST(HttpClient, RefusesAHeadWithoutEnd) {
  std::string head = "200 OK";
  for (int i = 0; i < 5000; ++i) head += "\r\nX-Header-" + std::to_string(i) + ": filler filler";
  CannedServer server({answer(head, "body")});
  EXPECT_THAT(fetch({.url = server.url()}).failure, HasSubstr("larger than 64 KiB"));
}

TEST(HttpClient, SendsABodyWithItsMethod) {
  CannedServer server({answer("200 OK", "done"), answer("307 Moved\r\nLocation: /else")});
  std::string text;
  EXPECT_TRUE(fetch({.url = server.url("/points"),
                     .headers = {"Content-Type: application/json"},
                     .method = "PUT",
                     .body = std::string("{\"a\":1}\0x", 9)},
                    &text)
                  .ok());
  EXPECT_EQ(text, "done");
  // Not followed: what it would do elsewhere was not asked for.
  EXPECT_EQ(fetch({.url = server.url(), .method = "DELETE"}).status, 307);
  EXPECT_THAT(server.asked.at(0), HasSubstr("PUT /points HTTP/1.1"));
  EXPECT_THAT(server.asked.at(0), HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(server.asked.at(0), HasSubstr("Content-Length: 9\r\n"));
  EXPECT_THAT(server.asked.at(1), HasSubstr("DELETE / HTTP/1.1"));
}

TEST(HttpClient, KeepsTheBeginningOfAnErrorsBody) {
  CannedServer server({answer("400 Bad Request", std::string(20'000, 'x'))});
  EXPECT_EQ(fetch({.url = server.url()}).error_body, std::string(16 << 10, 'x'));
}

TEST(HttpClient, RefusesALargerAnswerThanAskedFor) {
  CannedServer server({answer("200 OK", std::string(2'001, 'x'))});
  const auto response =
      fetch({.url = server.url()}, nullptr, {.plain_http = true, .most_body_bytes = 2'000});
  EXPECT_EQ(response.failure, "its answer is larger than 2,000 bytes");
}

TEST(HttpClient, GivesUpWhenTheTimeIsOver) {
  CannedServer first({answer("302 Found\r\nLocation: /again")});  // then never answers again
  const auto begin = std::chrono::steady_clock::now();
  const auto response =
      fetch({.url = first.url()}, nullptr,
            {.plain_http = true, .total_timeout = std::chrono::milliseconds(300)});
  EXPECT_EQ(response.failure, "not done within 0.3 s");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
}

TEST(OriginOf, IsSchemeHostAndPort) {
  EXPECT_EQ(origin_of("HTTPS://Hub.Example/a/b?c"), "https://hub.example:443");
  EXPECT_EQ(origin_of("http://hub.example:8080"), "http://hub.example:8080");
  EXPECT_EQ(origin_of("https://hub.example@other.example/"), "https://other.example:443");
  EXPECT_EQ(origin_of("file:///x"), "");
  EXPECT_EQ(origin_of("nonsense"), "");
}

TEST(UrlEscape, KeepsWhatAPathMayHold) {
  EXPECT_EQ(url_escape("a b/ü.json", Slashes::kKeep), "a%20b/%C3%BC.json");
  EXPECT_EQ(url_escape("refs/pr/3", Slashes::kEscape), "refs%2Fpr%2F3");
}

}  // namespace
}  // namespace tandem
