// scenarios [--rewrite]: one conversation of each capability, message by message, compared with the text files beside
// this one. What differs from run to run (signatures, certificates, times) stands as "…". After --rewrite, review the
// diff.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "runtime/log.hpp"
#include "talk.hpp"

using namespace fieldwork;
using namespace fieldwork::sim;

namespace {

// The first line that differs, for a person.
void explain(const std::string& expected, const std::string& got) {
  const auto differs = std::mismatch(expected.begin(), expected.end(), got.begin(), got.end()).second - got.begin();
  const auto at = static_cast<std::size_t>(differs);
  const auto begin = at == 0 ? 0 : got.rfind('\n', at - 1) + 1;
  const auto line = [&](const std::string& text) {
    return begin >= text.size() ? std::string("(nothing)") : text.substr(begin, text.find('\n', begin) - begin);
  };
  std::printf("  expected: %s\n  got:      %s\n", line(expected).c_str(), line(got).c_str());
}

bool holds(const Scenario& scenario, bool rewrite) {
  const auto path = std::string(FIELDWORK_SCENARIOS_DIR) + "/" + scenario.name + ".txt";
  const auto got = scenario.run();
  if (rewrite) {
    std::ofstream(path, std::ios::binary) << got;
    return true;
  }
  std::ifstream file(path, std::ios::binary);
  const std::string expected{std::istreambuf_iterator<char>(file), {}};
  if (expected == got) return true;
  std::printf("%s is not as %s says (rewrite it with --rewrite, then review the diff)\n", scenario.name, path.c_str());
  explain(expected, got);
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const bool rewrite = argc == 2 && std::string(argv[1]) == "--rewrite";
  if (argc > 1 && !rewrite) {
    std::fputs("scenarios [--rewrite]\n", stderr);
    return 2;
  }
  log::setup("scenarios", "text", "off");
  auto scenarios = scenarios_of_work();
  for (const auto& one : scenarios_of_failures()) scenarios.push_back(one);
  int bad = 0;
  for (const auto& scenario : scenarios) {
    try {
      bad += holds(scenario, rewrite) ? 0 : 1;
    } catch (const std::exception& failure) {
      std::printf("%s: %s\n", scenario.name, failure.what());
      ++bad;
    }
  }
  return bad == 0 ? 0 : 1;
}
