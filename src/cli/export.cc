// `tandem export`: a collection's vectors and what is known of them, as clip-retrieval reads them.
#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "core/json.h"
#include "data/embeddings.h"
#include "index/store.h"

namespace tandem::cli {
namespace {

using Of = EmbeddingRow::Of;
using Type = ParquetColumn::Type;

constexpr std::size_t kAtATime = 1024;
// More keys than this become one column of JSON text.
constexpr std::size_t kMostColumns = 500;

struct Flags {
  OutputFlags output;
  std::vector<std::string> from;
  std::string out;
  std::string dtype = "f16";
  std::string kind = "pictures";
  std::string metadata = "parquet";
  int part_rows = 1'000'000;
};

Options declare(Flags& flags) {
  Options options("export",
                  "write a collection's vectors, with what is known of each, as folders that "
                  "clip-retrieval and `tandem import` read: img_emb/*.npy and metadata/*.parquet.");
  options.example("tandem export pictures.tandem --out vectors",
                  "then: clip-retrieval index --embeddings_folder vectors --index_folder index");
  options.words("NAME", flags.from, "a collection, or a database's address", 1, 1);
  options.group("What and where to");
  options.text("--out", "DIR", flags.out, "the folder to write, which must hold no vectors yet");
  options.choice("--kind", {"pictures", "texts"}, flags.kind,
                 "which items (default: pictures); texts go to text_emb");
  options.choice("--dtype", {"f16", "f32"}, flags.dtype, "how vectors are stored (default: f16)");
  options.choice("--metadata", {"parquet", "jsonl"}, flags.metadata,
                 "how what is known of them is stored (default: parquet)");
  options.number("--part-rows", "N", flags.part_rows, "rows in one part (default: 1000000)", 1);
  return options;
}

// The columns that hold metadata's keys, and their types: one that suits every value.
class Columns {
 public:
  void see(const json::object& metadata) {
    for (const auto& entry : metadata) {
      if (entry.value().is_null()) continue;
      const auto type = type_of(entry.value());
      const auto [known, added] = types_.emplace(std::string(entry.key()), type);
      if (!added) known->second = common(known->second, type);
    }
  }
  std::vector<ParquetColumn> all(Of of) const {
    std::vector<ParquetColumn> columns{
        {of == Of::kImage ? "image_path" : "caption", Type::kString}};
    if (of == Of::kImage) {
      columns.insert(columns.end(), {{"caption", Type::kString},
                                     {"width", Type::kInteger},
                                     {"height", Type::kInteger},
                                     {"sha256", Type::kString}});
    }
    if (flat()) {
      for (const auto& [name, type] : types_) columns.push_back({column_name(name), type});
    } else {
      columns.push_back({"metadata", Type::kString});
    }
    return columns;
  }
  void fill(const json::object& metadata, json::object& row) const {
    if (!flat()) {
      row["metadata"] = json::dump(metadata);
      return;
    }
    for (const auto& entry : metadata) {
      if (entry.value().is_null()) continue;
      const auto type = types_.at(std::string(entry.key()));
      const bool text = type == Type::kString && !entry.value().is_string();
      row[column_name(entry.key())] = text ? json::value(json::dump(entry.value())) : entry.value();
    }
  }

 private:
  bool flat() const { return types_.size() <= kMostColumns; }
  static std::string column_name(std::string_view key) {
    static const std::set<std::string_view> kOurs = {"image_path", "text",   "caption",
                                                     "width",      "height", "sha256"};
    return kOurs.contains(key) ? "metadata." + std::string(key) : std::string(key);
  }
  static Type type_of(const json::value& value) {
    if (value.is_bool()) return Type::kBoolean;
    if (value.is_int64()) return Type::kInteger;
    if (value.is_double() || value.is_uint64()) return Type::kNumber;
    return Type::kString;
  }
  static Type common(Type a, Type b) {
    if (a == b) return a;
    const auto numeric = [](Type type) { return type == Type::kInteger || type == Type::kNumber; };
    return numeric(a) && numeric(b) ? Type::kNumber : Type::kString;
  }
  std::map<std::string, Type> types_;
};

json::object metadata_of(const std::string& text) {
  boost::system::error_code error;
  auto value = boost::json::parse(text, error);
  return !error && value.is_object() ? std::move(value.as_object()) : json::object();
}

class Exporter {
 public:
  Exporter(const Store& store, const Flags& flags)
      : store_(store), flags_(flags), of_(flags.kind == "texts" ? Of::kText : Of::kImage) {}

  // Looks at everything once: which items, and which columns they need.
  void survey() {
    std::vector<std::int64_t> all;
    store_.each_known([&](const KnownItem& row) {
      const bool text = row.uri.starts_with("text:");
      if (text != (of_ == Of::kText)) {
        ++others_;
        return;
      }
      all.push_back(row.id);
      if (row.metadata_json != "{}") columns_.see(metadata_of(row.metadata_json));
    });
    ids_ = std::move(all);
    std::sort(ids_.begin(), ids_.end());
  }

