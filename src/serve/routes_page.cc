#include "serve/route.h"

namespace tandem::serve {

std::span<const Route> page_routes() { return {}; }

}  // namespace tandem::serve
