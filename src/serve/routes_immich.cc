#include "serve/route.h"

namespace tandem::serve {

std::span<const Route> immich_routes() { return {}; }

}  // namespace tandem::serve
