// `tandem serve`: collections and models over HTTP. And `tandem decode-worker`, which it starts.
#include <array>
#include <cstdlib>
#include <fmt/format.h>
#include <iostream>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/keys_file.h"
#include "cli/line_writer.h"
#include "cli/model_flags.h"
#include "core/files.h"
#include "core/json.h"
#include "index/store.h"
#include "serve/decoders.h"
#include "serve/mcp.h"
#include "serve/server.h"
#include "serve/service.h"

namespace tandem::cli {
namespace {

constexpr int kPort = 8420;

struct Flags {
  ModelFlags model;
  OutputFlags output;
  std::vector<std::string> collections;
  std::vector<std::string> models;
  std::string address = "127.0.0.1";
  int port = kPort;
  bool writable = false;
  bool fetch_urls = false;
  bool mcp = false;
  std::string keys;
  std::vector<std::string> cors;
  std::vector<std::string> hosts;
  std::vector<std::string> proxies;
  double rate = 0;
  int max_connections = 12'000;
  int max_concurrent = 512;
  int max_waiting = 2'048;
  int max_items = 32;
  int decoders = 2;
  std::string access_log;
};

void declare_access(Options& options, Flags& flags) {
  options.group("Who may ask");
  options.text("--keys", "FILE", flags.keys,
               "API keys, one a line: read, write or admin, a name, a secret; also "
               "TANDEM_API_KEY and TANDEM_ADMIN_KEY");
  options.flag("--writable", flags.writable, "items may be added and deleted");
  options.texts("--cors", "ORIGIN", flags.cors,
                "pages from this origin may ask too, e.g. https://example.org");
  options.texts("--allow-host", "NAME", flags.hosts,
                "answer under this name too, besides localhost and the address");
  options.texts("--proxy", "ADDRESS", flags.proxies,
                "believe X-Forwarded-For when it comes from here");
  options.number("--rate", "N", flags.rate, "requests a second for each key or peer; 0: any");
  options.flag("--fetch-urls", flags.fetch_urls,
               "fetch pictures that requests name by URL, from public addresses only");
}

void declare_limits(Options& options, Flags& flags) {
  options.group("Limits");
  options.number("--max-connections", "N", flags.max_connections, "open at once (default: 12000)",
                 1);
  options.number("--max-concurrent", "N", flags.max_concurrent,
                 "requests worked on at once; more are answered 429 (default: 512)", 1);
  options.number("--max-waiting", "N", flags.max_waiting,
                 "texts and pictures waiting to be computed (default: 2048)", 1);
  options.number("--max-items", "N", flags.max_items, "inputs of one request (default: 32)", 1);
  options.number("--decoders", "N", flags.decoders, "processes that decode pictures (default: 2)",
                 1);
}

Options declare(Flags& flags) {
  Options options("serve",
                  "serve collections and models over HTTP: a page to search with, and an API for "
                  "other programs. Stops when asked (Ctrl-C), after finishing what it began.");
  options.example("tandem serve pictures.tandem", "the page is at http://127.0.0.1:8420");
  options.example("tandem serve --model vit-b-32", "embeddings only, no collection");
  options.example("tandem serve pictures.tandem --mcp", "search as a tool of an assistant");
  options.example(
      "tandem serve a.tandem pgvector://localhost/db/b --keys keys.txt --address 0.0.0.0",
      "two collections, for others on the network");
  options.words("NAME.tandem…", flags.collections, "collections, or databases (pgvector://…)", 0);
  options.group("Where");
  options.number("--port", "N", flags.port, "port to listen on (default: 8420); 0: any free one");
  options.text("--address", "A", flags.address,
               "address to listen on (default: 127.0.0.1); others need keys");
  options.flag("--mcp", flags.mcp,
               "no HTTP: tools for an assistant over stdin and stdout (docs/mcp.md)");
  options.text("--access-log", "FILE", flags.access_log,
               "one line of JSON for each request; -: to stdout");
  declare_access(options, flags);
  declare_limits(options, flags);
  flags.model.model.clear();
  add_model_options(options, flags.model);
  return options;
}

void add_key_from(const char* variable, serve::Access most, std::vector<serve::ApiKey>& keys) {
  const char* secret = std::getenv(variable);
  if (secret == nullptr || *secret == '\0') return;
  if (std::string_view(secret).size() < kLeastSecretBytes) {
    throw UsageError(
        fmt::format("{}: expected at least {} characters.", variable, kLeastSecretBytes));
  }
  keys.push_back({variable, secret, most});
}

std::vector<serve::ApiKey> keys_of(const Flags& flags) {
  std::vector<serve::ApiKey> keys;
  if (!flags.keys.empty()) keys = read_keys(flags.keys);
  add_key_from("TANDEM_API_KEY", serve::Access::kWrite, keys);
  add_key_from("TANDEM_ADMIN_KEY", serve::Access::kAdmin, keys);
  return keys;
}

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  std::vector<std::string> lines;
  std::string text = read_text_file(path);
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    auto line = text.substr(begin, end - begin);
    if (!line.empty() && line.front() != '#') lines.push_back(std::move(line));
    begin = end + 1;
  }
  return lines;
}

