#include "engine/hub_download.h"

#include <charconv>
#include <exception>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "core/sha256.h"
#include "engine/hub_cache.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

// A try that brought this much was no failure: only tries in a row without progress are counted.
constexpr std::uint64_t kProgressBytes = 4 << 20;

std::optional<std::uint64_t> read_count(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// W/"abc" and "abc" are abc.
std::string bare_etag(std::string text) {
  if (text.starts_with("W/")) text.erase(0, 2);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
    text = text.substr(1, text.size() - 2);
  return text;
}

// An etag names a file, so it may hold nothing that a path gives a meaning to.
bool is_blob_name(std::string_view text) {
  constexpr std::string_view kAllowed =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-";
  return !text.empty() && text.size() <= 128 && text.find_first_not_of(kAllowed) == text.npos;
}

std::string etag_of(const HttpResponse& response) {
  const auto linked = response.origin_header("x-linked-etag");
  return bare_etag(linked.empty() ? response.origin_header("etag") : linked);
}

// The first byte of "bytes 5-9/10" when the rest agrees with what is expected.
std::optional<std::uint64_t> range_start(std::string text, std::optional<std::uint64_t> size) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.erase(0, 6);
  const auto dash = text.find('-');
  const auto slash = text.find('/');
  if (dash == text.npos || slash == text.npos || slash < dash) return std::nullopt;
  const auto total = text.substr(slash + 1);
  if (total != "*" && size && read_count(total) != size) return std::nullopt;
  return read_count(std::string_view(text).substr(0, dash));
}

// ETAG.incomplete, open for as long as the download lasts.
class Incomplete {
 public:
  explicit Incomplete(const fs::path& blob) : path_(blob.string() + ".incomplete") {
    fs::create_directories(blob.parent_path());
    fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd_ < 0) throw_errno("cannot open", path_);
    struct stat about{};
    if (fstat(fd_, &about) != 0) throw_errno("cannot read", path_);
    size_ = static_cast<std::uint64_t>(about.st_size);
  }
  ~Incomplete() {
    close(fd_);
    if (size_ == 0) unlink(path_.c_str());  // nothing to resume
  }
  Incomplete(const Incomplete&) = delete;
  Incomplete& operator=(const Incomplete&) = delete;

  std::uint64_t size() const { return size_; }
  const std::string& path() const { return path_; }
  void clear() {
    if (ftruncate(fd_, 0) != 0) throw_errno("cannot empty", path_);
    size_ = 0;
  }
  void append(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto wrote = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) throw_errno("cannot write", path_);
      size_ += static_cast<std::uint64_t>(wrote);
      bytes = bytes.subspan(static_cast<std::size_t>(wrote));
    }
  }
  // The whole file gets its name; durable when this returns.
  void become(const fs::path& blob) const {
    if (fsync(fd_) != 0) throw_errno("cannot write", path_);
    fs::rename(path_, blob);
    sync_folder(blob.parent_path());
  }

 private:
  std::string path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

class Download {
 public:
  Download(HubConnection& hub, const BlobRequest& request)
      : hub_(hub), request_(request), file_(request.blob), checked_(is_sha256(request.facts.etag)) {
    const auto size = request_.facts.size_bytes;
    if (size && file_.size() > *size) file_.clear();
  }

  BlobOutcome run() {
    while (true) {
      if (!has_all()) {
        const auto outcome = try_once();
        if (outcome == Try::kCut) continue;
        if (outcome == Try::kChanged) return BlobOutcome::kChanged;
        if (outcome == Try::kInterrupted) return BlobOutcome::kInterrupted;
      }
      if (is_right()) break;
    }
    file_.become(request_.blob);
    return BlobOutcome::kWhole;
  }

 private:
  enum class Try { kEnded, kCut, kChanged, kInterrupted };

  // Enough to be checked. A file without a checksum is whole only when its transfer ended well.
  bool has_all() const { return checked_ && request_.facts.size_bytes == file_.size(); }
  Try try_once();
  bool begin(const HttpResponse& head);
  bool take(const HttpResponse& head, std::span<const std::byte> piece);
  bool is_right();

  HubConnection& hub_;
  const BlobRequest& request_;
  Incomplete file_;
  bool checked_;        // the etag is a sha256
  bool begun_ = false;  // this try's body has begun
  bool changed_ = false;
  bool wrong_once_ = false;
  int failures_ = 0;
  std::string trouble_;  // why this try's body was refused
  std::exception_ptr write_error_;
};

