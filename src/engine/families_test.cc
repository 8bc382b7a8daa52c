// Every family in every dialect that can express it: written, read back, and still equal to the
// reference's answers. The table of what this finds is docs/families.md; TANDEM_UPDATE_DOCS=1 with
// this test writes it anew.
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <unistd.h>

#include "core/error.h"
#include "core/files.h"
#include "core/safetensors.h"
#include "engine/golden_model.h"
#include "model/checkpoint.h"
#include "model/dialect.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr double kEqual = 2e-5;  // what DESIGN.md promises of unit vectors in float32
constexpr const char* kPage = "docs/families.md";
constexpr const char* kBegin = "<!-- families_test writes from here -->\n";
constexpr const char* kEnd = "<!-- to here -->\n";

// A model that stands for its family: generated weights, and what the reference answers.
struct Family {
  std::string name;
  std::string golden;
};

const std::vector<Family> kFamilies = {
    {"CLIP ViT", "tiny"},
    {"CLIP ViT, quick GELU", "tiny-quick-gelu"},
    {"CLIP ViT, LayerScale", "tiny-layer-scale"},
    {"CLIP ViT without ln_pre", "tiny-no-ln-pre"},
    {"CLIP ViT, average of patches", "tiny-average"},
    {"CLIP ViT, average after the norm", "tiny-average-after"},
    {"CLIP ViT, sine positions", "tiny-sine"},
    {"CLIP ViT, attentional pool", "tiny-pool"},
    {"CLIP ViT, two attentional pools", "tiny-pool-cascade"},
    {"CLIPA", "tiny-clipa"},
    {"ModifiedResNet", "tiny-resnet"},
    {"CoCa", "tiny-coca"},
    {"SigLIP", "siglip-b-16-2-layers"},
    {"SigLIP 2", "siglip2-so400m-14-1-layer"},
    {"SigLIP 2 NaFlex", "tiny-naflex"},
    {"EVA01", "tiny-eva01"},
    {"EVA02", "tiny-eva02"},
    {"PE-Core", "tiny-pe"},
    {"MobileCLIP, FastViT", "tiny-mci0"},
    {"MobileCLIP, ViT", "tiny-mci-vit"},
    {"ViT and XLM-RoBERTa", "hf-xlm-roberta"},
    {"ViT and BERT", "hf-bert"},
    {"ViT and mT5", "hf-mt5"},
};

// Folders as other software wrote them, with that software's answers: what is only read.
struct Sample {
  std::string family;
  std::string dialect;
  std::string folder;
};

const std::vector<Sample> kSamples = {
    {"CLIP ViT, quick GELU", "hf-clip", "hf_clip/quick-legacy"},
    {"CLIP ViT", "hf-clip", "hf_clip/gelu-sharded"},
    {"SigLIP", "hf-siglip", "hf_siglip/tanh"},
    {"SigLIP 2 NaFlex", "hf-siglip", "hf_siglip/naflex"},
    {"SigLIP", "big-vision", "big_vision/layers"},
};

struct Vectors {
  Matrix image;
  Matrix text;
};

Vectors vectors_of(const Checkpoint& checkpoint, std::uint64_t seed) {
  const auto encoder = make_cpu_encoder(checkpoint, {.precision = Precision::kFp32, .threads = 2});
  const auto& c = checkpoint.config;
  return {encoder->encode_images(generated_pictures(seed, 3, c)),
          encoder->encode_texts(generated_texts(seed, 5, c.text))};
}

