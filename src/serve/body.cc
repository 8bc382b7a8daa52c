#include "serve/body.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

namespace tandem::serve {
namespace {

namespace http = boost::beast::http;

// Of chunks' own lines and trailers, beside a body's bytes: tiny chunks cost more than they bring.
constexpr std::size_t kOverheadBytes = 64 << 10;

}  // namespace

struct Body::Chunks {
  http::request_parser<http::buffer_body> parser;
  bool broken = false;
};

Body::Body(const Head& head, std::string_view head_text, std::size_t limit) : limit_(limit) {
  left_ = head.content_length.value_or(0);
  if (!head.chunked) return;
  chunks_ = std::make_unique<Chunks>();
  auto& parser = chunks_->parser;
  parser.header_limit(64 << 10);
  parser.body_limit(limit);
  boost::beast::error_code error;
  parser.put(boost::asio::buffer(head_text.data(), head_text.size()), error);
  // It must come to the same view of the head.
  chunks_->broken = error || !parser.is_header_done() || !parser.chunked();
}

Body::~Body() = default;
Body::Body(Body&&) noexcept = default;
Body& Body::operator=(Body&&) noexcept = default;

Body::State Body::take(std::string_view bytes, std::size_t& taken) {
  if (chunks_ != nullptr) return take_chunks(bytes, taken);
  taken = std::min(left_, bytes.size());
  text_.append(bytes.substr(0, taken));
  left_ -= taken;
  wire_bytes_ += taken;
  return left_ == 0 ? State::kDone : State::kMore;
}

Body::State Body::take_chunks(std::string_view bytes, std::size_t& taken) {
  taken = 0;
  auto& parser = chunks_->parser;
  if (chunks_->broken) return State::kBroken;
  std::array<char, 16 << 10> piece;
  while (!parser.is_done()) {
    if (wire_bytes_ > 2 * limit_ + kOverheadBytes) return State::kTooLarge;
    auto& room = parser.get().body();
    room.data = piece.data();
    room.size = piece.size();
    room.more = true;
    boost::beast::error_code error;
    const auto rest = bytes.substr(taken);
    const auto used = parser.put(boost::asio::buffer(rest.data(), rest.size()), error);
    taken += used;
    wire_bytes_ += used;
    text_.append(piece.data(), piece.size() - room.size);
    if (error == http::error::need_more) return State::kMore;
    if (error == http::error::body_limit) return State::kTooLarge;
    if (error && error != http::error::need_buffer) return State::kBroken;
    if (used == 0 && !error) return State::kMore;
  }
  return State::kDone;
}

}  // namespace tandem::serve
