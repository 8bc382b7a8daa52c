#include "core/error.h"

#include <cerrno>
#include <system_error>

namespace tandem {

void throw_errno(const std::string& what, const std::string& path) {
  const int code = errno;
  std::string message = what + " " + path + ": " + std::generic_category().message(code) + ".";
  if (code == ENOSPC || code == EDQUOT) message += " Free some space there and run it again.";
  if (code == EFBIG) message += " The file-size limit of this process or file system is reached.";
  const bool missing = code == ENOENT || code == ENOTDIR;
  throw Error(missing ? Kind::kNotFound : Kind::kIo, message);
}

}  // namespace tandem
