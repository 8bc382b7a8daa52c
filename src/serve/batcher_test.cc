#include "serve/batcher.h"

#include <algorithm>
#include <atomic>
#include <gtest/gtest.h>
#include <mutex>
#include <thread>

#include "tandem/error.h"

#include "engine/model.h"

namespace tandem::serve {
namespace {

using std::chrono::milliseconds;

// One token a character: a text's length decides what it costs.
class LetterTokenizer : public Tokenizer {
 public:
  std::vector<std::int32_t> encode(std::string_view text) const override {
    return {text.begin(), text.end()};
  }
  int context_length() const override { return 64; }
  int vocab_size() const override { return 256; }
};

// Computes the sum of a text's letters, slowly; fails for any batch with a '!' in it.
class SlowEncoder : public Encoder {
 public:
  Matrix encode_texts(const TokenBatch& tokens) const override {
    {
      const std::lock_guard lock(mutex);
      batches.push_back(tokens.count());
    }
    std::this_thread::sleep_for(delay);
    if (std::find(tokens.ids.begin(), tokens.ids.end(), '!') != tokens.ids.end()) {
      throw Error(Kind::kInternal, "poison");
    }
    Matrix out(static_cast<std::size_t>(tokens.count()), 1);
    for (int i = 0; i < tokens.count(); ++i) {
      for (auto at = tokens.offsets[i]; at < tokens.offsets[i + 1]; ++at) {
        out.values[static_cast<std::size_t>(i)] += static_cast<float>(tokens.ids[at]);
      }
    }
    return out;
  }
  Matrix encode_images(const PixelBatch& pixels) const override {
    Matrix out(static_cast<std::size_t>(pixels.count), 1);
    for (int i = 0; i < pixels.count; ++i) {
      out.values[static_cast<std::size_t>(i)] = pixels.picture(i)[0];
    }
    return out;
  }
  std::string describe() const override { return "slow"; }

  milliseconds delay{5};
  mutable std::mutex mutex;
  mutable std::vector<int> batches;
};

struct Fixture {
  explicit Fixture(const BatcherOptions& options = {}, milliseconds delay = milliseconds(5)) {
    auto rep = std::make_shared<Model::Rep>();
    rep->tokenizer = std::make_unique<LetterTokenizer>();
    auto slow = std::make_unique<SlowEncoder>();
    slow->delay = delay;
    encoder = slow.get();
    rep->encoder = std::move(slow);
    auto& config = rep->checkpoint.config;
    config.embed_dim = 1;
    config.text.context_length = 64;
    config.text.vocab_size = 256;
    config.preprocess.size_px = 2;
    config.vision.image_size_px = 2;
    batcher = std::make_unique<Batcher>(Model(std::move(rep)), options, metrics);
  }
  ~Fixture() { batcher.reset(); }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  int largest() const {
    const std::lock_guard lock(encoder->mutex);
    return *std::max_element(encoder->batches.begin(), encoder->batches.end());
  }

