// A folder on this machine, by the same tests as the databases.
#include <filesystem>
#include <unistd.h>

#include "index/store_conformance.h"

namespace tandem {
namespace {

// Gone when the tests are over.
struct Folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("tandem-collections-" + std::to_string(getpid()));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
};

const std::filesystem::path& folder() {
  static const Folder made;
  return made.path;
}

INSTANTIATE_TEST_SUITE_P(Collection, StoreConformance,
                         ::testing::Values(StoreCase{
                             "collection",
                             [](const std::string& name, OpenMode mode, const StoreMeta& asked) {
                               return open_store((folder() / (name + ".tandem")).string(), mode,
                                                 asked);
                             },
                             true}));

}  // namespace
}  // namespace tandem
