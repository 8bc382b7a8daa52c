// A decoding child that also does what no picture should make it do, when it is told to.
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <vector>

#include "serve/decoders.h"

namespace {

void misbehave(std::span<const std::byte> picture) {
  const std::string_view text(reinterpret_cast<const char*>(picture.data()), picture.size());
  if (text == "CRASH") std::raise(SIGSEGV);
  if (text == "ABORT") std::abort();
  if (text == "HANG") {
    while (true) std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  if (text == "GROW") {
    std::vector<std::vector<char>> blocks;
    while (true) blocks.emplace_back(std::size_t{16} << 20, 'x');
  }
  if (text == "OPEN") ::open("/etc/passwd", 0);
  if (text == "FORK") static_cast<void>(::fork());
  if (text == "LIE")
    static_cast<void>(::write(0, "\0\0\0\0nonsense that is no reply at all........", 44));
}

}  // namespace

int main() { tandem::serve::run_decode_worker(misbehave); }
