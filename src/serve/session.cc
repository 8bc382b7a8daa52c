// One connection: reads a head, lets the gate decide, reads the body, has the route run on a
// worker, writes the answer, and begins anew. Between requests it holds no buffers.
#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <optional>

#include "serve/access_log.h"
#include "serve/answer_text.h"
#include "serve/answers.h"
#include "serve/body.h"
#include "serve/gate.h"
#include "serve/head.h"
#include "serve/server_state.h"

namespace tandem::serve {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::seconds kLinger{2};
constexpr std::chrono::seconds kWriteTime{30};
// What an idle connection may still send once the server is going to end.
constexpr std::chrono::milliseconds kDrainGrace{250};
// Bodies must come at least as fast as this, on the whole. Source: reliability.md section 2.
constexpr double kLeastBytesPerS = 1024;
// A body that nobody asked for is read, so that the connection can go on, up to this size.
constexpr std::size_t kDiscardedBytes = 64 << 10;
// Of all connections: beyond it, requests with bodies are refused.
constexpr std::size_t kMostBodyBytes = std::size_t{512} << 20;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::size_t kKeptBytes = 1 << 10;

// Runs on a worker.
Response answer_of(ServerState& state, const Route& route, const Request& request) {
  try {
    return route.run(state.service, request);
  } catch (...) {
    const auto thrown = std::current_exception();
    const auto error = http_error(thrown);
    if (error.status() >= 500 && error.status() != 503) {
      try {
        std::rethrow_exception(thrown);
      } catch (const std::exception& e) {
        state.options.log.warn("request " + request.id + " failed: " + e.what());
      } catch (...) {
        state.options.log.warn("request " + request.id + " failed");
      }
    }
    return error_answer(error, route.errors, request.id);
  }
}

class Session : public Connection, public std::enable_shared_from_this<Session> {
 public:
  Session(ServerState& state, tcp::socket socket)
      : state_(state), socket_(std::move(socket)), scanner_(HeadLimits{}) {}

  void start() {
    error_code error;
    const auto peer = socket_.remote_endpoint(error);
    if (!error) peer_ = text_of(peer.address());
    socket_.non_blocking(true, error);
    socket_.set_option(tcp::no_delay(true), error);
    place_ = state_.connections.insert(state_.connections.end(), shared_from_this());
    state_.open_connections.add(1);
    begin(Stage::kIdle, Clock::now() + state_.options.header_timeout);
    wait_for_bytes();
  }

  void check_time(Clock::time_point now) override {
    if (state_.draining && stage_ == Stage::kIdle) {
      deadline_ = std::min(deadline_, now + kDrainGrace);
    }
    if (now < deadline_) return;
    if (stage_ != Stage::kHead && stage_ != Stage::kBody) return close();
    error_code ignored;
    socket_.cancel(ignored);
    refuse(HttpError(408, "timeout", "the request came too slowly"));
  }

  void close() override {
    if (stage_ == Stage::kClosed) return;
    stage_ = Stage::kClosed;
    drop_body();
    error_code ignored;
    socket_.close(ignored);
    state_.open_connections.add(-1);
    const auto self = shared_from_this();
    state_.connections.erase(place_);
  }

 private:
  // kIdle: nothing of a request is there yet.
  enum class Stage { kIdle, kHead, kBody, kRoute, kWrite, kLinger, kClosed };

  static std::string text_of(const asio::ip::address& address) {
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
      return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
    }
    return address.to_string();
  }

  void begin(Stage stage, Clock::time_point deadline) {
    stage_ = stage;
    deadline_ = deadline;
  }

