// Ctrl-C: asks the work to stop at the next good moment; a second one ends the process at once.
#pragma once

#include <atomic>

namespace tandem::cli {

// Exit code of a command that stopped because it was asked to, as shells write it (128 + SIGINT).
inline constexpr int kInterruptedExitCode = 130;

void watch_interrupts();  // SIGINT and SIGTERM; also gives SIGPIPE back its quiet default
bool interrupted();
const std::atomic<bool>& stop_flag();  // the same, for those who poll it themselves

}  // namespace tandem::cli
