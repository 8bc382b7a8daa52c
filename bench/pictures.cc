// How long decoding and resizing take on one core. bench/pictures.py runs this beside Pillow and
// prints the ratio.
//   pictures_bench resize FILE.png WIDTH HEIGHT bicubic|bilinear     milliseconds of resizing the
//   decoded picture pictures_bench decode FILE                                       milliseconds
//   of decoding
// Prints the best of the repetitions that fit in about half a second.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "preprocess/image.h"

namespace {

using Clock = std::chrono::steady_clock;

double best_ms(const std::function<void()>& work) {
  const auto elapsed = [](Clock::time_point since) {
    return std::chrono::duration<double, std::milli>(Clock::now() - since).count();
  };
  double best = 1e9;
  const auto start = Clock::now();
  for (int i = 0; i < 3 || elapsed(start) < 500; ++i) {
    const auto before = Clock::now();
    work();
    best = std::min(best, elapsed(before));
  }
  return best;
}

std::string read(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

int run(int argc, char** argv) {
  if (argc != 3 && argc != 6) return 2;
  const std::string bytes = read(argv[2]);
  const auto decode = [&] {
    return tandem::decode_image(std::as_bytes(std::span(bytes)), argv[2]);
  };
  double ms = 0;
  if (std::string_view(argv[1]) == "decode") {
    ms = best_ms([&] { decode(); });
  } else {
    const tandem::Image image = decode();
    const int width = std::stoi(argv[3]), height = std::stoi(argv[4]);
    const bool cubic = std::string_view(argv[5]) == "bicubic";
    const auto filter = cubic ? tandem::Filter::kBicubic : tandem::Filter::kBilinear;
    ms = best_ms([&] { tandem::resize(image, width, height, filter); });
  }
  std::printf("%.4f\n", ms);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
