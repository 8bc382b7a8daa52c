#include <arrow/api.h>
#include <arrow/io/file.h>
#include <arrow/memory_pool.h>
#include <parquet/arrow/reader.h>

#include "core/json.h"
#include "parquet/arrow_error.h"
#include "parquet/table.h"

namespace tandem::parquet_program {
namespace {

// Rows decoded at a time.
constexpr std::int64_t kBatchRows = 4096;
constexpr int kDeepest = 16;  // lists in lists

json::value cell(const arrow::Array& array, std::int64_t i, int depth);

template <typename ArrayType>
json::value number(const arrow::Array& array, std::int64_t i) {
  return static_cast<const ArrayType&>(array).Value(i);
}

template <typename ArrayType>
json::value text(const arrow::Array& array, std::int64_t i) {
  return json::value(std::string(static_cast<const ArrayType&>(array).GetView(i)));
}

template <typename ArrayType>
json::value list(const arrow::Array& array, std::int64_t i, int depth) {
  const auto& lists = static_cast<const ArrayType&>(array);
  json::array out;
  for (std::int64_t j = 0; j < lists.value_length(i); ++j)
    out.push_back(cell(*lists.values(), lists.value_offset(i) + j, depth + 1));
  return out;
}

json::value structure(const arrow::Array& array, std::int64_t i, int depth) {
  const auto& fields = static_cast<const arrow::StructArray&>(array);
  json::object out;
  for (int f = 0; f < fields.num_fields(); ++f) {
    auto value = cell(*fields.field(f), i, depth + 1);
    if (!value.is_null()) out[fields.struct_type()->field(f)->name()] = std::move(value);
  }
  return out;
}

// What has no JSON of its own (dates, decimals, …) becomes the text that Arrow shows.
json::value shown(const arrow::Array& array, std::int64_t i) {
  const auto scalar = array.GetScalar(i);
  return scalar.ok() ? json::value((*scalar)->ToString()) : json::value();
}

json::value cell(const arrow::Array& array, std::int64_t i, int depth) {
  if (depth > kDeepest || array.IsNull(i)) return nullptr;
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return static_cast<const arrow::BooleanArray&>(array).Value(i);
    case arrow::Type::INT8:
      return number<arrow::Int8Array>(array, i);
    case arrow::Type::INT16:
      return number<arrow::Int16Array>(array, i);
    case arrow::Type::INT32:
      return number<arrow::Int32Array>(array, i);
    case arrow::Type::INT64:
      return number<arrow::Int64Array>(array, i);
    case arrow::Type::UINT8:
      return number<arrow::UInt8Array>(array, i);
    case arrow::Type::UINT16:
      return number<arrow::UInt16Array>(array, i);
    case arrow::Type::UINT32:
      return number<arrow::UInt32Array>(array, i);
    case arrow::Type::UINT64:
      return number<arrow::UInt64Array>(array, i);
    case arrow::Type::FLOAT:
      return number<arrow::FloatArray>(array, i);
    case arrow::Type::DOUBLE:
      return number<arrow::DoubleArray>(array, i);
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return text<arrow::BinaryArray>(array, i);
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
      return text<arrow::LargeBinaryArray>(array, i);
    case arrow::Type::LIST:
      return list<arrow::ListArray>(array, i, depth);
    case arrow::Type::LARGE_LIST:
      return list<arrow::LargeListArray>(array, i, depth);
    case arrow::Type::STRUCT:
      return structure(array, i, depth);
    case arrow::Type::DICTIONARY: {
      const auto& words = static_cast<const arrow::DictionaryArray&>(array);
      return cell(*words.dictionary(), words.GetValueIndex(i), depth + 1);
    }
    default:
      return shown(array, i);
  }
}

void write_rows(const arrow::RecordBatch& batch, std::ostream& out) {
  for (std::int64_t i = 0; i < batch.num_rows(); ++i) {
    json::object row;
    for (int c = 0; c < batch.num_columns(); ++c) {
      auto value = cell(*batch.column(c), i, 0);
      if (!value.is_null()) row[batch.column_name(c)] = std::move(value);
    }
    out << json::dump(row) << '\n';
  }
}

}  // namespace

void read_table(const std::filesystem::path& file, std::ostream& out) {
  const auto name = file.string();
  parquet::arrow::FileReaderBuilder builder;
  check(builder.OpenFile(name), name);
  parquet::ArrowReaderProperties properties(/*use_threads=*/false);
  properties.set_batch_size(kBatchRows);
  properties.set_pre_buffer(false);  // it would read a whole row group first
  builder.properties(properties)->memory_pool(arrow::system_memory_pool());
  const auto reader = checked(builder.Build(), name);

  std::shared_ptr<arrow::Schema> schema;
  check(reader->GetSchema(&schema), name);
  json::array columns;
  for (const auto& field : schema->fields()) columns.emplace_back(field->name());
  const auto rows = reader->parquet_reader()->metadata()->num_rows();
  out << json::dump(json::object{{"rows", rows}, {"columns", std::move(columns)}}) << '\n';

  const auto batches = checked(reader->GetRecordBatchReader(), name);
  while (out) {
    const auto batch = checked(batches->Next(), name);
    if (batch == nullptr) break;
    check(batch->ValidateFull(), name);
    write_rows(*batch, out);
  }
}

}  // namespace tandem::parquet_program
