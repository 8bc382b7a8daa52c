// tandem-parquet: see parquet/table.h.
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <new>
#include <string_view>
#include <sys/resource.h>

#include "tandem/error.h"

#include "parquet/table.h"

namespace tandem::parquet_program {
namespace {

// What tandem (data/parquet.cc) takes the exit codes for.
int code_of(Kind kind) { return 10 + static_cast<int>(kind); }

// A table of 300 bytes may unpack to gigabytes. What a column of one row group takes is all that
// honest files need.
void limit_memory() {
  constexpr rlim_t kBytes = rlim_t{3} << 30;
  const rlimit memory{kBytes, kBytes};
  setrlimit(RLIMIT_AS, &memory);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

int run(int count, char** words) {
  const std::string_view verb = count == 3 ? words[1] : "";
  if (verb != "read" && verb != "write") {
    std::cerr << "usage: tandem-parquet read|write FILE\n";
    return 2;
  }
  std::ios::sync_with_stdio(false);
  if (verb == "read") {
    limit_memory();
    read_table(words[2], std::cout);
    std::cout.flush();
  } else {
    write_table(words[2], std::cin);
  }
  return 0;
}

}  // namespace
}  // namespace tandem::parquet_program

int main(int count, char** words) {
  using namespace tandem;
  try {
    return parquet_program::run(count, words);
  } catch (const Error& e) {
    std::cerr << e.what() << '\n';
    return parquet_program::code_of(e.kind());
  } catch (const std::bad_alloc&) {
    std::cerr << words[2] << ": reading it takes more memory than a table should need.\n";
    return parquet_program::code_of(Kind::kInput);
  } catch (const std::exception& e) {
    std::cerr << words[2] << ": " << e.what() << '\n';
    return parquet_program::code_of(Kind::kCorrupt);
  }
}
