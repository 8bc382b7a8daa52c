#include "cli/interrupt.h"

#include <csignal>

namespace tandem::cli {
namespace {

// The one mutable global: a signal handler can reach nothing else.
std::atomic<bool> asked_to_stop = false;
static_assert(std::atomic<bool>::is_always_lock_free);  // or a handler may not touch it

void on_signal(int) { asked_to_stop = true; }

}  // namespace

void watch_interrupts() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags =
      static_cast<int>(SA_RESETHAND) | SA_RESTART;  // the second signal finds the default: the end
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
}

bool interrupted() { return asked_to_stop; }

const std::atomic<bool>& stop_flag() { return asked_to_stop; }

}  // namespace tandem::cli
