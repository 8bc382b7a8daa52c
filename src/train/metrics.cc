#include "train/metrics.h"

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "core/json.h"

namespace tandem {
namespace {

json::object to_json(const StepReport& r) {
  return {{"step", r.step},
          {"samples", r.samples},
          {"loss", r.loss},
          {"lr", r.lr},
          {"scale", r.scale},
          {"grad_norm", r.grad_norm},
          {"samples_per_second", r.samples_per_second},
          {"wait_share", r.wait_share}};
}

json::object to_json(const ValidationPoint& p) {
  json::object values;
  for (const auto& [name, value] : p.values) values[name] = value;
  return {{"step", p.step}, {"samples", p.samples}, {"validation", values}};
}

StepReport step_of(const json::Reader& r) {
  StepReport s;
  s.step = r.integer("step");
  s.samples = r.integer("samples");
  s.loss = r.number("loss");
  s.lr = r.number("lr");
  s.scale = r.number("scale");
  s.grad_norm = r.number("grad_norm");
  s.samples_per_second = r.number("samples_per_second");
  s.wait_share = r.number("wait_share");
  return s;
}

}  // namespace

MetricsLog::MetricsLog(const std::filesystem::path& path, std::int64_t step) : path_(path) {
  if (std::filesystem::exists(path_)) read(step);
}

void MetricsLog::add(const StepReport& report) {
  steps_.push_back(report);
  append(json::dump(to_json(report)));
}

void MetricsLog::add(const ValidationPoint& point) {
  validations_.push_back(point);
  append(json::dump(to_json(point)));
}

void MetricsLog::append(const std::string& line) const {
  const auto close = [](std::FILE* f) { std::fclose(f); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path_.c_str(), "ab"), close);
  if (!file) throw_errno("cannot open", path_.string());
  if (std::fputs((line + "\n").c_str(), file.get()) < 0)
    throw_errno("cannot write", path_.string());
}

void MetricsLog::read(std::int64_t step) {
  const std::string text = read_text_file(path_, std::size_t{1} << 30);
  std::string kept;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;  // a line cut by a kill
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    const json::value v = json::parse(line, path_.string());
    const json::Reader r(v, path_.string());
    if (r.integer("step") > step) continue;
    kept += line + "\n";
    if (const auto validation = r.child("validation")) {
      ValidationPoint p{r.integer("step"), r.integer("samples"), {}};
      for (const auto& [name, value] : validation->raw())
        p.values[name] = value.to_number<double>();
      validations_.push_back(std::move(p));
    } else {
      steps_.push_back(step_of(r));
    }
  }
  write_file_atomically(path_, kept);
}

}  // namespace tandem
