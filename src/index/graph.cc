#include "index/graph.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <fmt/format.h>
#include <mutex>
#include <xxhash.h>

#include "core/error.h"
#include "core/files.h"
#include "core/json.h"
#include "core/tensor.h"
#include "index/distance.h"
#include "index/graph_bytes.h"

#define USEARCH_USE_NUMKONG 0
#define USEARCH_USE_OPENMP 0
#include <usearch/index_dense.hpp>

namespace tandem {
namespace {

namespace fs = std::filesystem;
namespace us = unum::usearch;

using Index = us::index_dense_gt<std::uint64_t, std::uint32_t>;

constexpr std::int64_t kFormat = 1;
constexpr std::size_t kConnectivity = 16;  // neighbours of a vector; twice that on the lowest level
constexpr std::size_t kExpansionAdd = 128;  // candidates kept while a vector finds its place
constexpr std::size_t kSearchThreads = 16;  // searches at once; others wait
constexpr std::string_view kMagic = "TNDGRAPH";
constexpr std::size_t kTailBytes = 8 + 4 + 8;  // checksum, length, magic
constexpr std::uint32_t kMaxJsonBytes = 1 << 20;
constexpr std::int64_t kMaxWidth = 65'536;

// A vector in the graph: `width` integers, then their scale (float32). Requires: x is finite.
std::vector<std::int8_t> to_integers(std::span<const float> x) {
  std::vector<std::int8_t> out(x.size() + sizeof(float));
  float peak = 0;
  for (const float v : x) peak = std::max(peak, std::abs(v));
  const float inverse = peak > 0 ? 127.0F / peak : 0.0F;
  for (std::size_t i = 0; i < x.size(); ++i)
    out[i] = static_cast<std::int8_t>(std::lrintf(x[i] * inverse));
  const float scale = peak / 127.0F;
  std::memcpy(out.data() + x.size(), &scale, sizeof(scale));
  return out;
}

// usearch's distance, less is nearer: 1 - cosine of unit vectors. `bytes`: as to_integers() gives.
us::distance_punned_t distance(std::size_t a, std::size_t b, std::size_t bytes) {
  const auto* x = reinterpret_cast<const std::int8_t*>(a);
  const auto* y = reinterpret_cast<const std::int8_t*>(b);
  const std::size_t width = bytes - sizeof(float);
  float scale_x = 0;
  float scale_y = 0;
  std::memcpy(&scale_x, x + width, sizeof(float));
  std::memcpy(&scale_y, y + width, sizeof(float));
  return 1.0F - scale_x * scale_y * static_cast<float>(dot_integers(x, y, width));
}

us::metric_punned_t metric_of(int width) {
  return us::metric_punned_t::stateless(static_cast<std::size_t>(width) + sizeof(float),
                                        reinterpret_cast<std::uintptr_t>(&distance),
                                        us::metric_punned_signature_t::array_array_size_k,
                                        us::metric_kind_t::unknown_k, us::scalar_kind_t::i8_k);
}

us::index_dense_config_t config_of() {
  us::index_dense_config_t config(kConnectivity, kExpansionAdd, 64);
  config.enable_key_lookups = false;
  return config;
}

// usearch's errors throw when nobody takes them.
template <typename Result>
void check(Result&& result, Kind kind, const std::string& what) {
  if (!result.error) return;
  throw Error(kind, fmt::format("{}: {}.", what, result.error.release()));
}

Index make_index(int width, const us::index_limits_t& limits) {
  auto made =
      Index::make(metric_of(width), config_of(), us::default_free_value<std::uint64_t>(), limits);
  check(made, Kind::kInternal, "a graph of vectors");
  return std::move(made.index);
}

Error damaged(const fs::path& path, std::string_view why) {
  return Error(
      Kind::kCorrupt,
      fmt::format("{}: {}. It is derived: \"tandem index\" makes it again.", path.string(), why));
}

// A checked file's parts.
struct File {
  MappedFile map;
  GraphStamp stamp;
  std::size_t payload = 0;  // bytes of usearch's part
};

File open_file(const fs::path& path) {
  File file{MappedFile(path), {}, 0};
  const auto bytes = file.map.bytes();
  if (bytes.size() < kTailBytes) throw damaged(path, "is too short for a graph");
  std::uint64_t checksum = 0;
  std::uint32_t length = 0;
  const std::byte* tail = bytes.data() + bytes.size() - kTailBytes;
  std::memcpy(&checksum, tail, 8);
  std::memcpy(&length, tail + 8, 4);
  if (std::memcmp(tail + 12, kMagic.data(), kMagic.size()) != 0)
    throw damaged(path, "does not end as a graph does");
  const std::size_t body = bytes.size() - kTailBytes;
  if (XXH3_64bits(bytes.data(), body) != checksum)
    throw damaged(path, "its checksum is wrong: bytes were changed or lost");
  if (length > body || length > kMaxJsonBytes) throw damaged(path, "states an impossible length");
  file.payload = body - length;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data() + file.payload), length);
  const json::value parsed = json::parse(text, path.string());
  const json::Reader about(parsed, path.string());
  if (about.integer("format") != kFormat) {
    throw Error(
        Kind::kUnsupported,
        fmt::format("{}: another version of Tandem made it. \"tandem index\" makes it again.",
                    path.string()));
  }
  const std::int64_t width = about.integer("width");
  if (width < 1 || width > kMaxWidth) throw damaged(path, "states an impossible width");
  file.stamp = {about.text("fingerprint"), static_cast<int>(width), about.integer("revision")};
  if (static_cast<std::size_t>(about.integer("bytes")) != file.payload)
    throw damaged(path, "states another length");
  return file;
}

