#include "core/json.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/closest.h"
#include "core/error.h"
#include "core/files.h"

namespace tandem::json {
namespace {

using boost::json::error_code;
using boost::json::string_view;

constexpr std::size_t kMaxDepth = 64;  // reliability.md §2

// Builds the value and notices what Boost's own handler lets pass: duplicate keys (it keeps the
// last), doubles that are off by a bit (its conversion is not exact before 1.83), "-0" as an
// integer, and too many values.
class Handler {
 public:
  static constexpr std::size_t max_object_size = object::max_size();
  static constexpr std::size_t max_array_size = array::max_size();
  static constexpr std::size_t max_key_size = boost::json::string::max_size();
  static constexpr std::size_t max_string_size = boost::json::string::max_size();

  explicit Handler(std::size_t max_values) : max_values_(max_values) { stack_.reset(); }

  value release() { return stack_.release(); }
  const std::string& complaint() const { return complaint_; }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code& ec) {
    if (keys_.size() == open_objects_) keys_.emplace_back();
    keys_[open_objects_++].clear();
    return count(ec);
  }
  bool on_object_end(std::size_t n, error_code&) {
    --open_objects_;
    stack_.push_object(n);
    return true;
  }
  bool on_array_begin(error_code& ec) { return count(ec); }
  bool on_array_end(std::size_t n, error_code&) {
    stack_.push_array(n);
    return true;
  }
  bool on_key_part(string_view s, std::size_t, error_code&) {
    key_.append(s.data(), s.size());
    return true;
  }
  bool on_key(string_view s, std::size_t, error_code& ec) {
    key_.append(s.data(), s.size());
    if (!keys_[open_objects_ - 1].insert(key_).second) {
      return refuse(fmt::format("the key \"{}\" appears twice in one object", key_.substr(0, 100)),
                    ec);
    }
    stack_.push_key(key_);
    key_.clear();
    return true;
  }
  bool on_string_part(string_view s, std::size_t, error_code&) {
    stack_.push_chars(s);
    return true;
  }
  bool on_string(string_view s, std::size_t, error_code& ec) {
    stack_.push_string(s);
    return count(ec);
  }
  bool on_number_part(string_view s, error_code&) {
    number_.append(s.data(), s.size());
    return true;
  }
  bool on_int64(std::int64_t i, string_view s, error_code& ec) {
    const bool minus_zero =
        i == 0 && (number_.empty() ? s.substr(0, 1) : string_view(number_)).substr(0, 1) == "-";
    number_.clear();
    if (minus_zero) {
      stack_.push_double(-0.0);
    } else {
      stack_.push_int64(i);
    }
    return count(ec);
  }
  bool on_uint64(std::uint64_t u, string_view, error_code& ec) {
    number_.clear();
    stack_.push_uint64(u);
    return count(ec);
  }
  bool on_double(double approximate, string_view s, error_code& ec) {
    number_.append(s.data(), s.size());
    double exact = approximate;
    const auto result = std::from_chars(number_.data(), number_.data() + number_.size(), exact);
    number_.clear();
    // Out of range leaves `exact` as Boost has it: zero for tiny numbers, infinite for huge ones.
    if (result.ec != std::errc() && result.ec != std::errc::result_out_of_range)
      exact = approximate;
    if (!std::isfinite(exact)) return refuse("a number is too large", ec);
    stack_.push_double(exact);
    return count(ec);
  }
  bool on_bool(bool b, error_code& ec) {
    stack_.push_bool(b);
    return count(ec);
  }
  bool on_null(error_code& ec) {
    stack_.push_null();
    return count(ec);
  }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

 private:
  bool count(error_code& ec) {
    if (++values_ <= max_values_) return true;
    return refuse(fmt::format("it holds more than {} values", max_values_), ec);
  }
  bool refuse(std::string complaint, error_code& ec) {
    complaint_ = std::move(complaint);
    ec = boost::json::error::syntax;
    return false;
  }

