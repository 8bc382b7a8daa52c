// `tandem search`: words and pictures against a collection or a database.
#include <algorithm>
#include <fmt/format.h>

#include "cli/answers.h"
#include "cli/command.h"
#include "cli/contact_sheet.h"
#include "cli/exit_code.h"
#include "cli/model_flags.h"
#include "cli/query_words.h"
#include "cli/table.h"
#include "core/files.h"
#include "core/json.h"
#include "engine/model.h"
#include "index/store.h"
#include "preprocess/templates.h"
#include "tasks/finder.h"

namespace tandem::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxPictureBytes = std::size_t{1} << 28;

struct Flags {
  ModelFlags model;
  OutputFlags output;
  std::vector<std::string> words;     // the collection, then the query
  std::vector<std::string> unwanted;  // --not, and everything after --
  std::vector<std::string> like;
  std::string queries;
  std::string templates;
  std::string filter;
  std::string where;
  std::string only;
  std::string sort = "relevance";
  std::string facets;
  std::string html;
  double collapse = 0;
  double duplicates = 0;
  int top = 10;
  int offset = 0;
  bool all = false;
  bool calibrate = false;
};

void declare_query(Options& options, Flags& flags) {
  options.group("Query");
  options.texts("--not", "QUERY", flags.unwanted,
                "what to keep away from: words or a picture; the same as what follows --");
  options.texts("--like", "ID", flags.like, "more like this item: the same as [#ID]");
  options.text("--queries", "FILE", flags.queries, "many queries, one a line");
  options.text("--templates", "SET", flags.templates,
               "none, simple, openai, icons, or a file: averages words over these captions "
               "(default: none)");
  options.group("Which rows");
  options.text("--filter", "JSON", flags.filter,
               R"(condition, such as {"width":{"gte":500},"metadata.tag":"x"})");
  options.text("--where", "SQL", flags.where,
               "condition over the columns id, kind, uri, caption, width, height, size_bytes, "
               "mtime_ns, metadata (collections only)");
  options.choice("--only", {"pictures", "texts"}, flags.only, "rows of this kind");
  options.flag("--all", flags.all,
               "also rows that are not relevant: those that score no more than chance");
}

void declare_answer(Options& options, Flags& flags) {
  options.group("Answer");
  options.number("--top", "K", flags.top, "rows a query, at most (default: 10)", 1);
  options.number("--offset", "N", flags.offset, "leaves out the first N rows (default: 0)", 0);
  options.choice("--sort", {"relevance", "newest", "oldest"}, flags.sort,
                 "by date: what is relevant (default: relevance)");
  options.number("--collapse", "S", flags.collapse,
                 "shows rows once that are this alike, with their count: 0.95");
  options.text("--facets", "FIELDS", flags.facets,
               "also counts the values of these: width,metadata.tag");
  options.text("--html", "FILE", flags.html,
               "also write a page that shows each query with its pictures");
  options.group("Instead of a query");
  options.number("--duplicates", "S", flags.duplicates,
                 "lists groups of items that are at least this alike: 0.95");
  options.flag("--calibrate", flags.calibrate,
               "measures anew from which score on rows are relevant, and keeps it");
}

Options declare(Flags& flags) {
  Options options("search", "find pictures and texts by words, by pictures, or by both at once.");
  options.example("tandem search pictures.tandem \"a red bicycle\"", "the ten nearest pictures");
  options.example("tandem search pictures.tandem \"sunset + [beach.jpg] - 2*people\"",
                  "like the words and the picture, unlike people, who count twice");
  options.example("tandem search pictures.tandem \"[street.jpg @ 10%,20%,30%,40%]\"",
                  "like this part of a picture: left, top, width, height");
  options.example("tandem search pictures.tandem dress.jpg + \"in blue\" -- \"with stripes\"",
                  "a picture's file needs no brackets; what follows -- is unwanted");
  options.example("tandem search pictures.tandem \"a cat\" --filter '{\"width\":{\"gte\":1024}}'",
                  "only rows that fulfil the condition");
  options.example("tandem search pictures.tandem --duplicates 0.95", "pictures that are the same");
  options.words("COLLECTION [QUERY]", flags.words,
                "NAME.tandem as made by `tandem index`, or a database (pgvector://…); then words, "
                "[pictures], or both, joined by + and -");
  declare_query(options, flags);
  declare_answer(options, flags);
  flags.model.model.clear();
  add_model_options(options, flags.model);
  return options;
}

