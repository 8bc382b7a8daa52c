// Filters as conditions of SQLite.
#include <algorithm>
#include <span>

#include "index/item_filter.h"

namespace tandem {
namespace {

using Op = ItemFilter::Op;
using Value = ItemFilter::Value;

bool is_text(const Value& value) { return std::holds_alternative<std::string>(value); }

// $."a"."b". Keys hold no quotes (item_filter.cc).
std::string json_path(const std::vector<std::string>& keys) {
  std::string path = "$";
  for (const std::string& key : keys) path += ".\"" + key + "\"";
  return path;
}

class Compiler {
 public:
  BoundSql take() && { return std::move(out_); }

  void add(const ItemFilter& filter) {
    switch (filter.op) {
      case Op::kAnd:
        return join(filter.children, " AND ", "1");
      case Op::kOr:
        return join(filter.children, " OR ", "0");
      case Op::kNot:
        out_.sql += "NOT (";
        add(filter.children.front());
        out_.sql += ')';
        return;
      case Op::kEqual:
      case Op::kIn:
        return equal_to_any(filter);
      case Op::kRange:
        return range(filter);
      case Op::kExists:
        if (filter.keys.empty()) {
          out_.sql += '1';
        } else {
          out_.sql += "ifnull(";
          json_type(filter);
          out_.sql += ", 'null') <> 'null'";
        }
        return;
      case Op::kPrefix:
        return look(filter, " = 1");
      case Op::kContains:
        return look(filter, " > 0");
    }
  }

 private:
  // Halves of halves: SQLite limits how deep an expression is, and takes a chain as deep as it is
  // long.
  void join(std::span<const ItemFilter> children, const char* between, const char* none) {
    if (children.empty()) {
      out_.sql += none;
    } else if (children.size() == 1) {
      out_.sql += '(';
      add(children.front());
      out_.sql += ')';
    } else {
      const std::size_t half = children.size() / 2;
      out_.sql += '(';
      join(children.first(half), between, none);
      out_.sql += between;
      join(children.subspan(half), between, none);
      out_.sql += ')';
    }
  }

  void bind(const Value& value) {
    out_.sql += '?';
    out_.values.push_back(value);
  }

  void json_call(const ItemFilter& filter, const char* function) {
    out_.sql += function;
    out_.sql += "(metadata, ";
    bind(json_path(filter.keys));
    out_.sql += ')';
  }
  void json_type(const ItemFilter& filter) { json_call(filter, "json_type"); }

  void column(const ItemFilter& filter) {
    if (filter.keys.empty()) {
      out_.sql += filter.column == "mtime" ? "mtime_ns" : filter.column;
    } else {
      json_call(filter, "json_extract");
    }
  }

  // That the metadata's value is of a type, and so is not missing.
  void of_type(const ItemFilter& filter, const char* condition) {
    if (filter.keys.empty()) return;
    out_.sql += "ifnull(";
    json_type(filter);
    out_.sql += ", '') ";
    out_.sql += condition;
    out_.sql += " AND ";
  }
  void of_type_of(const ItemFilter& filter, const Value& value) {
    of_type(filter, is_text(value) ? "= 'text'" : "IN ('integer', 'real')");
  }

  void equal_to_any(const ItemFilter& filter) {
    std::vector<Value> texts;
    std::vector<Value> numbers;
    bool any_true = false;
    bool any_false = false;
    for (const Value& value : filter.values) {
      if (const bool* truth = std::get_if<bool>(&value)) {
        (*truth ? any_true : any_false) = true;
      } else {
        (is_text(value) ? texts : numbers).push_back(value);
      }
    }
    out_.sql += "(0";
    for (const auto& values : {texts, numbers}) {
      if (values.empty()) continue;
      out_.sql += " OR (";
      of_type_of(filter, values.front());
      column(filter);
      out_.sql += " IN (";
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (i > 0) out_.sql += ',';
        bind(values[i]);
      }
      out_.sql += "))";
    }
    for (const bool truth : {true, false}) {
      if (!(truth ? any_true : any_false) || filter.keys.empty()) continue;
      out_.sql += " OR ifnull(";
      json_type(filter);
      out_.sql += truth ? ", '') = 'true'" : ", '') = 'false'";
    }
    out_.sql += ')';
  }

  void range(const ItemFilter& filter) {
    out_.sql += '(';
    of_type_of(filter, filter.least ? filter.least->value : filter.most->value);
    if (filter.least) {
      column(filter);
      out_.sql += filter.least->inclusive ? " >= " : " > ";
      bind(filter.least->value);
    }
    if (filter.least && filter.most) out_.sql += " AND ";
    if (filter.most) {
      column(filter);
      out_.sql += filter.most->inclusive ? " <= " : " < ";
      bind(filter.most->value);
    }
    out_.sql += ')';
  }

  // Not LIKE: its patterns are limited in length, and % and _ would mean something.
  void look(const ItemFilter& filter, const char* place) {
    out_.sql += '(';
    of_type(filter, "= 'text'");
    out_.sql += "instr(lower(";
    column(filter);
    out_.sql += "), lower(";
    bind(filter.values.front());
    out_.sql += "))";
    out_.sql += place;
    out_.sql += ')';
  }

  BoundSql out_;
};

}  // namespace

BoundSql to_sql(const ItemFilter& filter) {
  Compiler compiler;
  compiler.add(filter);
  return std::move(compiler).take();
}

}  // namespace tandem
