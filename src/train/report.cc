#include "train/report.h"

namespace tandem {

std::string html_report(const TrainConfig&, const std::vector<StepReport>&,
                        const std::vector<ValidationPoint>&) {
  return "<!doctype html>";
}

}  // namespace tandem
