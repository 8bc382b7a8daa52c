// A web page of search results in one file: each query with its best pictures.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "index/collection.h"

namespace tandem::cli {

struct SheetRow {
  std::string query;
  std::vector<Hit> hits;  // best first
};

struct Sheet {
  std::string title;
  std::string subtitle;  // what was searched, with which model
  std::vector<SheetRow> rows;
};

// Writes the page atomically. Small pictures are put into it; larger ones are linked relative to
// it.
void write_contact_sheet(const std::filesystem::path& file, const Sheet& sheet);

}  // namespace tandem::cli
