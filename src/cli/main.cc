// tandem and tandem-torch: finds the command, runs it, and turns what it throws into one line and
// an exit code.
#include <algorithm>
#include <cstdlib>
#include <new>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/hub_environment.h"
#include "cli/interrupt.h"
#include "core/closest.h"

namespace tandem::cli {
namespace {

constexpr std::string_view kVersion = "0.1.0";

constexpr std::string_view kHelpEnd = R"(
Start here
  tandem classify cat.jpg --labels cat,dog,car
  tandem index ~/Pictures --to pictures.tandem
  tandem search pictures.tandem "a red bicycle in the snow"

  tandem COMMAND --help    examples and options of a command
  tandem --version

Results go to stdout (--json: one object a line), everything else to stderr. Exit codes: 0 done,
1 failed, 2 usage, 3 bad input, 4 not found, 5 corrupt file, 6 network, 7 rows skipped with --strict.)";

void print_help(Console& console) {
  console.out(
      "tandem: pictures and words in one space. Classify, embed, index and search pictures; train "
      "such models.\n");
  console.out("Usage: tandem COMMAND [options]\n");
  for (const auto& command : commands()) {
    if (command.summary.empty()) continue;
    const std::string name(command.name);
    console.out("  " + console.styled(name, Style::kBold) + std::string(12 - name.size(), ' ') +
                std::string(command.summary));
  }
  console.out(kHelpEnd);
}

const Command& find_command(const std::string& name) {
  std::vector<std::string_view> names;
  for (const auto& command : commands()) {
    if (command.name == name) return command;
    if (!command.summary.empty()) names.push_back(command.name);
  }
  const auto near = closest(name, names);
  throw UsageError("unknown command \"" + escape(name) +
                   "\". Expected one that \"tandem --help\" lists." +
                   (near.empty() ? "" : " Closest: " + std::string(near) + "."));
}

int dispatch(Context& context) {
  auto words = Arguments(context.command_line).subspan(1);
  if (words.empty()) {
    print_help(context.console);
    return kUsage;
  }
  if (words[0] == "--version") {
    context.console.out("tandem " + std::string(kVersion));
    return kDone;
  }
  if (words[0] == "--help" || words[0] == "-h" || (words[0] == "help" && words.size() == 1)) {
    print_help(context.console);
    return kDone;
  }
  static const std::string help_flag = "--help";
  if (words[0] == "help") return find_command(words[1]).run(context, Arguments(&help_flag, 1));
  return find_command(words[0]).run(context, words.subspan(1));
}

int run(Context& context) {
  auto& console = context.console;
  try {
    const int code = dispatch(context);
    console.finish();
    return code;
  } catch (const UsageError& e) {
    console.error(escape(e.what()));
    const bool known = context.command_line.size() > 1 &&
                       std::any_of(commands().begin(), commands().end(), [&](const Command& c) {
                         return c.name == context.command_line[1];
                       });
    console.note("See: tandem " + (known ? context.command_line[1] + " " : "") + "--help");
    return kUsage;
  } catch (const Error& e) {
    console.error(escape(e.what()));
    return exit_code(e.kind());
  } catch (const std::filesystem::filesystem_error& e) {
    console.error("cannot make or use " + escape(e.path1().string()) + ": " + e.code().message() +
                  ". Expected a place that can be written to.");
    return kFailed;
  } catch (const std::bad_alloc&) {
    console.error("out of memory. Give it less at once, or a machine with more.");
    return kFailed;
  } catch (const std::exception& e) {
    console.error("unexpected failure: " + escape(e.what()) +
                  ". This is a bug in Tandem: please report it.");
    return kFailed;
  }
}

}  // namespace
}  // namespace tandem::cli

int main(int argc, char** argv) {
  using namespace tandem::cli;
  const auto began = std::chrono::steady_clock::now();
  watch_interrupts();
  Console console;
  const char* assets = std::getenv("TANDEM_ASSETS");
  Context context{
      console, {argv, argv + argc}, assets == nullptr ? "" : assets, read_hub_environment(), began};
  return run(context);
}
