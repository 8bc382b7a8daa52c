#include "cli/lazy_model.h"

#include <algorithm>
#include <sys/stat.h>

#include "tandem/error.h"

#include "cli/device.h"
#include "core/json.h"
#include "core/sha256.h"
#include "engine/model.h"

namespace tandem::cli {
namespace {

namespace fs = std::filesystem;

// Names, sizes and dates of a model's files, and how it reads pictures: the fingerprint can only
// change with them.
std::string stamp_of(const fs::path& model, const ModelFlags& flags) {
  std::vector<fs::path> files;
  std::error_code error;
  if (fs::is_directory(model, error)) {
    for (const auto& entry : fs::directory_iterator(model, error)) files.push_back(entry.path());
  } else {
    files.push_back(model);
  }
  std::sort(files.begin(), files.end());
  std::string text = fs::absolute(model).lexically_normal().string();
  for (const auto& file : files) {
    struct stat status{};
    if (::stat(file.c_str(), &status) != 0) continue;
    text += "\n" + file.filename().string() + " " + std::to_string(status.st_size) + " " +
            std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec) +
            " " + std::to_string(status.st_ino);
  }
  text += flags.reference ? "\nreference " : "\nseen ";
  text += std::to_string(flags.merge_tokens);
  return hex(sha256(std::as_bytes(std::span(text))));
}

std::optional<StoreMeta> recall(const std::optional<std::string>& remembered,
                                const std::string& stamp) {
  if (!remembered) return {};
  try {
    const auto value = json::parse(*remembered, "the note about the model");
    const json::Reader note(value, "the note about the model");
    if (note.text("stamp") != stamp) return {};
    return StoreMeta{note.text("name"), note.text("fingerprint"),
                     static_cast<int>(note.integer("width"))};
  } catch (const Error&) {
    return {};  // written by another version: the weights are read again
  }
}

}  // namespace

LazyModel::LazyModel(const ModelFlags& flags, const Context& context,
                     const std::optional<std::string>& remembered)
    : flags_(flags), context_(context) {
  encoder_for(flags.device, context);  // another device: another program takes over here
  const auto row = find_model(flags.model, model_places(flags, context));
  const auto stamp = stamp_of(row.folder, flags);
  const auto known = recall(remembered, stamp);
  if (known && known->model_name == row.name) {
    meta_ = *known;
  } else {
    const auto checkpoint = load_checkpoint(row.folder);
    const auto reading = flags.reference ? PictureReading::kReference : PictureReading::kAsSeen;
    meta_ = {row.name, space_fingerprint(checkpoint, reading, flags.merge_tokens),
             checkpoint.config.embed_dim};
  }
  memory_ = json::dump(json::object{{"stamp", stamp},
                                    {"name", meta_.model_name},
                                    {"fingerprint", meta_.fingerprint},
                                    {"width", meta_.width}});
}

const Model& LazyModel::get() {
  if (model_) return *model_;
  model_ = load(flags_, context_);
  if (model_->fingerprint() != meta_.fingerprint) {
    throw Error(Kind::kInput, meta_.model_name +
                                  " is not what it was when this began. Expected its "
                                  "files to stay as they are. Run it again.");
  }
  return *model_;
}

}  // namespace tandem::cli
