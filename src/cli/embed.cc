// `tandem embed`: pictures and texts to .npy files in clip-retrieval's layout.
#include <chrono>
#include <fmt/format.h>
#include <optional>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/model_flags.h"
#include "cli/paths.h"
#include "cli/skips.h"
#include "cli/texts.h"
#include "core/files.h"
#include "core/json.h"
#include "data/npy.h"
#include "data/parquet.h"
#include "engine/pictures.h"

namespace tandem::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct Flags {
  ModelFlags model;
  OutputFlags output;
  std::vector<std::string> pictures;
  std::string texts;
  std::string out;
  std::string dtype = "f16";
  std::string metadata = "jsonl";
  bool strict = false;
};

Options declare(Flags& flags) {
  Options options("embed",
                  "turn pictures and texts into vectors of one space, as NumPy files. Rows are "
                  "unit vectors, so a dot product "
                  "is a cosine similarity.");
  options.example(
      "tandem embed photos/ --out vectors",
      "vectors/img_emb/img_emb_0.npy, and what each row is in vectors/metadata/metadata_0.jsonl");
  options.example("tandem embed photos/ --texts captions.txt --out vectors --dtype f32",
                  "texts too, one a line, to vectors/text_emb/text_emb_0.npy");
  options.words("PATH…", flags.pictures, "pictures, or folders of them (sorted by path)", 0);
  options.group("What and where to");
  options.text("--texts", "FILE", flags.texts, "texts to embed, one a line, empty lines included");
  options.text("--out", "DIR", flags.out,
               "folder to write; its files are replaced only when all of them are complete");
  options.choice("--dtype", {"f16", "f32"}, flags.dtype, "how vectors are stored (default: f16)");
  options.choice("--metadata", {"jsonl", "parquet"}, flags.metadata,
                 "how what each row is is stored (default: jsonl); parquet as clip-retrieval reads "
                 "it, for pictures or texts");
  options.flag("--strict", flags.strict, "exit code 7 when a picture had to be skipped");
  add_model_options(options, flags.model);
  return options;
}

std::vector<std::string> read_lines(const fs::path& file) {
  const auto text = read_text_file(file, std::size_t{1} << 31);
  std::vector<std::string> lines;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const auto end = std::min(text.find('\n', begin), text.size());
    auto line = text.substr(begin, end - begin);
    if (line.ends_with('\r')) line.pop_back();
    lines.push_back(std::move(line));
    begin = end + 1;
  }
  if (lines.empty())
    throw Error(Kind::kInput, "--texts " + file.string() + " is empty. Expected one text a line.");
  return lines;
}

// The output folder. Files appear under their names only in commit().
class Output {
 public:
  Output(const fs::path& dir, std::size_t width, const Flags& flags)
      : dir_(dir), width_(width), dtype_(flags.dtype == "f32" ? NpyDType::kF32 : NpyDType::kF16) {
    for (const auto* folder : {"metadata", "stats"}) fs::create_directories(dir / folder);
    if (!flags.pictures.empty()) images_ = writer("img_emb");
    if (!flags.texts.empty()) texts_ = writer("text_emb");
    if (flags.metadata == "parquet") {
      table_ = std::make_unique<ParquetWriter>(dir / "metadata" / "metadata_0.parquet",
                                               columns(images_ != nullptr));
    } else {
      metadata_ = std::make_unique<AtomicFile>(dir / "metadata" / "metadata_0.jsonl");
    }
    skipped_ = std::make_unique<AtomicFile>(dir / "skipped.jsonl");
  }

  void add_picture(const std::string& path, const PictureRow& row) {
    if (table_) {
      table_->add({{"image_path", path},
                   {"width", row.width},
                   {"height", row.height},
                   {"sha256", row.sha256}});
    } else {
      line(*metadata_, {{"row", images_->rows()},
                        {"path", path},
                        {"width", row.width},
                        {"height", row.height},
                        {"sha256", row.sha256}});
    }
    images_->add(row.vector);
    note_first();
  }

  void add_text(const std::string& text, std::span<const float> vector) {
    if (table_) {
      table_->add({{"caption", text}});
    } else {
      line(*metadata_, {{"row", texts_->rows()}, {"text", text}});
    }
    texts_->add(vector);
    note_first();
  }

  void add_skipped(const std::string& path, const Error& error) {
    line(*skipped_, {{"path", path}, {"kind", kind_name(error.kind())}, {"reason", error.what()}});
  }

  // When the first vector was there.
  std::optional<Clock::time_point> first() const { return first_; }

  // Metadata and statistics last: where they are, the vectors are complete.
  void commit(const json::object& stats) {
    if (images_) images_->finish();
    if (texts_) texts_->finish();
    skipped_->commit();
    if (metadata_) metadata_->commit();
    if (table_) table_->finish();
    // Of an earlier run in the other form: they would describe other vectors.
    fs::remove(dir_ / "metadata" / (table_ ? "metadata_0.jsonl" : "metadata_0.parquet"));
    write_file_atomically(dir_ / "stats" / "0.json", json::pretty(stats) + "\n");
  }

