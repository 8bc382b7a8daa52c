# Writes the page's files as bytes of a C++ source: cmake -DFOLDER=web -DFILES=a.js,b.css -DOUT=page_files.cc -P embed_page.cmake
set(types_html "text/html; charset=utf-8")
set(types_css "text/css; charset=utf-8")
set(types_js "text/javascript; charset=utf-8")
set(types_svg "image/svg+xml")
string(REPLACE "," ";" FILES "${FILES}")
set(bytes "")
set(rows "")
set(number 0)
foreach(name ${FILES})
  file(READ "${FOLDER}/${name}" hex HEX)
  file(SHA256 "${FOLDER}/${name}" hash)
  string(SUBSTRING "${hash}" 0 32 hash)
  string(LENGTH "${hex}" length)
  math(EXPR length "${length} / 2")
  string(REGEX REPLACE "[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]" "\\0\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  string(REGEX MATCH "[a-z]+$" ending "${name}")
  if(NOT DEFINED types_${ending})
    message(FATAL_ERROR "${name}: embed_page.cmake has no media type for .${ending}.")
  endif()
  string(APPEND bytes "constexpr unsigned char kBytes${number}[] = {\n${hex}};\n")
  string(APPEND rows "    {\"${name}\", \"${types_${ending}}\", \"\\\"${hash}\\\"\", {kBytes${number}, ${length}}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE "${OUT}.new" "// Made by cmake/embed_page.cmake from web/.
#include \"serve/page_files.h\"

namespace tandem::serve {
namespace {

${bytes}
constexpr PageFile kFiles[] = {
${rows}};

}  // namespace

std::span<const PageFile> page_files() { return kFiles; }

}  // namespace tandem::serve
")
file(RENAME "${OUT}.new" "${OUT}")
