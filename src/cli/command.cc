#include "cli/command.h"

namespace tandem::cli {

bool parse_or_help(Options& options, OutputFlags& flags, Context& context, Arguments arguments) {
  options.group("Output");
  options.flag("--json", flags.json, "results as JSON, one object a line");
  options.flag("--quiet", flags.quiet, "no progress and no reports, only warnings and errors");
  if (options.parse(arguments) == Options::Outcome::kHelp) {
    auto page = options.help(static_cast<std::size_t>(context.console.width()));
    page.pop_back();  // out() ends the line
    context.console.out(page);
    return false;
  }
  if (flags.quiet) context.console.set_quiet();
  return true;
}

}  // namespace tandem::cli
