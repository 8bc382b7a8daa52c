// Lines to a file or stdout by a thread of its own: who gives them never waits for a disk.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>

namespace tandem::cli {

class LineWriter {
 public:
  // Appends. "-": stdout. Throws kIo, kNotFound.
  explicit LineWriter(const std::filesystem::path& path);
  ~LineWriter();  // writes what is left
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // From any thread. Dropped, and counted, when the disk is megabytes behind.
  void add(const std::string& line);
  std::uint64_t dropped() const { return dropped_; }

 private:
  void write_all();
  std::FILE* file_;
  std::mutex mutex_;
  std::condition_variable some_;
  std::string waiting_;
  bool closing_ = false;
  std::atomic<std::uint64_t> dropped_ = 0;
  std::thread thread_;
};

}  // namespace tandem::cli