  void write(Console& console) {
    EmbeddingWriter::Options options;
    options.dir = flags_.out;
    options.of = of_;
    options.width = static_cast<std::size_t>(store_.meta().width);
    options.dtype = flags_.dtype == "f32" ? NpyDType::kF32 : NpyDType::kF16;
    options.rows = ids_.size();
    options.part_rows = static_cast<std::uint64_t>(flags_.part_rows);
    options.parquet = flags_.metadata == "parquet";
    options.columns = columns_.all(of_);
    EmbeddingWriter writer(options);
    const auto progress = console.progress("rows", ids_.size());
    for (std::size_t begin = 0; begin < ids_.size() && !interrupted(); begin += kAtATime) {
      const auto some = std::span(ids_).subspan(begin, std::min(kAtATime, ids_.size() - begin));
      const auto items = store_.items(some);
      if (items.size() != some.size())
        throw Error(Kind::kIo, store_.describe() + ": changed while it was exported. Try again.");
      const auto vectors = store_.vectors(some);
      for (std::size_t i = 0; i < items.size(); ++i) writer.add(vectors.row(i), row_of(items[i]));
      progress->add(some.size());
    }
    progress->finish();
    if (!interrupted()) writer.finish();
  }

  std::size_t rows() const { return ids_.size(); }
  std::size_t others() const { return others_; }

 private:
  json::object row_of(const Item& item) const {
    json::object row;
    // JSON lines as `tandem embed` writes them, Parquet as clip-retrieval does.
    const bool parquet = flags_.metadata == "parquet";
    if (of_ == Of::kText) {
      row[parquet ? "caption" : "text"] = item.caption;
    } else {
      row[parquet ? "image_path" : "path"] = item.uri;
      if (!item.caption.empty()) row["caption"] = item.caption;
      if (item.width > 0) row["width"] = item.width;
      if (item.height > 0) row["height"] = item.height;
      if (!item.sha256.empty()) row["sha256"] = item.sha256;
    }
    columns_.fill(metadata_of(item.metadata_json), row);
    return row;
  }

  const Store& store_;
  const Flags& flags_;
  Of of_;
  Columns columns_;
  std::vector<std::int64_t> ids_;
  std::size_t others_ = 0;
};

// Where `tandem import` looks for whose vectors they are.
void write_stats(const Flags& flags, const StoreMeta& meta, std::size_t rows) {
  const auto dir = std::filesystem::path(flags.out) / "stats";
  std::filesystem::create_directories(dir);
  write_file_atomically(dir / "0.json",
                        json::pretty(json::object{{flags.kind, rows},
                                                  {"width", meta.width},
                                                  {"dtype", flags.dtype},
                                                  {"model", meta.model_name},
                                                  {"fingerprint", meta.fingerprint}}) +
                            "\n");
}

}  // namespace

int run_export(Context& context, Arguments arguments) {
  Flags flags;
  auto options = declare(flags);
  if (!parse_or_help(options, flags.output, context, arguments)) return kDone;
  if (flags.out.empty()) throw UsageError("expected --out DIR, the folder to write.");
  const auto store = open_store(flags.from[0], OpenMode::kRead, {});
  Exporter exporter(*store, flags);
  exporter.survey();
  if (exporter.rows() == 0) {
    throw Error(Kind::kInput,
                fmt::format("{}: no {} in it.{}", flags.from[0], flags.kind,
                            exporter.others() == 0  ? ""
                            : flags.kind == "texts" ? " There are pictures: --kind pictures."
                                                    : " There are texts: --kind texts."));
  }
  exporter.write(context.console);
  if (interrupted()) {
    context.console.note("stopped: parts that are complete are in " + escape(flags.out));
    return kInterruptedExitCode;
  }
  const auto meta = store->meta();
  write_stats(flags, meta, exporter.rows());
  if (flags.output.json) {
    context.console.out(json::dump(json::object{{"collection", flags.from[0]},
                                                {"out", flags.out},
                                                {"rows", exporter.rows()},
                                                {"width", meta.width},
                                                {"model", meta.model_name},
                                                {"fingerprint", meta.fingerprint}}));
    return kDone;
  }
  context.console.out(fmt::format("exported {} {}, {} wide, to {}", with_thousands(exporter.rows()),
                                  flags.kind, meta.width, escape(flags.out)));
  if (exporter.others() > 0) {
    context.console.note(
        fmt::format("{} {} are left out (--kind {} exports them, to another folder)",
                    with_thousands(exporter.others()), flags.kind == "texts" ? "pictures" : "texts",
                    flags.kind == "texts" ? "pictures" : "texts"));
  }
  return kDone;
}

}  // namespace tandem::cli
