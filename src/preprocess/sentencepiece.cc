#include "preprocess/sentencepiece.h"

#include <algorithm>
#include <limits>

#include "core/utf8.h"
#include "preprocess/sentencepiece_bpe.h"

namespace tandem {
namespace {

constexpr std::string_view kSpace = "\xE2\x96\x81";        // U+2581
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr float kUnknownPenalty = 10;

// Bytes of the character that begins with `lead`, whether or not they are there.
std::size_t character_size(char lead) {
  const auto byte = static_cast<std::uint8_t>(lead);
  return byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// What a user-defined piece counts, whatever its score in the file. Source: sentencepiece 0.2.3,
// measured; older ones count -0.1.
float user_defined_score(std::size_t size_bytes) {
  return 0.1F * static_cast<float>(size_bytes - 1);
}

}  // namespace

SentencePiece::SentencePiece(SentencePieceModel model, const std::string& name)
    : model_(std::move(model)) {
  if (!model_.charsmap.empty()) charsmap_ = Charsmap(model_.charsmap, name);
  std::vector<std::pair<std::string_view, std::int32_t>> normal;
  std::vector<std::pair<std::string_view, std::int32_t>> reserved;
  std::vector<std::pair<std::string_view, std::int32_t>> user_defined;
  lowest_score_ = std::numeric_limits<float>::max();
  byte_ids_.assign(256, model_.unknown_id);
  for (std::size_t i = 0; i < model_.pieces.size(); ++i) {
    const auto& piece = model_.pieces[i];
    const auto id = static_cast<std::int32_t>(i);
    const bool is_reserved = piece.type == PieceType::kUnknown ||
                             piece.type == PieceType::kControl || piece.type == PieceType::kByte;
    (is_reserved ? reserved : normal).emplace_back(piece.text, id);
    if (piece.type == PieceType::kUserDefined) user_defined.emplace_back(piece.text, id);
    if (piece.type == PieceType::kByte) byte_ids_[byte_of_piece(piece.text)] = id;
    if (piece.type != PieceType::kNormal) continue;
    lowest_score_ = std::min(lowest_score_, piece.score);
  }
  pieces_ = PieceTrie(std::move(normal));
  reserved_ = PieceTrie(std::move(reserved));
  user_defined_ = PieceTrie(std::move(user_defined));
}

// What `text` begins with and what that becomes.
Charsmap::Match SentencePiece::prefix(std::string_view text) const {
  if (const auto size = user_defined_.longest(text).first; size > 0) {
    return {size, text.substr(0, size)};
  }
  if (const auto match = charsmap_.longest(text); match.size > 0) return match;
  const std::size_t size = utf8_sequence(text);
  return size > 0 ? Charsmap::Match{size, text.substr(0, size)} : Charsmap::Match{1, kReplacement};
}

std::string SentencePiece::normalized(std::string_view text) const {
  std::string out;
  const bool trims = model_.remove_extra_whitespaces;
  while (trims && !text.empty()) {
    const auto match = prefix(text);
    if (match.replacement != " ") break;
    text.remove_prefix(match.size);
  }
  if (text.empty()) return out;
  const std::string_view space = model_.escape_whitespaces ? kSpace : " ";
  out.reserve(text.size() + text.size() / 2 + kSpace.size());
  if (!model_.treat_whitespace_as_suffix && model_.add_dummy_prefix) out += space;
  bool after_space = trims;
  while (!text.empty()) {
    const auto match = prefix(text);
    text.remove_prefix(match.size);
    std::string_view piece = match.replacement;
    while (after_space && piece.starts_with(' ')) piece.remove_prefix(1);
    if (piece.empty()) continue;
    for (const char c : piece) {
      if (c == ' ') {
        out += space;
      } else {
        out.push_back(c);
      }
    }
    after_space = trims && piece.ends_with(' ');
  }
  while (trims && out.ends_with(space)) out.resize(out.size() - space.size());
  if (model_.treat_whitespace_as_suffix && model_.add_dummy_prefix) out += space;
  return out;
}

std::vector<std::int32_t> SentencePiece::encode(std::string_view text) const {
  const std::string clean = normalized(text);
  const auto found =
      model_.algorithm == SentencePieceModel::Algorithm::kUnigram ? unigram(clean) : bpe(clean);
  std::vector<std::int32_t> ids;
  ids.reserve(found.size());
  std::size_t begin = 0;
  bool after_unknown = false;
  for (const auto& [end, id] : found) {
    const bool unknown = id == model_.unknown_id;
    if (unknown && model_.byte_fallback) {
      for (std::size_t i = begin; i < end; ++i) {
        ids.push_back(byte_ids_[static_cast<std::uint8_t>(clean[i])]);
      }
    } else if (!unknown || !after_unknown) {
      ids.push_back(id);  // a run of unknown pieces is one
    }
    after_unknown = unknown;
    begin = end;
  }
  return ids;
}

std::int32_t SentencePiece::id(std::string_view piece) const {
  const std::int32_t reserved = reserved_.find(piece);
  return reserved >= 0 ? reserved : pieces_.find(piece);
}

// The path of the highest total score, by the best path that ends at each byte (Viterbi). Scores
// are summed in float, as in the reference: ties fall the same way.
std::vector<SentencePiece::Found> SentencePiece::unigram(std::string_view text) const {
  struct Best {
    std::size_t start = 0;
    float score = 0;
    std::int32_t id = -1;
  };
  std::vector<Best> best(text.size() + 1);
  const auto offer = [&](std::size_t start, std::size_t end, float score, std::int32_t id) {
    if (best[end].id >= 0 && !(score > best[end].score)) return;
    best[end] = {start, score, id};
  };
  const float unknown_score = lowest_score_ - kUnknownPenalty;
  for (std::size_t start = 0; start < text.size();) {
    const float so_far = best[start].score;
    const std::size_t size = std::min(character_size(text[start]), text.size() - start);
    bool has_character = false;
    PieceTrie::Node node = PieceTrie::kRoot;
    for (std::size_t end = start; end < text.size();) {
      node = pieces_.step(node, static_cast<std::uint8_t>(text[end++]));
      if (node == PieceTrie::kNowhere) break;
      const std::int32_t id = pieces_.value(node);
      if (id == PieceTrie::kNone) continue;
      const auto& piece = model_.pieces[static_cast<std::size_t>(id)];
      if (piece.type == PieceType::kUnused) continue;
      const float score =
          piece.type == PieceType::kUserDefined ? user_defined_score(end - start) : piece.score;
      offer(start, end, score + so_far, id);
      has_character |= end - start == size;
    }
    if (!has_character) offer(start, start + size, unknown_score + so_far, model_.unknown_id);
    start += size;
  }
  std::vector<Found> found;
  for (std::size_t end = text.size(); end > 0; end = best[end].start) {
    found.push_back({end, best[end].id});
  }
  std::reverse(found.begin(), found.end());
  return found;
}

std::vector<SentencePiece::Found> SentencePiece::bpe(std::string_view text) const {
  std::vector<SentencePieceBpe::Symbol> symbols;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t whole = user_defined_.longest(text.substr(begin)).first;
    const std::size_t size =
        whole > 0 ? whole : std::min(character_size(text[begin]), text.size() - begin);
    symbols.push_back({begin, size, whole > 0});
    begin += size;
  }
  const SentencePieceBpe merger{pieces_, model_};
  std::vector<Found> found;
  for (const auto& part : merger.merge(text, std::move(symbols))) {
    const std::string_view piece = text.substr(part.begin, part.size);
    const std::int32_t known = id(piece);
    found.push_back({part.begin + part.size, known < 0 ? model_.unknown_id : known});
  }
  return found;
}

}  // namespace tandem
