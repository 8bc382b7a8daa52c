#include "index/store_conformance.h"

#include <algorithm>
#include <cmath>
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <spawn.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "core/error.h"
#include "core/json.h"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kWidth = 16;
const StoreMeta kMeta = {"mini", "3f2a00112233445566778899", kWidth};
// Vectors are stored as 16-bit floats: 2^-11 of each value, which mostly cancels in a dot product.
constexpr float kHalf = 2e-3F;

// A collection of its own for each test.
std::string fresh() {
  static std::atomic<int> number = 0;
  return fmt::format("c{}_{}", getpid(), ++number);
}

std::unique_ptr<Store> open(const std::string& name, OpenMode mode = OpenMode::kWrite,
                            const StoreMeta& asked = kMeta) {
  return StoreConformance::GetParam().open(name, mode, asked);
}

float dot(std::span<const float> a, std::span<const float> b) {
  float sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// uri -> index within `items`.
std::map<std::string, std::size_t> places(const std::vector<Item>& items) {
  std::map<std::string, std::size_t> out;
  for (std::size_t i = 0; i < items.size(); ++i) out[items[i].uri] = i;
  return out;
}

std::map<std::string, KnownItem> known(const Store& store) {
  std::map<std::string, KnownItem> out;
  store.each_known([&out](const KnownItem& item) { out[item.uri] = item; });
  return out;
}

std::int64_t id_of(const Store& store, const std::string& uri) { return known(store).at(uri).id; }

void expect_same(const Item& got, const Item& want) {
  EXPECT_EQ(got.kind, want.kind);
  EXPECT_EQ(got.uri, want.uri);
  EXPECT_EQ(got.sha256, want.sha256);
  EXPECT_EQ(got.size_bytes, want.size_bytes);
  EXPECT_EQ(got.mtime_ns, want.mtime_ns);
  EXPECT_EQ(got.width, want.width);
  EXPECT_EQ(got.height, want.height);
  EXPECT_EQ(got.caption, want.caption);
  EXPECT_EQ(json::parse(got.metadata_json, "got"), json::parse(want.metadata_json, "want"));
}

template <class Call>
Kind kind_thrown(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << "nothing was thrown";
  return Kind::kInternal;
}

TEST_P(StoreConformance, KeepsWhatItWasGiven) {
  const auto name = fresh();
  const auto items = varied_items(40);
  const auto rows = random_rows(40, kWidth, 1);
  {
    auto store = open(name);
    store->upsert(items, rows);
  }
  const auto store = open(name, OpenMode::kRead);
  EXPECT_EQ(store->size(), 40U);
  EXPECT_EQ(store->meta().model_name, kMeta.model_name);
  EXPECT_EQ(store->meta().fingerprint, kMeta.fingerprint);
  EXPECT_EQ(store->meta().width, kWidth);
  EXPECT_FALSE(store->describe().empty());
  const auto all = known(*store);
  ASSERT_THAT(all, SizeIs(40));
  std::vector<std::int64_t> ids;
  for (auto i = items.rbegin(); i != items.rend(); ++i) {
    const auto& row = all.at(i->uri);
    EXPECT_EQ(row.sha256, i->sha256);
    EXPECT_EQ(row.size_bytes, i->size_bytes);
    EXPECT_EQ(row.mtime_ns, i->mtime_ns);
    EXPECT_EQ(row.caption, i->caption);
    ids.push_back(row.id);
  }
  ids.insert(ids.begin() + 3, std::int64_t{5'000'000'123});  // there is none
  const auto got = store->items(ids);
  ASSERT_THAT(got, SizeIs(40));
  for (std::size_t i = 0; i < 40; ++i) expect_same(got[i], items[39 - i]);
}

TEST_P(StoreConformance, ReplacesByUriAndKeepsTheId) {
  auto store = open(fresh());
  auto items = varied_items(10);
  store->upsert(items, random_rows(10, kWidth, 1));
  const auto before = id_of(*store, items[3].uri);
  auto changed = items[3];
  changed.caption = "another";
  changed.metadata_json = R"({"tag":"new"})";
  const auto rows = random_rows(2, kWidth, 2);
  store->upsert(std::vector{items[3], changed}, rows);  // the last of a uri counts
  EXPECT_EQ(store->size(), 10U);
  EXPECT_EQ(id_of(*store, changed.uri), before);
  expect_same(store->items(std::vector{before}).at(0), changed);
  const auto hits = store->search(rows.row(1), {.top_k = 1});
  ASSERT_THAT(hits, SizeIs(1));
  EXPECT_EQ(hits[0].id, before);
  EXPECT_EQ(hits[0].caption, "another");
  EXPECT_NEAR(hits[0].score, 1, kHalf);
}

TEST_P(StoreConformance, RemovesById) {
  auto store = open(fresh());
  const auto items = varied_items(10);
  const auto rows = random_rows(10, kWidth, 1);
  store->upsert(items, rows);
  const auto gone = id_of(*store, items[3].uri);
  EXPECT_EQ(store->remove(std::vector{gone, std::int64_t{7'000'000'111}}), 1U);
  EXPECT_EQ(store->remove(std::vector{gone}), 0U);
  EXPECT_EQ(store->remove({}), 0U);
  EXPECT_EQ(store->size(), 9U);
  EXPECT_THAT(store->items(std::vector{gone}), IsEmpty());
  for (const auto& hit : store->search(rows.row(3), {.top_k = 10})) EXPECT_NE(hit.id, gone);
}

TEST_P(StoreConformance, SearchesAsAScanWould) {
  auto store = open(fresh());
  const auto items = varied_items(500);
  const auto rows = random_rows(500, kWidth, 1);
  store->upsert(items, rows);
  const auto place = places(items);
  const auto queries = random_rows(20, kWidth, 2);
  for (std::size_t q = 0; q < 20; ++q) {
    std::vector<float> want;
    for (std::size_t i = 0; i < 500; ++i) want.push_back(dot(queries.row(q), rows.row(i)));
    std::sort(want.begin(), want.end(), std::greater<>());
    const auto hits = store->search(queries.row(q), {.top_k = 10});
    ASSERT_THAT(hits, SizeIs(10));
    for (std::size_t i = 0; i < 10; ++i) {
      EXPECT_NEAR(hits[i].score, want[i], kHalf);
      const auto at = place.at(hits[i].uri);
      EXPECT_NEAR(hits[i].score, dot(queries.row(q), rows.row(at)), kHalf);
      EXPECT_EQ(hits[i].caption, items[at].caption);
      EXPECT_GE(hits[i == 0 ? 0 : i - 1].score, hits[i].score);
    }
  }
  EXPECT_THAT(store->search(queries.row(0), {.top_k = 1'000}), SizeIs(500));
}

TEST_P(StoreConformance, FiltersAsMatchesSays) {
  auto store = open(fresh());
  auto items = varied_items(300);
  const auto rows = random_rows(300, kWidth, 1);
  store->upsert(items, rows);
  const auto all = known(*store);
  for (auto& item : items) item.id = all.at(item.uri).id;
  const auto query = random_rows(1, kWidth, 3);
  for (const auto* text :
       {R"({"kind": "text"})",
        R"({"kind": {"ne": "text"}})",
        R"({"width": 640})",
        R"({"width": {"gte": 500, "lt": 900}})",
        R"({"width": {"gt": 640}})",
        R"({"height": {"lte": 120}})",
        R"({"width": {"in": [100, 640, 1.5]}})",
        R"({"size_bytes": {"gt": 9007199254740992}})",
        R"({"mtime": {"gte": "2024-02-01"}})",
        R"({"caption": {"contains": "CAT"}})",
        R"({"caption": {"contains": "100%_"}})",
        R"({"caption": {"prefix": "a PHOTO"}})",
        R"({"uri": {"prefix": "photos/1"}})",
        R"({"caption": ""})",
        R"({"caption": {"contains": "é"}})",
        R"({"caption": {"gte": "b", "lt": "d"}})",
        R"({"caption": {"in": ["a photo of a cat 0"]}})",
        R"({"metadata.tag": "x"})",
        R"({"metadata.tag": {"ne": "x"}})",
        R"({"metadata.tag": {"in": ["x", "y", 3]}})",
        R"({"metadata.tag": {"prefix": "X"}})",
        R"({"metadata.rating": 3})",
        R"({"metadata.rating": {"gte": 2, "lte": 3.5}})",
        R"({"metadata.rating": 2.5})",
        R"({"metadata.rating": "3"})",
        R"({"metadata.public": true})",
        R"({"metadata.public": false})",
        R"({"metadata.camera.make": "Ca\"n'on\\"})",
        R"({"metadata.camera.make": {"exists": true}})",
        R"({"metadata.camera": {"exists": false}})",
        R"({"metadata.nothing": {"exists": true}})",
        R"({"metadata.tags": "x"})",
        R"({"metadata.camera": {"contains": "make"}})",
        R"({"not": {"metadata.rating": {"lt": 3}}})",
        R"({"not": {"caption": {"contains": "cat"}}})",
        R"({"or": [{"metadata.tag": "x"}, {"not": {"kind": "text"}}]})",
        R"({"or": []})",
        R"({})",
        R"({"or": [{"caption": {"contains": "dog"}}, {"width": {"gte": 900}}], "kind": "picture"})",
        R"({"sha256": {"prefix": "00"}})"}) {
    const auto filter = parse_item_filter(std::string_view(text));
    std::set<std::string> want, got;
    for (const auto& item : items) {
      if (matches(filter, item)) want.insert(item.uri);
    }
    for (const auto& hit : store->search(query.row(0), {.top_k = 300, .filter = filter}))
      got.insert(hit.uri);
    EXPECT_EQ(got, want) << text;
    const auto some = std::min<std::size_t>(want.size(), 3);
    EXPECT_THAT(store->search(query.row(0), {.top_k = 3, .filter = filter}), SizeIs(some)) << text;
    EXPECT_THAT(store->list(filter, 0, 300), SizeIs(want.size())) << text;
  }
}

TEST_P(StoreConformance, ListsTheNewestFirst) {
  auto store = open(fresh());
  auto items = varied_items(50);
  store->upsert(items, random_rows(50, kWidth, 1));
  const auto all = known(*store);
  for (auto& item : items) item.id = all.at(item.uri).id;
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    return a.mtime_ns != b.mtime_ns ? a.mtime_ns > b.mtime_ns : a.id < b.id;
  });
  std::vector<std::int64_t> want;
  for (const auto& item : items) want.push_back(item.id);
  EXPECT_EQ(store->list(std::nullopt, 0, 100), want);
  EXPECT_EQ(store->list(std::nullopt, 10, 5), std::vector(want.begin() + 10, want.begin() + 15));
  EXPECT_THAT(store->list(std::nullopt, 50, 5), IsEmpty());
}

TEST_P(StoreConformance, SamplesTheSameAscending) {
  auto store = open(fresh());
  EXPECT_THAT(store->sample(5), IsEmpty());
  store->upsert(varied_items(100), random_rows(100, kWidth, 1));
  const auto some = store->sample(20);
  EXPECT_THAT(some, SizeIs(20));
  EXPECT_TRUE(std::is_sorted(some.begin(), some.end()));
  EXPECT_THAT(std::set(some.begin(), some.end()), SizeIs(20));
  EXPECT_EQ(store->sample(20), some);
  EXPECT_THAT(store->sample(1'000), SizeIs(100));
  EXPECT_THAT(store->items(some), SizeIs(20));
}

TEST_P(StoreConformance, KeepsNotes) {
  const auto name = fresh();
  auto store = open(name);
  EXPECT_EQ(store->note("calibration"), std::nullopt);
  store->set_note("calibration", "{\"mean\":0.1}");
  store->set_note("card", std::string("\0 \xff 'quoted' \xf0\x9f\x90\xb1", 18));
  store->set_note("calibration", "second");
  const auto again = open(name, OpenMode::kRead);
  EXPECT_EQ(again->note("calibration"), "second");
  EXPECT_EQ(again->note("card"), std::string("\0 \xff 'quoted' \xf0\x9f\x90\xb1", 18));
  EXPECT_EQ(again->note("other"), std::nullopt);
  EXPECT_EQ(again->size(), 0U);
  EXPECT_THAT(known(*again), IsEmpty());
}

TEST_P(StoreConformance, GivesVectorsBack) {
  auto store = open(fresh());
  const auto items = varied_items(12);
  const auto rows = random_rows(12, kWidth, 1);
  store->upsert(items, rows);
  const std::vector ids = {id_of(*store, items[7].uri), id_of(*store, items[2].uri)};
  const auto got = store->vectors(ids);
  ASSERT_EQ(got.rows, 2U);
  ASSERT_EQ(got.cols, static_cast<std::size_t>(kWidth));
  for (std::size_t c = 0; c < got.cols; ++c) {
    EXPECT_NEAR(got.row(0)[c], rows.row(7)[c], 5e-4);
    EXPECT_NEAR(got.row(1)[c], rows.row(2)[c], 5e-4);
  }
  EXPECT_EQ(store->vectors({}).rows, 0U);
  EXPECT_EQ(kind_thrown([&] { store->vectors(std::vector{ids[0], std::int64_t{99'000'000'000}}); }),
            Kind::kNotFound);
}

TEST_P(StoreConformance, RefusesAnotherModel) {
  const auto name = fresh();
  EXPECT_EQ(kind_thrown([&] { open(name, OpenMode::kRead); }), Kind::kNotFound);
  open(name);
  for (const auto mode : {OpenMode::kRead, OpenMode::kWrite}) {
    try {
      open(name, mode, {"vit-b-32", "77aa88bb", kWidth});
      ADD_FAILURE() << "another model was let in";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Kind::kInput);
      EXPECT_THAT(error.what(), HasSubstr("mini 3f2a0011"));
      EXPECT_THAT(error.what(), HasSubstr("vit-b-32 77aa88bb"));
    }
    EXPECT_EQ(kind_thrown([&] { open(name, mode, {"mini", kMeta.fingerprint, 32}); }),
              Kind::kInput);
    EXPECT_EQ(open(name, mode, {"", "", 0})->meta().model_name, "mini");
  }
}

TEST_P(StoreConformance, RefusesWhatIsNoVector) {
  auto store = open(fresh());
  const auto items = varied_items(2);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    auto rows = random_rows(2, kWidth, 1);
    EXPECT_EQ(kind_thrown([&] {
                rows.row(1)[5] = bad;
                store->upsert(items, rows);
              }),
              Kind::kInput);
    EXPECT_EQ(kind_thrown([&] { store->search(rows.row(1), {}); }), Kind::kInput);
  }
  EXPECT_THROW(store->upsert(items, random_rows(2, 8, 1)), Error);
  EXPECT_THROW(store->upsert(items, random_rows(1, kWidth, 1)), Error);
  EXPECT_EQ(kind_thrown([&] { store->search(random_rows(1, 8, 1).row(0), {}); }), Kind::kInput);
  EXPECT_EQ(store->size(), 0U);
  store->upsert({}, Matrix(0, kWidth));
  EXPECT_THAT(store->search(random_rows(1, kWidth, 1).row(0), {}), IsEmpty());
}

// Texts that end other people's strings, or are none.
std::vector<std::string> hostile_texts() {
  std::vector<std::string> out = {"' OR 1=1; --",
                                  "\"}]}'",
                                  "\\",
                                  "\\u0000",
                                  "${x}",
                                  "{{x}}",
                                  "%s%n",
                                  "$1",
                                  "?",
                                  "\n",
                                  "\r\n",
                                  "\t",
                                  "</script><script>alert(1)</script>",
                                  "*:*",
                                  "a AND b",
                                  "(",
                                  "[",
                                  "/.*/",
                                  "~",
                                  "NULL",
                                  "null",
                                  "NaN",
                                  "-1",
                                  "\xef\xb7\x90",
                                  "\xef\xb7\x90"
                                  "61",
                                  "\xff\xfe",
                                  "\xc3",
                                  "\xed\xa0\x80",
                                  "\xf4\x90\x80\x80",
                                  "\xc0\x80",
                                  "\xef\xbb\xbf",
                                  "\xef\xbf\xbf",
                                  "\xe2\x80\xae"
                                  "gpj.exe",
                                  std::string("\0", 1),
                                  std::string("a\0b", 3),
                                  "\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9",
                                  "e\xcc\x81",
                                  "\xc3\xa9",
                                  "\x7f",
                                  "\x1b[31m",
                                  std::string(5'000, 'x'),
                                  "../../etc/passwd",
                                  "C:\\a\\b",
                                  "_id",
                                  "id",
                                  "__proto__"};
  std::mt19937 random(7);
  while (out.size() < 1'000) {
    std::string text;
    for (auto length = 1 + random() % 24; length > 0; --length) {
      if (random() % 2 == 0) {
        text += static_cast<char>(random() % 256);
      } else {
        text += out[random() % 45].substr(0, 8);
      }
    }
    out.push_back(text);
  }
  return out;
}

TEST_P(StoreConformance, AThousandHostileTextsComeBackAsTheyWere) {
  auto store = open(fresh());
  const auto texts = hostile_texts();
  auto items = varied_items(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    items[i].uri = fmt::format("{}/{}", texts[i], i);
    items[i].caption = texts[i];
    items[i].metadata_json =
        json::dump(json::object{{"text", json::dump(json::value(texts[i]))}, {"n", i}});
  }
  store->upsert(items, random_rows(texts.size(), kWidth, 1));
  EXPECT_EQ(store->size(), texts.size());
  const auto all = known(*store);
  std::vector<std::int64_t> ids;
  for (const auto& item : items) {
    ASSERT_EQ(all.count(item.uri), 1U) << json::dump(json::value(item.uri));
    EXPECT_EQ(all.at(item.uri).caption, item.caption);
    ids.push_back(all.at(item.uri).id);
  }
  const auto got = store->items(ids);
  ASSERT_THAT(got, SizeIs(items.size()));
  for (std::size_t i = 0; i < items.size(); ++i) expect_same(got[i], items[i]);
  store->upsert(items, random_rows(texts.size(), kWidth, 2));
  EXPECT_EQ(store->size(), texts.size());
  // As values of conditions, too: each finds its own item and harms nobody.
  const auto query = random_rows(1, kWidth, 3);
  for (std::size_t i = 0; i < 60; ++i) {
    ItemFilter filter;
    filter.op = ItemFilter::Op::kEqual;
    filter.column = "uri";
    filter.values = {items[i].uri};
    const auto hits = store->search(query.row(0), {.top_k = 5, .filter = filter});
    ASSERT_THAT(hits, SizeIs(1)) << json::dump(json::value(items[i].uri));
    EXPECT_EQ(hits[0].uri, items[i].uri);
  }
}

TEST_P(StoreConformance, TakesSqlOnlyWhereItSaysSo) {
  if (GetParam().takes_where) return;
  auto store = open(fresh());
  EXPECT_EQ(kind_thrown([&] { store->search(random_rows(1, kWidth, 1).row(0), {.where = "1=1"}); }),
            Kind::kUnsupported);
}

TEST_P(StoreConformance, ServesThreadsAtOnce) {
  auto store = open(fresh());
  const auto items = varied_items(80);
  const auto rows = random_rows(80, kWidth, 1);
  store->upsert(items, rows);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < 20; ++i) {
        const auto at = t * 20 + i;
        const auto hits = store->search(rows.row(at), {.top_k = 3});
        if (hits.size() != 3 || hits[0].uri != items[at].uri) ++wrong;
        store->upsert(std::span(items).subspan(at, 1), random_rows(1, kWidth, 1'000));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(store->size(), 80U);
}

}  // namespace

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreConformance);

TestServer::TestServer(const std::string& kind) {
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) std::abort();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  const std::string script = "tests/servers/run_server.py";
  std::vector<std::string> words = {"python3", script, kind};
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  if (posix_spawnp(&child_, "python3", &actions, nullptr, arguments.data(), environ) != 0)
    child_ = -1;
  posix_spawn_file_actions_destroy(&actions);
  ::close(in[0]);
  ::close(out[1]);
  input_ = in[1];
  std::string line;
  for (char c = 0; read(out[0], &c, 1) == 1 && c != '\n';) line += c;
  ::close(out[0]);
  EXPECT_TRUE(line.starts_with("READY ")) << kind << ": the server did not start";
  location_ = line.substr(std::min<std::size_t>(6, line.size()));
}

TestServer::~TestServer() {
  ::close(input_);
  if (child_ > 0) waitpid(child_, nullptr, 0);
}

Matrix random_rows(std::size_t count, int width, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Matrix rows(count, static_cast<std::size_t>(width));
  for (std::size_t i = 0; i < count; ++i) {
    float norm = 0;
    for (auto& value : rows.row(i)) {
      value = normal(random);
      norm += value * value;
    }
    for (auto& value : rows.row(i)) value /= std::sqrt(norm);
  }
  return rows;
}

std::vector<Item> varied_items(std::size_t count) {
  std::vector<Item> items(count);
  for (std::size_t i = 0; i < count; ++i) {
    auto& item = items[i];
    const bool text = i % 5 == 4;
    item.kind = text ? ItemKind::kText : ItemKind::kPicture;
    item.uri = text ? fmt::format("text:{:064x}", i) : fmt::format("photos/{}/ü {}.jpg", i % 7, i);
    item.sha256 = fmt::format("{:064x}", i * 2'654'435'761U);
    item.size_bytes = i % 11 == 0 ? (std::uint64_t{1} << 53) + 1 + i : 1'000 + i;
    item.mtime_ns =
        1'700'000'000'000'000'001 + static_cast<std::int64_t>(i % 20) * 864'000'000'000'000;
    item.width = text ? 0 : static_cast<int>(100 + (i * 180) % 1'000);
    item.height = text ? 0 : static_cast<int>(100 + i % 30);
    const char* captions[] = {"a photo of a cat", "A Photo of a dog", "100%_ café", "", "bird"};
    item.caption = captions[i % 5];
    if (i % 3 == 0 && !item.caption.empty()) item.caption += fmt::format(" {}", i);
    json::object metadata;
    if (i % 2 == 0) metadata["tag"] = i % 4 == 0 ? "x" : "y";
    if (i % 3 == 0) metadata["rating"] = static_cast<std::int64_t>(i % 6);
    if (i % 3 == 1) metadata["rating"] = static_cast<double>(i % 6) + 0.5;
    if (i % 9 == 2) metadata["rating"] = "3";
    if (i % 4 == 1) metadata["public"] = i % 8 == 1;
    if (i % 6 == 5) metadata["camera"] = json::object{{"make", "Ca\"n'on\\"}, {"iso", 100}};
    if (i % 10 == 7) metadata["tags"] = json::array{"x", "y"};
    if (i % 10 == 8) metadata["tag"] = nullptr;
    item.metadata_json = json::dump(metadata);
  }
  return items;
}

}  // namespace tandem
