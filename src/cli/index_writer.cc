#include "cli/index_writer.h"

#include <algorithm>

namespace tandem::cli {
namespace {

namespace fs = std::filesystem;

// Batches that wait for the disk; more would only hold memory.
constexpr std::size_t kWaiting = 4;

}  // namespace

IndexWriter::IndexWriter(Store& store, const IndexPlan& plan, const CaptionSources& captions)
    : store_(store), plan_(plan), captions_(captions), queue_(kWaiting), thread_([this] {
        run();
      }) {}

IndexWriter::~IndexWriter() {
  queue_.close();
  if (thread_.joinable()) thread_.join();
}

bool IndexWriter::knows(const std::string& sha256) const {
  if (!plan_.with_content(sha256).empty()) return true;
  const std::lock_guard lock(mutex_);
  return stored_.contains(sha256);
}

void IndexWriter::add(Item item, std::span<const float> vector) {
  batch_.items.push_back(std::move(item));
  batch_.vectors.insert(batch_.vectors.end(), vector.begin(), vector.end());
  submit_when_due();
}

void IndexWriter::add_known(KnownContent content) {
  batch_.known.push_back(std::move(content));
  submit_when_due();
}

void IndexWriter::finish() {
  submit();
  queue_.close();
  thread_.join();
  if (failure_) std::rethrow_exception(failure_);
}

void IndexWriter::submit_when_due() {
  const bool full = batch_.items.size() + batch_.known.size() >= kCommitRows;
  if (full || std::chrono::steady_clock::now() - last_ > kCommitTime) submit();
}

void IndexWriter::submit() {
  last_ = std::chrono::steady_clock::now();
  if (batch_.items.empty() && batch_.known.empty()) return;
  Batch full;
  std::swap(full, batch_);
  if (queue_.push(std::move(full))) return;
  const std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
}

void IndexWriter::run() {
  try {
    while (auto batch = queue_.pop()) {
      store_new(*batch);
      store_known(batch->known);
    }
  } catch (...) {  // a thread's edge: it comes out of submit() or finish()
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
    queue_.close();
  }
}

void IndexWriter::store_new(Batch& batch) {
  if (batch.items.empty()) return;
  Matrix matrix;
  matrix.rows = batch.items.size();
  matrix.cols = batch.vectors.size() / batch.items.size();
  matrix.values = std::move(batch.vectors);
  store_.upsert(batch.items, matrix);
  counts_.added += batch.items.size();
  const std::lock_guard lock(mutex_);
  for (const auto& item : batch.items) stored_.insert(item.sha256);
}

// A row whose file is not there any more, or whose path is only another spelling.
bool IndexWriter::gone(const Item& row, const std::string& new_uri) const {
  const auto& vanished = plan_.vanished();
  if (std::binary_search(vanished.begin(), vanished.end(), row.id)) return true;
  if (fs::path(row.uri).lexically_normal() == fs::path(new_uri).lexically_normal()) return true;
  std::error_code error;
  return row.kind == ItemKind::kPicture && !fs::exists(row.uri, error) && !error;
}

IndexWriter::Source IndexWriter::source_of(const KnownContent& content, Item& source) {
  auto rows = store_.items(plan_.with_content(content.sha256));
  std::erase_if(rows, [&](const Item& row) { return row.sha256 != content.sha256; });
  const auto uri = content.file.path.string();
  const auto own =
      std::find_if(rows.begin(), rows.end(), [&](const Item& row) { return row.uri == uri; });
  if (own != rows.end()) {
    source = *own;
    return Source::kMove;
  }
  const auto moved = std::find_if(rows.begin(), rows.end(), [&](const Item& row) {
    return !claimed_.contains(row.id) && gone(row, uri);
  });
  if (moved != rows.end()) {
    source = *moved;
    return Source::kMove;
  }
  if (rows.empty()) return Source::kNone;
  source = rows.front();
  return Source::kCopy;
}

void IndexWriter::store_known(std::vector<KnownContent>& known) {
  std::vector<Item> moves;
  for (auto& content : known) {
    Item source;
    const auto kind = source_of(content, source);
    if (kind == Source::kNone) {
      left_over_.push_back(content.task);
      continue;
    }
    Item item = source;
    item.uri = content.file.path.string();
    item.size_bytes = content.file.size_bytes;
    item.mtime_ns = content.file.mtime_ns;
    if (kind == Source::kMove) {
      captions_.apply(content.texts, content.facts, source.metadata_json, item);
      claimed_.insert(source.id);
      ++(source.uri == item.uri ? counts_.updated : counts_.moved);
      moves.push_back(std::move(item));
    } else {
      item.caption.clear();
      captions_.apply(content.texts, content.facts, "{}", item);
      const std::int64_t id = source.id;
      store_.upsert(std::span(&item, 1), store_.vectors(std::span(&id, 1)));
      ++counts_.reused;
    }
  }
  if (!moves.empty()) store_.update(moves);
}

}  // namespace tandem::cli
