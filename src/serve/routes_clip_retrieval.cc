#include "serve/route.h"

namespace tandem::serve {

std::span<const Route> clip_retrieval_routes() { return {}; }

}  // namespace tandem::serve
