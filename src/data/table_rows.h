// Tables that people keep beside their pictures, as JSON objects, one a row: CSV and TSV with a
// line of column names, JSON lines, Parquet.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace tandem {

enum class TableFormat { kCsv, kTsv, kJsonLines, kParquet };
// By the file's extension (.csv, .tsv, .jsonl, .ndjson, .parquet); nothing for other names.
std::optional<TableFormat> table_format(const std::filesystem::path& file);

// Calls row(object, number) for every row, from 1. Cells of CSV and TSV that read as JSON numbers
// are numbers, empty ones are left out, all others text. Throws kNotFound, kIo, kInput (a row with
// more cells than columns, a quote without its end, a line that is no JSON object; naming the
// line), and what ParquetReader throws.
void each_row(const std::filesystem::path& file, TableFormat format,
              const std::function<void(json::object, std::size_t)>& row);

// The records of CSV text (RFC 4180; "," or tab between cells), calling record(cells, line).
// Throws kInput naming `name` and the line. A byte order mark is passed over.
void each_record(std::string_view text, char separator, const std::string& name,
                 const std::function<void(std::vector<std::string>&, std::size_t)>& record);

}  // namespace tandem
