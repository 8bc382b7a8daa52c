// The record of a run: OUT/metrics.jsonl, one line a report or a validation, and what was read
// back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "train/trainer.h"

namespace tandem {

struct ValidationPoint {
  std::int64_t step = 0;
  std::int64_t samples = 0;
  Measurements values;
};

class MetricsLog {
 public:
  // Reads what is there and drops lines after step `step`, which a resumed run writes again.
  MetricsLog(const std::filesystem::path& path, std::int64_t step);
  void add(const StepReport& report);
  void add(const ValidationPoint& point);
  const std::vector<StepReport>& steps() const { return steps_; }
  const std::vector<ValidationPoint>& validations() const { return validations_; }

 private:
  void append(const std::string& line) const;
  void read(std::int64_t step);
  std::filesystem::path path_;
  std::vector<StepReport> steps_;
  std::vector<ValidationPoint> validations_;
};

}  // namespace tandem
