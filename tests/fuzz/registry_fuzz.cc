// Any bytes as what pull reads from the hub and from assets/models: the list of a repository's
// files, the index of sharded weights, a row. Refused with an Error, or names that stay in a
// folder.
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "engine/hub_cache.h"
#include "engine/hub_files.h"
#include "engine/model_row.h"

namespace {

void check_name(const std::string& name) {
  if (!tandem::is_hub_file(name) || name.front() == '/' || name == "..") std::abort();
}

template <typename Read>
void refused_or(const Read& read) {
  try {
    read();
  } catch (const tandem::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  refused_or([&] {
    const auto listing = tandem::parse_listing(text, "listing");
    if (!tandem::is_commit(listing.commit)) std::abort();
    const auto choice = tandem::choose_files(listing, "org/name");
    for (const auto& name : choice.before) check_name(name);
    check_name(choice.weights);
  });
  refused_or([&] {
    for (const auto& name : tandem::shards_of(text, "index")) check_name(name);
  });
  refused_or([&] {
    const auto row = tandem::parse_row(text, "row");
    if (row.hub && !tandem::is_repository(row.hub->repository)) std::abort();
    for (const auto& file : row.files) check_name(file.name);
    (void)tandem::config_number(row, "vision_cfg.image_size");
  });
  refused_or([&] {
    const auto name = tandem::read_hub_name(text);
    if (name && !tandem::is_repository(name->repository)) std::abort();
  });
  return 0;
}
