#include "serve/route.h"

namespace tandem::serve {

std::span<const Route> tandem_routes() { return {}; }

}  // namespace tandem::serve
