// The corpus directory of a fuzzer, filled with valid inputs where it is empty: from them libFuzzer goes on.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace fieldwork::fuzz {

inline void seed_corpus(int count, char** words, const std::vector<std::string>& inputs) {
  namespace fs = std::filesystem;
  for (int i = 1; i < count; ++i) {
    const fs::path directory(words[i]);
    if (words[i][0] == '-' || !fs::is_directory(directory) || !fs::is_empty(directory)) continue;
    for (std::size_t n = 0; n < inputs.size(); ++n)
      std::ofstream(directory / ("seed-" + std::to_string(n)), std::ios::binary) << inputs[n];
  }
}

}  // namespace fieldwork::fuzz
