#include "cli/answers.h"

#include <algorithm>
#include <fmt/format.h>

#include "cli/table.h"
#include "core/json.h"

namespace tandem::cli {
namespace {

bool is_text(const Item& item) { return item.kind == ItemKind::kText; }

// What a person knows the item by.
std::string name_of(const Item& item) {
  return escape(is_text(item) && !item.caption.empty() ? item.caption : item.uri);
}

// What the table shows beyond scores and names.
struct Shape {
  bool captions = false;
  bool duplicates = false;
  bool relevance = false;
  std::string items = "picture";
};

Shape shape_of(const Answer& answer, const AnswerView& view) {
  Shape shape;
  std::size_t texts = 0;
  for (const auto& row : answer.rows) {
    shape.captions = shape.captions || (!is_text(row.item) && !row.item.caption.empty());
    shape.duplicates = shape.duplicates || !row.duplicates.empty();
    shape.relevance = shape.relevance || (view.all && !row.relevant);
    texts += is_text(row.item) ? 1 : 0;
  }
  if (texts > 0) shape.items = texts == answer.rows.size() ? "text" : "picture or text";
  return shape;
}

Table table_of(const Answer& answer, const Shape& shape) {
  std::vector<Column> columns{{.title = "score", .align = Align::kRight, .style = Style::kCyan},
                              {.title = shape.items, .flexible = true}};
  if (shape.captions) columns.push_back({.title = "caption", .flexible = true});
  if (shape.duplicates) columns.push_back({.title = "alike", .align = Align::kRight});
  if (shape.relevance) columns.push_back({.title = "relevant", .style = Style::kDim});
  Table table(std::move(columns));
  for (const auto& row : answer.rows) {
    std::vector<std::string> cells{fmt::format("{:.3f}", row.score), name_of(row.item)};
    if (shape.captions) cells.push_back(is_text(row.item) ? "" : escape(row.item.caption));
    if (shape.duplicates)
      cells.push_back(row.duplicates.empty() ? "" : fmt::format("+{}", row.duplicates.size()));
    if (shape.relevance) cells.push_back(row.relevant ? "yes" : "no");
    table.add(std::move(cells));
  }
  return table;
}

void print_facets(const Answer& answer, Console& console) {
  for (const auto& facet : answer.facets) {
    if (facet.values.empty()) continue;
    console.out("");
    Table table({{.title = escape(facet.field), .flexible = true},
                 {.title = "rows", .align = Align::kRight, .style = Style::kCyan}});
    for (const auto& value : facet.values)
      table.add({escape(value.value), fmt::format("{}", value.count)});
    table.print(console);
  }
}

// Why there is less than was asked for, if the cut-off is why.
void note_cut(const Answer& answer, const AnswerView& view, Console& console) {
  if (answer.rows.empty() && !answer.best) {
    console.note("nothing matches");
  } else if (answer.relevance && answer.relevant == 0 && !view.all) {
    console.note(
        fmt::format("nothing relevant (best score {:.3f}, relevant from {:.3f}); --all "
                    "shows it",
                    *answer.best, answer.relevance->cut_off));
  } else if (answer.rows.empty()) {
    console.note("no more rows");
  } else if (answer.relevance && answer.relevance->cut_off > -1 && !view.all) {
    const bool page_cut = view.first_rank - 1 + answer.rows.size() >= answer.total;
    if (page_cut)
      console.note(fmt::format("no more are relevant (from {:.3f}); --all shows the rest",
                               answer.relevance->cut_off));
  }
}

}  // namespace

void print_json(const Answer& answer, const AnswerView& view, Console& console) {
  std::size_t rank = view.first_rank;
  for (const auto& row : answer.rows) {
    json::object line{{"query", view.query},
                      {"rank", rank++},
                      {"score", row.score},
                      {"id", row.item.id},
                      {"path", row.item.uri},
                      {"caption", row.item.caption},
                      {"kind", kind_name(row.item.kind)},
                      {"relevant", row.relevant}};
    if (!row.duplicates.empty())
      line["duplicates"] = json::array(row.duplicates.begin(), row.duplicates.end());
    console.out(json::dump(line));
  }
  for (const auto& facet : answer.facets) {
    json::array values;
    for (const auto& value : facet.values)
      values.push_back(json::object{{"value", value.value}, {"count", value.count}});
    console.out(json::dump(json::object{
        {"query", view.query}, {"facet", facet.field}, {"values", std::move(values)}}));
  }
  note_cut(answer, view, console);
}

void print_table(const Answer& answer, const AnswerView& view, Console& console) {
  if (view.with_title) console.out(console.styled(escape(view.query), Style::kBold));
  if (!answer.rows.empty()) table_of(answer, shape_of(answer, view)).print(console);
  print_facets(answer, console);
  note_cut(answer, view, console);
  if (view.with_title) console.out("");
}

void print_groups(const Store& store, const std::vector<std::vector<std::int64_t>>& groups,
                  bool as_json, Console& console) {
  Table table({{.title = "group", .align = Align::kRight},
               {.title = "id", .align = Align::kRight, .style = Style::kCyan},
               {.title = "item", .flexible = true}});
  std::size_t number = 0;
  for (const auto& group : groups) {
    ++number;
    json::array items;
    for (const auto& item : store.items(group)) {
      if (as_json) {
        items.push_back(json::object{{"id", item.id}, {"path", item.uri}});
      } else {
        table.add({fmt::format("{}", number), fmt::format("{}", item.id), name_of(item)});
      }
    }
    if (as_json)
      console.out(json::dump(json::object{{"group", number}, {"items", std::move(items)}}));
  }
  if (!as_json && !table.empty()) table.print(console);
  if (groups.empty()) console.note("no near-duplicates");
}

}  // namespace tandem::cli
