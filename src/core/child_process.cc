#include "core/child_process.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"

namespace tandem {
namespace {

constexpr std::size_t kChunkBytes = 1 << 16;

void close_if_open(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

}  // namespace

std::filesystem::path program_folder() {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
}

ChildProcess::ChildProcess(const std::filesystem::path& program,
                           const std::vector<std::string>& arguments, Direction direction) {
  int stream[2];
  int errors[2];
  // A socket, so that writing to a child that has died is an error code and not a signal.
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream) != 0)
    throw_errno("cannot run", program.string());
  if (pipe2(errors, O_CLOEXEC) != 0) {
    close(stream[0]);
    close(stream[1]);
    throw_errno("cannot run", program.string());
  }
  stream_ = stream[0];
  errors_ = errors[0];

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const bool reads = direction == Direction::kFromChild;
  posix_spawn_file_actions_addopen(&actions, reads ? STDIN_FILENO : STDOUT_FILENO, "/dev/null",
                                   O_RDWR, 0);
  posix_spawn_file_actions_adddup2(&actions, stream[1], reads ? STDOUT_FILENO : STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors[1], STDERR_FILENO);
  // Its own process group: Ctrl-C is for us, who then end it.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  const std::string name = program.string();
  std::vector<char*> words{const_cast<char*>(name.c_str())};
  for (const auto& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const int code = posix_spawn(&pid_, name.c_str(), &actions, &attributes, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(stream[1]);
  close(errors[1]);
  if (code != 0) {
    close_if_open(stream_);
    close_if_open(errors_);
    errno = code;
    throw_errno("cannot run", name);
  }
}

ChildProcess::~ChildProcess() {
  if (pid_ >= 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close_if_open(stream_);
  close_if_open(errors_);
}

bool ChildProcess::read_line(std::string& line, std::size_t limit_bytes) {
  while (true) {
    const auto end = buffer_.find('\n', taken_);
    if (end != std::string::npos) {
      line.assign(buffer_, taken_, end - taken_);
      taken_ = end + 1;
      return true;
    }
    buffer_.erase(0, taken_);
    taken_ = 0;
    if (buffer_.size() > limit_bytes)
      throw Error(Kind::kInput, "a row of more than " + std::to_string(limit_bytes) + " bytes.");
    const auto size = buffer_.size();
    buffer_.resize(size + kChunkBytes);
    const ssize_t got = read(stream_, buffer_.data() + size, kChunkBytes);
    buffer_.resize(size + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno != EINTR) throw_errno("cannot read from", "another program");
    if (got == 0) return false;
  }
}

void ChildProcess::write(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= kChunkBytes) flush();
}

void ChildProcess::flush() {
  std::string_view left = buffer_;
  while (!left.empty() && !broken_) {
    const ssize_t sent = send(stream_, left.data(), left.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) broken_ = true;
    if (sent > 0) left.remove_prefix(static_cast<std::size_t>(sent));
  }
  buffer_.clear();
}

ChildProcess::End ChildProcess::finish() {
  flush();
  close_if_open(stream_);
  End end;
  char some[512];
  ssize_t got = 0;
  while ((got = read(errors_, some, sizeof some)) > 0 || (got < 0 && errno == EINTR)) {
    if (got > 0) end.message.append(some, static_cast<std::size_t>(got));
    constexpr std::size_t kKeptBytes = 2048;
    if (end.message.size() > kKeptBytes) end.message.erase(0, end.message.size() - kKeptBytes);
  }
  while (end.message.ends_with('\n')) end.message.pop_back();
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  end.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return end;
}

}  // namespace tandem
