// Any bytes as usearch's part of a graph's file, with a right checksum and description around them:
// refused with an Error, or searched and extended inside them.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "core/error.h"
#include "index/graph.h"

namespace {

constexpr int kWidth = 4;  // as the seeds have

// A file in memory, without a name.
class MemoryFile {
 public:
  explicit MemoryFile(const std::string& bytes) : fd_(::memfd_create("graph", MFD_CLOEXEC)) {
    if (::write(fd_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
      std::abort();
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return fmt::format("/proc/self/fd/{}", fd_); }

 private:
  int fd_;
};

template <typename T>
void append(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  const std::string about = fmt::format(
      R"({{"format":1,"fingerprint":"f","width":{},"revision":100,"bytes":{}}})", kWidth, size);
  bytes += about;
  append(bytes, static_cast<std::uint64_t>(XXH3_64bits(bytes.data(), bytes.size())));
  append(bytes, static_cast<std::uint32_t>(about.size()));
  bytes += "TNDGRAPH";
  const MemoryFile file(bytes);
  try {
    const auto graph = tandem::Graph::open(file.path());
    const std::array<float, kWidth> query = {0.5F, -0.5F, 0.5F, 0.5F};
    const auto found = graph.search(query, 10, 40, {});
    if (found.size() > graph.size()) std::abort();
    graph.search(query, 10, 40, [](std::int64_t revision) { return revision % 2 == 0; });
    tandem::GraphBuilder builder(file.path(), 1, 1);
    builder.add(1'000, std::array<std::uint16_t, kWidth>{0x3800, 0x3800, 0xB800, 0x3800}, 0);
  } catch (const tandem::Error&) {
  }
  return 0;
}