// Everything after "--" is one unwanted part.
Arguments split_unwanted(Arguments arguments, std::vector<std::string>& unwanted) {
  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  if (dashes == arguments.end()) return arguments;
  const std::vector<std::string> words(dashes + 1, arguments.end());
  if (auto text = query_text(words); !text.empty()) unwanted.push_back(std::move(text));
  return arguments.first(static_cast<std::size_t>(dashes - arguments.begin()));
}

std::vector<Query> read_queries(const Flags& flags) {
  auto wanted = query_text(std::span(flags.words).subspan(1));
  for (const auto& id : flags.like) wanted += (wanted.empty() ? "[#" : " + [#") + id + "]";
  std::vector<Query> queries;
  if (!wanted.empty()) queries.push_back(read_query(wanted, flags.unwanted));
  if (!flags.queries.empty()) {
    for (const auto& line : load_labels(flags.queries))
      queries.push_back(read_query(line, flags.unwanted));
  }
  if (queries.empty())
    throw UsageError("expected what to look for: words, a picture, --like ID or --queries FILE.");
  return queries;
}

FindOptions find_options(const Flags& flags) {
  FindOptions options;
  options.offset = static_cast<std::size_t>(flags.offset);
  options.limit = static_cast<std::size_t>(flags.top);
  if (options.offset + options.limit > kMostRows)
    throw UsageError(fmt::format("--top {} --offset {}: expected at most {} together.", flags.top,
                                 flags.offset, kMostRows));
  if (flags.sort == "newest") options.sort = SortBy::kNewest;
  if (flags.sort == "oldest") options.sort = SortBy::kOldest;
  if (!flags.filter.empty()) options.filter = parse_item_filter(flags.filter);
  if (!flags.only.empty()) {
    auto kind =
        parse_item_filter(json::object{{"kind", flags.only == "texts" ? "text" : "picture"}});
    if (options.filter) {
      ItemFilter both;
      both.children = {std::move(*options.filter), std::move(kind)};
      kind = std::move(both);
    }
    options.filter = std::move(kind);
  }
  options.where = flags.where;
  options.relevant_only = !flags.all;
  options.collapse_above = static_cast<float>(flags.collapse);
  options.facets = split_list(flags.facets);
  return options;
}

// A store, and the model that its vectors are from, loaded when something needs it.
class Searched {
 public:
  Searched(const Flags& flags, const Context& context, OpenMode mode)
      : flags_(flags.model), context_(context), location_(flags.words[0]) {
    store_ = open_store(location_, mode, {});
    if (flags_.model.empty()) {
      flags_.model = store_->meta().model_name;
      return;
    }
    // Asked for by name: a collection of another model is refused, whatever is searched.
    const auto& asked = model();
    store_.reset();
    store_ = open_store(location_, mode, {asked.name(), asked.fingerprint(), asked.width()});
    checked_ = true;
  }

  Store& store() { return *store_; }

  const Model& model() {
    if (!model_) {
      model_ = load(flags_, context_, Work::kLittle);
      const auto meta = store_->meta();
      if (!checked_ && model_->fingerprint() != meta.fingerprint && !meta.fingerprint.empty() &&
          flags_.model == meta.model_name) {
        throw Error(Kind::kInput,
                    fmt::format("{} was made with {} {:.12}, and the model of that name is {:.12} "
                                "now. Expected the same weights: give them with --model, or index "
                                "anew.",
                                shown_location(location_), meta.model_name, meta.fingerprint,
                                model_->fingerprint()));
      }
    }
    return *model_;
  }

  EmbedTexts texts() {
    return [this](const std::vector<std::string>& texts) { return model().embed_texts(texts); };
  }

