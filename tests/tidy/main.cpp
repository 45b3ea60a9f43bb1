// tidy TOP: says where the tree breaks a rule. Exit code 0: nowhere, 1: somewhere, 2: usage, or a rule that finds
// nothing even in its own bad sample.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "rules.hpp"

using namespace fieldwork::tidy;
namespace fs = std::filesystem;

namespace {

std::vector<fs::path> files_of(const fs::path& top) {
  std::vector<fs::path> out{top / "CHANGELOG.md"};
  for (const char* part : {"libs", "services", "tests"}) {
    for (const auto& entry : fs::recursive_directory_iterator(top / part)) {
      const auto ending = entry.path().extension();
      if (entry.is_regular_file() && (ending == ".cpp" || ending == ".hpp")) out.push_back(entry.path());
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string read(const fs::path& path) {
  std::stringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || !fs::is_directory(fs::path(argv[1]) / "libs")) {
    std::fputs("Usage: tidy TOP (the top of the source tree)\n", stderr);
    return 2;
  }
  for (const auto& rule : rules()) {
    if (!rule.look(rule.bad).empty()) continue;
    std::fprintf(stderr, "tidy: the rule \"%s\" finds nothing in its own bad sample\n", rule.name);
    return 2;
  }
  const fs::path top = argv[1];
  std::size_t findings = 0, files = 0;
  for (const auto& path : files_of(top)) {
    const auto source = read_source(fs::relative(path, top).generic_string(), read(path));
    ++files;
    for (const auto& rule : rules()) {
      for (const auto& finding : rule.look(source)) {
        ++findings;
        std::printf("%s:%zu: %s: %s\n", source.path.c_str(), finding.line, rule.name, finding.what.c_str());
      }
    }
  }
  std::printf("%zu files, %zu rules, %zu findings\n", files, rules().size(), findings);
  return findings == 0 ? 0 : 1;
}
