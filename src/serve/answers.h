// How failures become answers: one place for statuses, types and bodies.
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "serve/message.h"
#include "serve/route.h"

namespace tandem::serve {

// What a route threw: HttpError as it is; Error by its kind (input 400, not found 404,
// unsupported 422, corrupt 500, network 502, io 500 or, when the disk is full, 507); anything else
// 500. Texts of kCorrupt, kIo, kInternal and of foreign exceptions stay inside: they may name
// paths.
HttpError http_error(const std::exception_ptr& thrown);

// The answer that says it. request_id goes into the body where the shape has a place for it.
Response error_answer(const HttpError& error, ErrorShape shape, const std::string& request_id);

// "Not Found".
std::string_view reason_of(int status);

}  // namespace tandem::serve
