// Writing JSON answers, by hand where there are thousands of numbers a second.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/json.h"
#include "serve/message.h"

namespace tandem::serve {

// The shortest text that reads back as the same float. Not finite: null.
void append_number(std::string& out, float value);
void append_numbers(std::string& out, std::span<const float> values);  // "[1,0.5]"
// In quotes, escaped; bytes that are not UTF-8 become U+FFFD.
void append_text(std::string& out, std::string_view text);

// A float whose JSON text is as short as append_number's.
json::value number_json(float value);
json::array numbers_json(std::span<const float> values);

// RFC 4648, with padding.
std::string base64(std::span<const std::byte> bytes);
// Of a vector: its floats in little-endian order, as OpenAI's clients read them.
std::string base64(std::span<const float> values);

// "2024-05-01T12:00:00Z", whole seconds.
std::string iso_time(std::int64_t ns_since_1970);

Response json_answer(const json::value& body, int status = 200);

}  // namespace tandem::serve
