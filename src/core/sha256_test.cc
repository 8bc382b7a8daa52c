#include "core/sha256.h"

#include <gtest/gtest.h>
#include <string_view>
#include <vector>

#include "core/rng.h"
#include "core/sha256_blocks.h"

namespace tandem {
namespace {

std::string digest_of(std::string_view text) {
  return hex(sha256(std::as_bytes(std::span(text.data(), text.size()))));
}

// FIPS 180-4 examples.
TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(digest_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(digest_of(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// Lengths around the padding's edges; digests from Python's hashlib over bytes i % 251.
TEST(Sha256, PadsEveryLengthAroundABlock) {
  std::vector<std::byte> bytes(130);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i % 251);
  std::string all;
  for (std::size_t n = 0; n <= bytes.size(); ++n) all += hex(sha256(std::span(bytes).first(n)));
  EXPECT_EQ(digest_of(all), "287ec38b0ef48cad9a69255fec0a3dd90bd752a394316d26a81b6c9b71e29a55");
}

TEST(Sha256, TheNativeVariantEqualsThePortableOne) {
  const Sha256Blocks native = sha256_blocks_native();
  if (native == nullptr) GTEST_SKIP() << "no SHA instructions here";
  Rng rng(1);
  for (std::size_t blocks = 0; blocks < 20; ++blocks) {
    std::vector<std::byte> data(blocks * 64);
    for (auto& byte : data) byte = static_cast<std::byte>(rng.next());
    std::uint32_t a[8], b[8];
    for (int i = 0; i < 8; ++i) a[i] = b[i] = static_cast<std::uint32_t>(rng.next());
    native(a, data.data(), blocks);
    sha256_blocks_portable(b, data.data(), blocks);
    for (int i = 0; i < 8; ++i) EXPECT_EQ(a[i], b[i]);
  }
}

}  // namespace
}  // namespace tandem