 private:
  std::unique_ptr<NpyWriter> writer(const std::string& name) {
    fs::create_directories(dir_ / name);
    return std::make_unique<NpyWriter>(dir_ / name / (name + "_0.npy"), width_, dtype_);
  }
  static void line(AtomicFile& file, const json::object& object) {
    file.write(json::dump(object) + "\n");
  }

  static std::vector<ParquetColumn> columns(bool pictures) {
    using Type = ParquetColumn::Type;
    if (!pictures) return {{"caption", Type::kString}};
    return {{"image_path", Type::kString},
            {"width", Type::kInteger},
            {"height", Type::kInteger},
            {"sha256", Type::kString}};
  }

  void note_first() {
    if (!first_) first_ = Clock::now();
  }

  fs::path dir_;
  std::optional<Clock::time_point> first_;
  std::size_t width_;
  NpyDType dtype_;
  std::unique_ptr<NpyWriter> images_, texts_;
  std::unique_ptr<AtomicFile> metadata_, skipped_;
  std::unique_ptr<ParquetWriter> table_;  // instead of metadata_
};

// Returns how many pictures were looked at.
std::size_t embed_files(const Model& model, const std::vector<FoundFile>& files, Output& out,
                        Skips& skips, Context& context) {
  const auto paths = paths_of(files);
  const auto progress = context.console.progress("img", paths.size());
  const auto seen = embed_pictures(model, picture_files(paths), {.hash = true, .stop = interrupted},
                                   [&](const PictureRow& row) {
                                     const auto path = paths[row.index].string();
                                     progress->add();
                                     if (row.error) {
                                       skips.add(path, *row.error);
                                       out.add_skipped(path, *row.error);
                                     } else {
                                       out.add_picture(path, row);
                                     }
                                   });
  progress->finish();
  return seen;
}

void embed_lines(const Model& model, const std::vector<std::string>& texts, Output& out,
                 Context& context) {
  embed_texts(model, texts, context.console, [&](std::size_t first, const Matrix& vectors) {
    for (std::size_t i = 0; i < vectors.rows; ++i) out.add_text(texts[first + i], vectors.row(i));
  });
}

}  // namespace

int run_embed(Context& context, Arguments arguments) {
  Flags flags;
  auto options = declare(flags);
  if (!parse_or_help(options, flags.output, context, arguments)) return kDone;
  if (flags.pictures.empty() && flags.texts.empty())
    throw UsageError("expected pictures, --texts FILE, or both.");
  if (flags.out.empty()) throw UsageError("expected --out DIR, the folder to write.");
  if (flags.metadata == "parquet" && !flags.pictures.empty() && !flags.texts.empty()) {
    throw UsageError(
        "--metadata parquet: a row would be a picture and a text that do not belong together. "
        "Expected pictures or --texts FILE.");
  }
  const auto files = flags.pictures.empty()
                         ? std::vector<FoundFile>()
                         : find_pictures({flags.pictures.begin(), flags.pictures.end()});
  const auto texts = flags.texts.empty() ? std::vector<std::string>() : read_lines(flags.texts);
  const auto load_begin = Clock::now();
  const auto model = load(flags.model, context);
  const double load_seconds = std::chrono::duration<double>(Clock::now() - load_begin).count();

  Output out(flags.out, static_cast<std::size_t>(model.width()), flags);
  Skips skips(context.console);
  const auto begin = Clock::now();
  const auto seen = embed_files(model, files, out, skips, context);
  embed_lines(model, texts, out, context);
  if (interrupted()) {
    context.console.note("stopped: nothing was written to " + escape(flags.out));
    return kInterruptedExitCode;
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const double first =
      std::chrono::duration<double>(out.first().value_or(Clock::now()) - context.began).count();
  const auto pictures = seen - skips.total();
  const json::object stats{{"pictures", pictures},         {"texts", texts.size()},
                           {"skipped", skips.total()},     {"seconds", seconds},
                           {"load_seconds", load_seconds}, {"first_seconds", first},
                           {"width", model.width()},       {"dtype", flags.dtype},
                           {"model", model.name()},        {"fingerprint", model.fingerprint()},
                           {"engine", model.describe()}};
  out.commit(stats);
  if (flags.output.json) {
    context.console.out(json::dump(stats));
  } else {
    context.console.note(fmt::format("{} pictures and {} texts, {} wide, to {} in {:.1f} s",
                                     with_thousands(pictures), with_thousands(texts.size()),
                                     model.width(), escape(flags.out), seconds));
  }
  skips.summarise(seen);
  return skips.exit_code(pictures + texts.size(), flags.strict);
}

}  // namespace tandem::cli
