// Reading and atomically replacing files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

// A read-only memory mapping. Movable, not copyable; safe to share between threads.
// A file that is replaced by rename (as AtomicFile does) stays whole here. One that another process
// cuts short in place cannot be guarded against once mapped: touching the lost pages ends the
// process with SIGBUS. So loaders take what decides sizes through read(), which fails cleanly, and
// call check_unchanged() before they trust the mapping.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);  // throws kNotFound, kIo
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  std::span<const std::byte> bytes() const { return {data_, size_}; }

  // Copies bytes through the file, not the mapping. Throws kIo when the file is shorter than that
  // by now.
  void read(std::uint64_t offset, std::span<std::byte> into) const;
  // Throws kIo if the file's size is no longer what it was when mapped.
  void check_unchanged() const;

 private:
  std::string path_;
  int fd_ = -1;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// Takes the pages of these bytes, and what else is on them, out of the process's memory; they are
// read again when next touched. A hint. Nothing happens unless they lie in `file`, all the bytes of
// a MappedFile.
void drop_pages(std::span<const std::byte> bytes, std::span<const std::byte> file);

// Whole file, at most `limit_bytes`. Throws kNotFound, kIo, kInput when larger.
std::vector<std::byte> read_file(const std::filesystem::path& path,
                                 std::size_t limit_bytes = std::size_t{1} << 31);
std::string read_text_file(const std::filesystem::path& path,
                           std::size_t limit_bytes = std::size_t{1} << 26);

// Writes to a sibling temporary, which commit() fsyncs and renames over `path` (then fsyncs the
// folder). Destroyed without commit(): the temporary is removed and `path` is left as it was.
// Throws kIo, e.g. disk full.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  // Overwrites bytes already written (a header whose counts are known only at the end).
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  std::uint64_t size() const { return size_; }
  void commit();

 private:
  void flush();
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::vector<std::byte> buffer_;
  std::uint64_t size_ = 0;
  int fd_ = -1;
};

// Makes the names in a folder durable: new, renamed and removed files. Throws kNotFound, kIo.
void sync_folder(const std::filesystem::path& folder);

void write_file_atomically(const std::filesystem::path& path, std::string_view text);

}  // namespace tandem