serve::ServiceOptions service_options(const Flags& flags, const Context& context) {
  const auto assets = assets_folder(flags.model, context);
  serve::ServiceOptions options;
  options.collections = flags.collections;
  if (!flags.model.model.empty()) options.models = {flags.model.model};
  if (flags.collections.empty() && options.models.empty()) options.models = {"mini"};
  options.writable = flags.writable;
  options.fetch_urls = flags.fetch_urls;
  options.batcher.max_waiting = static_cast<std::size_t>(flags.max_waiting);
  options.max_batch_items = static_cast<std::size_t>(flags.max_items);
  // Not by its path: that may be replaced by another build while this one runs.
  options.decoders.program = "/proc/self/exe";
  options.decoders.processes = static_cast<std::size_t>(flags.decoders);
  options.assets = assets;
  options.null_captions = lines_of(assets / "prompts" / "null_captions.txt");
  options.load_model = [model = flags.model, &context](const std::string& name) {
    auto named = model;
    named.model = name;
    // Requests come by ones as well: a small model's threads would wait for each other.
    return load(named, context, Work::kLittle);
  };
  options.templates_of = [assets](const Model& model) { return templates_for(model, "", assets); };
  return options;
}

serve::ServerOptions server_options(const Flags& flags) {
  serve::ServerOptions options;
  options.address = flags.address;
  if (flags.port < 0 || flags.port > 65'535) throw UsageError("--port: expected 0 to 65535.");
  options.port = static_cast<std::uint16_t>(flags.port);
  options.max_connections = static_cast<std::size_t>(flags.max_connections);
  options.max_concurrent = static_cast<std::size_t>(flags.max_concurrent);
  options.keys = keys_of(flags);
  options.cors_origins = flags.cors;
  options.allowed_hosts = flags.hosts;
  options.proxies = flags.proxies;
  options.rate_per_s = flags.rate;
  options.rate_burst = 2 * flags.rate;
  return options;
}

void announce(std::uint16_t port, const serve::Service& service, const Flags& flags,
              Console& console) {
  const bool anywhere = flags.address == "0.0.0.0" || flags.address == "::";
  const std::string host = anywhere ? "127.0.0.1"
                           : flags.address.find(':') != std::string::npos
                               ? "[" + flags.address + "]"
                               : flags.address;
  const auto url = fmt::format("http://{}:{}", host, port);
  if (flags.output.json) {
    console.out(json::dump(json::object{{"url", url}}));
  } else {
    const auto shelves = service.shelves();
    std::string what;
    for (const auto& shelf : shelves) what += (what.empty() ? "" : ", ") + shelf->name;
    for (const auto& model : service.models()) {
      what += (what.empty() ? "" : ", ") + ("model " + model->name);
    }
    console.out(url + "  (" + escape(what) + ")");
  }
  console.finish();
}

}  // namespace

int run_serve(Context& context, Arguments arguments) {
  Flags flags;
  auto options = declare(flags);
  if (!parse_or_help(options, flags.output, context, arguments)) return kDone;
  auto server = server_options(flags);
  std::unique_ptr<LineWriter> log;
  if (!flags.access_log.empty()) {
    log = std::make_unique<LineWriter>(flags.access_log);
    server.access_log = [&](const std::string& line) { log->add(line); };
  }
  server.log = Log([&](LogLevel level, std::string_view text) {
    if (level == LogLevel::kWarning) context.console.warn(escape(text));
  });
  serve::Service service(service_options(flags, context));
  if (flags.mcp) {
    serve::serve_mcp(service, std::cin, std::cout);
    return kDone;
  }
  const std::array tables = {serve::health_routes(),  serve::openai_routes(),
                             serve::tei_routes(),     serve::clip_retrieval_routes(),
                             serve::immich_routes(),  serve::tandem_routes(),
                             serve::openapi_routes(), serve::page_routes()};
  serve::serve(service, tables, server, stop_flag(),
               [&](std::uint16_t port) { announce(port, service, flags, context.console); });
  return kDone;
}

int run_decode_worker(Context&, Arguments) { serve::run_decode_worker(); }

}  // namespace tandem::cli
