// A small WebDataset shard of the sample pictures, for tests.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <span>
#include <string>
#include <vector>

#include "core/files.h"

namespace tandem {

// Appends one ustar member.
inline void append_member(std::string& tar, const std::string& name, std::string_view bytes) {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) {
    header.replace(at, text.size(), text);
  };
  put(0, name);
  put(100, "0000644");
  put(124, fmt::format("{:011o}", bytes.size()));
  put(136, "00000000000");
  put(148, "        ");
  put(156, "0");
  put(257, "ustar");
  put(263, "00");
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum));
  header[154] = '\0';
  tar += header;
  tar += bytes;
  tar.resize((tar.size() + 511) / 512 * 512);
}

// The first `count` pictures of assets/samples; sample i has captions "name", "alias i" and concept
// i / 2, and every fourth is of one colour.
inline void write_test_shard(const std::filesystem::path& path, int count) {
  std::vector<std::filesystem::path> pictures;
  for (const auto& entry : std::filesystem::directory_iterator("assets/samples")) {
    if (entry.path().extension() == ".png") pictures.push_back(entry.path());
  }
  std::sort(pictures.begin(), pictures.end());
  std::string tar;
  for (int i = 0; i < count; ++i) {
    const auto bytes = read_file(pictures[i % pictures.size()]);
    const std::string key = fmt::format("{:06}", i);
    append_member(tar, key + ".png", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    append_member(
        tar, key + ".json",
        fmt::format(R"({{"captions":["{}","alias {}"],"phrase":"{}","concept":{},"mono":{}}})",
                    pictures[i % pictures.size()].stem().string(), i,
                    pictures[i % pictures.size()].stem().string(), i / 2, i % 4 == 0));
  }
  tar.append(1024, '\0');
  write_file_atomically(path, tar);
}

}  // namespace tandem
