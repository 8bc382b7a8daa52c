#include "serve/route.h"

namespace tandem::serve {

std::span<const Route> openapi_routes() { return {}; }

}  // namespace tandem::serve
