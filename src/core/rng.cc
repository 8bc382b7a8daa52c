#include "core/rng.h"

#include <bit>
#include <cmath>

namespace tandem {
namespace {

// splitmix64 (Steele, Lea & Flood 2014): advances `x` and returns a well mixed word.
std::uint64_t splitmix(std::uint64_t& x) {
  x += 0x9E3779B97F4A7C15ULL;
  std::uint64_t z = x;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

}  // namespace

Rng::Rng(std::uint64_t seed) : state_() {
  for (std::uint64_t& word : state_) word = splitmix(seed);
}

std::uint64_t Rng::next() {
  auto& s = state_;
  const std::uint64_t result = std::rotl(s[0] + s[3], 23) + s[0];
  const std::uint64_t t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = std::rotl(s[3], 45);
  return result;
}

std::uint64_t Rng::below(std::uint64_t n) {
  // Words below 2^64 mod n are rejected: what is left is a whole number of rounds of [0,n).
  const std::uint64_t rejected = (0 - n) % n;
  while (true) {
    const std::uint64_t word = next();
    if (word >= rejected) return word % n;
  }
}

double Rng::uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

double Rng::normal() {
  // Ratio of uniforms (Kinderman & Monahan 1977). The value is one multiplication and one division,
  // which are the same everywhere; log() only decides acceptance, where a last-bit difference
  // practically never matters.
  constexpr double kWidth = 1.7155277699214135;  // 2 * sqrt(2/e)
  while (true) {
    const double u = 1.0 - uniform();  // (0,1]
    const double v = kWidth * (uniform() - 0.5);
    const double x = v / u;
    if (x * x <= -4.0 * std::log(u)) return x;
  }
}

Rng Rng::split(std::uint64_t n) const {
  std::uint64_t x = n;
  State mixed{};
  for (std::size_t i = 0; i < mixed.size(); ++i) {
    x ^= state_[i];
    mixed[i] = splitmix(x);
  }
  // A second pass: every word then depends on the whole state and on n.
  for (std::uint64_t& word : mixed) {
    x ^= word;
    word = splitmix(x);
  }
  return Rng(mixed);
}

}  // namespace tandem
