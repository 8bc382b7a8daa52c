// The one exception of Tandem. Thrown by value, caught in four places: CLI main, HTTP handler,
// binding, thread edge.
#pragma once

#include <stdexcept>
#include <string>

namespace tandem {

enum class Kind {
  kInput,        // the caller gave something wrong (argument, config, picture)
  kNotFound,     // a file, model or row that is named does not exist
  kCorrupt,      // bytes that break their format's rules
  kUnsupported,  // valid, but not something Tandem does
  kIo,           // the operating system refused (disk full, permission)
  kNetwork,      // a remote end failed
  kInternal,     // our bug
};

// Message form: what was done / what was expected / what to do, e.g.
// "--model vit-b33: unknown model. Expected a name listed by \"tandem models\". Closest: vit-b-32."
class Error : public std::runtime_error {
 public:
  Error(Kind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  Kind kind() const noexcept { return kind_; }

 private:
  Kind kind_;
};

}  // namespace tandem
