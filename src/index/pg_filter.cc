#include "index/pg_filter.h"

#include <fmt/format.h>

#include "core/error.h"
#include "index/store_text.h"

namespace tandem {
namespace {

enum class Type { kInteger, kText, kJson };

Type type_of(const std::string& column) {
  if (column == "metadata") return Type::kJson;
  const bool integer = column == "id" || column == "size_bytes" || column == "mtime" ||
                       column == "width" || column == "height";
  return integer ? Type::kInteger : Type::kText;
}

class Compiler {
 public:
  explicit Compiler(std::vector<PgValue>& values) : values_(values) {}
  std::string condition(const ItemFilter& filter);

 private:
  std::string joined(const ItemFilter& filter, const std::string& word, const std::string& none);
  std::string leaf(const ItemFilter& filter);
  std::string equal(const ItemFilter& filter, const ItemFilter::Value& value);
  std::string bound(const ItemFilter& filter, const ItemFilter::Bound& bound, char sign);
  std::string subject(const ItemFilter& filter);       // its value in SQL
  std::string subject_text(const ItemFilter& filter);  // the same as text; null for others
  std::string subject_number(const ItemFilter& filter);
  std::string bind(std::string text, const std::string& type);
  std::string bind_number(const ItemFilter::Value& value);

  std::vector<PgValue>& values_;
};

bool is_text(const ItemFilter::Value& value) { return std::holds_alternative<std::string>(value); }

std::string Compiler::bind(std::string text, const std::string& type) {
  values_.push_back({std::move(text)});
  return fmt::format("${}::{}", values_.size(), type);
}

std::string Compiler::bind_number(const ItemFilter::Value& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value))
    return bind(std::to_string(*whole), "bigint");
  return bind(fmt::format("{}", std::get<double>(value)), "numeric");
}

std::string Compiler::subject(const ItemFilter& filter) {
  if (filter.column == "mtime") return "mtime_ns";
  if (type_of(filter.column) != Type::kJson) return filter.column;
  std::string out = "metadata";
  for (const auto& key : filter.keys) out += " -> " + bind(to_wire(key), "text");
  return "(" + out + ")";
}

std::string Compiler::subject_text(const ItemFilter& filter) {
  const auto value = subject(filter);
  if (type_of(filter.column) == Type::kText) return value;
  return fmt::format(
      "(CASE WHEN jsonb_typeof({0}) = 'string' THEN ({0} #>> '{{}}') END COLLATE "
      "\"C\")",
      value);
}

std::string Compiler::subject_number(const ItemFilter& filter) {
  const auto value = subject(filter);
  if (type_of(filter.column) == Type::kInteger) return value;
  return fmt::format("(CASE WHEN jsonb_typeof({0}) = 'number' THEN {0}::numeric END)", value);
}

std::string Compiler::equal(const ItemFilter& filter, const ItemFilter::Value& value) {
  const auto type = type_of(filter.column);
  if (type == Type::kJson) {
    const auto is = subject(filter);
    if (const auto* truth = std::get_if<bool>(&value))
      return fmt::format("{} = to_jsonb({})", is, *truth ? "TRUE" : "FALSE");
    const auto bound =
        is_text(value) ? bind(to_wire(std::get<std::string>(value)), "text") : bind_number(value);
    return fmt::format("{} = to_jsonb({})", is, bound);
  }
  if (std::holds_alternative<bool>(value) || is_text(value) != (type == Type::kText))
    return "FALSE";
  return subject(filter) + " = " +
         (is_text(value) ? bind(to_wire(std::get<std::string>(value)), "text")
                         : bind_number(value));
}

std::string Compiler::bound(const ItemFilter& filter, const ItemFilter::Bound& bound, char sign) {
  const auto type = type_of(filter.column);
  const bool text = is_text(bound.value);
  if (std::holds_alternative<bool>(bound.value) || (type == Type::kText && !text) ||
      (type == Type::kInteger && text))
    return "FALSE";
  const auto left = text ? subject_text(filter) : subject_number(filter);
  const auto right =
      text ? bind(to_wire(std::get<std::string>(bound.value)), "text") : bind_number(bound.value);
  return fmt::format("{} {}{} {}", left, sign, bound.inclusive ? "=" : "", right);
}

std::string Compiler::leaf(const ItemFilter& filter) {
  // As SQLite's LIKE: only ASCII letters lose their case.
  const auto folded = [](const std::string& text) {
    return "translate(" + text + ", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')";
  };
  switch (filter.op) {
    case ItemFilter::Op::kEqual:
      return equal(filter, filter.values.at(0));
    case ItemFilter::Op::kIn: {
      std::string out = "FALSE";
      for (const auto& value : filter.values) out += " OR " + equal(filter, value);
      return out;
    }
    case ItemFilter::Op::kRange: {
      std::string out = "TRUE";
      if (filter.least) out += " AND " + bound(filter, *filter.least, '>');
      if (filter.most) out += " AND " + bound(filter, *filter.most, '<');
      return out;
    }
    case ItemFilter::Op::kExists:
      if (type_of(filter.column) != Type::kJson) return "TRUE";
      return fmt::format("jsonb_typeof({}) <> 'null'", subject(filter));
    case ItemFilter::Op::kPrefix:
    case ItemFilter::Op::kContains: {
      if (type_of(filter.column) == Type::kInteger || !is_text(filter.values.at(0))) return "FALSE";
      const auto text = folded(subject_text(filter));
      const auto part = folded(bind(to_wire(std::get<std::string>(filter.values.at(0))), "text"));
      return filter.op == ItemFilter::Op::kPrefix ? fmt::format("starts_with({}, {})", text, part)
                                                  : fmt::format("strpos({}, {}) > 0", text, part);
    }
    case ItemFilter::Op::kAnd:
    case ItemFilter::Op::kOr:
    case ItemFilter::Op::kNot:
      break;
  }
  throw Error(Kind::kInternal, "a filter with an unknown operator.");
}

std::string Compiler::joined(const ItemFilter& filter, const std::string& word,
                             const std::string& none) {
  std::string out = none;
  for (const auto& child : filter.children) out += word + condition(child);
  return "(" + out + ")";
}

std::string Compiler::condition(const ItemFilter& filter) {
  switch (filter.op) {
    case ItemFilter::Op::kAnd:
      return joined(filter, " AND ", "TRUE");
    case ItemFilter::Op::kOr:
      return joined(filter, " OR ", "FALSE");
    case ItemFilter::Op::kNot:
      return "NOT " + condition(filter.children.at(0));
    default:
      // What is missing fulfils nothing, so that its opposite is true of it.
      return "COALESCE((" + leaf(filter) + "), FALSE)";
  }
}

}  // namespace

std::string to_postgres(const ItemFilter& filter, std::vector<PgValue>& values) {
  return Compiler(values).condition(filter);
}

}  // namespace tandem
