// A nearest-neighbour graph (HNSW, Malkov and Yashunin 2016; usearch) over a collection's vectors,
// kept as 8-bit integers. It is derived: its scores are estimates, to be computed again from the
// stored vectors, and whatever is wrong with its file, the collection can build it anew.
// File: usearch's bytes | JSON | XXH3 of all that | length of the JSON | "TNDGRAPH".
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tandem {

// What a graph was built from.
struct GraphStamp {
  std::string fingerprint;  // of the model
  int width = 0;
  std::int64_t revision = 0;  // it holds vectors up to this one (schema.h)
};

// A graph being built. add() is safe to call from several threads.
class GraphBuilder {
 public:
  // `rows`: about how many there will be.
  GraphBuilder(int width, std::size_t rows, std::size_t threads);
  // Goes on from a file: everything in it, and room for `more`. Throws as Graph::open does.
  GraphBuilder(const std::filesystem::path& path, std::size_t more, std::size_t threads);
  ~GraphBuilder();
  GraphBuilder(GraphBuilder&&) noexcept;
  GraphBuilder& operator=(GraphBuilder&&) = delete;

  // vector: (width) halves, finite. Revisions differ from each other. `thread`: in [0, threads),
  // not used by two at once.
  void add(std::int64_t revision, std::span<const std::uint16_t> vector, std::size_t thread);
  std::size_t size() const;
  // Atomically; on disk when it returns. Throws kIo.
  void save(const std::filesystem::path& path, const GraphStamp& stamp) const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

// A graph that is searched where it lies in the file (mapped). Safe to share between threads.
class Graph {
 public:
  struct Found {
    std::int64_t revision = 0;
    float score = 0;  // cosine, estimated: within about 0.01
  };

  // Every byte is checked. Throws kNotFound, kCorrupt, kUnsupported (made by another version).
  static Graph open(const std::filesystem::path& path);
  ~Graph();
  Graph(Graph&&) noexcept;
  Graph& operator=(Graph&&) = delete;

  const GraphStamp& stamp() const;
  std::size_t size() const;
  std::uint64_t file_bytes() const;

  // About the `k` nearest to query (width), best first. `expansion`: candidates kept on the way;
  // more find better and take longer. allowed: revisions that may be answered; empty: all.
  std::vector<Found> search(std::span<const float> query, std::size_t k, std::size_t expansion,
                            const std::function<bool(std::int64_t)>& allowed) const;

 private:
  struct Rep;
  explicit Graph(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace tandem