class Scratch {
 public:
  explicit Scratch(const std::string& name)
      : path_(fs::temp_directory_path() / fmt::format("tandem-families-{}-{}", name, getpid())) {
    fs::remove_all(path_);
  }
  ~Scratch() { fs::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Why a dialect cannot express a model, without the name of the test's own files.
std::string reason(const Error& e) {
  std::string text = e.what();
  if (const auto at = text.find(": "); at != text.npos) text.erase(0, at + 2);
  return text;
}

// Writes the family, reads it back and compares; why not, where the dialect refuses.
std::optional<std::string> refusal_of(const Family& family, const Dialect& dialect) {
  const Golden golden = read_golden(family.golden);
  Checkpoint model = generated_model(golden.config, golden.seed);
  model.name = "model";
  if (model.config.init_logit_bias) {  // SigLIP; the goldens' configurations name no tokenizer
    model.config.text.tokenizer_name = "timm/ViT-B-16-SigLIP";
    model.config.text.tokenizer_clean = "canonicalize";
  }
  const Scratch scratch(std::string(dialect.name));
  try {
    dialect.write(model, scratch.path(), DType::kF32);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Kind::kUnsupported) << family.name << ": " << e.what();
    return reason(e);
  }
  EXPECT_TRUE(dialect.recognises(scratch.path())) << dialect.name;
  const Checkpoint again = load_checkpoint(scratch.path());
  const Vectors before = vectors_of(model, golden.seed);
  const Vectors after = vectors_of(again, golden.seed);
  EXPECT_EQ(before.image.values, after.image.values) << family.name << " " << dialect.name;
  EXPECT_EQ(before.text.values, after.text.values) << family.name << " " << dialect.name;
  // What a layout has no word for (a name, a ratio's last digits) it may say otherwise.
  const auto mine = to_json(model.config).as_object();
  const auto theirs = to_json(again.config).as_object();
  EXPECT_EQ(theirs.at("preprocess_cfg"), mine.at("preprocess_cfg")) << family.name;
  if (dialect.name == "open-clip") {
    EXPECT_EQ(theirs, mine) << family.name;
  }
  EXPECT_LE(distance(after.image, golden.image).max_abs, kEqual) << family.name;
  EXPECT_LE(distance(after.text, golden.text).max_abs, kEqual) << family.name;
  return std::nullopt;
}

bool reads_sample(const std::string& family, std::string_view dialect) {
  bool any = false;
  for (const Sample& sample : kSamples) {
    if (sample.family != family || sample.dialect != dialect) continue;
    const std::string folder = "tests/goldens/" + sample.folder;
    EXPECT_EQ(dialect_of(folder)->name, dialect) << folder;
    const auto want = read_safetensors(folder + "/outputs.safetensors");
    const Vectors got = vectors_of(load_checkpoint(folder), 7);
    EXPECT_LE(distance(got.image, to_float(want.map.at("image"))).max_abs, kEqual) << folder;
    EXPECT_LE(distance(got.text, to_float(want.map.at("text"))).max_abs, kEqual) << folder;
    any = true;
  }
  return any;
}

std::string table() {
  std::string head = "| family |";
  std::string rule = "| --- |";
  for (const Dialect& dialect : dialects()) {
    head += fmt::format(" {} |", dialect.name);
    rule += " --- |";
  }
  std::string out = head + "\n" + rule + "\n";
  std::vector<std::string> notes;
  for (const Family& family : kFamilies) {
    out += "| " + family.name + " |";
    for (const Dialect& dialect : dialects()) {
      const bool reads = reads_sample(family.name, dialect.name);
      std::optional<std::string> refused = "";
      if (dialect.write != nullptr) refused = refusal_of(family, dialect);
      std::string cell = !refused ? (reads ? "**=** and **≡**" : "**=**") : reads ? "**≡**" : "";
      if (refused && !refused->empty()) {
        auto note = std::find(notes.begin(), notes.end(), *refused);
        if (note == notes.end()) note = notes.insert(notes.end(), *refused);
        cell += fmt::format("{}[{}]", cell.empty() ? "" : " ", note - notes.begin() + 1);
      }
      out += " " + cell + " |";
    }
    out += "\n";
  }
  out += "\n";
  for (std::size_t i = 0; i < notes.size(); ++i) out += fmt::format("{}. {}\n", i + 1, notes[i]);
  return out;
}

TEST(Families, AreEqualToTheReferenceInEveryDialectThatHoldsThem) {
  const std::string found = table();
  const std::string page = read_text_file(kPage);
  const auto begin = page.find(kBegin);
  const auto end = page.find(kEnd);
  ASSERT_TRUE(begin != page.npos && end != page.npos && begin < end) << kPage;
  const auto from = begin + std::string_view(kBegin).size();
  if (std::getenv("TANDEM_UPDATE_DOCS") != nullptr) {
    write_file_atomically(kPage, page.substr(0, from) + found + page.substr(end));
    return;
  }
  EXPECT_EQ(page.substr(from, end - from), found)
      << "To write the table anew: TANDEM_UPDATE_DOCS=1 and this test.";
}

}  // namespace
}  // namespace tandem
