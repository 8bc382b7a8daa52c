// For tests: bytes to a server and back, without any idea of HTTP.
#pragma once

#include <arpa/inet.h>
#include <cstdint>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace tandem::serve {

class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{5, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  ~RawClient() { ::close(fd_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }

  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void end_sending() const { shutdown(fd_, SHUT_WR); }

  // The next answer: its head and as many bytes as its Content-Length says. What came before the
  // end where there is none.
  std::string answer(bool without_body = false) {
    std::size_t head_end = std::string::npos;
    while ((head_end = in_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive()) return take(in_.size());
    }
    std::size_t length = 0;
    const auto at = in_.find("Content-Length: ");
    if (at < head_end && !without_body) length = std::stoul(in_.substr(at + 16));
    while (in_.size() < head_end + 4 + length && receive()) {
    }
    return take(head_end + 4 + length);
  }
  // Everything until the server closes; within 5 s.
  std::string rest() {
    while (receive()) {
    }
    return take(in_.size());
  }
  // Whether the server has closed (and sent nothing more).
  bool closed() { return rest().empty() && ended_; }

 private:
  bool receive() {
    char buffer[4096];
    const auto got = recv(fd_, buffer, sizeof buffer, 0);
    ended_ = got == 0;
    if (got <= 0) return false;
    in_.append(buffer, static_cast<std::size_t>(got));
    return true;
  }
  std::string take(std::size_t count) {
    const std::string out = in_.substr(0, count);
    in_.erase(0, count);
    return out;
  }
  int fd_;
  bool connected_ = false;
  bool ended_ = false;
  std::string in_;
};

}  // namespace tandem::serve
