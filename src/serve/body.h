// The body of a request as its bytes arrive: counted by Content-Length, or in chunks (Boost.Beast
// decodes those).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "serve/head.h"

namespace tandem::serve {

class Body {
 public:
  // head_text: the bytes that `head` was read from. limit: bytes that are kept at most.
  Body(const Head& head, std::string_view head_text, std::size_t limit);
  ~Body();
  Body(Body&&) noexcept;
  Body& operator=(Body&&) noexcept;

  enum class State { kMore, kDone, kTooLarge, kBroken };
  // Takes from the front of `bytes` what belongs to the body, and says how much that was.
  State take(std::string_view bytes, std::size_t& taken);
  std::string& text() { return text_; }
  std::size_t wire_bytes() const { return wire_bytes_; }

 private:
  struct Chunks;
  State take_chunks(std::string_view bytes, std::size_t& taken);
  std::string text_;
  std::size_t limit_;
  std::size_t left_ = 0;        // of a counted body
  std::size_t wire_bytes_ = 0;  // with the chunks' own lines
  std::unique_ptr<Chunks> chunks_;
};

}  // namespace tandem::serve
