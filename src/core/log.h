// Where the library's messages go. The library never prints: it calls the sink its caller gave.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace tandem {

enum class LogLevel { kDebug, kInfo, kWarning };

// Called from any thread; must be safe to call concurrently. A null sink drops everything.
using LogSink = std::function<void(LogLevel, std::string_view)>;

class Log {
 public:
  Log() = default;
  explicit Log(LogSink sink) : sink_(std::move(sink)) {}
  void debug(std::string_view message) const { emit(LogLevel::kDebug, message); }
  void info(std::string_view message) const { emit(LogLevel::kInfo, message); }
  void warn(std::string_view message) const { emit(LogLevel::kWarning, message); }

 private:
  void emit(LogLevel level, std::string_view message) const {
    if (sink_) sink_(level, message);
  }
  LogSink sink_;
};

}  // namespace tandem
