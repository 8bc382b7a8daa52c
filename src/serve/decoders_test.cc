#include "serve/decoders.h"

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <thread>

#include "tandem/error.h"

#include "core/files.h"
#include "serve/jpeg_writer.h"
#include "serve/message.h"

namespace tandem::serve {
namespace {

using std::chrono::milliseconds;

constexpr bool kSanitized = TANDEM_SANITIZED;  // by CMake

// Beside this test. Sanitizers map more memory than any limit allows.
DecodersOptions options() {
  DecodersOptions options;
  options.program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "decode_worker_for_tests";
  if (kSanitized) options.memory_bytes = 0;
  return options;
}

Image picture(int width, int height) {
  Image image{.width = width, .height = height};
  image.pixels.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<std::uint8_t>(i * 7 % 251);
  }
  return image;
}

const std::vector<std::byte>& jpeg() {
  static const auto bytes = jpeg_file(picture(300, 200), 90);
  return bytes;
}

PreprocessConfig input_config() {
  PreprocessConfig config;
  config.size_px = 64;
  return config;
}

DecodedPicture run(Decoders& decoders, std::span<const std::byte> bytes,
                   milliseconds patience = milliseconds(20'000)) {
  DecodeJob job;
  job.picture = bytes;
  job.input = input_config();
  return decoders.run(job, Clock::now() + patience);
}

int status_of(Decoders& decoders, std::string_view text,
              milliseconds patience = milliseconds(20'000)) {
  try {
    run(decoders, std::as_bytes(std::span(text)), patience);
    return 200;
  } catch (const HttpError& error) {
    return error.status();
  }
}

TEST(Decoders, give_the_pixels_that_decoding_here_gives) {
  Decoders decoders(options());
  const auto here = model_input(decode_image(jpeg(), "x"), input_config());
  const auto there = run(decoders, jpeg());
  EXPECT_EQ(there.width, 300);
  EXPECT_EQ(there.height, 200);
  EXPECT_EQ(there.input.pixels, here.pixels);
}

TEST(Decoders, cut_regions_and_make_previews) {
  Decoders decoders(options());
  DecodeJob job;
  job.picture = jpeg();
  job.region = Region{.left = 50, .top = 0, .width = 50, .height = 50, .percent = true};
  job.preview_side_px = 60;
  const auto part = decoders.run(job, Clock::now() + std::chrono::seconds(20));
  EXPECT_EQ(part.width, 300);
  const auto preview = decode_image(part.preview, "preview");
  EXPECT_EQ(preview.width, 60);
  EXPECT_EQ(preview.height, 40);
  job.region = Region{.left = 400, .top = 0, .width = 5, .height = 5};
  try {
    decoders.run(job, Clock::now() + std::chrono::seconds(20));
    FAIL();
  } catch (const HttpError& error) {
    EXPECT_EQ(error.status(), 422);
    EXPECT_EQ(error.type(), "empty_region");
  }
  EXPECT_EQ(decoders.crashes(), 0U);
}

TEST(Decoders, say_what_is_wrong_without_the_librarys_words) {
  Decoders decoders(options());
  const std::string_view whole(reinterpret_cast<const char*>(jpeg().data()), jpeg().size());
  EXPECT_EQ(status_of(decoders, ""), 422);
  EXPECT_EQ(status_of(decoders, "not a picture"), 422);
  EXPECT_EQ(status_of(decoders, whole.substr(0, whole.size() / 2)), 422);
  DecodeJob job;
  job.picture = jpeg();
  job.input = input_config();
  job.decode.max_pixels = 59'999;
  try {
    decoders.run(job, Clock::now() + std::chrono::seconds(20));
    FAIL();
  } catch (const HttpError& error) {
    EXPECT_EQ(error.status(), 413);
    EXPECT_STREQ(error.what(), "the picture has too many pixels");
  }
  EXPECT_EQ(decoders.crashes(), 0U);
}

TEST(Decoders, replace_a_child_that_crashes_hangs_lies_or_leaves_its_cage) {
  auto hasty = options();
  hasty.processes = 1;
  hasty.timeout = milliseconds(1500);
  Decoders decoders(hasty);
  std::uint64_t crashes = 0;
  for (const auto* what : {"CRASH", "ABORT", "HANG", "OPEN", "FORK", "LIE"}) {
    EXPECT_EQ(status_of(decoders, what), 422) << what;
    EXPECT_EQ(decoders.crashes(), ++crashes) << what;
    EXPECT_EQ(run(decoders, jpeg()).width, 300) << what;
  }
}

TEST(Decoders, a_child_that_grows_beyond_its_limit_ends_alone) {
  if (kSanitized) GTEST_SKIP() << "sanitizers map more memory than the limit";
  auto small = options();
  small.processes = 1;
  small.memory_bytes = std::size_t{256} << 20;
  Decoders decoders(small);
  EXPECT_EQ(status_of(decoders, "GROW"), 422);
  EXPECT_EQ(run(decoders, jpeg()).width, 300);
}

TEST(Decoders, wait_no_longer_than_they_may) {
  auto one = options();
  one.processes = 1;
  one.timeout = milliseconds(1000);
  Decoders decoders(one);
  std::thread hanging([&] { EXPECT_EQ(status_of(decoders, "HANG"), 422); });
  std::this_thread::sleep_for(milliseconds(200));
  const auto began = Clock::now();
  EXPECT_EQ(status_of(decoders, "x", milliseconds(100)), 503);
  EXPECT_LT(Clock::now() - began, milliseconds(600));
  hanging.join();
}

// reliability.md section 1: 1,000 forced crashes, 0 other requests lost.
TEST(Decoders, a_thousand_crashes_lose_no_other_request) {
  auto two = options();
  Decoders decoders(two);
  const auto crashes = kSanitized ? 50 : 1000;
  std::atomic<bool> over = false;
  std::atomic<int> fine = 0;
  std::atomic<int> lost = 0;
  std::thread others([&] {
    while (!over) {
      try {
        run(decoders, jpeg()).width == 300 ? ++fine : ++lost;
      } catch (const std::exception&) {
        ++lost;
      }
    }
  });
  for (int i = 0; i < crashes; ++i)
    EXPECT_EQ(status_of(decoders, i % 2 == 0 ? "CRASH" : "ABORT"), 422);
  over = true;
  others.join();
  EXPECT_EQ(decoders.crashes(), static_cast<std::uint64_t>(crashes));
  EXPECT_EQ(lost, 0);
  EXPECT_GT(fine, 0);
}

TEST(JpegWriter, writes_what_decodes_to_nearly_the_same) {
  Image grey{.width = 33, .height = 17};
  grey.pixels.assign(std::size_t{33} * 17 * 3, 100);
  const auto back = decode_image(jpeg_file(grey, 90), "x");
  EXPECT_EQ(back.width, 33);
  EXPECT_NEAR(back.pixels[300], 100, 3);
  EXPECT_THROW(jpeg_file(Image{}, 90), Error);
}

TEST(Shrunk, keeps_proportions_and_never_enlarges) {
  const auto small = shrunk(picture(300, 200), 32);
  EXPECT_EQ(small.width, 32);
  EXPECT_EQ(small.height, 21);
  EXPECT_EQ(shrunk(picture(300, 1), 30).height, 1);
  EXPECT_EQ(shrunk(picture(30, 20), 32).width, 30);
}

}  // namespace
}  // namespace tandem::serve
