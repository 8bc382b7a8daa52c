// Byte-pair encoding as tokenizers has it: characters, then the pair of lowest rank merges, the
// leftmost first. n log n in the length of the word.
#include <algorithm>
#include <queue>

#include "core/error.h"
#include "core/utf8.h"
#include "preprocess/json_model.h"
#include "preprocess/pair_ranks.h"

namespace tandem {
namespace {

constexpr std::uint32_t kEnd = 0xFFFFFFFF;

// A merge that may be due. Its pair may have changed since.
struct Due {
  std::uint32_t rank;
  std::uint32_t place;
  std::int32_t id;
  // For a queue whose top is the lowest rank, the leftmost among equals.
  bool operator<(const Due& other) const {
    return rank != other.rank ? rank > other.rank : place > other.place;
  }
};

class Bpe final : public JsonModel {
 public:
  explicit Bpe(const JsonPart& part);

  void append(std::string_view word, std::vector<std::int32_t>& ids) const override {
    if (ignore_merges_) {
      if (const std::int32_t whole = vocabulary_.id(word); whole >= 0) {
        ids.push_back(whole);
        return;
      }
    }
    merge(characters(word), ids);
  }

  std::int32_t id(std::string_view token) const override { return vocabulary_.id(token); }
  std::int32_t count() const override { return vocabulary_.count(); }
  std::int32_t highest_id() const override { return vocabulary_.highest_id(); }

 private:
  void read_merges(const JsonPart& part);
  void add_merge(const JsonPart& part, std::string_view left, std::string_view right);
  std::vector<std::int32_t> characters(std::string_view word) const;
  bool append_bytes(std::string_view symbol, std::vector<std::int32_t>& out) const;
  void merge(std::vector<std::int32_t> symbols, std::vector<std::int32_t>& ids) const;

