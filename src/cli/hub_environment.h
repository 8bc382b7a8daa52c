// The environment variables of Hugging Face's tools, which Tandem shares: the one place that reads
// them.
#pragma once

#include "engine/hub_connection.h"

namespace tandem::cli {

// HF_ENDPOINT, HF_HUB_OFFLINE, HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, HF_HUB_ETAG_TIMEOUT,
// HF_HUB_DOWNLOAD_TIMEOUT. Wrong values are as good as unset.
HubOptions read_hub_environment();

// HF_TOKEN, or what `hf auth login` left in HF_TOKEN_PATH or HF_HOME/token; empty: none. Throws
// kInput for one that cannot be sent.
std::string read_hub_token();

}  // namespace tandem::cli
