#include "core/public_address.h"

#include <arpa/inet.h>
#include <atomic>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "core/http_client.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

bool is_public(const std::string& text) {
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1)
    return is_public_address({bytes.data(), 4});
  EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), bytes.data()), 1) << text;
  return is_public_address(bytes);
}

// The stranger's server: counts the connections that reach it and answers each with `answer`.
class Listener {
 public:
  explicit Listener(std::string answer) : answer_(std::move(answer)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    socket_ = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(socket_, 64), 0);
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Listener() {
    shutdown(socket_, SHUT_RDWR);
    thread_.join();
    close(socket_);
  }
  int port() const { return port_; }
  int connections() const { return connections_; }

 private:
  void serve() {
    for (;;) {
      const int connection = accept(socket_, nullptr, nullptr);
      if (connection < 0) return;
      ++connections_;
      char buffer[4096];
      if (recv(connection, buffer, sizeof(buffer), 0) > 0)
        send(connection, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      close(connection);
    }
  }
  std::string answer_;
  int socket_ = -1;
  int port_ = 0;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

const std::string kPage = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";

// Asks with `only_public`; whatever address the policy lets pass is led to `listener`.
struct Asking {
  Listener& listener;
  std::function<std::vector<std::string>(int)> resolve = {};
  std::vector<std::string> allowed = {};  // addresses that connections were opened to
  std::vector<std::string> refused = {};

  HttpResponse get(const std::string& url) {
    HttpFakeNetwork network;
    network.resolve = resolve;
    network.dial = [this](const std::string& address, bool may) {
      (may ? allowed : refused).push_back(address);
      return listener.port();
    };
    HttpClient client({.plain_http = true,
                       .connect_timeout = std::chrono::milliseconds(250),
                       .total_timeout = std::chrono::milliseconds(2'000),
                       .only_public = true,
                       .fake_network = &network});
    return client.send({.url = url});
  }
};

const std::vector<std::string> kForbidden4 = {
    "127.0.0.1",   "127.255.255.254", "10.0.0.1",       "169.254.169.254", "192.168.1.1",
    "172.16.0.1",  "172.31.255.255",  "100.64.0.1",     "100.127.255.255", "0.0.0.0",
    "0.1.2.3",     "198.18.0.1",      "198.19.255.1",   "192.0.0.8",       "192.0.2.1",
    "203.0.113.9", "198.51.100.7",    "192.88.99.1",    "224.0.0.1",       "239.255.255.250",
    "240.0.0.1",   "255.255.255.255", "100.100.100.200"};

const std::vector<std::string> kForbidden6 = {"::",
                                              "::1",
                                              "::127.0.0.1",
                                              "::ffff:127.0.0.1",
                                              "::ffff:93.184.216.34",
                                              "::ffff:0:127.0.0.1",
                                              "64:ff9b::127.0.0.1",
                                              "64:ff9b::10.0.0.1",
                                              "64:ff9b::169.254.169.254",
                                              "64:ff9b:1::1",
                                              "64:ff9b:1::93.184.216.34",
                                              "100::1",
                                              "100:0:0:1::1",
                                              "2001::1",
                                              "2001:0:4136:e378:8000:63bf:3fff:fdd2",
                                              "2001:2::1",
                                              "2001:10::1",
                                              "2001:20::1",
                                              "2001:db8::1",
                                              "2002:7f00:1::1",
                                              "2002:a00:1::",
                                              "2002:a9fe:a9fe::1",
                                              "3ffe::1",
                                              "3fff::1",
                                              "3fff:fff:ffff::1",
                                              "4000::1",
                                              "5f00::1",
                                              "fc00::1",
                                              "fd00:ec2::254",
                                              "fdff:ffff::1",
                                              "fe80::1",
                                              "fe80::a9fe:a9fe",
                                              "febf::1",
                                              "fec0::1",
                                              "ff02::1",
                                              "ff0e::1",
                                              "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};

// `address` as people have written it to get past filters.
std::vector<std::string> disguises(const std::string& address) {
  std::array<unsigned, 4> b{};
  std::array<std::uint8_t, 4> raw{};
  inet_pton(AF_INET, address.c_str(), raw.data());
  std::copy(raw.begin(), raw.end(), b.begin());
  const auto whole = (b[0] << 24) | (b[1] << 16) | (b[2] << 8) | b[3];
  const auto low24 = whole & 0xffffff;
  const auto low16 = whole & 0xffff;
  std::string percent, wide;
  for (const char c : address) {
    percent += fmt::format("%{:02x}", static_cast<int>(c));
    wide +=
        c == '.' ? "\xe3\x80\x82" : fmt::format("\xef\xbc{}", static_cast<char>(c - '0' + 0x90));
  }
  const auto hex = fmt::format("{:x}:{:x}", whole >> 16, low16);
  return {address,
          fmt::format("{}", whole),
          fmt::format("0x{:08x}", whole),
          fmt::format("0X{:X}", whole),
          fmt::format("0{:o}", whole),
          fmt::format("{}.{}", b[0], low24),
          fmt::format("{}.{}.{}", b[0], b[1], low16),
          fmt::format("0x{:x}.0x{:x}.0x{:x}.0x{:x}", b[0], b[1], b[2], b[3]),
          fmt::format("0{:o}.0{:o}.0{:o}.0{:o}", b[0], b[1], b[2], b[3]),
          fmt::format("0000{:o}.{}.0x{:x}", b[0], b[1], low16),
          address + ".",
          percent,
          wide,
          "[::ffff:" + address + "]",
          "[::ffff:" + hex + "]",
          "[0:0:0:0:0:FFFF:" + hex + "]",
          "[::" + address + "]",
          "[64:ff9b::" + hex + "]",
          "[2002:" + hex + "::]",
          "example.com@" + address,
          "user:secret@" + address,
          "example.com\\@" + address,
          address + "\\.example.com",
          address + "#@example.com",
          address + "?@example.com",
          address + "%00.example.com",
          address + "%09",
          " " + address};
}

TEST(PublicAddress, IsWhatTheRegistriesCallGloballyReachable) {
  for (const auto& address : kForbidden4) EXPECT_FALSE(is_public(address)) << address;
  for (const auto& address : kForbidden6) EXPECT_FALSE(is_public(address)) << address;
  for (const auto* address : {"1.1.1.1",
                              "9.255.255.255",
                              "11.0.0.0",
                              "93.184.216.34",
                              "100.63.255.255",
                              "100.128.0.0",
                              "126.255.255.255",
                              "128.0.0.0",
                              "169.253.255.255",
                              "172.15.255.255",
                              "172.32.0.0",
                              "191.255.255.255",
                              "192.0.1.0",
                              "192.167.255.255",
                              "192.169.0.0",
                              "198.17.255.255",
                              "198.20.0.0",
                              "223.255.255.255",
                              "2606:2800:220:1:248:1893:25c8:1946",
                              "2001:4860::8888",
                              "2001:200::1",
                              "2a00:1450::1",
                              "3fff:1000::1",
                              "64:ff9b::93.184.216.34"})
    EXPECT_TRUE(is_public(address)) << address;
  EXPECT_FALSE(is_public_address({}));
}

TEST(PublicAddress, NoTrickOpensAForbiddenConnection) {
  Listener listener(kPage);
  Asking asking{listener, [](int) { return std::vector<std::string>{"example.com:80:127.0.0.1"}; }};
  int tricks = 0;
  const auto expect_refused = [&](const std::string& url) {
    ++tricks;
    const auto response = asking.get(url);
    EXPECT_FALSE(response.ok()) << url;
    EXPECT_EQ(response.status, 0) << url;
    EXPECT_THAT(asking.allowed, ::testing::IsEmpty()) << url;
    EXPECT_EQ(listener.connections(), 0) << url;
  };
  for (const auto& address : kForbidden4) {
    for (const auto& host : disguises(address)) expect_refused("http://" + host + "/x.jpg");
  }
  for (const auto& address : kForbidden6) expect_refused("http://[" + address + "]/x.jpg");
  for (const auto* url : {"http://[fe80::1%25eth0]/",
                          "http://[fe80::1%25lo]/",
                          "http://[::1%25lo]/",
                          "http://127.0.0.1:22/",
                          "http://93.184.216.34:22/",
                          "https://93.184.216.34:6379/",
                          "http://93.184.216.34:8080/",
                          "http://93.184.216.34:0/",
                          "http://93.184.216.34:65536/",
                          "http://u@93.184.216.34/",
                          "http://u:p@93.184.216.34/",
                          "http://:@93.184.216.34/",
                          "file:///etc/passwd",
                          "file://127.0.0.1/etc/passwd",
                          "ftp://93.184.216.34/",
                          "gopher://93.184.216.34/",
                          "dict://93.184.216.34:80/",
                          "ldap://93.184.216.34/",
                          "data:image/png;base64,AAAA",
                          "http:/\\127.0.0.1/",
                          "http:///127.0.0.1/",
                          "//127.0.0.1/",
                          "http://",
                          "http://[::1",
                          "http://exam\nple.com/",
                          "http://example.com\r\nHost: x/",
                          "http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/",
                          "http://example.com/",
                          ""})
    expect_refused(url);
  EXPECT_GE(tricks, 400);
}

TEST(PublicAddress, NamesAreJudgedByWhatTheyResolveTo) {
  Listener listener(kPage);
  const auto refused_when = [&listener](const std::string& addresses) {
    Asking asking{listener, [&addresses](int) {
                    return std::vector<std::string>{"site.example:80:" + addresses};
                  }};
    EXPECT_FALSE(asking.get("http://site.example/x").ok()) << addresses;
    EXPECT_FALSE(asking.refused.empty()) << addresses;
    EXPECT_TRUE(asking.allowed.empty()) << addresses;
  };
  for (const auto& address : kForbidden4) refused_when(address);
  for (const auto& address : kForbidden6) refused_when("[" + address + "]");
  refused_when("127.0.0.1,10.0.0.1,[::1]");
  EXPECT_EQ(listener.connections(), 0);

  Asking asking{listener,
                [](int) { return std::vector<std::string>{"site.example:80:93.184.216.34"}; }};
  EXPECT_TRUE(asking.get("http://site.example/x").ok());
  EXPECT_EQ(listener.connections(), 1);
}

TEST(PublicAddress, EveryRedirectIsJudgedAgain) {
  for (const auto& target :
       {"http://169.254.169.254/latest/meta-data/", "http://127.0.0.1/", "http://[::1]/",
        "http://2130706433/", "//10.0.0.1/", "http://0x7f000001/", "file:///etc/passwd",
        "http://site.example:22/", "http://u:p@site.example/", "ftp://site.example/"}) {
    Listener listener(
        fmt::format("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n"
                    "Connection: close\r\n\r\n",
                    target));
    Asking asking{listener,
                  [](int) { return std::vector<std::string>{"site.example:80:93.184.216.34"}; }};
    const auto response = asking.get("http://site.example/x");
    EXPECT_THAT(response.failure, HasSubstr("refused to")) << target;
    EXPECT_EQ(listener.connections(), 1) << target;  // the one that redirected
  }
}

TEST(PublicAddress, ANameThatChangesItsMindBetweenHopsIsRefused) {
  Listener listener("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
  Asking asking{listener, [](int hop) {
                  return std::vector<std::string>{hop == 0 ? "site.example:80:93.184.216.34"
                                                           : "site.example:80:127.0.0.1"};
                }};
  const auto response = asking.get("http://site.example/x");
  EXPECT_EQ(response.failure, "refused to connect to 127.0.0.1: not a public address");
  EXPECT_EQ(listener.connections(), 1);
}

TEST(PublicAddress, FiveRedirectsAreFollowed) {
  Listener listener("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
  Asking asking{listener,
                [](int) { return std::vector<std::string>{"site.example:80:93.184.216.34"}; }};
  EXPECT_EQ(asking.get("http://site.example/x").failure, "redirected more than 5 times");
  EXPECT_EQ(listener.connections(), 6);
}

TEST(PublicAddress, ProxiesOfTheEnvironmentAreNotAsked) {
  Listener proxy(kPage);
  setenv("http_proxy", fmt::format("http://127.0.0.1:{}", proxy.port()).c_str(), 1);
  HttpClient client(
      {.plain_http = true, .connect_timeout = std::chrono::milliseconds(250), .only_public = true});
  EXPECT_FALSE(client.send({.url = "http://127.0.0.1/x"}).ok());
  unsetenv("http_proxy");
  EXPECT_EQ(proxy.connections(), 0);
}

}  // namespace
}  // namespace tandem
