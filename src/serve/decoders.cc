#include "serve/decoders.h"

#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tandem/error.h"

#include "serve/decode_protocol.h"
#include "serve/message.h"

namespace tandem::serve {
namespace {

// A preview of 2,048 x 2,048 pixels is smaller than this.
constexpr std::uint64_t kMostPreviewBytes = std::uint64_t{32} << 20;

HttpError undecodable(const std::string& why) {
  return {422, "undecodable_image", "the picture cannot be read: " + why};
}

class Child {
 public:
  Child() = default;
  ~Child() { end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  bool lives() const { return pid_ > 0; }
  int socket() const { return socket_; }

  // Throws kInternal when the system refuses another process.
  void start(const DecodersOptions& options) {
    std::array<int, 2> pair{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
      throw Error(Kind::kInternal, std::string("no socket for a decoder: ") + std::strerror(errno));
    }
    socket_ = pair[0];
    const int failed = spawn(options.program.string(), pair[1]);
    ::close(pair[1]);
    const WorkerLimits limits{.memory_bytes = options.memory_bytes};
    if (failed != 0 ||
        send_all(socket_, bytes_of(limits), Clock::now() + options.timeout) != Transfer::kDone) {
      end();
      throw Error(Kind::kInternal,
                  std::string("a decoder did not start: ") + std::strerror(failed));
    }
  }

  // At once, whatever it does.
  void end() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
  }

 private:
  // The child has its socket as standard input, nothing else that is open here, and no environment.
  int spawn(const std::string& program, int its_socket) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, its_socket, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    // Ctrl-C in a terminal reaches the whole group: requests that are admitted still need it.
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);
    std::string command = "decode-worker";
    std::string name = program;
    std::array<char*, 3> words = {name.data(), command.data(), nullptr};
    std::array<char*, 1> environment = {nullptr};
    const int failed = posix_spawn(&pid_, program.c_str(), &actions, &attributes, words.data(),
                                   environment.data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) pid_ = -1;
    return failed;
  }

  pid_t pid_ = -1;
  int socket_ = -1;
};

JobHead head_of(const DecodeJob& job) {
  JobHead head;
  std::memset(static_cast<void*>(&head), 0, sizeof head);  // also what lies between members
  head.picture_bytes = job.picture.size();
  head.decode = job.decode;
  head.has_region = job.region.has_value();
  if (job.region) head.region = *job.region;
  head.has_input = job.input.has_value();
  if (job.input) head.input = *job.input;
  head.preview_side_px = job.preview_side_px;
  return head;
}

// A child that was taken over may say anything.
bool is_sane(const ReplyHead& head, const DecodeJob& job) {
  if (head.status != DecodeStatus::kDone) {
    return head.status <= DecodeStatus::kOutsideRegion && head.pixel_bytes == 0 &&
           head.preview_bytes == 0;
  }
  if (head.width < 1 || head.height < 1 || head.preview_bytes > kMostPreviewBytes) return false;
  if ((head.preview_bytes > 0) != (job.preview_side_px > 0)) return false;
  if (!job.input) return head.pixel_bytes == 0;
  const auto& size = head.input;
  if (size.width < 1 || size.height < 1) return false;
  const auto area = static_cast<std::int64_t>(size.width) * size.height;
  if (job.input->resize_mode == ResizeMode::kPatches) {
    const auto patch = static_cast<std::int64_t>(job.input->patch_px) * job.input->patch_px;
    if (area > patch * job.input->max_patches) return false;
  } else if (size != PictureSize{job.input->size_px, job.input->size_px}) {
    return false;
  }
  return head.pixel_bytes == size.bytes();
}

void throw_unless_done(DecodeStatus status) {
  switch (status) {
    case DecodeStatus::kDone:
      return;
    case DecodeStatus::kBroken:
      throw undecodable("it is damaged or of an unknown format");
    case DecodeStatus::kTooLarge:
      throw HttpError(413, "too_large", "the picture has too many pixels");
    case DecodeStatus::kOutsideRegion:
      throw HttpError(422, "empty_region", "the region holds nothing of the picture");
  }
}

}  // namespace

struct Decoders::Rep {
  explicit Rep(const DecodersOptions& the_options)
      : options(the_options), children(std::max<std::size_t>(1, the_options.processes)) {
    for (auto& child : children) free.push_back(&child);
  }

  Child& acquire(Clock::time_point deadline) {
    std::unique_lock lock(mutex);
    if (!some.wait_until(lock, deadline, [&] { return !free.empty(); })) {
      throw HttpError(503, "deadline_passed", "no decoder was free in time", {}, 1);
    }
    auto* child = free.back();
    free.pop_back();
    return *child;
  }

  void release(Child& child) {
    {
      const std::lock_guard lock(mutex);
      free.push_back(&child);
    }
    some.notify_one();
  }

  // Ends the child and says why, to the one whose picture it was.
  [[noreturn]] void lose(Child& child, Transfer how) {
    child.end();
    ++crashes;
    throw undecodable(how == Transfer::kLate ? "it takes too long"
                                             : "it is damaged or of an unknown format");
  }

  DecodedPicture exchange(Child& child, const DecodeJob& job) {
    const auto deadline = Clock::now() + options.timeout;
    const auto head = head_of(job);
    auto how = send_all(child.socket(), bytes_of(head), deadline);
    if (how == Transfer::kDone) how = send_all(child.socket(), job.picture, deadline);
    ReplyHead reply;
    if (how == Transfer::kDone) {
      how = receive_all(child.socket(), writable_bytes_of(reply), deadline);
    }
    if (how != Transfer::kDone) lose(child, how);
    if (!is_sane(reply, job)) lose(child, Transfer::kClosed);
    throw_unless_done(reply.status);
    DecodedPicture out;
    out.width = reply.width;
    out.height = reply.height;
    out.preview.resize(reply.preview_bytes);
    if (job.input) {
      out.input.count = 1;
      out.input.size_px = reply.input.width;
      out.input.pixels.resize(reply.pixel_bytes);
      if (job.input->resize_mode == ResizeMode::kPatches) out.input.sizes = {reply.input};
    }
    how =
        receive_all(child.socket(), std::as_writable_bytes(std::span(out.input.pixels)), deadline);
    if (how == Transfer::kDone) how = receive_all(child.socket(), out.preview, deadline);
    if (how != Transfer::kDone) lose(child, how);
    return out;
  }

  DecodersOptions options;
  std::vector<Child> children;
  std::atomic<std::uint64_t> crashes = 0;
  std::mutex mutex;
  std::condition_variable some;
  std::vector<Child*> free;
};

Decoders::Decoders(const DecodersOptions& options) : rep_(std::make_unique<Rep>(options)) {}
Decoders::~Decoders() = default;

DecodedPicture Decoders::run(const DecodeJob& job, std::chrono::steady_clock::time_point deadline) {
  auto& child = rep_->acquire(deadline);
  struct Release {
    Rep& rep;
    Child& child;
    ~Release() { rep.release(child); }
  } release{*rep_, child};
  if (!child.lives()) child.start(rep_->options);
  return rep_->exchange(child, job);
}

std::uint64_t Decoders::crashes() const { return rep_->crashes; }

}  // namespace tandem::serve
