// What a collection knows of one picture or text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tandem {

enum class ItemKind { kPicture, kText };

struct Item {
  std::int64_t id = 0;  // assigned by the store
  ItemKind kind = ItemKind::kPicture;
  std::string uri;     // a picture's path as it was given; unique. Texts: "text:" and their hash
  std::string sha256;  // hex, of the file's bytes or of the text
  std::uint64_t size_bytes = 0;
  std::int64_t mtime_ns = 0;
  int width = 0;  // texts: 0
  int height = 0;
  std::string caption;               // texts: the text itself
  std::string metadata_json = "{}";  // an object; column `metadata`
};

// "picture", "text".
std::string_view kind_name(ItemKind kind);

struct Hit {
  std::int64_t id = 0;
  float score = 0;  // cosine, higher is nearer, whatever the store calls it
  std::string uri;
  std::string caption;
};

}  // namespace tandem
