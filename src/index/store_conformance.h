// What every store must do, tested the same way for each: a store's test file says how to open one,
// INSTANTIATE_TEST_SUITE_P(NAME, StoreConformance, ::testing::Values(StoreCase{…})).
#pragma once

#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <ostream>
#include <string>

#include "index/store.h"

namespace tandem {

struct StoreCase {
  std::string name;
  // Opens the collection or table called `name` ([a-z0-9_]+), other names being other ones.
  std::function<std::unique_ptr<Store>(const std::string& name, OpenMode mode,
                                       const StoreMeta& asked)>
      open;
  bool takes_where = false;
};
inline void PrintTo(const StoreCase& store, std::ostream* out) { *out << store.name; }

class StoreConformance : public ::testing::TestWithParam<StoreCase> {};

// A server of tests/servers/run_server.py, which ends when this does.
class TestServer {
 public:
  explicit TestServer(const std::string& kind);
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;
  const std::string& location() const { return location_; }

 private:
  std::string location_;
  int child_ = -1;
  int input_ = -1;
};

// (count,width) unit rows, the same for the same seed.
Matrix random_rows(std::size_t count, int width, unsigned seed);
// `count` pictures and texts with everything filled in, spread so that filters have work.
std::vector<Item> varied_items(std::size_t count);

}  // namespace tandem
