// What the stores behind REST have in common. A database brings a few plain steps (RestSteps);
// RestStore makes of them a Store that never returns too little: what the database cannot filter by
// is filtered here, and where its index leaves something out, every row is looked at.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/json.h"
#include "index/store.h"

namespace tandem {

struct StoredItem {
  Item item;
  std::vector<float> vector;  // where it was asked for
  float score = 0;            // of nearest()
};

enum class Want { kItems, kVectors };  // kVectors: both

// A condition in the database's own language. Nothing: it has no words for it.
struct NativeFilter {
  json::value condition;  // null: every item
  // Whether it holds for just those items that the filter holds for. Otherwise it holds for more.
  bool exact = false;
};

// One collection of a database. Texts are given and returned as they are; going through to_wire()
// is up to the steps. Safe to share between threads.
class RestSteps {
 public:
  virtual ~RestSteps() = default;

  virtual std::string describe() const = 0;
  virtual std::size_t most_rows() const = 0;   // of one write
  virtual std::size_t most_found() const = 0;  // of one nearest()

  // How the database says a condition on one field (never kAnd, kOr, kNot), and how it joins them.
  virtual std::optional<NativeFilter> leaf(const ItemFilter& filter) const = 0;
  // At least two of them. none_of() may answer null: it cannot.
  virtual json::value all_of(json::array conditions) const = 0;
  virtual json::value any_of(json::array conditions) const = 0;
  virtual json::value none_of(json::value condition) const = 0;

  // Ids are set and different. Stored and seen by all that follows when it returns.
  virtual void write(std::span<const Item* const> items,
                     std::span<const std::span<const float>> rows) = 0;
  virtual void erase(std::span<const std::int64_t> ids) = 0;
  virtual std::vector<StoredItem> fetch(std::span<const std::int64_t> ids, Want want) const = 0;
  // The next page of the items that `condition` holds for; `cursor` begins as null, and is null
  // again after the last page.
  virtual std::vector<StoredItem> scan(const json::value& condition, Want want,
                                       json::value& cursor) const = 0;
  virtual std::size_t count(const json::value& condition) const = 0;
  // Best first, at most `count`, perhaps too few; score is the cosine.
  virtual std::vector<StoredItem> nearest(std::span<const float> query, std::size_t count,
                                          const json::value& condition) const = 0;

  virtual std::optional<std::string> note(const std::string& name) const = 0;
  virtual void set_note(const std::string& name, const std::string& text) = 0;
};

// Runs `call`; what it throws that is no Error (an answer without the members that it must have) is
// kUnsupported.
template <class Call>
auto as_errors(const std::string& shown, const Call& call) {
  try {
    return call();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(Kind::kUnsupported,
                shown + ": its answer is not one of this kind of database: " + error.what() + ".");
  }
}

// The condition for all of `filter`, as far as the database can say it.
NativeFilter compile(const ItemFilter& filter, const RestSteps& steps);

// The meta that a store keeps as its note "store", as text and back. Throws kUnsupported for the
// format of another version.
std::string meta_text(const StoreMeta& meta);
StoreMeta parse_meta(const std::string& text, const std::string& shown);

// How many rows of `width` make a request of 8 MiB, which every server takes.
std::size_t rows_of_a_request(int width);

// Throws kInput when `width` vectors cannot be stored.
void check_width(int width, int widest, const std::string& shown);

// An item's fields and back: uri, kind, sha256, size_bytes, mtime_ns, width, height, caption as
// texts and numbers, metadata as it is. Texts go through to_wire().
json::object fields_of(const Item& item);
Item item_of_fields(std::int64_t id, const json::object& fields);

std::unique_ptr<Store> make_rest_store(std::unique_ptr<RestSteps> steps, StoreMeta meta,
                                       std::string shown);

}  // namespace tandem
