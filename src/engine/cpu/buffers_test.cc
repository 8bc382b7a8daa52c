#include "engine/cpu/buffers.h"

#include <cstdint>
#include <gtest/gtest.h>
#include <utility>

namespace tandem {
namespace {

TEST(AlignedBytes, BeginOnACacheLine) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{5} << 20}) {
    const AlignedBytes bytes(size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data()) % 64, 0U);
    EXPECT_EQ(bytes.size_bytes(), size);
  }
}

TEST(BufferPool, LendsTheSmallestThatFitsAgain) {
  BufferPool pool;
  void* large = nullptr;
  void* small = nullptr;
  {
    const Buffer a = pool.take(10'000);
    const Buffer b = pool.take(1'000);
    large = a.data();
    small = b.data();
    EXPECT_NE(large, small);
  }
  const Buffer b = pool.take(900);
  const Buffer a = pool.take(900);
  EXPECT_EQ(b.data(), small);
  EXPECT_EQ(a.data(), large);
  EXPECT_EQ(pool.allocations(), 2U);
  const Buffer c = pool.take(900);
  EXPECT_EQ(pool.allocations(), 3U);
}

TEST(BufferPool, GetsABufferBackOnceEvenIfItMoved) {
  BufferPool pool;
  Buffer a = pool.take(100);
  Buffer b = std::move(a);
  a = pool.take(100);
  b = std::move(a);  // what b held goes back
  EXPECT_EQ(pool.allocations(), 2U);
  const Buffer c = pool.take(100);
  EXPECT_EQ(pool.allocations(), 2U);
  EXPECT_NE(c.data(), b.data());
}

}  // namespace
}  // namespace tandem
