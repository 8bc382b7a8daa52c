// Items: list, get, look at, add, delete.
#include <algorithm>
#include <array>
#include <chrono>
#include <fmt/format.h>
#include <map>

#include "tandem/error.h"

#include "core/sha256.h"
#include "serve/answer_json.h"
#include "serve/api.h"
#include "serve/embed_inputs.h"
#include "serve/kept_pictures.h"

namespace tandem::serve {
namespace {

constexpr std::int64_t kMostListed = 1'000;
constexpr std::int64_t kDefaultListed = 100;
constexpr std::int64_t kMostOffset = 1'000'000'000;
constexpr std::size_t kMostTextBytes = 64 << 10;  // captions and metadata; texts too
constexpr std::size_t kMostUriBytes = 4'096;

Item item_of(const Shelf& shelf, std::int64_t id) {
  const std::int64_t ids[] = {id};
  std::vector<Item> items = shelf.store->items(ids);
  if (items.empty()) throw HttpError(404, "item_not_found", "No item has this id.", "id");
  return std::move(items.front());
}

std::size_t count_matching(const Store& store, const std::optional<ItemFilter>& filter,
                           std::size_t offset, std::size_t found, std::size_t limit) {
  if (!filter) return store.size();
  if (found < limit && (found > 0 || offset == 0)) return offset + found;
  return store.list(filter, 0, static_cast<std::size_t>(kMostOffset)).size();
}

// What POST /v1/items is given, and what becomes of it.
struct NewItem {
  Item item;
  std::string place;             // "items[3]"
  std::vector<std::byte> bytes;  // pictures
  PixelBatch input;
};

std::string limited(const BodyReader& reader, const char* key, std::size_t most) {
  std::string text = reader.text(key).value_or("");
  if (text.size() <= most) return text;
  const std::string place = reader.place(key);
  throw HttpError(413, "text_too_long",
                  fmt::format("{}: {} bytes. Expected at most {}.", place, text.size(), most),
                  place);
}

// Of something elsewhere: https://…, s3://…. Never a file of this machine: previews would show it.
std::string uri_of(const BodyReader& reader) {
  std::string uri = limited(reader, "uri", kMostUriBytes);
  if (!reader.has("uri")) return uri;
  const std::size_t scheme = uri.find("://");
  const bool good =
      scheme != std::string::npos && scheme > 0 && uri.size() > scheme + 3 &&
      std::all_of(uri.begin(), uri.end(), [](unsigned char c) { return c > ' ' && c != 0x7F; }) &&
      uri.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+.-") == scheme &&
      !uri.starts_with("file:");
  if (!good)
    refuse(reader.place("uri"),
           reader.place("uri") + ": expected an address such as https://example.com/a.jpg.");
  return uri;
}

NewItem read_item(Service& service, const BodyReader& reader, std::string place,
                  const Request& request) {
  reader.refuse_unknown({"picture", "text", "uri", "caption", "metadata"});
  if (reader.has("picture") == reader.has("text"))
    refuse(place, place + ": expected exactly one of \"picture\" and \"text\".");
  NewItem added;
  added.item.uri = uri_of(reader);
  added.item.caption = limited(reader, "caption", kMostTextBytes);
  if (const json::value* metadata = reader.find("metadata")) {
    if (!metadata->is_object())
      refuse(reader.place("metadata"), reader.place("metadata") + ": expected an object.");
    added.item.metadata_json = json::dump(*metadata);
    if (added.item.metadata_json.size() > kMostTextBytes)
      throw HttpError(413, "text_too_long", reader.place("metadata") + ": expected at most 64 KiB.",
                      reader.place("metadata"));
  }
  if (reader.has("text")) {
    if (reader.has("caption"))
      refuse(reader.place("caption"), reader.place("caption") + ": a text is its own caption.");
    added.item.kind = ItemKind::kText;
    added.item.caption = limited(reader, "text", kMostTextBytes);
    added.item.size_bytes = added.item.caption.size();
    added.item.sha256 = hex(sha256(std::as_bytes(std::span(added.item.caption))));
    if (added.item.uri.empty()) added.item.uri = "text:" + added.item.sha256;
  } else {
    const std::string source = reader.required_text("picture");
    at_place(reader.place("picture"),
             [&] { added.bytes = service.picture_bytes(source, request); });
    added.item.size_bytes = added.bytes.size();
    added.item.sha256 = hex(sha256(added.bytes));
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  added.item.mtime_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  added.place = std::move(place);
  return added;
}

// (N,E). Fills in the pictures' sizes.
Matrix embed_added(Service& service, const ServedModel& model, std::vector<NewItem>& added,
                   const Request& request) {
  std::vector<PixelBatch> inputs;
  std::vector<std::string> texts;
  std::vector<std::string> text_places;
  for (NewItem& one : added) {
    if (one.item.kind == ItemKind::kText) {
      texts.push_back(one.item.caption);
      text_places.push_back(one.place + ".text");
      continue;
    }
    at_place(one.place + ".picture", [&] {
      DecodedPicture decoded = service.decode(model, {one.bytes, std::nullopt}, request);
      one.item.width = decoded.width;
      one.item.height = decoded.height;
      inputs.push_back(std::move(decoded.input));
    });
  }
  Matrix of_texts;
  Matrix of_pictures;
  if (!texts.empty())
    at_places(text_places, [&] { of_texts = service.embed_texts(model, texts, request); });
  if (!inputs.empty()) of_pictures = model.batcher->pictures(inputs, request.deadline);
  Matrix all(added.size(), texts.empty() ? of_pictures.cols : of_texts.cols);
  std::size_t text = 0;
  std::size_t picture = 0;
  for (std::size_t i = 0; i < added.size(); ++i) {
    const bool is_text = added[i].item.kind == ItemKind::kText;
    const auto row = is_text ? of_texts.row(text++) : of_pictures.row(picture++);
    std::copy(row.begin(), row.end(), all.row(i).begin());
  }
  return all;
}

void keep_pictures(const Shelf& shelf, std::vector<NewItem>& added) {
  for (NewItem& one : added) {
    if (one.item.kind != ItemKind::kPicture) continue;
    if (is_database(shelf.location) && !one.item.uri.empty()) continue;
    at_place(one.place + ".uri", [&] {
      const auto path = keep_picture(shelf, one.item.sha256, one.bytes);
      if (one.item.uri.empty()) one.item.uri = path.string();
    });
  }
}

// Forgets pictures that were kept for items which were then not stored.
class Keeping {
 public:
  explicit Keeping(const Shelf& shelf) : shelf_(shelf) {}
  ~Keeping() {
    for (const std::string& sha256 : hashes_) {
      try {
        forget_picture(shelf_, sha256);
      } catch (...) {  // a file too many harms nobody
      }
    }
  }
  Keeping(const Keeping&) = delete;
  Keeping& operator=(const Keeping&) = delete;

  void keep(std::vector<NewItem>& added) {
    for (const NewItem& one : added)
      if (one.item.kind == ItemKind::kPicture) hashes_.push_back(one.item.sha256);
    keep_pictures(shelf_, added);
  }
  void done() { hashes_.clear(); }

 private:
  const Shelf& shelf_;
  std::vector<std::string> hashes_;
};

// Ids by uri, which the store has assigned.
std::map<std::string, std::int64_t> ids_of(const Store& store, const std::vector<Item>& items,
                                           std::span<const float> any_vector) {
  ItemFilter filter;
  filter.op = ItemFilter::Op::kIn;
  filter.column = "uri";
  for (const Item& item : items) filter.values.emplace_back(item.uri);
  SearchOptions options;
  options.top_k = items.size();
  options.filter = std::move(filter);
  std::map<std::string, std::int64_t> ids;
  for (const Hit& hit : store.search(any_vector, options)) ids[hit.uri] = hit.id;
  return ids;
}

}  // namespace

Response list_items(Service& service, const Request& request) {
  const auto limit =
      static_cast<std::size_t>(query_integer(request, "limit", kDefaultListed, {1, kMostListed}));
  const auto offset =
      static_cast<std::size_t>(query_integer(request, "offset", 0, {0, kMostOffset}));
  const auto filter = filter_of(query_text(request, "filter"));
  const auto shelf = service.shelf(query_text(request, "collection"));
  const Store& store = *shelf->store;
  std::vector<std::int64_t> ids = store.list(filter, offset, limit + 1);
  const std::size_t total = count_matching(store, filter, offset, ids.size(), limit + 1);
  const bool more = ids.size() > limit;
  if (more) ids.pop_back();
  json::array items;
  for (const Item& item : store.items(ids)) items.push_back(item_json(item));
  return json_answer(
      json::object{{"items", std::move(items)},
                   {"next_offset", more ? json::value(offset + limit) : json::value(nullptr)},
                   {"total", total}});
}

Response get_item(Service& service, const Request& request) {
  const auto shelf = service.shelf(query_text(request, "collection"));
  return json_answer(item_json(item_of(*shelf, path_id(request))));
}

Response preview_item(Service& service, const Request& request) {
  const int side = static_cast<int>(query_integer(request, "side", 320, {32, 2'048}));
  const auto shelf = service.shelf(query_text(request, "collection"));
  Item item = item_of(*shelf, path_id(request));
  if (item.kind != ItemKind::kPicture)
    throw HttpError(404, "no_preview", "This item is a text: it has no picture.", "id");
  Response answer;
  const std::string tag = fmt::format("\"{}-{}\"", item.sha256, side);
  answer.headers = {{"ETag", tag}, {"Cache-Control", "private, max-age=300"}};
  answer.content_type = "image/jpeg";
  if (request.header("if-none-match") == tag) {
    answer.status = 304;
    return answer;
  }
  if (const auto kept = kept_picture(*shelf, item.sha256)) item.uri = kept->string();
  const auto bytes = service.preview(*shelf, item, side, request);
  answer.body.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return answer;
}

Response add_items(Service& service, const Request& request) {
  const json::value parsed = parse_body(request);
  const BodyReader body(parsed);
  body.refuse_unknown({"collection", "items"});
  const auto shelf = service.shelf(body.text("collection").value_or(""));
  require_writable(*shelf);
  const json::array* list = body.list("items");
  check_count(service, list == nullptr ? 0 : list->size(), "items");
  std::vector<NewItem> added;
  for (const json::value& v : *list) {
    std::string place = fmt::format("items[{}]", added.size());
    const BodyReader reader(v, place);
    added.push_back(read_item(service, reader, std::move(place), request));
  }
  const Matrix vectors = embed_added(service, *shelf->model, added, request);

  Keeping keeping(*shelf);
  keeping.keep(added);
  std::vector<Item> items;
  for (const NewItem& one : added) items.push_back(one.item);
  shelf->store->upsert(items, vectors);
  keeping.done();
  keep_pictures(*shelf, added);  // one that was being deleted meanwhile: forget_picture()

  const auto ids = ids_of(*shelf->store, items, vectors.row(0));
  json::array answer;
  for (const Item& item : items) {
    const auto found = ids.find(item.uri);
    const json::value id = found == ids.end() ? json::value(nullptr) : json::value(found->second);
    answer.push_back(json::object{{"id", id}, {"uri", item.uri}});
  }
  return json_answer(json::object{{"items", std::move(answer)}}, 201);
}

Response delete_item(Service& service, const Request& request) {
  const auto shelf = service.shelf(query_text(request, "collection"));
  require_writable(*shelf);
  const Item item = item_of(*shelf, path_id(request));
  const std::int64_t ids[] = {item.id};
  shelf->store->remove(ids);
  if (item.kind == ItemKind::kPicture) forget_picture(*shelf, item.sha256);
  return json_answer(json::object{{"deleted", true}});
}

}  // namespace tandem::serve
