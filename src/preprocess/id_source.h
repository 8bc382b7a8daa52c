// What a tokenizer file makes of a text, before the model's own start, end, length and padding.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace tandem {

// Immutable after construction; safe to share.
class IdSource {
 public:
  virtual ~IdSource() = default;
  // Ids of well-formed UTF-8, without `prefix` and `suffix`.
  virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
  virtual int vocab_size() const = 0;
  // Id of the token with exactly this text; -1 if there is none.
  virtual std::int32_t id(std::string_view token) const = 0;
  // Ids around every text (start and end), which truncation never takes.
  virtual std::vector<std::int32_t> prefix() const { return {}; }
  virtual std::vector<std::int32_t> suffix() const { return {}; }
  // Whether the suffix is left out after ids that already end with it.
  virtual bool ends_once() const { return false; }
};

}  // namespace tandem
