// Uploaded pictures are files in their collection's folder: pictures/SHA256.EXT. One file serves
// all items of that content, and goes with the last of them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "serve/service.h"

namespace tandem::serve {

// Stored for good when it returns; a file of that content is left as it is. Throws HttpError 400
// when the shelf is a database, which has no folder; kIo.
std::filesystem::path keep_picture(const Shelf& shelf, const std::string& sha256,
                                   std::span<const std::byte> bytes);
// Nothing when there is none.
std::optional<std::filesystem::path> kept_picture(const Shelf& shelf, const std::string& sha256);
// Deletes the file unless an item has that content (by now).
void forget_picture(const Shelf& shelf, const std::string& sha256);

}  // namespace tandem::serve