// Throws kCorrupt for bytes that usearch could not be trusted with.
void check_payload(const File& file, const fs::path& path) {
  const GraphShape shape{.vector_bytes = static_cast<std::size_t>(file.stamp.width) + sizeof(float),
                         .base_neighbours = 2 * kConnectivity,
                         .neighbours = kConnectivity,
                         .scalar_kind = static_cast<std::uint8_t>(us::scalar_kind_t::i8_k)};
  if (const auto fault = fault_in_graph(file.map.bytes().first(file.payload), shape))
    throw damaged(path, *fault);
}

us::memory_mapped_file_t memory_of(const File& file) {
  // usearch asks for bytes that it could change; a view does not.
  auto* data = const_cast<std::byte*>(file.map.bytes().data());
  return {reinterpret_cast<us::byte_t*>(data), file.payload};
}

}  // namespace

struct GraphBuilder::Rep {
  int width = 0;
  Index index;
  Rep(int w, Index i) : width(w), index(std::move(i)) {}
};

GraphBuilder::GraphBuilder(int width, std::size_t rows, std::size_t threads)
    : rep_(std::make_unique<Rep>(width, make_index(width, us::index_limits_t(rows, threads)))) {}

GraphBuilder::GraphBuilder(const fs::path& path, std::size_t more, std::size_t threads) {
  const File file = open_file(path);
  check_payload(file, path);
  rep_ = std::make_unique<Rep>(file.stamp.width,
                               make_index(file.stamp.width, us::index_limits_t(0, threads)));
  std::size_t at = 0;
  const auto read = [&](void* into, std::size_t count) {
    if (count > file.payload - at) return false;
    std::memcpy(into, file.map.bytes().data() + at, count);
    at += count;
    return true;
  };
  check(rep_->index.load_from_stream(read), Kind::kCorrupt, path.string());
  rep_->index.change_metric(metric_of(file.stamp.width));
  if (!rep_->index.try_reserve(us::index_limits_t(rep_->index.size() + more, threads)))
    throw Error(Kind::kIo, path.string() + ": there is not enough memory for the graph.");
}

GraphBuilder::~GraphBuilder() = default;
GraphBuilder::GraphBuilder(GraphBuilder&&) noexcept = default;

std::size_t GraphBuilder::size() const { return rep_->index.size(); }

void GraphBuilder::add(std::int64_t revision, std::span<const std::uint16_t> vector,
                       std::size_t thread) {
  std::vector<float> floats(vector.size());
  std::transform(vector.begin(), vector.end(), floats.begin(), half_to_float);
  const auto integers = to_integers(floats);
  check(rep_->index.add(static_cast<std::uint64_t>(revision),
                        reinterpret_cast<const us::i8_t*>(integers.data()), thread),
        Kind::kInternal, "a graph of vectors");
}

