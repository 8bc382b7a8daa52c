// `tandem import`: vectors that clip-retrieval or `tandem embed` made, as a collection.
#include <cmath>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unordered_set>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/index_finish.h"
#include "cli/index_texts.h"
#include "cli/interrupt.h"
#include "cli/lazy_model.h"
#include "cli/model_flags.h"
#include "core/json.h"
#include "data/embeddings.h"

namespace tandem::cli {
namespace {

namespace fs = std::filesystem;
using Of = EmbeddingRow::Of;

constexpr std::size_t kCommitRows = 1024;

struct Flags {
  ModelFlags model;
  OutputFlags output;
  std::vector<std::string> dir;
  std::string to;
  bool with_texts = false;
};

Options declare(Flags& flags) {
  Options options(
      "import",
      "bring vectors that clip-retrieval or `tandem embed` made into a collection: "
      "img_emb/*.npy, text_emb/*.npy and metadata/*.parquet or *.jsonl. Nothing is computed.");
  options.example("tandem import embeddings/ --to pictures.tandem --model vit-b-32",
                  "the model that made them must be named: vectors do not say");
  options.words("DIR", flags.dir, "the folder that holds img_emb, text_emb and metadata", 1, 1);
  options.group("Collection");
  options.text("--to", "NAME", flags.to,
               "the collection: a folder, NAME.tandem, that is made when missing, or a database's "
               "address");
  options.flag("--with-texts", flags.with_texts,
               "also bring the captions' own vectors, as items of kind text, where there are "
               "pictures");
  flags.model.model.clear();
  add_model_options(options, flags.model);
  return options;
}

std::string text_of(const json::object& row, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto* value = row.if_contains(name);
    if (value != nullptr && value->is_string() && !value->as_string().empty())
      return std::string(value->as_string());
  }
  return {};
}

int side_of(const json::object& row, const char* name) {
  const auto* value = row.if_contains(name);
  if (value == nullptr || !value->is_number()) return 0;
  const auto side = value->to_number<double>();
  return side >= 1 && side < 1e6 ? static_cast<int>(side) : 0;
}

bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// A vector of length one; false for zeros, NaN and infinity.
bool normalise(std::span<const float> from, std::span<float> to) {
  double sum = 0;
  for (const float x : from) sum += static_cast<double>(x) * x;
  if (!std::isfinite(sum) || sum <= 1e-20) return false;
  const double scale = 1 / std::sqrt(sum);
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = static_cast<float>(from[i] * scale);
  return true;
}

class Importer {
 public:
  Importer(Store& store, const EmbeddingFolder& folder, const Flags& flags, Console& console)
      : store_(store), folder_(folder), flags_(flags), console_(console) {}

  void run() {
    const bool images = folder_.rows(Of::kImage) > 0;
    const bool texts = folder_.rows(Of::kText) > 0 && (!images || flags_.with_texts);
    const auto total =
        (images ? folder_.rows(Of::kImage) : 0) + (texts ? folder_.rows(Of::kText) : 0);
    if (images && !texts && folder_.rows(Of::kText) > 0) {
      console_.note(fmt::format("{} vectors of captions are left out (--with-texts brings them)",
                                with_thousands(folder_.rows(Of::kText))));
    }
    const auto progress = console_.progress("rows", total);
    for (const auto& part : folder_.parts()) {
      for (const auto of : {Of::kImage, Of::kText}) {
        if (of == Of::kImage ? !images : !texts) continue;
        note_age(of == Of::kImage ? part.images : part.texts);
        folder_.each_row(part, of, [&](const EmbeddingRow& row) {
          if (interrupted()) return;
          progress->add();
          add(part, row);
        });
        commit();
      }
    }
    progress->finish();
  }

  std::uint64_t pictures() const { return pictures_; }
  std::uint64_t texts() const { return texts_; }
  std::uint64_t unusable() const { return unusable_; }
  std::uint64_t repeated() const { return repeated_; }

 private:
  void note_age(const fs::path& vectors) {
    struct stat status{};
    made_ns_ = ::stat(vectors.c_str(), &status) == 0 ? mtime_of(status) : 0;
  }
  static std::int64_t mtime_of(const struct stat& status) {
    return static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
           status.st_mtim.tv_nsec;
  }

  void add(const EmbeddingPart& part, const EmbeddingRow& row) {
    std::vector<float> vector(row.vector.size());
    if (!normalise(row.vector, vector)) {
      ++unusable_;
      return;
    }
    Item item = row.of == Of::kImage ? picture(part, row) : text(part, row);
    if (!seen_.insert(item.uri).second) {  // the first one counts
      ++repeated_;
      return;
    }
    ++(row.of == Of::kImage ? pictures_ : texts_);
    items_.push_back(std::move(item));
    vectors_.insert(vectors_.end(), vector.begin(), vector.end());
    if (items_.size() >= kCommitRows) commit();
  }

