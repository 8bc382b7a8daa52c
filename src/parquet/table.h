// tandem-parquet: Parquet files to JSON lines and back. A program of its own: Arrow's libraries
// cost tandem no start-up time, and a hostile file ends this process, within its memory, and no
// other. src/data/parquet.cc is the other end.
//
// read FILE   stdout := header row*      header := {"rows":N,"columns":["image_path", …]}
//                                        row := an object, a key a column; nothing for null
// write FILE  stdin := header row* end   header := {"columns":[{"name":…,"type":…}, …]}
//                                        type := "string" | "integer" | "number" | "boolean"
//                                        end := {"rows":N}, as many as there were; without it, as
//                                        after a kill, no file is written
// Failures: one line on stderr, and the exit code of the error's kind.
#pragma once

#include <cstdint>
#include <filesystem>
#include <istream>
#include <ostream>

namespace tandem::parquet_program {

void read_table(const std::filesystem::path& file, std::ostream& out);
void write_table(const std::filesystem::path& file, std::istream& in);

}  // namespace tandem::parquet_program
