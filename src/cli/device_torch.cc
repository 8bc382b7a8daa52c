#include "cli/device.h"

namespace tandem::cli {

EncoderFactory encoder_for(const std::string&, const Context&) { return make_torch_encoder; }

}  // namespace tandem::cli
