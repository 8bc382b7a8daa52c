#include "data/parquet.h"

#include "tandem/error.h"

namespace tandem {
namespace {

std::unique_ptr<ChildProcess> start(const char* verb, const std::filesystem::path& file,
                                    ChildProcess::Direction direction) {
  const auto program = program_folder() / "tandem-parquet";
  if (!std::filesystem::exists(program)) {
    throw Error(Kind::kUnsupported, file.string() + ": Parquet needs the program " +
                                        program.string() +
                                        ", which is not there. Build it (it needs Arrow), or "
                                        "put it beside tandem.");
  }
  // An absolute path cannot be taken for anything else.
  return std::make_unique<ChildProcess>(
      program, std::vector<std::string>{verb, std::filesystem::absolute(file).string()}, direction);
}

// Exit codes 10… are the error's kind (parquet/main.cc).
void check_end(const ChildProcess::End& end, const std::filesystem::path& file) {
  if (end.exit_code == 0) return;
  const int kind = end.exit_code - 10;
  if (kind >= 0 && kind <= static_cast<int>(Kind::kInternal))
    throw Error(static_cast<Kind>(kind), end.message);
  throw Error(Kind::kCorrupt,
              file.string() + ": the program that reads Parquet " +
                  (end.signal > 0 ? "was killed by signal " + std::to_string(end.signal)
                                  : "ended with code " + std::to_string(end.exit_code)) +
                  ". Its table is damaged or takes too much memory. " + end.message);
}

std::string_view type_name(ParquetColumn::Type type) {
  switch (type) {
    case ParquetColumn::Type::kString:
      return "string";
    case ParquetColumn::Type::kInteger:
      return "integer";
    case ParquetColumn::Type::kNumber:
      return "number";
    case ParquetColumn::Type::kBoolean:
      return "boolean";
  }
  return "string";
}

}  // namespace

ParquetReader::ParquetReader(const std::filesystem::path& file) : file_(file) {
  if (!std::filesystem::exists(file))
    throw Error(Kind::kNotFound, "cannot open " + file.string() + ": no such file.");
  child_ = start("read", file, ChildProcess::Direction::kFromChild);
  std::string line;
  if (!child_->read_line(line)) {
    check_end(child_->finish(), file_);
    throw Error(Kind::kCorrupt, file.string() + ": no table in it.");
  }
  const auto header = json::parse(line, file.string());
  const json::Reader reader(header, file.string());
  rows_ = static_cast<std::uint64_t>(reader.integer("rows"));
  for (const auto& column : reader.raw().at("columns").as_array())
    columns_.emplace_back(column.as_string());
}

std::optional<json::object> ParquetReader::next() {
  if (child_ == nullptr) return {};
  std::string line;
  if (!child_->read_line(line)) {
    const auto end = child_->finish();
    child_ = nullptr;
    check_end(end, file_);
    if (given_ != rows_) {
      throw Error(Kind::kCorrupt, file_.string() + ": " + std::to_string(given_) +
                                      " rows, but its footer says " + std::to_string(rows_) + ".");
    }
    return {};
  }
  ++given_;
  auto row = json::parse(line, file_.string() + ": row " + std::to_string(given_));
  return std::move(row.as_object());
}

ParquetWriter::ParquetWriter(const std::filesystem::path& file,
                             const std::vector<ParquetColumn>& columns)
    : file_(file), child_(start("write", file, ChildProcess::Direction::kToChild)) {
  json::array list;
  for (const auto& column : columns)
    list.push_back(json::object{{"name", column.name}, {"type", type_name(column.type)}});
  child_->write(json::dump(json::object{{"columns", std::move(list)}}) + "\n");
}

void ParquetWriter::add(const json::object& row) {
  child_->write(json::dump(row) + "\n");
  ++rows_;
}

void ParquetWriter::finish() {
  child_->write(json::dump(json::object{{"rows", rows_}}) + "\n");
  check_end(child_->finish(), file_);
}

}  // namespace tandem