  void wait_for_bytes() {
    socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](error_code error) {
      if (error == asio::error::operation_aborted || self->stage_ == Stage::kClosed) return;
      self->on_readable();
    });
  }

  void on_readable() {
    auto& scratch = state_.scratch;
    error_code error;
    const auto count = socket_.read_some(asio::buffer(scratch.data(), scratch.size()), error);
    if (error == asio::error::would_block) return wait_for_bytes();
    if (error || count == 0) return close();
    if (stage_ == Stage::kLinger) {
      lingered_ += count;
      return lingered_ > 4 * scratch.size() ? close() : wait_for_bytes();
    }
    in_.append(scratch.data(), count);
    on_bytes();
  }

  void on_bytes() {
    if (stage_ == Stage::kIdle) {
      received_ = Clock::now();
      begin(Stage::kHead, received_ + state_.options.header_timeout);
    }
    if (stage_ == Stage::kHead)
      read_head_from(in_);
    else if (stage_ == Stage::kBody)
      read_body();
  }

  void read_head_from(std::string_view bytes) {
    const auto size = scanner_.scan(bytes);
    HeadFault fault;
    if (scanner_.fault()) return refuse(*scanner_.fault());
    if (size == 0) return wait_for_bytes();
    head_ = read_head(bytes.substr(0, size), fault);
    if (!head_) return refuse(fault);
    received_ = Clock::now();
    passage_ = pass(state_, *head_, peer_, received_);
    if (passage_.answer && (passage_.close || !discards_body())) return answer_and_end();
    if (!head_->has_body()) {
      in_.erase(0, size);
      return on_request();
    }
    const auto limit = passage_.answer ? kDiscardedBytes : passage_.match.route->body_limit_bytes;
    body_.emplace(*head_, bytes.substr(0, size), limit);
    in_.erase(0, size);
    body_began_ = Clock::now();
    begin(Stage::kBody, body_began_ + state_.options.body_idle_timeout);
    if (head_->expects_continue && in_.empty() && !passage_.answer && !say_continue()) {
      return close();
    }
    read_body();
  }

  // A refused request's body is short, and on its way already.
  bool discards_body() const {
    return !head_->has_body() || (!head_->chunked && !head_->expects_continue &&
                                  head_->content_length.value_or(0) <= kDiscardedBytes);
  }

  bool say_continue() {
    error_code error;
    return socket_.write_some(asio::buffer(kContinue), error) == kContinue.size();
  }

  void read_body() {
    const auto before = body_->text().size();
    std::size_t taken = 0;
    const auto at = body_->take(in_, taken);
    in_.erase(0, taken);
    const auto grown = body_->text().size() - before;
    state_.body_bytes += grown;
    held_bytes_ += grown;
    switch (at) {
      case Body::State::kDone:
        return on_request();
      case Body::State::kTooLarge:
        return refuse(HttpError(413, "too_large", "the body is too large"));
      case Body::State::kBroken:
        return refuse(HttpError(400, "invalid_request", "the chunks of the body are broken"));
      case Body::State::kMore:
        break;
    }
    if (state_.body_bytes > kMostBodyBytes) {
      return refuse(HttpError(503, "overloaded", "too much is being sent at once", {}, 1));
    }
    const auto now = Clock::now();
    const auto earned = std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(static_cast<double>(body_->wire_bytes()) / kLeastBytesPerS));
    deadline_ = std::min(now, body_began_ + earned) + state_.options.body_idle_timeout;
    if (in_.empty()) in_ = {};
    wait_for_bytes();
  }

  // A whole request is there.
  void on_request() {
    if (passage_.answer) return respond(*std::move(passage_.answer));
    const auto& route = *passage_.match.route;
    received_ = Clock::now();
    if (!state_.admission.enter(route.access)) {
      return respond(
          error_answer(HttpError(429, "overloaded", "too many requests are being worked on", {}, 1),
                       route.errors, passage_.id));
    }
    state_.in_progress.add(1);
    begin(Stage::kRoute, Clock::time_point::max());
    const bool runs =
        state_.workers.run([self = shared_from_this(), &route, request = make_request()] {
          self->finish(answer_of(self->state_, route, request), route.access);
        });
    if (!runs) {
      const HttpError error(503, "overloaded", "the system gives no more threads", {}, 1);
      finish(error_answer(error, route.errors, passage_.id), route.access);
    }
  }

  Request make_request() {
    Request request;
    request.method = head_->method;
    request.path = std::move(passage_.target.path);
    request.query = std::move(passage_.target.query);
    request.captures = std::move(passage_.match.captures);
    request.headers = std::move(head_->fields);
    if (body_) request.body = std::move(body_->text());
    request.peer = passage_.peer;
    request.id = passage_.id;
    request.key = passage_.key;
    request.received = received_;
    request.deadline = received_ + state_.options.queue_deadline;
    return request;
  }

  // On a worker: hands the answer to the connections' thread.
  void finish(Response answer, Access access) {
    asio::post(state_.io,
               [self = shared_from_this(), answer = std::move(answer), access]() mutable {
                 self->state_.admission.leave(access);
                 self->state_.in_progress.add(-1);
                 if (self->stage_ != Stage::kClosed) self->respond(std::move(answer));
               });
  }

  // What cannot be answered by a route, and leaves the bytes that follow without meaning.
  void refuse(const HeadFault& fault) {
    const bool too_long = fault.status == 414 || fault.status == 431;
    refuse(HttpError(fault.status, too_long ? "too_large" : "invalid_request",
                     std::string(fault.message)));
  }
  void refuse(const HttpError& error) {
    if (passage_.id.empty()) passage_.id = state_.new_id();
    passage_.answer = error_answer(error, ErrorShape::kTandem, passage_.id);
    answer_and_end();
  }

  void answer_and_end() {
    ends_ = true;
    respond(*std::move(passage_.answer));
  }

  void respond(Response answer) {
    const bool is_head = head_ && head_->method == "HEAD";
    ends_ = ends_ || state_.draining || !head_ || !head_->keep_alive;
    out_ = wire_text(answer, {.keep_alive = !ends_,
                              .head_only = is_head,
                              .request_id = passage_.id,
                              .cors_origin = passage_.cors_origin});
    record(answer.status);
    begin(Stage::kWrite, Clock::now() + kWriteTime);
    error_code error;
    const auto sent = socket_.write_some(asio::buffer(out_), error);
    if (error && error != asio::error::would_block) return close();
    if (sent == out_.size()) return after_answer();
    out_.erase(0, sent);
    write_rest();
  }

  // Slow readers: their time begins anew with each piece they take.
  void write_rest() {
    socket_.async_write_some(asio::buffer(out_),
                             [self = shared_from_this()](error_code error, std::size_t sent) {
                               if (self->stage_ == Stage::kClosed) return;
                               if (error) return self->close();
                               self->out_.erase(0, sent);
                               if (self->out_.empty()) return self->after_answer();
                               self->deadline_ = Clock::now() + kWriteTime;
                               self->write_rest();
                             });
  }

  void record(int status) {
    const auto took = Clock::now() - received_;
    const auto* route = passage_.match.route;
    state_.count(route == nullptr ? state_.router.size() : passage_.match.index, status, took);
    if (!state_.options.access_log) return;
    state_.options.access_log(
        access_line({.id = passage_.id,
                     .peer = passage_.peer.empty() ? peer_ : passage_.peer,
                     .key = passage_.key,
                     .method = head_ ? std::string_view(head_->method) : std::string_view(),
                     .route = route == nullptr ? std::string_view() : route->path,
                     .status = status,
                     .bytes_in = body_ ? body_->wire_bytes() : 0,
                     .bytes_out = out_.size(),
                     .took = took},
                    std::chrono::system_clock::now()));
  }

  void after_answer() {
    out_ = {};
    drop_body();
    if (ends_) return linger();
    head_.reset();
    passage_ = {};
    scanner_ = HeadScanner(HeadLimits{});
    begin(Stage::kIdle, Clock::now() + state_.options.keep_alive);
    if (in_.empty()) {
      if (in_.capacity() > kKeptBytes) in_ = {};
      return wait_for_bytes();
    }
    // Not from here: many small requests sent at once would nest as deep.
    asio::post(state_.io, [self = shared_from_this()] {
      if (self->stage_ != Stage::kClosed) self->on_bytes();
    });
  }

  void drop_body() {
    state_.body_bytes -= held_bytes_;
    held_bytes_ = 0;
    body_.reset();
  }

  // Closing at once while bytes arrive would take the answer back from the other side.
  void linger() {
    error_code error;
    socket_.shutdown(tcp::socket::shutdown_send, error);
    if (error) return close();
    in_ = {};
    begin(Stage::kLinger, Clock::now() + kLinger);
    wait_for_bytes();
  }

  ServerState& state_;
  tcp::socket socket_;
  std::list<std::shared_ptr<Connection>>::iterator place_;
  std::string peer_;
  Stage stage_ = Stage::kIdle;
  Clock::time_point deadline_;
  HeadScanner scanner_;
  std::string in_;  // came, and was not used yet
  std::string out_;
  std::optional<Head> head_;
  Passage passage_;
  std::optional<Body> body_;
  std::size_t held_bytes_ = 0;  // of the body, in state_.body_bytes
  std::size_t lingered_ = 0;
  Clock::time_point body_began_;
  Clock::time_point received_ = Clock::now();
  bool ends_ = false;  // after this answer
};

}  // namespace

void start_session(ServerState& state, tcp::socket socket) {
  std::make_shared<Session>(state, std::move(socket))->start();
}

}  // namespace tandem::serve