// The head of a body: where its first byte belongs.
bool Download::begin(const HttpResponse& head) {
  begun_ = true;
  const bool hub_says = !head.origin_header("x-linked-etag").empty() ||
                        (!head.left_origin && !head.header("etag").empty());
  if (hub_says && etag_of(head) != request_.facts.etag) {
    changed_ = true;
    return false;
  }
  if (head.status != 206) {
    file_.clear();  // it sends the whole file, asked to or not
    return true;
  }
  const auto size = request_.facts.size_bytes;
  if (range_start(head.header("content-range"), size) == file_.size()) return true;
  trouble_ = "it resumed at another place than asked for";
  file_.clear();
  return false;
}

bool Download::take(const HttpResponse& head, std::span<const std::byte> piece) {
  try {
    if (!begun_ && !begin(head)) return false;
    const auto size = request_.facts.size_bytes;
    if (size && file_.size() + piece.size() > *size) {
      trouble_ =
          fmt::format("it sent more than the {} bytes that it announced", with_thousands(*size));
      file_.clear();
      return false;
    }
    file_.append(piece);
    if (request_.came) request_.came(file_.size());
    return true;
  } catch (...) {
    write_error_ = std::current_exception();  // not through libcurl's C
    return false;
  }
}

Download::Try Download::try_once() {
  if (!checked_) file_.clear();  // nothing would say that two halves belong together
  const auto before = file_.size();
  begun_ = changed_ = false;
  trouble_.clear();
  HttpRequest request{.url = request_.url};
  if (before > 0) request.headers = {fmt::format("Range: bytes={}-", before)};
  auto response = hub_.once(
      request, [this](const HttpResponse& head, auto piece) { return take(head, piece); });
  if (write_error_) std::rethrow_exception(write_error_);
  if (response.interrupted) return Try::kInterrupted;
  if (response.ok() && !begun_ && !begin(response) && !changed_) response.failure = trouble_;
  if (changed_) return Try::kChanged;
  const auto size = request_.facts.size_bytes;
  if (has_all() ||
      (response.ok() && trouble_.empty() && size.value_or(file_.size()) == file_.size()))
    return Try::kEnded;
  if (response.status == 416) {
    file_.clear();
    trouble_ = "it does not resume";
  } else if (response.ok() && trouble_.empty()) {
    trouble_ = fmt::format("it ended after {} of {} bytes", with_thousands(file_.size()),
                           with_thousands(size.value_or(0)));
  }
  if (!trouble_.empty()) {
    response.failure = trouble_;
    response.worth_retry = true;
  }
  if (file_.size() >= before + kProgressBytes) failures_ = 0;
  return hub_.wait(response, request_.what, failures_) ? Try::kCut : Try::kInterrupted;
}

bool Download::is_right() {
  if (!checked_) return true;
  const auto got = hex(sha256(MappedFile(file_.path()).bytes()));
  if (got == request_.facts.etag) return true;
  file_.clear();
  const auto told =
      fmt::format("the hub names sha256 {}, what came has {}", request_.facts.etag, got);
  if (wrong_once_) {
    throw Error(Kind::kCorrupt,
                fmt::format("{}: {}, twice. Expected the same; nothing was kept. Try later, or "
                            "another HF_ENDPOINT.",
                            request_.what, told));
  }
  wrong_once_ = true;
  hub_.log().warn(fmt::format("{}: {}. Fetching it again from its start.", request_.what, told));
  return false;
}

}  // namespace

BlobOutcome download_blob(HubConnection& hub, const BlobRequest& request) {
  return Download(hub, request).run();
}

bool is_whole(const fs::path& blob, const BlobFacts& facts) {
  std::error_code error;
  const auto size = fs::file_size(blob, error);
  if (error || (facts.size_bytes && size != *facts.size_bytes)) return false;
  return !is_sha256(facts.etag) || hex(sha256(MappedFile(blob).bytes())) == facts.etag;
}

BlobFacts read_facts(const HttpResponse& response, const std::string& what) {
  BlobFacts facts{.etag = etag_of(response)};
  if (!is_blob_name(facts.etag)) {
    throw Error(Kind::kNetwork, what + ": the answer has no usable ETag (\"" + facts.etag +
                                    "\"). Expected a hub's answer: check HF_ENDPOINT.");
  }
  const auto linked = response.origin_header("x-linked-size");
  const bool direct = response.status >= 200 && response.status < 300;
  const auto text = linked.empty() && direct ? response.header("content-length") : linked;
  facts.size_bytes = read_count(text);
  if (!text.empty() && !facts.size_bytes) {
    throw Error(Kind::kNetwork,
                what + ": its size is \"" + text + "\". Expected a number: check HF_ENDPOINT.");
  }
  return facts;
}

}  // namespace tandem
