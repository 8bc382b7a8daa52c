// Reads tests/goldens/text/*.txt, for tests.
#pragma once

#include <cstdint>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

struct TextGolden {
  std::string text;
  std::string clean;
  std::vector<std::int32_t> ids;
};

inline std::string percent_decoded(std::string_view field) {
  std::string out;
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] != '%') {
      out.push_back(field[i]);
      continue;
    }
    out.push_back(static_cast<char>(std::stoi(std::string(field.substr(i + 1, 2)), nullptr, 16)));
    i += 2;
  }
  return out;
}

inline std::vector<TextGolden> read_text_goldens(const std::string& name) {
  std::ifstream file("tests/goldens/text/" + name, std::ios::binary);
  if (!file) throw std::runtime_error("no tests/goldens/text/" + name);
  std::vector<TextGolden> goldens;
  std::string line;
  std::getline(file, line);  // versions
  while (std::getline(file, line)) {
    const std::size_t first = line.find('\t');
    const std::size_t second = line.find('\t', first + 1);
    TextGolden golden;
    golden.text = percent_decoded(std::string_view(line).substr(0, first));
    golden.clean = percent_decoded(std::string_view(line).substr(first + 1, second - first - 1));
    std::istringstream ids(line.substr(second + 1));
    for (std::int32_t id = 0; ids >> id;) golden.ids.push_back(id);
    goldens.push_back(std::move(golden));
  }
  return goldens;
}

inline std::string clip_merges() {
  std::ifstream file("assets/vocab/bpe_simple_vocab_16e6.txt", std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace tandem
