#include "core/files.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <functional>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "core/error.h"

namespace tandem {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// Opens a regular file (or a pipe) for reading; a folder is refused here, where the message can be
// clear.
int open_for_reading(const std::filesystem::path& path, struct stat& status) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw_errno("cannot open", path.string());
  if (::fstat(fd, &status) != 0) {
    const int code = errno;
    ::close(fd);
    errno = code;
    throw_errno("cannot read", path.string());
  }
  if (S_ISDIR(status.st_mode)) {
    ::close(fd);
    throw Error(Kind::kInput, fmt::format("{} is a folder. Expected a file.", path.string()));
  }
  return fd;
}

// Reads until the end of the file or one byte past the limit.
template <typename Buffer>
Buffer read_all(const std::filesystem::path& path, std::size_t limit_bytes) {
  struct stat status{};
  const Descriptor file(open_for_reading(path, status));
  const auto expected = static_cast<std::size_t>(status.st_size);
  const auto too_large = [&] {
    return Error(Kind::kInput, fmt::format("{} is larger than {} bytes, the limit for such a file.",
                                           path.string(), limit_bytes));
  };
  if (expected > limit_bytes) throw too_large();
  Buffer buffer;
  buffer.resize(expected + 1);  // one more, so that the usual case sees the end without growing
  std::size_t used = 0;
  while (true) {
    const ssize_t got = ::read(file.get(), buffer.data() + used, buffer.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("cannot read", path.string());
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    if (used > limit_bytes) throw too_large();
    if (used == buffer.size()) buffer.resize(buffer.size() * 2);
  }
  buffer.resize(used);
  return buffer;
}

void write_fully(int fd, std::span<const std::byte> bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw_errno("cannot write", path.string());
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path.string()) {
  struct stat status{};
  fd_ = open_for_reading(path, status);
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;  // mmap refuses empty files
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd_, 0);
  if (address == MAP_FAILED) {
    const int code = errno;
    ::close(std::exchange(fd_, -1));
    errno = code;
    throw_errno("cannot map", path_);
  }
  data_ = static_cast<const std::byte*>(address);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
  if (fd_ >= 0) ::close(fd_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

void MappedFile::read(std::uint64_t offset, std::span<std::byte> into) const {
  std::size_t done = 0;
  while (done < into.size()) {
    const auto at = static_cast<off_t>(offset + done);
    const ssize_t got = ::pread(fd_, into.data() + done, into.size() - done, at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("cannot read", path_);
    if (got == 0) throw Error(Kind::kIo, path_ + " became shorter while it was being read.");
    done += static_cast<std::size_t>(got);
  }
}

void MappedFile::check_unchanged() const {
  struct stat status{};
  if (::fstat(fd_, &status) != 0) throw_errno("cannot read", path_);
  if (static_cast<std::size_t>(status.st_size) != size_) {
    throw Error(Kind::kIo, fmt::format("{} changed from {} to {} bytes while it was being read. "
                                       "Replace files by renaming a new one over them.",
                                       path_, size_, status.st_size));
  }
}

void drop_pages(std::span<const std::byte> bytes, std::span<const std::byte> file) {
  const std::less_equal<const std::byte*> before;
  if (bytes.empty() || !before(file.data(), bytes.data()) ||
      !before(bytes.data() + bytes.size(), file.data() + file.size()))
    return;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data()) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(bytes.data()) + bytes.size();
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

std::vector<std::byte> read_file(const std::filesystem::path& path, std::size_t limit_bytes) {
  return read_all<std::vector<std::byte>>(path, limit_bytes);
}

std::string read_text_file(const std::filesystem::path& path, std::size_t limit_bytes) {
  return read_all<std::string>(path, limit_bytes);
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  // A number unique in this process and the process id: no two writers share a temporary.
  static std::atomic<std::uint64_t> serial{0};
  temporary_ = folder_of(path_) / fmt::format(".{}.{}.{}.tmp", path_.filename().string(),
                                              ::getpid(), serial.fetch_add(1));
  fd_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (fd_ < 0) throw_errno("cannot create", path_.string());
  buffer_.reserve(kBufferBytes);
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  size_ += bytes.size();
  if (buffer_.size() + bytes.size() > kBufferBytes) flush();
  if (bytes.size() >= kBufferBytes) {
    write_fully(fd_, bytes, path_);
  } else {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }
}

void AtomicFile::write(std::string_view text) {
  write(std::as_bytes(std::span(text.data(), text.size())));
}

void AtomicFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (offset > size_ || bytes.size() > size_ - offset) {
    throw Error(Kind::kInternal, "write_at past the end of " + path_.string());
  }
  flush();
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw_errno("cannot write", path_.string());
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
}

void AtomicFile::flush() {
  write_fully(fd_, buffer_, path_);
  buffer_.clear();
}

void AtomicFile::commit() {
  flush();
  struct stat old{};
  if (::stat(path_.c_str(), &old) == 0) (void)::fchmod(fd_, old.st_mode & 07777);
  if (::fsync(fd_) != 0) throw_errno("cannot write", path_.string());
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    throw_errno("cannot replace", path_.string());
  ::close(std::exchange(fd_, -1));
  sync_folder(folder_of(path_));
}

void sync_folder(const std::filesystem::path& folder) {
  const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) throw_errno("cannot open", folder.string());
  // EINVAL: some file systems do not sync folders; nothing more can be done there.
  if (::fsync(fd.get()) != 0 && errno != EINVAL) throw_errno("cannot write", folder.string());
}

void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace tandem
