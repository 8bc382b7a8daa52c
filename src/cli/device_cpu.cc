#include "cli/device.h"
#include "cli/torch_program.h"

namespace tandem::cli {

EncoderFactory encoder_for(const std::string& device, const Context& context) {
  if (device != "cpu") become_torch_program(context, "--device " + device);
  return make_cpu_encoder;
}

}  // namespace tandem::cli
