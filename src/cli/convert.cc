// `tandem convert`: a model in another dialect.
#include "engine/convert.h"

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/model_flags.h"
#include "core/json.h"
#include "model/dialect.h"

namespace tandem::cli {
namespace {

struct Flags {
  OutputFlags output;
  ModelFlags model;
  std::vector<std::string> words;
  std::string to = "open-clip";
  std::string out;
  std::string dtype;
  bool verify = false;
};

Options declare(Flags& flags) {
  Options options("convert", "write a model as other software lays models out on disk.");
  options.example("tandem convert mini --to hf-clip --out mini-hf --verify",
                  "as transformers reads it, with the outputs of both compared");
  options.example("tandem convert path/to/model --out model.safetensors --dtype f16",
                  "one self-contained file in half precision");
  options.words("MODEL", flags.words, "a name from `tandem models`, a folder, or a file", 1, 1);
  options.group("What and where to");
  std::vector<std::string> names;
  for (const Dialect& dialect : dialects()) {
    if (dialect.write == nullptr) continue;
    names.emplace_back(dialect.name);
  }
  options.choice("--to", names, flags.to, "the layout to write (default: open-clip)");
  options.text("--out", "PATH", flags.out,
               "a new folder; with --to open-clip also a new .safetensors file");
  options.choice("--dtype", {"f32", "f16", "bf16"}, flags.dtype,
                 "how weights are stored (default: as they are)");
  options.flag("--verify", flags.verify,
               "read the result again and compare its vectors with the original's");
  options.number("--threads", "N", flags.model.threads,
                 "threads to compare with (default: one per core)", 1);
  options.text("--assets", "DIR", flags.model.assets,
               "where models and prompts are (default: TANDEM_ASSETS, or as installed)");
  return options;
}

void print(const Flags& flags, const Converted& result, Console& console) {
  const std::string dtype = result.dtype == DType::kF32   ? "f32"
                            : result.dtype == DType::kF16 ? "f16"
                                                          : "bf16";
  if (flags.output.json) {
    json::object o{{"out", flags.out},
                   {"dialect", flags.to},
                   {"dtype", dtype},
                   {"bytes", result.bytes},
                   {"written", result.agrees}};
    if (const auto& a = result.agreement) {
      o["image"] = {{"max_abs", a->image_max_abs}, {"cosine", a->image_cosine}};
      o["text"] = {{"max_abs", a->text_max_abs}, {"cosine", a->text_cosine}};
    }
    console.out(json::dump(o));
    return;
  }
  if (result.agrees)
    console.out(fmt::format("{}  {} {}, {:.1f} MB", escape(flags.out), flags.to, dtype,
                            static_cast<double>(result.bytes) / 1e6));
  if (const auto& a = result.agreement) {
    console.out(fmt::format("images  largest difference {:.2g}, smallest cosine {:.6f}",
                            a->image_max_abs, a->image_cosine));
    console.out(fmt::format("texts   largest difference {:.2g}, smallest cosine {:.6f}",
                            a->text_max_abs, a->text_cosine));
  }
}

}  // namespace

int run_convert(Context& context, Arguments arguments) {
  Flags flags;
  Options options = declare(flags);
  if (!parse_or_help(options, flags.output, context, arguments)) return kDone;
  if (flags.out.empty())
    throw UsageError("convert: --out is missing. Expected a new folder or .safetensors file.");
  const auto assets = assets_folder(flags.model, context);
  ConvertOptions convert{.dialect = flags.to,
                         .out = flags.out,
                         .dtype = std::nullopt,
                         .verify = flags.verify,
                         .tokenizer = assets / "vocab" / "bpe_simple_vocab_16e6.txt",
                         .threads = flags.model.threads};
  if (flags.dtype == "f32") convert.dtype = DType::kF32;
  if (flags.dtype == "f16") convert.dtype = DType::kF16;
  if (flags.dtype == "bf16") convert.dtype = DType::kBF16;
  const Converted result =
      convert_model(find_model(flags.words[0], model_places(flags.model, context)).folder, convert);
  print(flags, result, context.console);
  if (result.agrees) return kDone;
  context.console.error(
      "convert: the written model does not agree with the original; it was "
      "removed again.");
  return kFailed;
}

}  // namespace tandem::cli
