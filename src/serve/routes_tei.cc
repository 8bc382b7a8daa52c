#include "serve/route.h"

namespace tandem::serve {

std::span<const Route> tei_routes() { return {}; }

}  // namespace tandem::serve