  JsonVocabulary vocabulary_;
  PairRanks merges_;
  std::uint32_t next_rank_ = 0;
  std::string prefix_;               // of symbols that do not begin a word
  std::string suffix_;               // of the symbol that ends a word
  std::vector<std::int32_t> bytes_;  // empty: no byte fallback
  std::int32_t unknown_ = -1;        // -1: unknown characters are left out
  bool fuse_unknown_ = false;
  bool ignore_merges_ = false;
};

Bpe::Bpe(const JsonPart& part) : vocabulary_(part), merges_(part.array("merges").size()) {
  if (part.has("dropout")) {
    const json::value& dropout = part.required("dropout");
    if (!dropout.is_number()) part.corrupt("dropout", "a number");
    if (dropout.to_number<double>() != 0) part.unsupported("dropout, which makes ids random.");
  }
  prefix_ = part.text("continuing_subword_prefix", "");
  suffix_ = part.text("end_of_word_suffix", "");
  fuse_unknown_ = part.has("fuse_unk") && part.boolean("fuse_unk");
  ignore_merges_ = part.has("ignore_merges") && part.boolean("ignore_merges");
  if (part.has("byte_fallback") && part.boolean("byte_fallback")) {
    bytes_ = byte_ids(vocabulary_.trie());
  }
  if (part.has("unk_token")) {
    unknown_ = vocabulary_.required(part, "unk_token", part.text("unk_token"));
  }
  read_merges(part);
}

// Merges are "left right" or ["left", "right"], all of one kind.
void Bpe::read_merges(const JsonPart& part) {
  const json::array& merges = part.array("merges");
  const bool pairs = !merges.empty() && merges[0].is_array();
  for (const json::value& row : merges) {
    if (pairs) {
      const json::array* pair = row.if_array();
      if (pair == nullptr || pair->size() != 2 || !(*pair)[0].is_string() ||
          !(*pair)[1].is_string()) {
        part.corrupt("merges", "pairs of two tokens");
      }
      add_merge(part, (*pair)[0].get_string(), (*pair)[1].get_string());
      continue;
    }
    if (!row.is_string()) part.corrupt("merges", "texts of two tokens");
    const std::string_view line = row.get_string();
    if (line.starts_with("#version")) continue;
    const std::size_t space = line.find(' ');
    if (space == line.npos || line.find(' ', space + 1) != line.npos) {
      part.corrupt("merges", "two tokens with one space between them");
    }
    add_merge(part, line.substr(0, space), line.substr(space + 1));
  }
}

void Bpe::add_merge(const JsonPart& part, std::string_view left, std::string_view right) {
  if (right.size() < prefix_.size()) part.corrupt("merges", "tokens as long as their prefix");
  const std::string made = std::string(left).append(right.substr(prefix_.size()));
  merges_.insert(vocabulary_.required(part, "merges", left),
                 vocabulary_.required(part, "merges", right),
                 {next_rank_, vocabulary_.required(part, "merges", made)});
  ++next_rank_;
}

// The bytes' own tokens; false, with nothing appended, if one has none.
bool Bpe::append_bytes(std::string_view symbol, std::vector<std::int32_t>& out) const {
  if (bytes_.empty()) return false;
  const std::size_t first = out.size();
  for (const char c : symbol) {
    const std::int32_t id = bytes_[static_cast<std::uint8_t>(c)];
    if (id < 0) {
      out.resize(first);
      return false;
    }
    out.push_back(id);
  }
  return true;
}

// Unknown characters are put where the next known one is, after bytes that stand in for others: as
// the reference does.
std::vector<std::int32_t> Bpe::characters(std::string_view word) const {
  std::vector<std::int32_t> out;
  out.reserve(word.size());
  bool unknown_waits = false;
  std::string symbol;
  for (std::size_t begin = 0; begin < word.size();) {
    const std::size_t size = std::max<std::size_t>(1, utf8_sequence(word.substr(begin)));
    symbol = begin == 0 ? "" : prefix_;
    symbol += word.substr(begin, size);
    begin += size;
    if (begin == word.size()) symbol += suffix_;
    const std::int32_t id = vocabulary_.id(symbol);
    if (id >= 0) {
      if (unknown_waits) out.push_back(unknown_);
      unknown_waits = false;
      out.push_back(id);
    } else if (!append_bytes(symbol, out) && unknown_ >= 0) {
      if (unknown_waits && !fuse_unknown_) out.push_back(unknown_);
      unknown_waits = true;
    }
  }
  if (unknown_waits) out.push_back(unknown_);
  return out;
}

void Bpe::merge(std::vector<std::int32_t> symbols, std::vector<std::int32_t>& ids) const {
  const auto size = static_cast<std::uint32_t>(symbols.size());
  std::vector<std::uint32_t> next(size);
  std::vector<std::uint32_t> previous(size);
  std::priority_queue<Due> queue;
  const auto offer = [&](std::uint32_t left, std::uint32_t right) {
    const auto* merge = merges_.merge(symbols[left], symbols[right]);
    if (merge != nullptr) queue.push({merge->rank, left, merge->id});
  };
  for (std::uint32_t i = 0; i < size; ++i) {
    next[i] = i + 1 < size ? i + 1 : kEnd;
    previous[i] = i > 0 ? i - 1 : kEnd;
    if (i + 1 < size) offer(i, i + 1);
  }
  while (!queue.empty()) {
    const Due due = queue.top();
    queue.pop();
    const std::uint32_t left = due.place;
    if (symbols[left] < 0 || next[left] == kEnd) continue;
    const std::uint32_t right = next[left];
    // A merge whose pair has changed still counts if the new pair makes the same token.
    const auto* now = merges_.merge(symbols[left], symbols[right]);
    if (now == nullptr || now->id != due.id) continue;
    symbols[left] = due.id;
    symbols[right] = -1;
    next[left] = next[right];
    if (next[left] != kEnd) previous[next[left]] = left;
    if (previous[left] != kEnd) offer(previous[left], left);
    if (next[left] != kEnd) offer(left, next[left]);
  }
  for (const std::int32_t id : symbols) {
    if (id >= 0) ids.push_back(id);
  }
}

}  // namespace

std::unique_ptr<JsonModel> make_json_bpe(const JsonPart& part) {
  return std::make_unique<Bpe>(part);
}

}  // namespace tandem