  QuerySources sources() {
    return {.texts = texts(),
            .picture =
                [this](const std::string& name, const std::optional<Region>& region) {
                  auto decode = model().rep().decode;
                  if (region) decode.short_side_px = 0;  // its pixels are the picture's own
                  const auto bytes = read_file(name, kMaxPictureBytes);
                  try {
                    return picture_vector(model(), decode_image(bytes, name, decode), region);
                  } catch (const Error& error) {
                    const std::string what = error.what();
                    throw Error(error.kind(), what.starts_with(name) ? what : name + ": " + what);
                  }
                },
            .item =
                [this](std::int64_t id) {
                  if (store_->items(std::span(&id, 1)).empty())
                    throw Error(Kind::kNotFound,
                                fmt::format("[#{}]: {} has no item of this id. `tandem search … "
                                            "--json` shows ids.",
                                            id, shown_location(location_)));
                  return store_->vectors(std::span(&id, 1)).values;
                }};
  }

 private:
  ModelFlags flags_;
  const Context& context_;
  std::string location_;
  std::unique_ptr<Store> store_;
  std::optional<Model> model_;
  bool checked_ = false;
};

int calibrate_now(const Flags& flags, Context& context) {
  Searched searched(flags, context, OpenMode::kWrite);
  const auto nulls = load_labels(assets_folder(flags.model, context) / "prompts/null_captions.txt");
  const auto calibration = calibrate(searched.store(), searched.texts(), nulls);
  context.console.note(fmt::format("calibrated with {} captions that fit nothing, {} rows",
                                   nulls.size(), with_thousands(calibration.rows)));
  return kDone;
}

int list_duplicates(const Flags& flags, Context& context) {
  if (!(flags.duplicates > 0 && flags.duplicates <= 1))
    throw UsageError("--duplicates: expected a similarity above 0, up to 1, such as 0.95.");
  const auto store = open_store(flags.words[0], OpenMode::kRead, {});
  print_groups(*store, near_duplicates(*store, static_cast<float>(flags.duplicates)),
               flags.output.json, context.console);
  return kDone;
}

std::vector<Hit> hits_of(const Answer& answer) {
  std::vector<Hit> hits;
  for (const auto& row : answer.rows)
    hits.push_back({row.item.id, row.score, row.item.uri, row.item.caption});
  return hits;
}

int answer_queries(const Flags& flags, Context& context) {
  const auto queries = read_queries(flags);
  const auto options = find_options(flags);
  std::vector<std::string> templates;
  if (!flags.templates.empty())
    templates = load_templates(flags.templates, assets_folder(flags.model, context));
  Searched searched(flags, context, OpenMode::kRead);
  auto& store = searched.store();
  const auto calibration = stored_calibration(store);

  Sheet sheet;
  for (const auto& query : queries) {
    const auto vector = query_vector(query, searched.sources(), templates);
    const auto answer =
        find(store, vector, asked_by(query), calibration ? &*calibration : nullptr, options);
    const AnswerView view{.query = to_text(query),
                          .with_title = queries.size() > 1,
                          .all = flags.all,
                          .first_rank = options.offset + 1};
    if (flags.output.json) {
      print_json(answer, view, context.console);
    } else {
      print_table(answer, view, context.console);
    }
    if (!flags.html.empty()) sheet.rows.push_back({view.query, hits_of(answer)});
  }
  if (!flags.html.empty()) {
    sheet.title = "Search in " + fs::path(flags.words[0]).stem().string();
    sheet.subtitle =
        fmt::format("{} items, model {}", with_thousands(store.size()), store.meta().model_name);
    write_contact_sheet(flags.html, sheet);
    context.console.note("page: " + escape(flags.html));
  }
  return kDone;
}

}  // namespace

int run_search(Context& context, Arguments arguments) {
  Flags flags;
  std::vector<std::string> after_dashes;
  arguments = split_unwanted(arguments, after_dashes);
  auto options = declare(flags);
  if (!parse_or_help(options, flags.output, context, arguments)) return kDone;
  flags.unwanted.insert(flags.unwanted.end(), after_dashes.begin(), after_dashes.end());
  if (flags.calibrate) return calibrate_now(flags, context);
  if (flags.duplicates != 0) return list_duplicates(flags, context);
  return answer_queries(flags, context);
}

}  // namespace tandem::cli
