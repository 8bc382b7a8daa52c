# Writes the OpenAPI document as a C++ source: cmake -DFILE=openapi.json -DOUT=openapi_text.cc -P embed_openapi.cmake
file(READ "${FILE}" text)
file(WRITE "${OUT}.new" "// Made by cmake/embed_openapi.cmake from src/serve/openapi.json.
#include \"serve/openapi.h\"

namespace tandem::serve {

std::string_view openapi_text() {
  return R\"openapi(${text})openapi\";
}

}  // namespace tandem::serve
")
file(RENAME "${OUT}.new" "${OUT}")
