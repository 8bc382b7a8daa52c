// Another program run beside this one, its standard input or output a stream of lines here. For
// programs that ship with Tandem. One thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace tandem {

// This program's own folder, where those that ship with it are.
std::filesystem::path program_folder();

class ChildProcess {
 public:
  enum class Direction { kFromChild, kToChild };

  // Throws kNotFound when the program is not there, kIo.
  ChildProcess(const std::filesystem::path& program, const std::vector<std::string>& arguments,
               Direction direction);
  // Ends the child when finish() was not called.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // kFromChild: the next line without its end; false at the end of the output. Throws kIo; kInput
  // for a line of more than `limit_bytes`.
  bool read_line(std::string& line, std::size_t limit_bytes = std::size_t{1} << 26);
  // kToChild. A child that has ended is not an error here: finish() tells.
  void write(std::string_view text);

  struct End {
    int exit_code = 0;    // -1: it was killed
    int signal = 0;       // by this
    std::string message;  // the last line of its stderr, at most 2 KB
  };
  // Closes the stream and waits for the end.
  End finish();

 private:
  void flush();

  pid_t pid_ = -1;
  int stream_ = -1;
  int errors_ = -1;
  std::string buffer_;
  std::size_t taken_ = 0;  // of the buffer
  bool broken_ = false;    // the child does not read any more
};

}  // namespace tandem
