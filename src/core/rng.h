// A small, seedable, splittable random generator whose numbers are the same on every machine and
// compiler. xoshiro256++ (Blackman & Vigna 2019), seeded through splitmix64. Copyable; not
// thread-safe: split one per thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>

namespace tandem {

class Rng {
 public:
  using State = std::array<std::uint64_t, 4>;

  explicit Rng(std::uint64_t seed);
  explicit Rng(const State& state) : state_(state) {}

  std::uint64_t next();                  // 64 random bits
  std::uint64_t below(std::uint64_t n);  // uniform in [0,n), unbiased. Requires n > 0.
  double uniform();                      // [0,1), 53 bits
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  double normal();  // mean 0, standard deviation 1

  // An independent generator for stream `n`; does not change this one.
  // Rng(seed).split(epoch).split(sample) is the way to give each sample its own numbers, whatever
  // thread handles it.
  Rng split(std::uint64_t n) const;

  const State& state() const { return state_; }

 private:
  State state_;
};

// Fisher-Yates.
template <typename T>
void shuffle(std::span<T> values, Rng& rng) {
  for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[rng.below(i)]);
}

}  // namespace tandem
