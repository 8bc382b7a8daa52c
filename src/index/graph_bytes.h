// The bytes that usearch writes of a graph, checked before usearch reads them: it follows what they
// say without asking whether that is inside the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tandem {

// What every graph of ours has. Neighbours: of a vector on the lowest level, on each other one.
struct GraphShape {
  std::size_t vector_bytes = 0;
  std::size_t base_neighbours = 0;
  std::size_t neighbours = 0;
  std::uint8_t scalar_kind = 0;  // usearch's number for its values' type
};

// What is wrong with them; nothing: any search stays inside. Reads about a quarter of them.
std::optional<std::string_view> fault_in_graph(std::span<const std::byte> bytes,
                                               const GraphShape& shape);

}  // namespace tandem
