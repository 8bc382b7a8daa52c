// usearch 2.x, little-endian, without gaps:
//   file := rows:u32 vector_bytes:u32 vector[rows] head graph
//   vector := integer:i8[width] scale:f32
//   head := "usearch" major:u16 minor:u16 patch:u16 metric:u8 scalar:u8 key:u8 slot:u8
//           present:u64 deleted:u64 dimensions:u64 multi:u8 zero[17]                  64 bytes
//   graph := rows:u64 neighbours:u64 base_neighbours:u64 top_level:u64 entry_slot:u64
//            level:i16[rows] node[rows]
//   node := key:u64 level:i16 list(base_neighbours) list(neighbours)[level]
//   list(n) := count:u32 slot:u32[n]
#include "index/graph_bytes.h"

#include <cstring>
#include <limits>
#include <vector>

namespace tandem {
namespace {

constexpr std::size_t kHeadBytes = 64;
constexpr std::size_t kGraphHeaderBytes = 5 * 8;
constexpr std::int64_t kMaxLevel = 32;  // levels are drawn with a share of 1/16 each
constexpr float kMaxScale = 1e4F;       // halves end at 65,504; 127 steps

// Reads without asking: every caller has checked the length.
template <typename T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

class Checker {
 public:
  Checker(std::span<const std::byte> bytes, const GraphShape& shape)
      : bytes_(bytes), shape_(shape) {}

  std::optional<std::string_view> run() {
    if (auto fault = vectors()) return fault;
    if (auto fault = head()) return fault;
    if (auto fault = header()) return fault;
    if (auto fault = levels()) return fault;
    for (std::size_t i = 0; i < rows_; ++i) {
      if (auto fault = node(i)) return fault;
    }
    return std::nullopt;
  }

 private:
  std::size_t left() const { return bytes_.size() - at_; }
  const std::byte* here() const { return bytes_.data() + at_; }

  std::optional<std::string_view> vectors() {
    if (left() < 8) return "is too short for its sizes";
    rows_ = load<std::uint32_t>(here());
    if (load<std::uint32_t>(here() + 4) != shape_.vector_bytes)
      return "holds vectors of another width";
    at_ += 8;
    if (left() / shape_.vector_bytes < rows_) return "is too short for its vectors";
    for (std::size_t i = 0; i < rows_; ++i) {
      at_ += shape_.vector_bytes;
      const auto scale = load<float>(here() - sizeof(float));
      if (!(scale >= 0 && scale <= kMaxScale)) return "holds a vector without a scale";
    }
    return std::nullopt;
  }

  std::optional<std::string_view> head() {
    if (left() < kHeadBytes) return "is too short for its head";
    const bool ours = here()[13] == std::byte{0} &&  // metric: unknown
                      here()[14] == std::byte{shape_.scalar_kind} &&
                      load<std::uint64_t>(here() + 17) == rows_ &&                // present
                      load<std::uint64_t>(here() + 25) == 0 &&                    // deleted
                      load<std::uint64_t>(here() + 33) == shape_.vector_bytes &&  // dimensions
                      here()[41] == std::byte{0};                                 // multi
    at_ += kHeadBytes;
    if (!ours) return "states other sizes in its head";
    return std::nullopt;
  }

  std::optional<std::string_view> header() {
    if (left() < kGraphHeaderBytes) return "is too short for its graph";
    const auto word = [&](std::size_t i) { return load<std::uint64_t>(here() + 8 * i); };
    if (word(0) != rows_) return "states another number of nodes";
    if (rows_ > 0 && (word(1) != shape_.neighbours || word(2) != shape_.base_neighbours))
      return "states another number of neighbours";
    if (rows_ > 0 && (word(3) > static_cast<std::uint64_t>(kMaxLevel) || word(4) >= rows_))
      return "begins at a node that is not there";
    top_level_ = static_cast<std::int16_t>(word(3));
    entry_slot_ = word(4);
    at_ += kGraphHeaderBytes;
    return std::nullopt;
  }

  std::optional<std::string_view> levels() {
    if (left() / 2 < rows_) return "is too short for its levels";
    levels_.resize(rows_);
    if (rows_ > 0) std::memcpy(levels_.data(), here(), 2 * rows_);
    at_ += 2 * rows_;
    for (const std::int16_t level : levels_) {
      if (level < 0 || level > top_level_) return "holds a node on a level that is not there";
    }
    if (rows_ > 0 && levels_[entry_slot_] != top_level_) return "begins below its top";
    return std::nullopt;
  }

  std::optional<std::string_view> node(std::size_t i) {
    const auto level = levels_[i];
    const std::size_t length = 10 + list_bytes(0) + static_cast<std::size_t>(level) * list_bytes(1);
    if (left() < length) return "is too short for its nodes";
    if (load<std::int16_t>(here() + 8) != level) return "states two levels for a node";
    constexpr auto kMaxKey = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (load<std::uint64_t>(here()) > kMaxKey) return "holds a node that was removed";
    at_ += 10;
    for (std::int16_t l = 0; l <= level; ++l) {
      const auto count = load<std::uint32_t>(here());
      if (count > places(l)) return "holds a node with too many neighbours";
      for (std::size_t n = 0; n < count; ++n) {
        const auto slot = load<std::uint32_t>(here() + 4 + 4 * n);
        if (slot >= rows_ || levels_[slot] < l) return "holds a neighbour that is not there";
      }
      at_ += list_bytes(l);
    }
    return std::nullopt;
  }

  std::size_t places(std::int16_t level) const {
    return level == 0 ? shape_.base_neighbours : shape_.neighbours;
  }
  std::size_t list_bytes(std::int16_t level) const { return 4 + 4 * places(level); }

  std::span<const std::byte> bytes_;
  GraphShape shape_;
  std::size_t at_ = 0;
  std::size_t rows_ = 0;
  std::int16_t top_level_ = 0;
  std::size_t entry_slot_ = 0;
  std::vector<std::int16_t> levels_;
};

}  // namespace

std::optional<std::string_view> fault_in_graph(std::span<const std::byte> bytes,
                                               const GraphShape& shape) {
  return Checker(bytes, shape).run();
}

}  // namespace tandem
