// What differs between tandem and tandem-torch: which engines they hold. One stub or the other is
// built in.
#pragma once

#include <string>

#include "cli/command.h"
#include "engine/model.h"

namespace tandem::cli {

// tandem: the CPU engine; for another device the process becomes tandem-torch and this does not
// return. tandem-torch: the torch engine.
EncoderFactory encoder_for(const std::string& device, const Context& context);

}  // namespace tandem::cli
