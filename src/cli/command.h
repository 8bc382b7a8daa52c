// What a command is, and what it is given. One file per command, one row in commands.cc.
#pragma once

#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/console.h"
#include "cli/options.h"
#include "engine/hub_connection.h"

namespace tandem::cli {

struct Context {
  Console& console;
  std::vector<std::string> command_line;  // as the process got it, for handing over to tandem-torch
  std::filesystem::path assets;           // TANDEM_ASSETS, or empty: beside the program
  HubOptions hub;                         // from HF_ENDPOINT and its kin; token and log are unset
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();  // the process
};

struct Command {
  std::string_view name;
  std::string_view summary;  // empty: not for people, not listed
  int (*run)(Context& context,
             Arguments arguments);  // returns the exit code; throws UsageError, Error
};

// The table of this program: tandem and tandem-torch have their own.
std::span<const Command> commands();

int run_classify(Context& context, Arguments arguments);
int run_caption(Context& context, Arguments arguments);
int run_embed(Context& context, Arguments arguments);
int run_index(Context& context, Arguments arguments);
int run_import(Context& context, Arguments arguments);
int run_export(Context& context, Arguments arguments);
int run_search(Context& context, Arguments arguments);
int run_serve(Context& context, Arguments arguments);
int run_decode_worker(Context& context, Arguments arguments);
int run_train(Context& context, Arguments arguments);
int run_eval(Context& context, Arguments arguments);
int run_models(Context& context, Arguments arguments);
int run_pull(Context& context, Arguments arguments);
int run_convert(Context& context, Arguments arguments);
int run_quantize(Context& context, Arguments arguments);
int run_doctor(Context& context, Arguments arguments);
int run_bench(Context& context, Arguments arguments);

// What every command understands.
struct OutputFlags {
  bool json = false;
  bool quiet = false;
};

// Declares --json and --quiet under "Output", parses, and answers --help. Returns whether to go on.
bool parse_or_help(Options& options, OutputFlags& flags, Context& context, Arguments arguments);

}  // namespace tandem::cli
