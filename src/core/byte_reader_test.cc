#include "core/byte_reader.h"

#include <array>
#include <gtest/gtest.h>

#include "core/error.h"

namespace tandem {
namespace {

constexpr std::array<std::byte, 9> kBytes = {std::byte{0x01}, std::byte{0x02}, std::byte{0xFF},
                                             std::byte{0x10}, std::byte{0x20}, std::byte{0x30},
                                             std::byte{0x80}, std::byte{'h'},  std::byte{'i'}};

TEST(ByteReader, ReadsLittleEndianFieldsInOrder) {
  ByteReader reader(kBytes, "x.bin");
  EXPECT_EQ(reader.u8("a"), 0x01);
  EXPECT_EQ(reader.u16("b"), 0xFF02);
  EXPECT_EQ(reader.u32("c"), 0x80302010U);
  EXPECT_EQ(reader.text(2, "d"), "hi");
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_EQ(ByteReader(kBytes, "x.bin").u64("all"), 0x6880302010FF0201ULL);
}

TEST(ByteReader, RefusesToReadPastTheEndAndNamesTheField) {
  ByteReader reader(kBytes, "x.bin");
  reader.skip(8, "start");
  try {
    reader.u16("row count");
    FAIL() << "should have thrown";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Kind::kCorrupt);
    EXPECT_NE(std::string(e.what()).find("x.bin: row count needs 2 bytes at offset 8, but only 1"),
              std::string::npos)
        << e.what();
  }
  EXPECT_EQ(reader.position(), 8U) << "a failed read must not move";
}

TEST(ByteReader, RefusesSizesThatWouldWrap) {
  ByteReader reader(kBytes, "x.bin");
  reader.u8("a");
  EXPECT_THROW(reader.take(UINT64_MAX, "b"), Error);
  EXPECT_THROW(checked_mul(1ULL << 33, 1ULL << 31, "rows"), Error);
  EXPECT_THROW(checked_add(UINT64_MAX, 1, "end"), Error);
  EXPECT_EQ(checked_mul(1ULL << 32, 1ULL << 31, "rows"), 1ULL << 63);
}

}  // namespace
}  // namespace tandem
