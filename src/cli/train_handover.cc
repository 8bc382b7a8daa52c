// `tandem train`: training lives in tandem-torch.
#include "cli/command.h"
#include "cli/torch_program.h"

namespace tandem::cli {

int run_train(Context& context, Arguments) { become_torch_program(context, "train"); }

}  // namespace tandem::cli
