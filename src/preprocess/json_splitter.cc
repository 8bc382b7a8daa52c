#include "preprocess/json_splitter.h"

#include <algorithm>
#include <functional>

#include "preprocess/byte_symbols.h"
#include "preprocess/code_points.h"
#include "preprocess/hf_unicode.h"
#include "preprocess/json_pattern.h"

namespace tandem {
namespace {

// What becomes of the matches.
enum class Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

Behavior read_behavior(const JsonPart& part) {
  const std::string name = part.text("behavior");
  if (name == "Removed") return Behavior::kRemoved;
  if (name == "Isolated") return Behavior::kIsolated;
  if (name == "MergedWithPrevious") return Behavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return Behavior::kMergedWithNext;
  if (name == "Contiguous") return Behavior::kContiguous;
  part.corrupt("behavior", "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

// Each match joins the stretch before it, unless that ends in a match itself.
std::vector<Span> merged_with_previous(const std::vector<Span>& spans) {
  std::vector<Span> out;
  bool after_match = false;
  for (const Span& span : spans) {
    if (span.matches && !after_match && !out.empty()) {
      out.back().end = span.end;
    } else {
      out.push_back(span);
    }
    after_match = span.matches;
  }
  return out;
}

std::vector<Span> merged_with_next(const std::vector<Span>& spans) {
  std::vector<Span> out;
  bool before_match = false;
  for (auto span = spans.rbegin(); span != spans.rend(); ++span) {
    if (span->matches && !before_match && !out.empty()) {
      out.back().begin = span->begin;
    } else {
      out.push_back(*span);
    }
    before_match = span->matches;
  }
  std::reverse(out.begin(), out.end());
  return out;
}

std::vector<Span> contiguous(const std::vector<Span>& spans) {
  std::vector<Span> out;
  bool last = false;
  for (const Span& span : spans) {
    if (span.matches == last && !out.empty()) {
      out.back().end = span.end;
    } else {
      out.push_back(span);
    }
    last = span.matches;
  }
  return out;
}

std::vector<Span> kept(std::vector<Span> spans, Behavior behavior) {
  switch (behavior) {
    case Behavior::kRemoved:
      std::erase_if(spans, [](const Span& span) { return span.matches; });
      return spans;
    case Behavior::kIsolated:
      return spans;
    case Behavior::kMergedWithPrevious:
      return merged_with_previous(spans);
    case Behavior::kMergedWithNext:
      return merged_with_next(spans);
    case Behavior::kContiguous:
      return contiguous(spans);
  }
  return spans;
}

using Cut = std::function<std::vector<Span>(std::u32string_view)>;

// One pass over all stretches: prepare (may change the text), then cut.
class Pass final : public JsonSplitter {
 public:
  using Prepare = std::function<void(Stretch&)>;
  Pass(Cut cut, Behavior behavior, Prepare prepare = {})
      : cut_(std::move(cut)), behavior_(behavior), prepare_(std::move(prepare)) {}

  void split(std::vector<Stretch>& stretches) const override {
    std::vector<Stretch> out;
    for (Stretch& stretch : stretches) {
      if (stretch.id >= 0) {
        out.push_back(std::move(stretch));
        continue;
      }
      if (prepare_) prepare_(stretch);
      for (const Span& span : kept(cut_(stretch.text), behavior_)) {
        out.push_back({stretch.text.substr(span.begin, span.end - span.begin),
                       stretch.at_start && span.begin == 0, -1});
      }
    }
    stretches = std::move(out);
  }

 private:
  Cut cut_;
  Behavior behavior_;
  Prepare prepare_;
};

std::vector<Span> whole(std::u32string_view text) {
  if (text.empty()) return {};
  return {{0, text.size(), false}};
}

// Every character that `matches` is a match by itself.
template <bool (*matches)(char32_t)>
std::vector<Span> cut_characters(std::u32string_view text) {
  return scan(text, [](std::u32string_view t, std::size_t at) -> std::size_t {
    return matches(t[at]) ? 1 : 0;
  });
}

Cut inverted(Cut cut) {
  return [cut = std::move(cut)](std::u32string_view text) {
    std::vector<Span> spans = cut(text);
    for (Span& span : spans) span.matches = !span.matches;
    return spans;
  };
}

// \w+|[^\w\s]+
std::size_t scan_words(std::u32string_view text, std::size_t at) {
  const auto class_of = [](char32_t c) {
    return hf::is_word(c) ? 1 : hf::is_white_space(c) ? 0 : 2;
  };
  const int first = class_of(text[at]);
  if (first == 0) return 0;
  std::size_t end = at;
  while (end < text.size() && class_of(text[end]) == first) ++end;
  return end - at;
}

class Sequence final : public JsonSplitter {
 public:
  explicit Sequence(std::vector<std::unique_ptr<JsonSplitter>> all) : all_(std::move(all)) {}
  void split(std::vector<Stretch>& stretches) const override {
    for (const auto& one : all_) one->split(stretches);
  }

 private:
  std::vector<std::unique_ptr<JsonSplitter>> all_;
};

// Words become the symbols of their bytes.
class Symbols final : public JsonSplitter {
 public:
  void split(std::vector<Stretch>& stretches) const override {
    for (Stretch& stretch : stretches) {
      if (stretch.id < 0) stretch.text = byte_symbols(stretch.text);
    }
  }
};

std::unique_ptr<JsonSplitter> in_sequence(std::unique_ptr<JsonSplitter> first,
                                          std::unique_ptr<JsonSplitter> second) {
  std::vector<std::unique_ptr<JsonSplitter>> both;
  both.push_back(std::move(first));
  both.push_back(std::move(second));
  return std::make_unique<Sequence>(std::move(both));
}

std::unique_ptr<JsonSplitter> make_byte_level(const JsonPart& part) {
  part.boolean("trim_offsets");  // has to be there
  Pass::Prepare prepare;
  if (part.boolean("add_prefix_space")) {
    prepare = [](Stretch& stretch) {
      if (!stretch.text.starts_with(U' ')) stretch.text.insert(0, 1, U' ');
    };
  }
  const Cut cut = part.boolean("use_regex", true)
                      ? Cut([](std::u32string_view text) { return scan(text, scan_gpt2); })
                      : Cut(whole);
  return in_sequence(std::make_unique<Pass>(cut, Behavior::kIsolated, std::move(prepare)),
                     std::make_unique<Symbols>());
}

std::unique_ptr<JsonSplitter> make_metaspace(const JsonPart& part) {
  const char32_t replacement = part.character("replacement");
  if (part.has("str_rep")) part.text("str_rep");
  std::string scheme = part.has("prepend_scheme") ? part.text("prepend_scheme") : "always";
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    part.corrupt("prepend_scheme", "always, first or never");
  }
  if (part.has("add_prefix_space") && !part.boolean("add_prefix_space") && scheme != "never") {
    part.corrupt("prepend_scheme", "\"never\", as add_prefix_space is false");
  }
  const bool splits = part.has("split") ? part.boolean("split") : true;
  const auto prepare = [=](Stretch& stretch) {
    std::replace(stretch.text.begin(), stretch.text.end(), U' ', replacement);
    const bool prepends = scheme == "always" || (scheme == "first" && stretch.at_start);
    if (prepends && !stretch.text.starts_with(replacement)) {
      stretch.text.insert(0, 1, replacement);
    }
  };
  const auto cut = [=](std::u32string_view text) {
    if (!splits) return whole(text);
    std::vector<Span> spans;
    std::size_t open = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != replacement) continue;
      if (open < i) spans.push_back({open, i, false});
      spans.push_back({i, i + 1, true});
      open = i + 1;
    }
    if (open < text.size()) spans.push_back({open, text.size(), false});
    return spans;
  };
  return std::make_unique<Pass>(cut, Behavior::kMergedWithNext, prepare);
}

std::unique_ptr<JsonSplitter> make_split(const JsonPart& part) {
  const Behavior behavior = read_behavior(part);
  Cut cut = [pattern = JsonPattern(part.part("pattern"))](std::u32string_view text) {
    return pattern.find(text);
  };
  if (part.boolean("invert")) cut = inverted(std::move(cut));
  return std::make_unique<Pass>(std::move(cut), behavior);
}

std::unique_ptr<JsonSplitter> make_sequence(const JsonPart& part) {
  std::vector<std::unique_ptr<JsonSplitter>> all;
  for (const JsonPart& one : part.parts("pretokenizers")) all.push_back(make_json_splitter(one));
  return std::make_unique<Sequence>(std::move(all));
}

std::unique_ptr<JsonSplitter> make_white_space_split() {
  return std::make_unique<Pass>(cut_characters<hf::is_white_space>, Behavior::kRemoved);
}

}  // namespace

