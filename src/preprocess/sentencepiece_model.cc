#include "preprocess/sentencepiece_model.h"

#include <bit>
#include <bitset>
#include <cmath>
#include <limits>
#include <unordered_set>

#include "core/error.h"
#include "preprocess/protobuf.h"

namespace tandem {
namespace {

using Field = ProtobufReader::Field;
using Wire = ProtobufReader::Wire;

// A field counts only in the form its type has; in another it is an unknown field.
bool is(const Field& field, std::uint32_t number, Wire wire) {
  return field.number == number && field.wire == wire;
}

class Parser {
 public:
  explicit Parser(const std::string& name) : name_(name) {}

  SentencePieceModel parse(std::string_view bytes) {
    ProtobufReader reader(bytes, name_);
    for (Field field; reader.next(field);) {
      if (is(field, 1, Wire::kBytes)) {
        read_piece(field.bytes);
      } else if (is(field, 2, Wire::kBytes)) {
        read_trainer(field.bytes);
      } else if (is(field, 3, Wire::kBytes)) {
        read_normalizer(field.bytes);
      } else if (is(field, 5, Wire::kBytes)) {
        read_over(field.bytes);  // the denormaliser
      }
    }
    check();
    return std::move(model_);
  }

 private:
  void read_piece(std::string_view bytes) {
    SentencePieceModel::Piece piece;
    ProtobufReader reader(bytes, name_);
    for (Field field; reader.next(field);) {
      if (is(field, 1, Wire::kBytes)) {
        piece.text = field.bytes;
      } else if (is(field, 2, Wire::kFixed32)) {
        piece.score = std::bit_cast<float>(static_cast<std::uint32_t>(field.number_value));
      } else if (is(field, 3, Wire::kVarint)) {
        const auto type = static_cast<std::int32_t>(field.number_value);
        // An unknown kind is kept aside by the reference's parser, so the one before stays.
        if (type >= 1 && type <= 6) piece.type = static_cast<PieceType>(type);
      }
    }
    model_.pieces.push_back(std::move(piece));
  }

  void read_trainer(std::string_view bytes) {
    ProtobufReader reader(bytes, name_);
    for (Field field; reader.next(field);) {
      if (is(field, 3, Wire::kVarint)) {
        const auto type = static_cast<std::int32_t>(field.number_value);
        if (type >= 1 && type <= 4) algorithm_ = type;
      } else if (is(field, 24, Wire::kVarint)) {
        model_.treat_whitespace_as_suffix = field.number_value != 0;
      } else if (is(field, 35, Wire::kVarint)) {
        model_.byte_fallback = field.number_value != 0;
      }
    }
  }

  void read_normalizer(std::string_view bytes) {
    ProtobufReader reader(bytes, name_);
    for (Field field; reader.next(field);) {
      if (is(field, 2, Wire::kBytes)) {
        model_.charsmap = field.bytes;
      } else if (is(field, 3, Wire::kVarint)) {
        model_.add_dummy_prefix = field.number_value != 0;
      } else if (is(field, 4, Wire::kVarint)) {
        model_.remove_extra_whitespaces = field.number_value != 0;
      } else if (is(field, 5, Wire::kVarint)) {
        model_.escape_whitespaces = field.number_value != 0;
      }
    }
  }

  void read_over(std::string_view bytes) {
    ProtobufReader reader(bytes, name_);
    for (Field field; reader.next(field);) {
    }
  }

  void check();

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Kind::kCorrupt, name_ + ": " + what +
                                    ". Expected a SentencePiece model as sentencepiece loads it: "
                                    "the file is damaged.");
  }

  const std::string& name_;
  SentencePieceModel model_;
  int algorithm_ = 1;
};

void Parser::check() {
  if (algorithm_ > 2) {
    throw Error(Kind::kUnsupported, name_ + ": a SentencePiece model of type " +
                                        (algorithm_ == 3 ? "word" : "char") +
                                        ". Expected unigram or bpe.");
  }
  model_.algorithm = static_cast<SentencePieceModel::Algorithm>(algorithm_);
  if (model_.pieces.size() > std::numeric_limits<std::int32_t>::max()) fail("too many pieces");
  std::unordered_set<std::string_view> normal;
  std::unordered_set<std::string_view> reserved;
  std::bitset<256> bytes;
  std::int32_t unknown = -1;
  for (std::size_t i = 0; i < model_.pieces.size(); ++i) {
    const auto& [text, score, type] = model_.pieces[i];
    const std::string what = "piece " + std::to_string(i);
    if (text.empty()) fail(what + " is empty");
    if (text.find('\0') != text.npos) fail(what + " holds NUL");
    if (!std::isfinite(score)) fail(what + " has no finite score");
    const bool is_normal =
        type == PieceType::kNormal || type == PieceType::kUserDefined || type == PieceType::kUnused;
    if (!(is_normal ? normal : reserved).insert(text).second) fail(what + " is there twice");
    if (type == PieceType::kUnknown) {
      if (unknown >= 0) fail(what + " is a second unknown piece");
      unknown = static_cast<std::int32_t>(i);
    } else if (type == PieceType::kByte) {
      const int byte = byte_of_piece(text);
      if (byte < 0) fail(what + " is not a byte");
      if (!model_.byte_fallback) fail(what + " is a byte, without byte_fallback");
      bytes.set(static_cast<std::size_t>(byte));
    }
  }
  if (unknown < 0) fail("no unknown piece");
  if (normal.empty()) fail("no pieces");
  if (model_.byte_fallback && !bytes.all()) fail("byte_fallback without all 256 byte pieces");
  model_.unknown_id = unknown;
}

}  // namespace

SentencePieceModel parse_sentencepiece_model(std::string_view bytes, const std::string& name) {
  return Parser(name).parse(bytes);
}

int byte_of_piece(std::string_view piece) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return -1;
  const int high = digit(piece[3]);
  const int low = digit(piece[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

}  // namespace tandem
