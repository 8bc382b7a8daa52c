#include "tasks/caption.h"

#include <cmath>
#include <gtest/gtest.h>

#include "core/json.h"
#include "engine/generated_model.h"

namespace tandem {
namespace {

// What open_clip's CoCa.generate answers for generated models: tools/goldens/captions_golden.py.
class CaptionGolden : public testing::TestWithParam<const char*> {
 protected:
  CaptionGolden()
      : file_(json::read(std::string("tests/goldens/captions/") + GetParam() + ".json")),
        reader_(file_, GetParam()),
        checkpoint_(generated_model(parse_model_config(file_.at("config"), GetParam()),
                                    reader_.integer("seed", 0))),
        encoder_(make_cpu_encoder(checkpoint_, {.threads = 1, .captions = true})),
        pictures_(generated_pictures(reader_.integer("seed", 0), 3,
                                     checkpoint_.config.vision.image_size_px)) {}

  PixelBatch picture(int i) const {
    const auto pixels = pictures_.picture(i);
    return {1, pictures_.size_px, {pixels.begin(), pixels.end()}};
  }
  static std::vector<std::int32_t> ids_of(const json::value& list) {
    std::vector<std::int32_t> ids;
    for (const auto& id : list.get_array()) ids.push_back(id.to_number<std::int32_t>());
    return ids;
  }

