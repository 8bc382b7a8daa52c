#include "engine/hub.h"

#include <algorithm>
#include <fmt/format.h>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "engine/hub_download.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostIndexBytes = 64 << 20;
constexpr int kMostChanges = 3;  // times that a file may change on the hub while it is fetched

std::string megabytes(std::uint64_t bytes) {
  return with_thousands((bytes + 999'999) / 1'000'000) + " MB";
}

class Puller {
 public:
  Puller(const PullRequest& request, const HubOptions& options)
      : request_(request),
        options_(options),
        hub_(options),
        folder_(repository_folder(options.cache, request.name.repository)) {}

  PullResult run();

 private:
  struct Wanted {
    std::string name;
    BlobFacts facts;
    bool here = false;
  };

  bool list(HubListing& listing);
  bool ask_facts(Wanted& file);
  bool plan(const std::vector<std::string>& names, std::vector<Wanted>& files);
  bool fetch_all(std::vector<Wanted>& files);
  bool fetch(Wanted& file);
  bool fetch_shards(const std::string& index);
  void check_room(const std::vector<Wanted>& files) const;
  void check_published(const Wanted& file) const;
  void finish();

  fs::path blob(const Wanted& file) const { return folder_ / "blobs" / file.facts.etag; }
  std::string what(const std::string& file) const { return request_.name.repository + "/" + file; }

  const PullRequest& request_;
  const HubOptions& options_;
  HubConnection hub_;
  fs::path folder_;
  PullResult result_;
  std::uint64_t have_bytes_ = 0;  // of this run's files, those that are done
  std::uint64_t total_bytes_ = 0;
};

// The functions below return false when interrupted.

bool Puller::list(HubListing& listing) {
  const auto& name = request_.name;
  const HttpRequest request{.url = hub_.listing_url(name.repository, name.revision)};
  const auto what = name.repository + "'s list of files";
  std::string text;
  const auto response = hub_.ask(request, what, &text);
  if (response.interrupted) return false;
  if (!response.ok()) hub_.fail(response, what);
  listing = parse_listing(text, what);
  return true;
}

bool Puller::ask_facts(Wanted& file) {
  const HttpRequest request{
      .url = hub_.file_url(request_.name.repository, result_.commit, file.name),
      .head_only = true,
      .leave_origin = false};  // the hub knows the file; where it lies does not
  const auto response = hub_.ask(request, what(file.name));
  if (response.interrupted) return false;
  if (!response.failure.empty() || response.status >= 400) hub_.fail(response, what(file.name));
  file.facts = read_facts(response, what(file.name));
  const auto commit = response.origin_header("x-repo-commit");
  if (!commit.empty() && commit != result_.commit) {
    throw Error(Kind::kNetwork, what(file.name) + " is of commit " + commit + ". Expected " +
                                    result_.commit + ": run it again.");
  }
  check_published(file);
  file.here = is_whole(blob(file), file.facts);
  return true;
}

void Puller::check_published(const Wanted& file) const {
  for (const auto& known : request_.known) {
    if (known.name != file.name) continue;
    const bool other_sum = !known.sha256.empty() && known.sha256 != file.facts.etag;
    const bool other_size =
        known.size_bytes && file.facts.size_bytes && known.size_bytes != file.facts.size_bytes;
    if (!other_sum && !other_size) continue;
    throw Error(Kind::kCorrupt,
                fmt::format("{}: the hub offers {}, {} bytes. Expected {}, {} bytes, which Tandem "
                            "knows this model by; nothing was fetched.",
                            what(file.name), file.facts.etag, file.facts.size_bytes.value_or(0),
                            known.sha256, known.size_bytes.value_or(0)));
  }
}

bool Puller::plan(const std::vector<std::string>& names, std::vector<Wanted>& files) {
  for (const auto& name : names) {
    if (!ask_facts(files.emplace_back(Wanted{.name = name}))) return false;
  }
  for (const auto& file : files) {
    if (!file.here) total_bytes_ += file.facts.size_bytes.value_or(0);
  }
  return true;
}

void Puller::check_room(const std::vector<Wanted>& files) const {
  std::uint64_t needed = 0;
  for (const auto& file : files) {
    if (file.here) continue;
    std::error_code error;
    const auto come = fs::file_size(blob(file).string() + ".incomplete", error);
    const auto size = file.facts.size_bytes.value_or(0);
    needed += size - std::min<std::uint64_t>(size, error ? 0 : come);
  }
  std::error_code error;
  const auto space = fs::space(folder_, error);
  if (error || space.available >= needed) return;
  throw Error(Kind::kIo, fmt::format("{} needs {}, and {} has {} free. Free some space there, or "
                                     "name another folder with HF_HUB_CACHE.",
                                     request_.name.repository, megabytes(needed),
                                     options_.cache.string(), megabytes(space.available)));
}

bool Puller::fetch(Wanted& file) {
  for (int changes = 0; !file.here; ++changes) {
    const auto lock_path =
        options_.cache / ".locks" / folder_.filename() / (file.facts.etag + ".lock");
    const FileLock lock(
        lock_path,
        [&] { options_.log.warn("waiting for another process that fetches " + what(file.name)); },
        options_.stop);
    if (!lock.held()) return false;
    if (is_whole(blob(file), file.facts)) break;  // that process has fetched it
    const auto outcome = download_blob(
        hub_, {.url = hub_.file_url(request_.name.repository, result_.commit, file.name),
               .what = what(file.name),
               .facts = file.facts,
               .blob = blob(file),
               .came = [&](std::uint64_t bytes) {
                 if (request_.came) request_.came(have_bytes_ + bytes, total_bytes_);
               }});
    if (outcome == BlobOutcome::kInterrupted) return false;
    if (outcome == BlobOutcome::kWhole) {
      result_.fetched_bytes += fs::file_size(blob(file));
      have_bytes_ += fs::file_size(blob(file));
      break;
    }
    if (changes == kMostChanges)
      throw Error(Kind::kNetwork, what(file.name) + " keeps changing on the hub. Try later.");
    options_.log.warn(what(file.name) + " changed on the hub meanwhile: beginning again.");
    fs::remove(blob(file).string() + ".incomplete");
    if (!ask_facts(file)) return false;
  }
  link_blob(blob(file), result_.snapshot / file.name);
  result_.files.push_back({file.name, fs::file_size(blob(file)), file.here});
  return true;
}

bool Puller::fetch_all(std::vector<Wanted>& files) {
  check_room(files);
  return std::all_of(files.begin(), files.end(), [&](Wanted& file) { return fetch(file); });
}

bool Puller::fetch_shards(const std::string& index) {
  const auto path = result_.snapshot / index;
  std::vector<Wanted> shards;
  return plan(shards_of(read_text_file(path, kMostIndexBytes), what(index)), shards) &&
         fetch_all(shards);
}

void Puller::finish() {
  const auto& revision = request_.name.revision;
  if (revision == result_.commit) return;
  const auto ref = folder_ / "refs" / revision;
  fs::create_directories(ref.parent_path());
  write_file_atomically(ref, result_.commit);
}

PullResult Puller::run() {
  result_.interrupted = true;
  HubListing listing;
  if (!list(listing)) return result_;
  result_.commit = listing.commit;
  result_.snapshot = folder_ / "snapshots" / listing.commit;
  const auto choice = choose_files(listing, request_.name.repository);
  fs::create_directories(result_.snapshot);
  auto names = choice.before;
  names.push_back(choice.weights);
  std::vector<Wanted> files;
  if (!plan(names, files)) return result_;
  std::vector<Wanted> weights{files.back()};
  check_room(files);
  files.pop_back();
  if (!fetch_all(files)) return result_;
  if (request_.check) request_.check(result_.snapshot);
  if (!fetch_all(weights)) return result_;
  if (choice.weights.ends_with(".json") && !fetch_shards(choice.weights)) return result_;
  finish();
  result_.interrupted = false;
  return result_;
}

PullResult find_offline(const PullRequest& request, const HubOptions& options) {
  const auto snapshot = find_snapshot(options.cache, request.name);
  if (!snapshot || !has_weights(*snapshot)) {
    throw Error(
        Kind::kNotFound,
        fmt::format("{} ({}) is not in {}, and this is offline. Expected its weights "
                    "there: leave out --offline and HF_HUB_OFFLINE once.",
                    request.name.repository, request.name.revision, options.cache.string()));
  }
  PullResult result{.snapshot = *snapshot, .commit = snapshot->filename().string()};
  for (const auto& entry : fs::directory_iterator(*snapshot)) {
    if (entry.is_regular_file())
      result.files.push_back({entry.path().filename().string(), entry.file_size(), true});
  }
  std::sort(result.files.begin(), result.files.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  if (request.check) request.check(result.snapshot);
  return result;
}

}  // namespace

PullResult pull(const PullRequest& request, const HubOptions& options) {
  if (options.offline) return find_offline(request, options);
  return Puller(request, options).run();
}

}  // namespace tandem
