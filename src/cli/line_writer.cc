#include "cli/line_writer.h"

#include "core/error.h"

namespace tandem::cli {
namespace {

constexpr std::size_t kMostWaitingBytes = 8 << 20;

std::FILE* open(const std::filesystem::path& path) {
  if (path == "-") return stdout;
  std::FILE* file = std::fopen(path.c_str(), "ae");
  if (file == nullptr) throw_errno("cannot open", path.string());
  return file;
}

}  // namespace

LineWriter::LineWriter(const std::filesystem::path& path)
    : file_(open(path)), thread_([this] { write_all(); }) {}

LineWriter::~LineWriter() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  some_.notify_one();
  thread_.join();
  if (file_ != stdout) std::fclose(file_);
}

void LineWriter::add(const std::string& line) {
  const std::lock_guard lock(mutex_);
  if (waiting_.size() + line.size() >= kMostWaitingBytes) {
    ++dropped_;
    return;
  }
  const bool was_empty = waiting_.empty();
  waiting_ += line;
  waiting_ += '\n';
  if (was_empty) some_.notify_one();
}

void LineWriter::write_all() {
  std::unique_lock lock(mutex_);
  while (true) {
    some_.wait(lock, [&] { return closing_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    std::string piece;
    piece.swap(waiting_);
    lock.unlock();
    std::fwrite(piece.data(), 1, piece.size(), file_);
    std::fflush(file_);
    lock.lock();
  }
}

}  // namespace tandem::cli
