#include "serve/head.h"

#include <gtest/gtest.h>

namespace tandem::serve {
namespace {

// The status that a head is refused with; 200: it is fine, 0: it is not whole.
int outcome(const std::string& bytes) {
  HeadScanner scanner{HeadLimits{}};
  const auto size = scanner.scan(bytes);
  if (scanner.fault()) return scanner.fault()->status;
  if (size == 0) return 0;
  HeadFault fault;
  return read_head(std::string_view(bytes).substr(0, size), fault) ? 200 : fault.status;
}

std::string with(const std::string& lines) {
  return "POST /a HTTP/1.1\r\nHost: localhost\r\n" + lines + "\r\n";
}

TEST(Head, reads_method_target_and_fields) {
  const auto bytes = with("X-A: 1\r\nx-a:2 \r\nContent-Length: 12\r\nExpect: 100-Continue\r\n");
  HeadFault fault;
  const auto head = read_head(bytes, fault);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->method, "POST");
  EXPECT_EQ(head->target, "/a");
  EXPECT_EQ(head->fields.at("x-a"), "1, 2");
  EXPECT_EQ(head->content_length, 12U);
  EXPECT_TRUE(head->expects_continue);
  EXPECT_TRUE(head->keep_alive);
}

TEST(Head, is_found_however_its_bytes_are_cut) {
  const auto bytes = with("A: b\r\n") + "body\n";
  HeadScanner scanner{HeadLimits{}};
  for (std::size_t i = 1; i < bytes.size() - 5; ++i) {
    ASSERT_EQ(scanner.scan(std::string_view(bytes).substr(0, i)), 0U) << i;
    ASSERT_FALSE(scanner.fault()) << i;
  }
  EXPECT_EQ(scanner.scan(bytes), bytes.size() - 5);
}

TEST(Head, refuses_what_two_programs_could_read_differently) {
  EXPECT_EQ(outcome(with("")), 200);
  EXPECT_EQ(outcome(with("Content-Length: 1\r\nContent-Length: 1\r\n")), 400);
  EXPECT_EQ(outcome(with("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")), 400);
  EXPECT_EQ(outcome(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")), 400);
  EXPECT_EQ(outcome(with("Transfer-Encoding: gzip, chunked\r\n")), 501);
  for (const auto* length :
       {"-1", "+1", "0x10", "1 ", "1,1", "1 1", "", "1e3", "9999999999999999"}) {
    const bool fine = std::string(length) == "1 ";  // white space around a value is no part of it
    EXPECT_EQ(outcome(with(std::string("Content-Length: ") + length + "\r\n")), fine ? 200 : 400)
        << length;
  }
  EXPECT_EQ(outcome(with("A: b\r\n c\r\n")), 400);
  EXPECT_EQ(outcome(with("A : b\r\n")), 400);
  EXPECT_EQ(outcome(with(": b\r\n")), 400);
  EXPECT_EQ(outcome(with("A\r\n")), 400);
  EXPECT_EQ(outcome(with("A: b\n")), 400);
  EXPECT_EQ(outcome(with("A: b\rc\r\n")), 400);
  EXPECT_EQ(outcome(with("A: \x01\r\n")), 400);
  EXPECT_EQ(outcome(with(std::string("A: \0\r\n", 6))), 400);
  EXPECT_EQ(outcome(with("Host: other\r\n")), 400);
  EXPECT_EQ(outcome("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(outcome("GET / HTTP/1.1\nHost: a\n\n"), 400);
  EXPECT_EQ(outcome("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(outcome("GET /\r\n\r\n"), 400);
  EXPECT_EQ(outcome("\r\nGET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(outcome("G(T / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(outcome("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
  EXPECT_EQ(outcome(with("Expect: other\r\n")), 417);
}

TEST(Head, keeps_http_1_0_open_only_where_it_asks) {
  HeadFault fault;
  EXPECT_FALSE(read_head("GET / HTTP/1.0\r\n\r\n", fault)->keep_alive);
  EXPECT_TRUE(read_head("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", fault)->keep_alive);
  EXPECT_FALSE(read_head(with("Connection: close\r\n"), fault)->keep_alive);
  EXPECT_FALSE(read_head("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", fault));
}

TEST(Head, has_limits_on_target_line_count_and_size) {
  const HeadLimits limits;
  EXPECT_EQ(outcome("GET /" + std::string(limits.line_bytes, 'a')), 414);
  EXPECT_EQ(outcome("GET /" + std::string(limits.line_bytes, 'a') + " HTTP/1.1\r\n"), 414);
  EXPECT_EQ(outcome(with("A: " + std::string(limits.line_bytes, 'a') + "\r\n")), 431);
  std::string many;
  for (std::size_t i = 0; i < limits.fields - 1; ++i) many += "A: b\r\n";
  EXPECT_EQ(outcome(with(many)), 200);
  EXPECT_EQ(outcome(with(many + "A: b\r\n")), 431);
  std::string large;
  for (int i = 0; i < 5; ++i) large += "A: " + std::string(8000, 'a') + "\r\n";
  EXPECT_EQ(outcome(with(large)), 431);
}

}  // namespace
}  // namespace tandem::serve
