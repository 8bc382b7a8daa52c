// The child's side: gives up everything but its socket and its memory, then decodes what comes.
#include <cstdio>
#include <fcntl.h>
#include <malloc.h>
#include <new>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tandem/error.h"

#include "serve/decode_protocol.h"
#include "serve/decoders.h"
#include "serve/jpeg_writer.h"

namespace tandem::serve {
namespace {

constexpr int kSocket = 0;
constexpr int kPreviewQuality = 85;
// A parent that gives more than this is not our parent.
constexpr std::uint64_t kMostPictureBytes = std::uint64_t{1} << 30;

bool receive(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const auto got = read(kSocket, bytes.data(), bytes.size());
    if (got <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

bool reply(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto sent = write(kSocket, bytes.data(), bytes.size());
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

void limit(int resource, std::uint64_t most) {
  rlimit value{};
  value.rlim_cur = most;
  value.rlim_max = most;
  setrlimit(static_cast<__rlimit_resource>(resource), &value);
}

// From here on: the socket, memory, the end. Anything else ends the process. Whether it holds.
bool give_up_rights(const WorkerLimits& limits) {
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_NOFILE, 4);
  limit(RLIMIT_FSIZE, 0);
  if (limits.memory_bytes > 0) limit(RLIMIT_AS, limits.memory_bytes);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  const auto filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
  if (filter == nullptr) return false;
  bool holds = true;
  for (const int call :
       {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk),
        SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(getrandom), SCMP_SYS(rt_sigreturn),
        SCMP_SYS(rt_sigprocmask), SCMP_SYS(sched_yield), SCMP_SYS(clock_gettime),
        SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group)}) {
    holds = holds && seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0;
  }
  // Memory may not become code.
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    holds = holds && seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
                                      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
  }
  holds = holds && seccomp_load(filter) == 0;
  seccomp_release(filter);
  return holds;
}

struct Decoded {
  ReplyHead head;
  PixelBatch input;
  std::vector<std::byte> preview;
};

DecodeStatus status_of(const Error& error, DecodeStatus for_input) {
  return error.kind() == Kind::kInput ? for_input : DecodeStatus::kBroken;
}

Decoded decode(const JobHead& job, std::span<const std::byte> picture) {
  Decoded out;
  Image image;
  try {
    image = decode_image(picture, "picture", job.decode);
    const auto shown = shown_size(image);
    out.head.width = shown.width;
    out.head.height = shown.height;
  } catch (const Error& error) {
    out.head.status = status_of(error, DecodeStatus::kTooLarge);
    return out;
  }
  try {
    if (job.has_region) image = crop(image, job.region);
  } catch (const Error& error) {
    out.head.status = status_of(error, DecodeStatus::kOutsideRegion);
    return out;
  }
  if (job.has_input) {
    out.input = model_input(image, job.input);
    out.head.input = out.input.size(0);
  }
  if (job.preview_side_px > 0) {
    out.preview = jpeg_file(shrunk(image, job.preview_side_px), kPreviewQuality);
  }
  return out;
}

bool answer(const JobHead& job, std::span<const std::byte> picture) {
  Decoded out;
  try {
    out = decode(job, picture);
  } catch (const std::bad_alloc&) {
    out.head.status = DecodeStatus::kTooLarge;
  } catch (const std::exception&) {
    out.head.status = DecodeStatus::kBroken;
  }
  out.head.pixel_bytes = out.input.pixels.size();
  out.head.preview_bytes = out.preview.size();
  return reply(bytes_of(out.head)) && reply(std::as_bytes(std::span(out.input.pixels))) &&
         reply(out.preview);
}

}  // namespace

void run_decode_worker(void (*before)(std::span<const std::byte>)) {
  // Large blocks go back to the system when they are freed: memory stays flat.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  WorkerLimits limits;
  if (!receive(writable_bytes_of(limits)) || !give_up_rights(limits)) _exit(1);
  std::vector<std::byte> picture;
  while (true) {
    JobHead job;
    if (!receive(writable_bytes_of(job)) || job.picture_bytes > kMostPictureBytes) _exit(0);
    try {
      picture.resize(job.picture_bytes);
    } catch (const std::bad_alloc&) {
      _exit(1);
    }
    if (!receive(picture)) _exit(0);
    if (before != nullptr) before(picture);
    if (!answer(job, picture)) _exit(0);
    picture = {};
  }
}

}  // namespace tandem::serve
