#include "preprocess/json_frame.h"

#include <algorithm>
#include <array>

namespace tandem {
namespace {

// "cls": ["[CLS]", 101]
std::int32_t named_id(const JsonPart& part, std::string_view key) {
  const json::array& pair = part.array(key);
  const auto id = pair.size() == 2 && pair[0].is_string() ? json_id(pair[1]) : std::nullopt;
  if (!id) part.corrupt(key, "a token and its id");
  return *id;
}

std::vector<std::int32_t> special_ids(const JsonPart& part, const std::string& name) {
  const JsonPart tokens = part.part("special_tokens");
  if (!tokens.has(name)) tokens.corrupt(name, "the special token that the template uses");
  const JsonPart token = tokens.part(name);
  token.text("id");
  std::vector<std::int32_t> ids;
  for (const json::value& value : token.array("ids")) {
    const auto id = json_id(value);
    if (!id) token.corrupt("ids", "ids");
    ids.push_back(*id);
  }
  for (const json::value& value : token.array("tokens")) {
    if (!value.is_string()) token.corrupt("tokens", "texts");
  }
  return ids;
}

// Pieces are {"Sequence": {"id": "A", "type_id": 0}} or {"SpecialToken": {"id": …, "type_id": …}}.
// Returns the sequence's letter, or nothing for a special token, whose name goes into `special`.
char read_piece(const JsonPart& piece, std::string& special) {
  const std::string kind = piece.only_key();
  const bool sequence = kind == "Sequence";
  if (!sequence && kind != "SpecialToken") piece.corrupt(kind, "Sequence or SpecialToken");
  const JsonPart inner = piece.part(kind);
  inner.id("type_id");
  const std::string id = inner.text("id");
  if (sequence && id != "A" && id != "B") inner.corrupt("id", "A or B");
  if (sequence) return id[0];
  special = id;
  return '\0';
}

JsonAffixes read_template(const JsonPart& part) {
  for (const auto& [name, value] : part.object("special_tokens")) {
    special_ids(part, std::string(name));
  }
  std::string special;
  for (const JsonPart& piece : part.parts("pair")) read_piece(piece, special);
  JsonAffixes affixes;
  int texts = 0;
  for (const JsonPart& piece : part.parts("single")) {
    const char sequence = read_piece(piece, special);
    if (sequence == 'B') piece.unsupported("a second text in the template for a single one.");
    if (sequence == 'A') {
      ++texts;
      continue;
    }
    auto& side = texts == 0 ? affixes.prefix : affixes.suffix;
    const auto ids = special_ids(part, special);
    side.insert(side.end(), ids.begin(), ids.end());
  }
  if (texts != 1)
    part.unsupported("a template that has the text " + std::to_string(texts) + " times.");
  return affixes;
}

JsonAffixes read_cls_sep(const JsonPart& part) {
  return {{named_id(part, "cls")}, {named_id(part, "sep")}};
}

bool is_one_of(const std::string& text, std::initializer_list<std::string_view> known) {
  return std::find(known.begin(), known.end(), text) != known.end();
}

void check_direction(const JsonPart& part) {
  if (!is_one_of(part.text("direction"), {"Left", "Right"}))
    part.corrupt("direction", "Left or Right");
}

void check_pattern(const JsonPart& pattern) {
  const std::string kind = pattern.only_key();
  if (kind != "String" && kind != "Regex") pattern.corrupt(kind, "String or Regex");
  pattern.text(kind);
}

}  // namespace

JsonAffixes read_json_affixes(const JsonPart& part) {
  const std::string type = part.type();
  if (type == "TemplateProcessing") return read_template(part);
  if (type == "BertProcessing") return read_cls_sep(part);
  if (type == "RobertaProcessing") {
    part.boolean("trim_offsets");
    part.boolean("add_prefix_space");
    return read_cls_sep(part);
  }
  if (type == "ByteLevel") {  // about offsets only
    part.boolean("trim_offsets");
    part.boolean("add_prefix_space");
    part.boolean("use_regex", true);
    return {};
  }
  if (type == "Sequence") {
    JsonAffixes all;
    for (const JsonPart& one : part.parts("processors")) {
      const JsonAffixes affixes = read_json_affixes(one);
      all.prefix.insert(all.prefix.begin(), affixes.prefix.begin(), affixes.prefix.end());
      all.suffix.insert(all.suffix.end(), affixes.suffix.begin(), affixes.suffix.end());
    }
    return all;
  }
  part.unsupported("post-processor \"" + type + "\" is not one that Tandem has.");
}

void check_json_decoder(const JsonPart& part) {
  const std::string type = part.type();
  if (type == "Sequence") {
    for (const JsonPart& one : part.parts("decoders")) check_json_decoder(one);
  } else if (type == "ByteLevel") {
    part.boolean("trim_offsets");
    part.boolean("add_prefix_space");
    part.boolean("use_regex", true);
  } else if (type == "WordPiece") {
    part.text("prefix");
    part.boolean("cleanup");
  } else if (type == "Metaspace") {
    part.character("replacement");
    const std::string scheme = part.has("prepend_scheme") ? part.text("prepend_scheme") : "always";
    if (!is_one_of(scheme, {"always", "first", "never"})) {
      part.corrupt("prepend_scheme", "always, first or never");
    }
    const bool prefix = part.has("add_prefix_space") ? part.boolean("add_prefix_space") : true;
    if (!prefix && scheme != "never") part.corrupt("prepend_scheme", "never");
    if (part.has("split")) part.boolean("split");
    if (part.has("str_rep")) part.text("str_rep");
  } else if (type == "Replace") {
    check_pattern(part.part("pattern"));
    part.text("content");
  } else if (type == "Strip") {
    part.character("content");
    part.id("start");
    part.id("stop");
  } else if (type == "BPEDecoder") {
    part.text("suffix");
  } else if (!is_one_of(type, {"Fuse", "ByteFallback"})) {
    part.unsupported("decoder \"" + type + "\" is not one that Tandem knows.");
  }
}

void check_json_truncation(const JsonPart& part) {
  if (part.has("direction")) check_direction(part);
  part.id("max_length");
  part.id("stride");
  if (!is_one_of(part.text("strategy"), {"LongestFirst", "OnlyFirst", "OnlySecond"})) {
    part.corrupt("strategy", "LongestFirst, OnlyFirst or OnlySecond");
  }
}

void check_json_padding(const JsonPart& part) {
  check_direction(part);
  const json::value& strategy = part.required("strategy");
  const bool longest = strategy.is_string() && strategy.get_string() == "BatchLongest";
  if (!longest) {
    if (!strategy.is_object() || strategy.get_object().size() != 1) {
      part.corrupt("strategy", "BatchLongest or {\"Fixed\": length}");
    }
    part.part("strategy").id("Fixed");
  }
  if (part.has("pad_to_multiple_of")) part.id("pad_to_multiple_of");
  part.id("pad_id");
  part.id("pad_type_id");
  part.text("pad_token");
}

}  // namespace tandem