  boost::json::value_stack stack_;
  std::vector<std::unordered_set<std::string>> keys_;  // of each open object; reused
  std::size_t open_objects_ = 0;
  std::string key_;
  std::string number_;
  std::string complaint_;
  std::size_t max_values_;
  std::size_t values_ = 0;
};

Error wrong(const std::string& where, std::string_view key, std::string_view expected,
            const value* got) {
  const std::string path =
      fmt::format("{}{}{}", where, where.find(": ") == std::string::npos ? ": " : ".", key);
  if (got == nullptr)
    return Error(Kind::kCorrupt, fmt::format("{}: missing. Expected {}.", path, expected));
  std::string shown = dump(*got);
  if (shown.size() > 60) shown = shown.substr(0, 57) + "...";
  return Error(Kind::kCorrupt,
               fmt::format("{}: expected {}, but it is {}.", path, expected, shown));
}

std::optional<std::int64_t> as_integer(const value& v) {
  if (v.is_int64()) return v.get_int64();
  // Values made in memory may be unsigned.
  if (v.is_uint64() && std::in_range<std::int64_t>(v.get_uint64()))
    return static_cast<std::int64_t>(v.get_uint64());
  return std::nullopt;
}

std::optional<double> as_number(const value& v) {
  if (v.is_double()) return v.get_double();
  if (v.is_int64()) return static_cast<double>(v.get_int64());
  if (v.is_uint64()) return static_cast<double>(v.get_uint64());
  return std::nullopt;
}

}  // namespace

value parse(std::string_view text, const std::string& name, std::size_t max_values) {
  boost::json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::json::basic_parser<Handler> parser(options, max_values);
  error_code ec;
  std::size_t used = parser.write_some(false, text.data(), text.size(), ec);
  if (!ec && used < text.size()) ec = boost::json::error::extra_data;
  if (!ec) return parser.handler().release();
  used = std::min(used, text.size());
  const auto line =
      1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(used), '\n');
  const std::string& complaint = parser.handler().complaint();
  throw Error(Kind::kCorrupt,
              fmt::format("{}: line {}: {}. Expected strict JSON, at most {} levels deep.", name,
                          line, complaint.empty() ? ec.message() : complaint, kMaxDepth));
}

value read(const std::filesystem::path& path) { return parse(read_text_file(path), path.string()); }

Reader::Reader(const value& v, std::string where)
    : object_(v.if_object()), where_(std::move(where)) {
  if (object_ == nullptr)
    throw Error(Kind::kCorrupt, where_ + ": expected an object, as in {\"key\": value}.");
}

bool Reader::has(std::string_view key) const { return find(key) != nullptr; }

std::int64_t Reader::integer(std::string_view key) const {
  const value* v = find(key);
  const auto number = v != nullptr ? as_integer(*v) : std::nullopt;
  if (!number) throw wrong(where_, key, "an integer", v);
  return *number;
}

std::int64_t Reader::integer(std::string_view key, std::int64_t fallback) const {
  return has(key) ? integer(key) : fallback;
}

double Reader::number(std::string_view key) const {
  const value* v = find(key);
  const auto number = v != nullptr ? as_number(*v) : std::nullopt;
  if (!number) throw wrong(where_, key, "a number", v);
  return *number;
}

double Reader::number(std::string_view key, double fallback) const {
  return has(key) ? number(key) : fallback;
}

bool Reader::boolean(std::string_view key, bool fallback) const {
  const value* v = find(key);
  if (v == nullptr) return fallback;
  if (!v->is_bool()) throw wrong(where_, key, "true or false", v);
  return v->get_bool();
}

std::string Reader::text(std::string_view key) const {
  const value* v = find(key);
  if (v == nullptr || !v->is_string()) throw wrong(where_, key, "a text", v);
  return std::string(v->get_string().data(), v->get_string().size());
}

std::string Reader::text(std::string_view key, std::string_view fallback) const {
  return has(key) ? text(key) : std::string(fallback);
}

std::optional<Reader> Reader::child(std::string_view key) const {
  const value* v = find(key);
  if (v == nullptr) return std::nullopt;
  if (!v->is_object()) throw wrong(where_, key, "an object", v);
  return Reader(
      *v, fmt::format("{}{}{}", where_, where_.find(": ") == std::string::npos ? ": " : ".", key));
}

Reader Reader::required_child(std::string_view key) const {
  auto reader = child(key);
  if (!reader) throw wrong(where_, key, "an object", nullptr);
  return *std::move(reader);
}

const value* Reader::find(std::string_view key) const {
  const value* v = object_->if_contains(string_view(key.data(), key.size()));
  return v == nullptr || v->is_null() ? nullptr : v;
}

void Reader::refuse_unknown(std::initializer_list<std::string_view> known) const {
  std::string message;
  for (const auto& member : *object_) {
    const std::string_view key(member.key().data(), member.key().size());
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const auto near = closest(key, std::span(known.begin(), known.size()));
    message += fmt::format("{}\"{}\"{}", message.empty() ? "" : ", ", key,
                           near.empty() ? std::string() : fmt::format(" (closest: \"{}\")", near));
  }
  if (message.empty()) return;
  throw Error(Kind::kInput, fmt::format("{}: unknown key {}. Expected some of: {}.", where_,
                                        message, fmt::join(known.begin(), known.end(), ", ")));
}

}  // namespace tandem::json
