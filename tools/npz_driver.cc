// Reads `length:u32 bytes` records from stdin and prints for each whether Tandem accepts it as a
// .npz archive: "ok" or the reason. For tools/compare_npz.py.
#include <cstdio>
#include <cstring>
#include <vector>

#include "core/error.h"
#include "core/npz.h"

int main() {
  std::uint32_t size = 0;
  std::vector<std::byte> bytes;
  while (std::fread(&size, sizeof(size), 1, stdin) == 1) {
    bytes.resize(size);
    if (size > 0 && std::fread(bytes.data(), size, 1, stdin) != 1) return 1;
    try {
      tandem::parse_npz(bytes, "x");
      std::puts("ok");
    } catch (const tandem::Error& e) {
      std::puts(e.what());
    }
  }
  return 0;
}
