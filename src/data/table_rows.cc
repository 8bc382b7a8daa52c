// csv    := record (newline record)* ;  record := cell (separator cell)*
// cell   := [^separator newline "]* | '"' ([^"] | '""')* '"'
#include "data/table_rows.h"

#include <fmt/format.h>

#include "tandem/error.h"

#include "core/files.h"
#include "data/parquet.h"

namespace tandem {
namespace {

class CsvParser {
 public:
  CsvParser(std::string_view text, char separator, const std::string& name)
      : text_(text), separator_(separator), name_(name) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }

  bool done() const { return at_ >= text_.size(); }
  std::size_t line() const { return line_; }

  std::vector<std::string> record() {
    std::vector<std::string> cells;
    do {
      cells.push_back(cell());
    } while (accept(separator_));
    accept('\r');
    if (!done() && !accept('\n')) {
      throw Error(Kind::kInput,
                  fmt::format("{}: line {}: text behind a closing quote. Expected the "
                              "next cell.",
                              name_, line_));
    }
    ++line_;
    return cells;
  }

 private:
  bool accept(char c) {
    if (done() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::string cell() {
    if (accept('"')) return quoted();
    const char stops[] = {separator_, '\n', '\0'};
    const auto end = std::min(text_.find_first_of(std::string_view(stops, 2), at_), text_.size());
    auto cell = text_.substr(at_, end - at_);
    at_ = end;
    if (cell.ends_with('\r') && (done() || text_[at_] == '\n')) cell.remove_suffix(1);
    return std::string(cell);
  }

  std::string quoted() {
    const auto begin = line_;
    std::string cell;
    while (true) {
      const auto end = text_.find('"', at_);
      if (end == std::string_view::npos) {
        throw Error(Kind::kInput,
                    fmt::format("{}: the quote in line {} does not end.", name_, begin));
      }
      const auto part = text_.substr(at_, end - at_);
      for (const char c : part) line_ += c == '\n' ? 1 : 0;
      cell += part;
      at_ = end + 1;
      if (!accept('"')) return cell;
      cell += '"';
    }
  }

  std::string_view text_;
  char separator_;
  const std::string& name_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

// "007" stays text: JSON numbers have no leading zeros.
json::value value_of(const std::string& cell) {
  const bool may_be_number =
      !cell.empty() && cell.size() < 32 && cell.find_first_not_of("0123456789+-.eE") == cell.npos;
  if (may_be_number) {
    boost::system::error_code error;
    auto number = boost::json::parse(cell, error);
    if (!error && number.is_number()) return number;
  }
  return json::value(cell);
}

void each_csv_row(const std::filesystem::path& file, char separator,
                  const std::function<void(json::object, std::size_t)>& row) {
  const auto text = read_text_file(file, std::size_t{1} << 31);
  std::vector<std::string> columns;
  std::size_t number = 0;
  each_record(text, separator, file.string(),
              [&](std::vector<std::string>& cells, std::size_t line) {
                if (columns.empty()) {
                  columns = std::move(cells);
                  return;
                }
                if (cells.size() == 1 && cells[0].empty()) return;  // an empty line
                if (cells.size() > columns.size()) {
                  throw Error(Kind::kInput,
                              fmt::format("{}: line {} has {} cells, but there are {} columns. "
                                          "Expected quotes around a cell that holds a separator.",
                                          file.string(), line, cells.size(), columns.size()));
                }
                json::object object;
                for (std::size_t i = 0; i < cells.size(); ++i) {
                  if (!cells[i].empty()) object[columns[i]] = value_of(cells[i]);
                }
                row(std::move(object), ++number);
              });
}

void each_json_line(const std::filesystem::path& file,
                    const std::function<void(json::object, std::size_t)>& row) {
  const auto text = read_text_file(file, std::size_t{1} << 31);
  std::size_t number = 0;
  std::size_t line_number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    const auto line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    ++line_number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto name = fmt::format("{}: line {}", file.string(), line_number);
    auto value = json::parse(line, name);
    if (!value.is_object()) throw Error(Kind::kInput, name + ": expected a JSON object.");
    row(std::move(value.as_object()), ++number);
  }
}

void each_parquet_row(const std::filesystem::path& file,
                      const std::function<void(json::object, std::size_t)>& row) {
  ParquetReader reader(file);
  std::size_t number = 0;
  while (auto object = reader.next()) row(std::move(*object), ++number);
}

}  // namespace

std::optional<TableFormat> table_format(const std::filesystem::path& file) {
  const auto extension = file.extension();
  if (extension == ".csv") return TableFormat::kCsv;
  if (extension == ".tsv") return TableFormat::kTsv;
  if (extension == ".jsonl" || extension == ".ndjson") return TableFormat::kJsonLines;
  if (extension == ".parquet") return TableFormat::kParquet;
  return {};
}

void each_row(const std::filesystem::path& file, TableFormat format,
              const std::function<void(json::object, std::size_t)>& row) {
  switch (format) {
    case TableFormat::kCsv:
      return each_csv_row(file, ',', row);
    case TableFormat::kTsv:
      return each_csv_row(file, '\t', row);
    case TableFormat::kJsonLines:
      return each_json_line(file, row);
    case TableFormat::kParquet:
      return each_parquet_row(file, row);
  }
}

void each_record(std::string_view text, char separator, const std::string& name,
                 const std::function<void(std::vector<std::string>&, std::size_t)>& record) {
  CsvParser parser(text, separator, name);
  while (!parser.done()) {
    const auto line = parser.line();
    auto cells = parser.record();
    record(cells, line);
  }
}

}  // namespace tandem
