// Reads Protocol Buffers' wire format from hostile bytes, a field at a time. Borrows the bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tandem {

// message := (tag:varint value)*   tag = number << 3 | wire type
// value := varint | 8 bytes | size:varint bytes | group | 4 bytes
class ProtobufReader {
 public:
  // `name` is used in messages (a path).
  ProtobufReader(std::string_view message, const std::string& name) : rest_(message), name_(name) {}

  enum class Wire : std::uint8_t { kVarint, kFixed64, kBytes, kGroup, kEndGroup, kFixed32 };

  struct Field {
    std::uint32_t number = 0;
    Wire wire = Wire::kVarint;
    std::uint64_t number_value = 0;  // kVarint, kFixed32, kFixed64
    std::string_view bytes;          // kBytes
  };

  // The next field into `field`; groups are read over. False at the end of the message. Throws
  // kCorrupt where Google's parser refuses.
  bool next(Field& field);

 private:
  std::uint64_t varint();
  std::string_view take(std::uint64_t count);
  void skip_group(std::uint32_t number);
  bool read(Field& field);
  [[noreturn]] void fail(const std::string& what) const;

  std::string_view rest_;
  const std::string& name_;  // the caller's
};

}  // namespace tandem
