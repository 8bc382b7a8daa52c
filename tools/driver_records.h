// Records between a driver and the script that compares it with a reference: a count of items (u32,
// little endian), then the items.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

inline std::string read_all(std::FILE* file) {
  std::string all;
  char buffer[1 << 16];
  while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, file))
    all.append(buffer, got);
  return all;
}

inline std::vector<std::string> split_records(const std::string& input) {
  std::vector<std::string> records;
  for (std::size_t at = 0; at + 4 <= input.size();) {
    std::uint32_t size = 0;
    std::memcpy(&size, input.data() + at, sizeof size);
    records.push_back(input.substr(at + 4, size));
    at += 4 + size;
  }
  return records;
}

inline void write_record(const void* data, std::size_t count, std::size_t item_bytes) {
  const auto size = static_cast<std::uint32_t>(count);
  std::fwrite(&size, sizeof size, 1, stdout);
  std::fwrite(data, item_bytes, count, stdout);
}
