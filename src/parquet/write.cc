#include <arrow/api.h>
#include <arrow/io/interfaces.h>
#include <parquet/arrow/writer.h>

#include "core/files.h"
#include "core/json.h"
#include "parquet/arrow_error.h"
#include "parquet/table.h"

namespace tandem::parquet_program {
namespace {

constexpr std::int64_t kGroupRows = 1 << 16;

// Arrow's bytes to a file that appears when it is whole.
class Sink : public arrow::io::OutputStream {
 public:
  explicit Sink(const std::filesystem::path& path) : file_(path) {}
  arrow::Status Write(const void* data, std::int64_t size) override {
    try {
      file_.write(std::span(static_cast<const std::byte*>(data), static_cast<std::size_t>(size)));
    } catch (const Error& e) {
      failure_ = e;
      return arrow::Status::IOError(e.what());
    }
    return arrow::Status::OK();
  }
  arrow::Result<std::int64_t> Tell() const override {
    return static_cast<std::int64_t>(file_.size());
  }
  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }
  void commit() { file_.commit(); }
  // What write() threw, rather than Arrow's words for it.
  void rethrow() const {
    if (failure_) throw *failure_;
  }

 private:
  AtomicFile file_;
  std::optional<Error> failure_;
  bool closed_ = false;
};

struct Column {
  std::string name;
  std::shared_ptr<arrow::DataType> type;
  std::unique_ptr<arrow::ArrayBuilder> builder;
};

std::shared_ptr<arrow::DataType> type_named(const std::string& name) {
  if (name == "string") return arrow::utf8();
  if (name == "integer") return arrow::int64();
  if (name == "number") return arrow::float64();
  if (name == "boolean") return arrow::boolean();
  throw Error(Kind::kInput, "column type \"" + name + "\" is not one of this program's.");
}

std::vector<Column> columns_of(const std::string& header) {
  const auto parsed = json::parse(header, "the table's header");
  const auto* list = json::Reader(parsed, "the table's header").find("columns");
  if (list == nullptr || !list->is_array()) throw Error(Kind::kInput, "a table without columns.");
  std::vector<Column> columns;
  for (const auto& entry : list->as_array()) {
    const json::Reader column(entry, "the table's header: columns");
    columns.push_back({column.text("name"), type_named(column.text("type")), nullptr});
    columns.back().builder = arrow::MakeBuilder(columns.back().type).ValueOrDie();
  }
  return columns;
}

arrow::Status append(arrow::ArrayBuilder& builder, arrow::Type::type type,
                     const json::value& value) {
  switch (type) {
    case arrow::Type::STRING:
      if (value.is_string())
        return static_cast<arrow::StringBuilder&>(builder).Append(
            std::string_view(value.as_string()));
      return static_cast<arrow::StringBuilder&>(builder).Append(json::dump(value));
    case arrow::Type::INT64:
      return static_cast<arrow::Int64Builder&>(builder).Append(value.to_number<std::int64_t>());
    case arrow::Type::DOUBLE:
      return static_cast<arrow::DoubleBuilder&>(builder).Append(value.to_number<double>());
    default:
      return static_cast<arrow::BooleanBuilder&>(builder).Append(value.as_bool());
  }
}

class TableWriter {
 public:
  TableWriter(const std::filesystem::path& file, std::vector<Column> columns)
      : name_(file.string()), sink_(std::make_shared<Sink>(file)), columns_(std::move(columns)) {
    arrow::FieldVector fields;
    for (const auto& column : columns_) fields.push_back(arrow::field(column.name, column.type));
    schema_ = arrow::schema(fields);
    const auto properties =
        parquet::WriterProperties::Builder().compression(parquet::Compression::SNAPPY)->build();
    writer_ = checked(
        parquet::arrow::FileWriter::Open(*schema_, arrow::default_memory_pool(), sink_, properties),
        name_);
  }

  void add(const std::string& line) {
    const auto row = json::parse(line, name_ + ": a row");
    const json::Reader reader(row, name_ + ": a row");
    for (auto& column : columns_) {
      const auto* value = reader.find(column.name);
      done(value == nullptr ? column.builder->AppendNull()
                            : append(*column.builder, column.type->id(), *value));
    }
    if (++pending_ == kGroupRows) flush();
  }

  void finish() {
    flush();
    done(writer_->Close());
    sink_->commit();
  }

 private:
  void flush() {
    if (pending_ == 0) return;
    arrow::ArrayVector arrays;
    for (auto& column : columns_) arrays.push_back(checked(column.builder->Finish(), name_));
    const auto batch = arrow::RecordBatch::Make(schema_, pending_, std::move(arrays));
    done(writer_->NewBufferedRowGroup());
    done(writer_->WriteRecordBatch(*batch));
    pending_ = 0;
  }
  void done(const arrow::Status& status) const {
    if (!status.ok()) sink_->rethrow();
    if (!status.ok()) throw Error(Kind::kIo, "cannot write " + name_ + ": " + status.message());
  }

  std::string name_;
  std::shared_ptr<Sink> sink_;
  std::vector<Column> columns_;
  std::shared_ptr<arrow::Schema> schema_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  std::int64_t pending_ = 0;
};

}  // namespace

void write_table(const std::filesystem::path& file, std::istream& in) {
  std::string line;
  if (!std::getline(in, line)) throw Error(Kind::kInput, "no table came in.");
  TableWriter writer(file, columns_of(line));
  // A line is a row once another follows it; the last one is the end.
  std::string previous;
  std::int64_t rows = -1;
  while (std::getline(in, line)) {
    if (rows >= 0) writer.add(previous);
    ++rows;
    previous.swap(line);
  }
  const auto end =
      rows < 0 ? json::value(json::object()) : json::parse(previous, "the table's end");
  if (rows < 0 || json::Reader(end, "the table's end").integer("rows", -1) != rows)
    throw Error(Kind::kIo, file.string() + " was not written: the table ended early.");
  writer.finish();
}

}  // namespace tandem::parquet_program