  Metrics metrics;
  const SlowEncoder* encoder = nullptr;
  std::unique_ptr<Batcher> batcher;
};

Clock::time_point in(milliseconds time) { return Clock::now() + time; }

int status_of(const std::function<void()>& work) {
  try {
    work();
    return 200;
  } catch (const HttpError& error) {
    return error.status();
  }
}

TEST(Batcher, gives_each_caller_its_own_rows) {
  Fixture fixture;
  std::vector<std::thread> callers;
  std::atomic<int> wrong = 0;
  for (int c = 0; c < 24; ++c) {
    callers.emplace_back([&, c] {
      for (int i = 0; i < 10; ++i) {
        const std::string text(static_cast<std::size_t>(1 + (c + i) % 7),
                               static_cast<char>('a' + c));
        const auto rows = fixture.batcher->texts({text, "b"}, in(milliseconds(5000)));
        const auto expected = static_cast<float>(text.size()) * static_cast<float>('a' + c);
        if (rows.rows != 2 || rows.values[0] != expected || rows.values[1] != 'b') ++wrong;
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(fixture.largest(), 8);  // they were computed together
  EXPECT_EQ(fixture.batcher->waiting(), 0U);
}

TEST(Batcher, keeps_batches_within_the_tokens_allowed) {
  Fixture fixture({.max_tokens = 300});
  std::vector<std::thread> callers;
  for (int c = 0; c < 40; ++c) {
    callers.emplace_back(
        [&] { fixture.batcher->texts({std::string(50, 'x')}, in(milliseconds(5000))); });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_LE(fixture.largest(), 6);
}

TEST(Batcher, refuses_at_once_when_the_queue_is_full) {
  Fixture fixture({.max_waiting = 4}, milliseconds(100));
  std::vector<std::thread> callers;
  std::atomic<int> refused = 0;
  for (int c = 0; c < 20; ++c) {
    callers.emplace_back([&] {
      const auto began = Clock::now();
      if (status_of([&] { fixture.batcher->texts({"a"}, in(milliseconds(5000))); }) == 429) {
        ++refused;
        EXPECT_LT(Clock::now() - began, milliseconds(80));
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_GT(refused, 5);
  EXPECT_LT(refused, 20);
}

TEST(Batcher, answers_503_when_the_turn_does_not_come_in_time) {
  Fixture fixture({}, milliseconds(300));
  std::thread first([&] { fixture.batcher->texts({"a"}, in(milliseconds(5000))); });
  std::this_thread::sleep_for(milliseconds(50));
  const auto began = Clock::now();
  EXPECT_EQ(status_of([&] { fixture.batcher->texts({"b"}, in(milliseconds(50))); }), 503);
  EXPECT_LT(Clock::now() - began, milliseconds(200));  // not only once the first was computed
  EXPECT_EQ(fixture.batcher->waiting(), 0U);
  first.join();
  EXPECT_EQ(fixture.batcher->texts({"c"}, in(milliseconds(1000))).values[0], 'c');
}

TEST(Batcher, a_poisoned_text_fails_alone) {
  Fixture fixture;
  std::vector<std::thread> callers;
  std::atomic<int> failed = 0;
  std::atomic<int> fine = 0;
  for (int c = 0; c < 30; ++c) {
    callers.emplace_back([&, c] {
      try {
        fixture.batcher->texts({c % 10 == 0 ? "!" : "a"}, in(milliseconds(5000)));
        ++fine;
      } catch (const Error&) {
        ++failed;
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(failed, 3);
  EXPECT_EQ(fine, 27);
}

TEST(Batcher, takes_more_texts_than_fit_by_parts) {
  Fixture fixture({.max_waiting = 40}, milliseconds(0));
  const std::vector<std::string> texts(1000, "ab");
  const auto rows = fixture.batcher->texts(texts, in(milliseconds(5000)));
  ASSERT_EQ(rows.rows, 1000U);
  EXPECT_EQ(rows.values[999], 'a' + 'b');
}

TEST(Batcher, computes_pictures_of_several_callers_together) {
  Fixture fixture;
  std::vector<PixelBatch> pictures(3);
  for (int i = 0; i < 3; ++i) {
    pictures[static_cast<std::size_t>(i)] = {
        .count = 1,
        .size_px = 2,
        .pixels = std::vector<std::uint8_t>(12, static_cast<std::uint8_t>(i))};
  }
  const auto rows = fixture.batcher->pictures(pictures, in(milliseconds(5000)));
  EXPECT_EQ(rows.values, (std::vector<float>{0, 1, 2}));
}

TEST(Batcher, finishes_what_waits_before_it_ends) {
  Fixture fixture({}, milliseconds(50));
  std::atomic<int> done = 0;
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&] {
      fixture.batcher->texts({"a"}, in(milliseconds(5000)));
      ++done;
    });
  }
  while (fixture.batcher->waiting() == 0) std::this_thread::yield();
  std::this_thread::sleep_for(milliseconds(20));
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(done, 4);
}

}  // namespace
}  // namespace tandem::serve