void GraphBuilder::save(const fs::path& path, const GraphStamp& stamp) const {
  AtomicFile file(path);
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> sum(XXH3_createState(),
                                                                            XXH3_freeState);
  XXH3_64bits_reset(sum.get());
  const auto write = [&](const void* data, std::size_t count) {
    XXH3_64bits_update(sum.get(), data, count);
    file.write(std::span(static_cast<const std::byte*>(data), count));
    return true;
  };
  check(rep_->index.save_to_stream(write), Kind::kIo, path.string());
  const std::string about = json::dump(json::object{{"format", kFormat},
                                                    {"fingerprint", stamp.fingerprint},
                                                    {"width", stamp.width},
                                                    {"revision", stamp.revision},
                                                    {"bytes", file.size()}});
  write(about.data(), about.size());
  const std::uint64_t checksum = XXH3_64bits_digest(sum.get());
  const auto length = static_cast<std::uint32_t>(about.size());
  file.write(std::as_bytes(std::span(&checksum, 1)));
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(kMagic);
  file.commit();
}

struct Graph::Rep {
  File file;
  Index index;
  // Threads' places in usearch that are free.
  mutable std::mutex mutex;
  mutable std::condition_variable freed;
  mutable std::vector<std::size_t> places;

  Rep(File f, Index i) : file(std::move(f)), index(std::move(i)) {}
};

namespace {

// A thread's place, for as long as a search lasts.
class Place {
 public:
  Place(std::mutex& mutex, std::condition_variable& freed, std::vector<std::size_t>& places)
      : mutex_(mutex), freed_(freed), places_(places) {
    std::unique_lock lock(mutex_);
    freed_.wait(lock, [&] { return !places_.empty(); });
    place_ = places_.back();
    places_.pop_back();
  }
  ~Place() {
    {
      const std::lock_guard lock(mutex_);
      places_.push_back(place_);
    }
    freed_.notify_one();
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  std::size_t get() const { return place_; }

 private:
  std::mutex& mutex_;
  std::condition_variable& freed_;
  std::vector<std::size_t>& places_;
  std::size_t place_ = 0;
};

}  // namespace

Graph::Graph(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Graph::~Graph() = default;
Graph::Graph(Graph&&) noexcept = default;

Graph Graph::open(const fs::path& path) {
  File file = open_file(path);
  check_payload(file, path);
  auto rep = std::make_unique<Rep>(std::move(file), Index());
  rep->index = make_index(rep->file.stamp.width, us::index_limits_t(0, kSearchThreads));
  check(rep->index.view(memory_of(rep->file)), Kind::kCorrupt, path.string());
  const auto metric = metric_of(rep->file.stamp.width);
  if (rep->index.bytes_per_vector() != metric.bytes_per_vector())
    throw damaged(path, "holds vectors of another width");
  rep->index.change_metric(metric);
  for (std::size_t i = 0; i < kSearchThreads; ++i) rep->places.push_back(i);
  return Graph(std::move(rep));
}

const GraphStamp& Graph::stamp() const { return rep_->file.stamp; }
std::size_t Graph::size() const { return rep_->index.size(); }
std::uint64_t Graph::file_bytes() const { return rep_->file.map.bytes().size(); }

std::vector<Graph::Found> Graph::search(std::span<const float> query, std::size_t k,
                                        std::size_t expansion,
                                        const std::function<bool(std::int64_t)>& allowed) const {
  const auto integers = to_integers(query);
  const auto* vector = reinterpret_cast<const us::i8_t*>(integers.data());
  const Place place(rep_->mutex, rep_->freed, rep_->places);
  // usearch's candidates are as many as are wanted, or its own setting, whichever is more.
  const std::size_t wanted = std::min(std::max(k, expansion), rep_->index.size());
  if (wanted == 0) return {};
  auto found = allowed
                   ? rep_->index.filtered_search(
                         vector, wanted,
                         [&](std::uint64_t key) { return allowed(static_cast<std::int64_t>(key)); },
                         place.get())
                   : rep_->index.search(vector, wanted, place.get());
  check(found, Kind::kInternal, "a search in the graph of vectors");
  std::vector<Found> best;
  for (std::size_t i = 0; i < std::min(found.size(), k); ++i) {
    best.push_back({static_cast<std::int64_t>(found[i].member.key),
                    1.0F - static_cast<float>(found[i].distance)});
  }
  return best;
}

}  // namespace tandem
