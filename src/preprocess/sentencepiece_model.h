// A SentencePiece .model file: its vocabulary and rules as plain values. sentencepiece.h runs them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

// Numbers as in the file.
enum class PieceType : std::uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

struct SentencePieceModel {
  enum class Algorithm : std::uint8_t { kUnigram = 1, kBpe = 2 };
  struct Piece {
    std::string text;
    float score = 0;
    PieceType type = PieceType::kNormal;
  };

  Algorithm algorithm = Algorithm::kUnigram;
  std::vector<Piece> pieces;  // by id
  std::int32_t unknown_id = 0;
  bool byte_fallback = false;
  bool treat_whitespace_as_suffix = false;
  // The normaliser's.
  std::string charsmap;  // precompiled_charsmap; empty: none
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

// `name` names the bytes in messages. Throws kCorrupt for what sentencepiece refuses: broken
// protocol buffers, empty or double pieces, no or more than one unknown piece, byte pieces without
// byte fallback or fewer than 256 with it, no pieces; and for pieces that hold NUL or scores that
// are not finite. kUnsupported: the algorithms "word" and "char".
SentencePieceModel parse_sentencepiece_model(std::string_view bytes, const std::string& name);

// The byte that "<0xNN>" stands for; -1 if `piece` is not of that form.
int byte_of_piece(std::string_view piece);

}  // namespace tandem
