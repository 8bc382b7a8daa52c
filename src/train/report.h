// The report of a run as one HTML file that needs nothing else: curves as inline SVG.
#pragma once

#include <string>
#include <vector>

#include "train/metrics.h"

namespace tandem {

std::string html_report(const TrainConfig& config, const std::vector<StepReport>& steps,
                        const std::vector<ValidationPoint>& validations);

}  // namespace tandem
