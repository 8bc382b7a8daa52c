#include "core/safetensors_sharded.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "core/json.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxTensors = 100'000;  // as for one file
constexpr std::size_t kMaxShards = 1000;      // each is a mapping; transformers cuts at 5 to 50 GB

Error broken(const std::string& name, const std::string& rule) {
  return Error(Kind::kCorrupt,
               fmt::format("{}: {}. Expected an index of safetensors shards.", name, rule));
}

// A file of this folder: letters, digits, '.', '-' and '_', so that nothing leads elsewhere.
bool is_plain(std::string_view file) {
  constexpr std::string_view kExtension = ".safetensors";
  if (file.size() > 255 || !file.ends_with(kExtension) || file.size() == kExtension.size())
    return false;
  return file.front() != '.' && std::all_of(file.begin(), file.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_';
         });
}

// Some writers give the size as 1.2e+10.
std::uint64_t size_bytes(const json::value& v, const std::string& name) {
  if (v.is_uint64()) return v.get_uint64();
  if (v.is_int64() && v.get_int64() >= 0) return static_cast<std::uint64_t>(v.get_int64());
  if (v.is_double() && v.get_double() >= 0 && v.get_double() < 0x1p53 &&
      v.get_double() == std::floor(v.get_double()))
    return static_cast<std::uint64_t>(v.get_double());
  throw broken(name, "metadata.total_size is not a number of bytes");
}

}  // namespace

ShardIndex parse_shard_index(std::string_view text, const std::string& name) {
  const json::value root = json::parse(text, name, 4 * kMaxTensors);
  const json::Reader r(root, name);
  ShardIndex index;
  if (const auto metadata = r.child("metadata")) {
    if (const json::value* size = metadata->find("total_size"))
      index.total_size_bytes = size_bytes(*size, name);
  }
  std::set<std::string_view> shards;
  const json::Reader weights = r.required_child("weight_map");
  for (const auto& entry : weights.raw()) {
    if (!entry.value().is_string())
      throw broken(name, fmt::format("weight_map: \"{}\" is not a file name",
                                     std::string_view(entry.key()).substr(0, 200)));
    const std::string_view file = entry.value().get_string();
    if (!is_plain(file))
      throw broken(name, fmt::format("weight_map: \"{}\" is not the name of a .safetensors file "
                                     "beside it",
                                     file.substr(0, 200)));
    shards.insert(file);
    index.weight_map.emplace(entry.key(), file);
  }
  if (index.weight_map.empty()) throw broken(name, "weight_map lists no tensor");
  if (index.weight_map.size() > kMaxTensors)
    throw broken(name, fmt::format("more than {} tensors", kMaxTensors));
  if (shards.size() > kMaxShards)
    throw broken(name, fmt::format("more than {} shards", kMaxShards));
  return index;
}

SafeTensors read_sharded_safetensors(const fs::path& path) {
  const std::string name = path.string();
  const ShardIndex index = parse_shard_index(read_text_file(path), name);
  std::set<std::string> shards;
  for (const auto& [tensor, file] : index.weight_map) shards.insert(file);
  SafeTensors all;
  std::uint64_t bytes = 0;
  for (const std::string& shard : shards) {
    SafeTensors part = read_safetensors(path.parent_path() / shard);
    for (auto& [tensor, view] : part.map.tensors) {
      const auto listed = index.weight_map.find(tensor);
      if (listed == index.weight_map.end() || listed->second != shard)
        throw broken(name,
                     fmt::format("{} holds tensor \"{}\", which the index {}", shard, tensor,
                                 listed == index.weight_map.end() ? "does not list"
                                                                  : "places in " + listed->second));
      bytes += view.bytes.size();
      all.map.tensors.emplace(tensor, std::move(view));
    }
    all.map.owners.insert(all.map.owners.end(), part.map.owners.begin(), part.map.owners.end());
    all.metadata.merge(part.metadata);
  }
  for (const auto& [tensor, file] : index.weight_map) {
    if (!all.map.contains(tensor))
      throw broken(name, fmt::format("tensor \"{}\" is not in {}", tensor, file));
  }
  if (index.total_size_bytes && *index.total_size_bytes != bytes)
    throw broken(name, fmt::format("metadata.total_size is {}, but the shards' tensors take {}",
                                   *index.total_size_bytes, bytes));
  return all;
}

SafeTensors read_safetensors_folder(const fs::path& folder, const std::string& stem) {
  const fs::path whole = folder / (stem + ".safetensors");
  const fs::path index = folder / (stem + ".safetensors.index.json");
  if (fs::exists(whole)) return read_safetensors(whole);
  if (fs::exists(index)) return read_sharded_safetensors(index);
  throw Error(Kind::kNotFound,
              fmt::format("{}: no weights. Expected {} or {} in it.", folder.string(),
                          whole.filename().string(), index.filename().string()));
}

}  // namespace tandem