  Item picture(const EmbeddingPart& part, const EmbeddingRow& row) const {
    Item item;
    auto metadata = row.metadata;
    item.uri = text_of(metadata, {"image_path", "path", "url", "uri", "file"});
    item.caption = text_of(metadata, {"caption", "text", "title"});
    item.width = side_of(metadata, "width");
    item.height = side_of(metadata, "height");
    const auto hash = text_of(metadata, {"sha256"});
    if (is_sha256(hash)) item.sha256 = hash;
    if (item.uri.empty()) item.uri = fmt::format("{}:{}", part.images.stem().string(), row.row);
    // A file that is older than the vectors is the picture they were made of: `tandem index` need
    // not read it again.
    struct stat status{};
    if (::stat(item.uri.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
        mtime_of(status) <= made_ns_) {
      item.size_bytes = static_cast<std::uint64_t>(status.st_size);
      item.mtime_ns = mtime_of(status);
    }
    for (const char* own : {"caption", "width", "height", "sha256"}) metadata.erase(own);
    for (const char* name : {"image_path", "path", "uri", "url"}) {
      const auto* value = metadata.if_contains(name);
      if (value != nullptr && value->is_string() &&
          std::string_view(value->as_string()) == item.uri)
        metadata.erase(name);
    }
    item.metadata_json = json::dump(metadata);
    return item;
  }

  Item text(const EmbeddingPart& part, const EmbeddingRow& row) const {
    auto words = text_of(row.metadata, {"text", "caption", "title"});
    if (words.empty()) words = fmt::format("{}:{}", part.texts.stem().string(), row.row);
    return text_item(words);
  }

  void commit() {
    if (items_.empty()) return;
    Matrix matrix;
    matrix.rows = items_.size();
    matrix.cols = vectors_.size() / items_.size();
    matrix.values = std::move(vectors_);
    store_.upsert(items_, matrix);
    items_.clear();
    vectors_.clear();
  }

  Store& store_;
  const EmbeddingFolder& folder_;
  const Flags& flags_;
  Console& console_;
  std::vector<Item> items_;
  std::vector<float> vectors_;
  std::unordered_set<std::string> seen_;
  std::int64_t made_ns_ = 0;
  std::uint64_t pictures_ = 0, texts_ = 0, unusable_ = 0, repeated_ = 0;
};

// `tandem embed` notes whose vectors they are.
void check_fingerprint(const fs::path& dir, const StoreMeta& model) {
  const auto file = dir / "stats" / "0.json";
  if (!fs::exists(file)) return;
  const auto value = json::read(file);
  if (!value.is_object()) return;
  const json::Reader stats(value, file.string());
  const auto print = stats.text("fingerprint", "");
  if (print.empty() || print == model.fingerprint) return;
  throw Error(Kind::kInput,
              fmt::format("{}: made with {} {}, asked with {} {}. Name the model that "
                          "made them with --model.",
                          dir.string(), stats.text("model", "another model"), print.substr(0, 12),
                          model.model_name, model.fingerprint.substr(0, 12)));
}

std::string model_of(const std::string& location) {
  try {
    return open_store(location, OpenMode::kRead, {})->meta().model_name;
  } catch (const Error& e) {
    if (e.kind() != Kind::kNotFound) throw;
    throw UsageError("expected --model NAME, the model that made the vectors.");
  }
}

void report(const Importer& importer, const Store& store, const Flags& flags, Console& console) {
  if (flags.output.json) {
    console.out(json::dump(json::object{{"collection", shown_location(flags.to)},
                                        {"pictures", importer.pictures()},
                                        {"texts", importer.texts()},
                                        {"unusable", importer.unusable()},
                                        {"repeated", importer.repeated()},
                                        {"items", store.size()}}));
    return;
  }
  if (importer.unusable() > 0) {
    console.warn(
        fmt::format("{} rows without a usable vector were left out (zeros, NaN or infinity)",
                    with_thousands(importer.unusable())));
  }
  if (importer.repeated() > 0) {
    console.warn(fmt::format("{} rows that name a picture again were left out",
                             with_thousands(importer.repeated())));
  }
  console.out(fmt::format("imported {} pictures and {} texts: {} items in {}",
                          with_thousands(importer.pictures()), with_thousands(importer.texts()),
                          with_thousands(store.size()), escape(shown_location(flags.to))));
}

}  // namespace

int run_import(Context& context, Arguments arguments) {
  Flags flags;
  auto options = declare(flags);
  if (!parse_or_help(options, flags.output, context, arguments)) return kDone;
  if (flags.to.empty()) throw UsageError("expected --to NAME.tandem, the collection to fill.");
  const fs::path dir = flags.dir[0];
  const EmbeddingFolder folder(dir);
  if (flags.model.model.empty()) flags.model.model = model_of(flags.to);
  LazyModel model(flags.model, context, {});
  const auto& meta = model.meta();
  if (folder.width() != static_cast<std::uint64_t>(meta.width)) {
    throw Error(
        Kind::kInput,
        fmt::format("{}: vectors of {} numbers, but those of {} have {}. Name the model that "
                    "made them with --model.",
                    dir.string(), folder.width(), meta.model_name, meta.width));
  }
  check_fingerprint(dir, meta);
  const auto store = open_store(flags.to, OpenMode::kWrite, meta);
  store->set_note(kModelNote, model.memory());
  Importer importer(*store, folder, flags, context.console);
  importer.run();
  const FinishOptions finish{static_cast<std::size_t>(flags.model.threads),
                             assets_folder(flags.model, context), interrupted};
  if (!interrupted()) finish_store(*store, model, finish, context.console);
  report(importer, *store, flags, context.console);
  if (!interrupted()) return kDone;
  context.console.note("stopped: what was imported is kept. Run it again for all of it.");
  return kInterruptedExitCode;
}

}  // namespace tandem::cli