  json::value file_;
  json::Reader reader_;
  Checkpoint checkpoint_;
  std::unique_ptr<Encoder> encoder_;
  PixelBatch pictures_;
};

TEST_P(CaptionGolden, BeamsFindTheTokensThatOpenClipFinds) {
  for (const auto& want : file_.at("beams").get_array()) {
    const json::Reader r(want, GetParam());
    CaptionOptions options;
    options.beams = static_cast<int>(r.integer("num_beams", 6) / r.integer("num_beam_groups", 3));
    options.min_tokens = static_cast<int>(r.integer("min_seq_len", 5));
    options.max_tokens = static_cast<int>(r.integer("seq_len", 30));
    options.repetition_penalty = r.number("repetition_penalty", 1);
    const CaptionIds ids{598, static_cast<std::int32_t>(r.integer("eos_token_id", 599)), 0};
    const auto session =
        encoder_->begin_caption(picture(static_cast<int>(r.integer("picture", 0))), 1);
    EXPECT_EQ(beam_search(*session, options, ids), ids_of(want.at("ids"))) << json::dump(want);
  }
}

TEST_P(CaptionGolden, ProbabilitiesAreThoseOfTransformersFilters) {
  const auto prefix = ids_of(file_.at("prefix"));
  std::vector<float> scores;
  for (const auto& x : file_.at("logits").get_array()) scores.push_back(x.to_number<float>());
  for (const auto& want : file_.at("filters").get_array()) {
    const json::Reader r(want, GetParam());
    CaptionOptions options;
    options.min_tokens = static_cast<int>(r.integer("min_length", 0));
    options.top_k = static_cast<int>(r.integer("top_k", 0));
    options.top_p = r.number("top_p", 1);
    options.temperature = r.number("temperature", 1);
    auto adjusted = scores;
    adjust_scores(adjusted, prefix, options, {598, 599, 0});
    const auto shares = next_probabilities(adjusted, options);
    const auto& expected = want.at("probabilities").get_object();
    std::size_t kept = 0;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      kept += shares[i] > 0 ? 1 : 0;
      const auto it = expected.find(std::to_string(i));
      // Logits are stored with six decimals.
      EXPECT_NEAR(shares[i], it == expected.end() ? 0 : it->value().to_number<double>(), 1e-5) << i;
    }
    EXPECT_EQ(kept, expected.size());
  }
}

INSTANTIATE_TEST_SUITE_P(OpenClip, CaptionGolden,
                         testing::Values("tiny-coca", "tiny-coca-no-pooler"), [](const auto& info) {
                           std::string name = info.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

// Says what it is told to, whatever the picture.
class Scripted : public CaptionSession {
 public:
  explicit Scripted(std::vector<std::vector<float>> scores) : scores_(std::move(scores)) {}
  Matrix next(std::span<const std::int32_t> /*parents*/,
              std::span<const std::int32_t> ids) override {
    const auto& row = scores_[std::min(step_++, scores_.size() - 1)];
    Matrix out(ids.size(), row.size());
    for (std::size_t i = 0; i < ids.size(); ++i) std::ranges::copy(row, out.row(i).begin());
    return out;
  }

 private:
  std::vector<std::vector<float>> scores_;
  std::size_t step_ = 0;
};

constexpr CaptionIds kIds{5, 6, 0};

TEST(SampleText, DrawsAsOftenAsProbabilitiesSay) {
  CaptionOptions options{.sample = true, .min_tokens = 0, .max_tokens = 3, .top_p = 1};
  Rng rng(1);
  int twos = 0;
  for (int i = 0; i < 4000; ++i) {
    Scripted session({{-30, std::log(0.25F), std::log(0.75F), -30, -30, -30, -30}});
    const auto text = sample_text(session, options, kIds, rng);
    ASSERT_EQ(text.size(), 3);
    twos += text[1] == 2 ? 1 : 0;
  }
  EXPECT_NEAR(twos, 3000, 110);  // four deviations
}

TEST(SampleText, StopsAtEndOfTextAndAtPadding) {
  const CaptionOptions options{.sample = true, .min_tokens = 0, .max_tokens = 9};
  Rng rng(1);
  Scripted ends({{0, 0, 50, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0, 50}});
  EXPECT_EQ(sample_text(ends, options, kIds, rng), (std::vector<std::int32_t>{5, 2, 6}));
  Scripted pads({{0, 0, 50, 0, 0, 0, 0}, {50, 0, 0, 0, 0, 0, 0}});
  EXPECT_EQ(sample_text(pads, options, kIds, rng), (std::vector<std::int32_t>{5, 2, 0}));
}

TEST(SampleText, NeverEndsBelowTheLeastLength) {
  const CaptionOptions options{.sample = true, .min_tokens = 4, .max_tokens = 9};
  Rng rng(1);
  Scripted session({{0, 0, 9, 0, 0, 0, 50}});
  EXPECT_EQ(sample_text(session, options, kIds, rng).size(), 5);
}

TEST(CheckCaptionOptions, NamesTheFirstThatIsOutOfRange) {
  ModelConfig config;
  config.multimodal.emplace();
  const auto refused = [&](CaptionOptions options) -> std::string {
    try {
      check_caption_options(options, config);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(refused({}), "");
  EXPECT_EQ(refused({.max_tokens = 77}), "");
  EXPECT_EQ(refused({.max_tokens = 78}), "max tokens: expected 2 to 77, as this model reads.");
  EXPECT_EQ(refused({.beams = 0}), "beams: expected 1 to 64.");
  EXPECT_EQ(refused({.min_tokens = 30}), "min tokens: expected 0 to 29, below max tokens.");
  EXPECT_EQ(refused({.top_p = 0}), "top p: expected a number above 0, at most 1.");
  EXPECT_EQ(refused({.temperature = std::nan("")}), "temperature: expected a number above 0.");
}

TEST(CaptionSession, RefusesWhatIsNotThere) {
  ModelConfig config = parse_model_config(
      json::read("tests/goldens/captions/tiny-coca.json").at("config"), "tiny-coca");
  const auto checkpoint = generated_model(config, 7);
  const auto encoder = make_cpu_encoder(checkpoint, {.threads = 1, .captions = true});
  const auto session = encoder->begin_caption(generated_pictures(7, 1, 48), 1);
  const auto next = [&](std::vector<std::int32_t> parents, std::vector<std::int32_t> ids) {
    session->next(parents, ids);
  };
  EXPECT_THROW(next({0}, {598}), Error);  // no texts yet
  next({}, {598});
  EXPECT_THROW(next({1}, {3}), Error);
  EXPECT_THROW(next({0}, {600}), Error);
  EXPECT_THROW(next({0, 0}, {3}), Error);
  for (int i = 1; i < 32; ++i) next({0}, {3});
  EXPECT_THROW(next({0}, {3}), Error);  // longer than it reads
}

TEST(CaptionSession, NeedsADecoder) {
  const auto plain = generated_model(
      parse_model_config(
          json::parse(
              R"({"embed_dim":32,"vision_cfg":{"image_size":32,"layers":1,"width":64,"patch_size":16},"text_cfg":{"context_length":8,"vocab_size":600,"width":64,"heads":1,"layers":1}})",
              "x"),
          "x"),
      1);
  try {
    make_cpu_encoder(plain, {.threads = 1, .captions = true});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Kind::kUnsupported);
    EXPECT_EQ(std::string(e.what()),
              "generated has no caption decoder. Expected a CoCa model, for instance "
              "coca-vit-b-32-mscoco.");
  }
}

}  // namespace
}  // namespace tandem
