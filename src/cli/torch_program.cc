#include "cli/torch_program.h"

#include <unistd.h>

#include "core/error.h"

namespace tandem::cli {

void become_torch_program(const Context& context, const std::string& wanted) {
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  const auto program = self.parent_path() / "tandem-torch";
  if (!std::filesystem::exists(program, ignored)) {
    throw Error(Kind::kNotFound, wanted + " needs " + program.string() +
                                     ", which is not there. Build it with " +
                                     "cmake -DTANDEM_TORCH=ON, or put it beside tandem.");
  }
  std::vector<char*> arguments;
  for (const auto& word : context.command_line)
    arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execv(program.c_str(), arguments.data());
  throw_errno("cannot run", program.string());
}

}  // namespace tandem::cli
