// The hub's cache folder, laid out as huggingface_hub does, so that either finds what the other
// fetched:
//   models--ORG--NAME/blobs/ETAG                 the bytes of a file; ETAG is its sha256 or git id
//   models--ORG--NAME/blobs/ETAG.incomplete      what has come of it so far
//   models--ORG--NAME/snapshots/COMMIT/FILE      a link to ../../blobs/ETAG
//   models--ORG--NAME/refs/REVISION              the COMMIT that a branch or tag meant last
//   .locks/models--ORG--NAME/ETAG.lock           held while a blob is fetched
// Nothing here talks to a network.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tandem {

// "laion/CLIP-ViT-B-32-laion2B-s34B-b79K" or "gpt2": what the hub allows as a repository's name.
bool is_repository(std::string_view text);
// "main", "refs/pr/3", a commit: what may stand as a file's path too.
bool is_revision(std::string_view text);
// A relative path inside a repository that cannot leave it.
bool is_hub_file(std::string_view text);
// 40 lower-case hexadecimal digits.
bool is_commit(std::string_view text);
// 64 lower-case hexadecimal digits.
bool is_sha256(std::string_view text);

// The repository of "hf-hub:ORG/NAME" (also "hf-hub:ORG/NAME@REVISION", after the @ in `revision`).
struct HubName {
  std::string repository;
  std::string revision = "main";
};
// Nothing when `text` does not begin with hf-hub:. Throws kInput when what follows is no name.
std::optional<HubName> read_hub_name(const std::string& text);

std::filesystem::path repository_folder(const std::filesystem::path& cache,
                                        const std::string& repository);

// The folder of what `revision` meant when it was fetched last; nothing when it is not there.
std::optional<std::filesystem::path> find_snapshot(const std::filesystem::path& cache,
                                                   const HubName& name);

// Whether a folder has a whole model's weights: open_clip_model.safetensors, model.safetensors, or
// model.safetensors.index.json and every file that it names.
bool has_weights(const std::filesystem::path& folder);

// The file names of a model.safetensors.index.json, sorted, each once. Throws kCorrupt, also for
// names that leave the folder.
std::vector<std::string> shards_of(std::string_view index_json, const std::string& where);

// Makes `link` point at `blob` with a relative path, replacing what was there in one step.
void link_blob(const std::filesystem::path& blob, const std::filesystem::path& link);

// Holds a file locked (flock) until destroyed. Waits for whoever holds it; `waiting` is called once
// when it has to, `stop` ends the wait (then held() is false).
class FileLock {
 public:
  FileLock(const std::filesystem::path& path, const std::function<void()>& waiting,
           const std::atomic<bool>* stop);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  bool held() const { return held_; }

 private:
  int fd_ = -1;
  bool held_ = false;
};

}  // namespace tandem
