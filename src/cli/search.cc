// `tandem search`: words and pictures against a collection.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/contact_sheet.h"
#include "cli/exit_code.h"
#include "cli/model_flags.h"
#include "cli/table.h"
#include "core/json.h"
#include "index/collection.h"
#include "preprocess/templates.h"

namespace tandem::cli {
namespace {

namespace fs = std::filesystem;

// How much a "not this" counts against a "this". Less than 1: what is asked for matters more than
// what is shunned.
constexpr float kNotWeight = 0.5F;

struct Flags {
  ModelFlags model;
  OutputFlags output;
  std::vector<std::string> words;     // the collection, then the query
  std::vector<std::string> unwanted;  // --not, and everything after --
  std::string queries;
  std::string where;
  std::string html;
  int top = 10;
};

// One question: parts to be near to, parts to be far from. A part that names a picture file is a
// picture.
struct Query {
  std::string shown;
  std::vector<std::string> wanted;
  std::vector<std::string> unwanted;
};

Options declare(Flags& flags) {
  Options options(
      "search", "find pictures in a collection by words, by another picture, or by both at once.");
  options.example("tandem search pictures.tandem \"a red bicycle\"", "the ten nearest pictures");
  options.example("tandem search pictures.tandem dress.jpg + \"in blue\" -- \"with stripes\"",
                  "like the picture and the words, unlike what follows --");
  options.example("tandem search pictures.tandem \"a cat\" --where \"width >= 1024\" --json",
                  "only rows for which the SQL condition holds");
  options.example("tandem search pictures.tandem --queries lines.txt --html sheet.html",
                  "many queries, shown with their pictures on a page");
  options.words("NAME.tandem [QUERY]", flags.words,
                "a collection made by `tandem index`, then words or picture files, joined by +");
  options.group("Query");
  options.texts("--not", "WORDS", flags.unwanted,
                "what to keep away from: words or a picture; the same as words after --");
  options.text("--queries", "FILE", flags.queries, "many queries, one a line");
  options.text(
      "--where", "SQL", flags.where,
      "condition over the columns id, uri, caption, width, height, size_bytes, mtime_ns, metadata");
  options.group("Answer");
  options.number("--top", "K", flags.top, "pictures a query (default: 10)", 1);
  options.text("--html", "FILE", flags.html,
               "also write a page that shows each query with its pictures");
  flags.model.model.clear();
  add_model_options(options, flags.model);
  return options;
}

bool is_picture(const std::string& word) {
  static constexpr std::string_view kExtensions[] = {".jpg", ".jpeg", ".png", ".webp", ".gif"};
  auto extension = fs::path(word).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return std::find(std::begin(kExtensions), std::end(kExtensions), extension) !=
         std::end(kExtensions);
}

// Words between "+" belong together: red bicycle + x.jpg is two parts.
std::vector<std::string> parts_of(std::span<const std::string> words) {
  std::vector<std::string> parts;
  bool joins = false;
  for (const auto& word : words) {
    const bool picture = is_picture(word);
    if (word == "+" || word.empty()) {
      joins = false;
    } else if (joins && !picture) {
      parts.back() += " " + word;
    } else {
      parts.push_back(word);
      joins = !picture;
    }
  }
  return parts;
}

std::vector<Query> read_queries(const Flags& flags) {
  const auto parts = parts_of(std::span(flags.words).subspan(1));
  std::vector<Query> queries;
  if (!parts.empty()) {
    std::string shown;
    for (const auto& part : parts) shown += (shown.empty() ? "" : " + ") + part;
    for (const auto& part : flags.unwanted) shown += " − " + part;
    queries.push_back({shown, parts, flags.unwanted});
  }
  if (!flags.queries.empty()) {
    for (const auto& line : load_labels(flags.queries))
      queries.push_back({line, parts_of(std::vector{line}), flags.unwanted});
  }
  if (queries.empty())
    throw UsageError("expected what to look for: words, a picture, or --queries FILE.");
  return queries;
}

void add_part(const Model& model, const std::string& part, float weight, std::vector<float>& sum) {
  const auto vector = is_picture(part) ? model.embed_images({part}) : model.embed_texts({part});
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += weight * vector.values[i];
}

std::vector<float> query_vector(const Model& model, const Query& query) {
  std::vector<float> sum(static_cast<std::size_t>(model.width()));
  for (const auto& part : query.wanted)
    add_part(model, part, 1 / static_cast<float>(query.wanted.size()), sum);
  for (const auto& part : query.unwanted)
    add_part(model, part, -kNotWeight / static_cast<float>(query.unwanted.size()), sum);
  double squares = 0;
  for (const float v : sum) squares += static_cast<double>(v) * v;
  if (squares == 0)
    throw Error(Kind::kInput,
                "the query cancels itself out. Give something wanted that is not also unwanted.");
  for (float& v : sum) v = static_cast<float>(v / std::sqrt(squares));
  return sum;
}

void print_json(const SheetRow& row, Console& console) {
  std::size_t rank = 0;
  for (const auto& hit : row.hits) {
    console.out(json::dump(json::object{{"query", row.query},
                                        {"rank", ++rank},
                                        {"score", hit.score},
                                        {"id", hit.id},
                                        {"path", hit.uri},
                                        {"caption", hit.caption}}));
  }
}

void print_table(const SheetRow& row, bool with_title, Console& console) {
  if (with_title) console.out(console.styled(escape(row.query), Style::kBold));
  const bool captions = std::any_of(row.hits.begin(), row.hits.end(),
                                    [](const Hit& hit) { return !hit.caption.empty(); });
  std::vector<Column> columns{{.title = "score", .align = Align::kRight, .style = Style::kCyan},
                              {.title = "picture", .flexible = true}};
  if (captions) columns.push_back({.title = "caption", .flexible = true});
  Table table(std::move(columns));
  for (const auto& hit : row.hits) {
    std::vector<std::string> cells{fmt::format("{:.3f}", hit.score), escape(hit.uri)};
    if (captions) cells.push_back(escape(hit.caption));
    table.add(std::move(cells));
  }
  if (table.empty()) {
    console.note("nothing matches");
  } else {
    table.print(console);
  }
  if (with_title) console.out("");
}

// Opens the collection for the model it was made with, or for the one that was asked for.
Collection open_for(const std::string& dir, const Model& model) {
  return Collection::open(dir, OpenMode::kRead, model.name(), model.fingerprint(), model.width());
}

std::string model_of(const std::string& dir) {
  return Collection::open(dir, OpenMode::kRead, "", "", 0).model_name();
}

// Everything after "--" is unwanted.
Arguments split_unwanted(Arguments arguments, std::vector<std::string>& unwanted) {
  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  if (dashes == arguments.end()) return arguments;
  unwanted = parts_of(std::vector<std::string>(dashes + 1, arguments.end()));
  return arguments.first(static_cast<std::size_t>(dashes - arguments.begin()));
}

}  // namespace

int run_search(Context& context, Arguments arguments) {
  Flags flags;
  std::vector<std::string> after_dashes;
  arguments = split_unwanted(arguments, after_dashes);
  auto options = declare(flags);
  if (!parse_or_help(options, flags.output, context, arguments)) return kDone;
  flags.unwanted.insert(flags.unwanted.end(), after_dashes.begin(), after_dashes.end());
  const auto queries = read_queries(flags);
  const auto& dir = flags.words[0];
  if (flags.model.model.empty()) flags.model.model = model_of(dir);
  const auto model = load(flags.model, context, Work::kLittle);
  const auto collection = open_for(dir, model);

  Sheet sheet;
  sheet.title = "Search in " + fs::path(dir).stem().string();
  sheet.subtitle =
      fmt::format("{} pictures, model {}", with_thousands(collection.size()), model.name());
  for (const auto& query : queries) {
    sheet.rows.push_back(
        {query.shown,
         collection.search(query_vector(model, query),
                           {.top_k = static_cast<std::size_t>(flags.top), .where = flags.where})});
    if (flags.output.json) {
      print_json(sheet.rows.back(), context.console);
    } else {
      print_table(sheet.rows.back(), queries.size() > 1, context.console);
    }
  }
  if (!flags.html.empty()) {
    write_contact_sheet(flags.html, sheet);
    context.console.note("page: " + escape(flags.html));
  }
  return kDone;
}

}  // namespace tandem::cli
