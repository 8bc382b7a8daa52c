// Texts and checks that all databases need: file names may hold bytes that no database takes as
// text, and an item's id must be the same wherever it is indexed.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tandem/matrix.h"

#include "core/json.h"
#include "index/item.h"
#include "index/store.h"

namespace tandem {

// Any bytes as UTF-8 without NUL, and back: what is not valid UTF-8, NUL, and U+FDD0 (a code point
// that stands for nothing) become U+FDD0 and two hex digits a byte. Other texts stay as they are,
// so equality, order and prefixes of theirs do too.
std::string to_wire(std::string_view bytes);
std::string from_wire(std::string_view text);
// The same for all keys and strings within.
json::value to_wire_tree(const json::value& tree);
json::value from_wire_tree(const json::value& tree);

// The object that an item's metadata_json is. Throws kInput naming the item.
json::object metadata_of(const Item& item);

// 63 bits of the SHA-256 of its uri: databases without ids of their own call an item by it.
std::int64_t id_of_uri(std::string_view uri);

// Throws kInput: other numbers of rows, another width, NaN or infinity.
void check_rows(std::span<const Item> items, const Matrix& vectors, int width);
void check_query(std::span<const float> query, int width);
// Throws kUnsupported when there is a condition in SQL: databases take filters only.
void check_options(const SearchOptions& options, const std::string& shown);
// Throws kInput when a store made for `has` is asked for with another model.
void check_same_model(const StoreMeta& has, const StoreMeta& asked, const std::string& shown);

// One item of each uri, the last; indexes into `items`, ascending.
std::vector<std::size_t> last_of_each_uri(std::span<const Item> items);

}  // namespace tandem
