#include "preprocess/protobuf.h"

#include <cstring>
#include <vector>

#include "core/error.h"

namespace tandem {
namespace {

// Groups within groups, as Google's parser bounds them.
constexpr std::size_t kDeepestGroup = 100;

}  // namespace

void ProtobufReader::fail(const std::string& what) const {
  throw Error(Kind::kCorrupt,
              name_ + ": " + what + ", " + std::to_string(rest_.size()) +
                  " bytes before its end. Expected a SentencePiece model (protocol buffers): the "
                  "file is damaged or of another kind.");
}

std::uint64_t ProtobufReader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    if (rest_.empty()) fail("a number is cut off");
    const auto byte = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if (byte < 0x80) return value;
  }
  fail("a number of more than 10 bytes");
}

std::string_view ProtobufReader::take(std::uint64_t count) {
  if (count > rest_.size()) fail("a field of " + std::to_string(count) + " bytes");
  const std::string_view bytes = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return bytes;
}

// Any field as it stands, groups' ends included.
bool ProtobufReader::read(Field& field) {
  if (rest_.empty()) return false;
  const std::uint64_t tag = varint();
  if (tag >> 32 != 0 || tag >> 3 == 0) fail("field tag " + std::to_string(tag));
  field = {};
  field.number = static_cast<std::uint32_t>(tag >> 3);
  const unsigned wire = tag & 7U;
  if (wire > 5) fail("wire type " + std::to_string(wire));
  field.wire = static_cast<Wire>(wire);
  switch (field.wire) {
    case Wire::kVarint:
      field.number_value = varint();
      break;
    case Wire::kFixed64:
      std::memcpy(&field.number_value, take(8).data(), 8);
      break;
    case Wire::kBytes:
      field.bytes = take(varint());
      break;
    case Wire::kFixed32:
      std::memcpy(&field.number_value, take(4).data(), 4);
      break;
    case Wire::kGroup:
    case Wire::kEndGroup:
      break;
  }
  return true;
}

void ProtobufReader::skip_group(std::uint32_t number) {
  std::vector<std::uint32_t> open{number};
  Field field;
  while (!open.empty()) {
    if (!read(field)) fail("a group that does not end");
    if (field.wire == Wire::kGroup) {
      if (open.size() == kDeepestGroup) fail("groups nested too deeply");
      open.push_back(field.number);
    } else if (field.wire == Wire::kEndGroup) {
      if (field.number != open.back()) fail("a group's end without its start");
      open.pop_back();
    }
  }
}

bool ProtobufReader::next(Field& field) {
  while (read(field)) {
    if (field.wire == Wire::kEndGroup) fail("a group's end without its start");
    if (field.wire != Wire::kGroup) return true;
    skip_group(field.number);
  }
  return false;
}

}  // namespace tandem
