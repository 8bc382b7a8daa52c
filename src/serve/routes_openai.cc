#include "serve/route.h"

namespace tandem::serve {

std::span<const Route> openai_routes() { return {}; }

}  // namespace tandem::serve
