// Against Chroma's own server (tools/deps/servers.txt), started here.
#include "index/store_chroma.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "index/store_conformance.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

const std::string& server() {
  static const TestServer running("chroma");
  return running.location();
}

INSTANTIATE_TEST_SUITE_P(Chroma, StoreConformance,
                         ::testing::Values(StoreCase{
                             "chroma",
                             [](const std::string& name, OpenMode mode, const StoreMeta& asked) {
                               return open_store(server() + name, mode, asked);
                             }}));

TEST(Chroma, SaysWhatItIs) {
  const auto store = open_store(server() + "says", OpenMode::kWrite, {"mini", "f", 4});
  EXPECT_THAT(store->describe(), HasSubstr("collection says"));
}

}  // namespace
}  // namespace tandem