std::unique_ptr<JsonSplitter> make_json_splitter(const JsonPart& part) {
  const std::string type = part.type();
  if (type == "Sequence") return make_sequence(part);
  if (type == "ByteLevel") return make_byte_level(part);
  if (type == "Metaspace") return make_metaspace(part);
  if (type == "Split") return make_split(part);
  if (type == "WhitespaceSplit") return make_white_space_split();
  if (type == "Whitespace") {
    const Cut words = [](std::u32string_view text) { return scan(text, scan_words); };
    return std::make_unique<Pass>(inverted(words), Behavior::kRemoved);
  }
  if (type == "BertPreTokenizer") {
    return in_sequence(
        make_white_space_split(),
        std::make_unique<Pass>(cut_characters<hf::is_punctuation>, Behavior::kIsolated));
  }
  if (type == "Punctuation") {
    const Behavior behavior = part.has("behavior") ? read_behavior(part) : Behavior::kIsolated;
    return std::make_unique<Pass>(cut_characters<hf::is_punctuation>, behavior);
  }
  if (type == "Digits") {
    const bool individual = part.boolean("individual_digits");
    return std::make_unique<Pass>(cut_characters<hf::is_numeric>,
                                  individual ? Behavior::kIsolated : Behavior::kContiguous);
  }
  part.unsupported("pre-tokeniser \"" + type + "\" is not one that Tandem has.");
}

}  // namespace tandem
