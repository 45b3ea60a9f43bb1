// links: runtime GTest::gtest_main
// Metrics as a monitoring sees them: each says what it means and which version runs; names and documents agree.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "runtime/metrics.hpp"
#include "runtime/version.hpp"

namespace fieldwork {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// Name and call (count, gauge, observe) of each metric in the sources.
std::set<std::pair<std::string, std::string>> metrics_in_the_sources() {
  const std::regex call(R"re(\b(count|gauge|observe)\(\s*"(fieldwork_[a-z_]+)")re");
  std::set<std::pair<std::string, std::string>> out;
  for (const char* part : {"libs", "services"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(FIELDWORK_SOURCE_DIR) / part)) {
      if (entry.path().extension() != ".cpp") continue;
      const auto source = text_of(entry.path());
      for (auto it = std::sregex_iterator(source.begin(), source.end(), call); it != std::sregex_iterator(); ++it)
        out.emplace((*it)[2], (*it)[1]);
    }
  }
  return out;
}

TEST(MetricNames, EachHasHelpItsUnitAndAPlaceInTheDocuments) {
  const auto all = metrics_in_the_sources();
  EXPECT_GT(all.size(), 30U);
  for (const auto& [name, call] : all) {
    if (call == "count") metrics::count(name);
    if (call == "gauge") metrics::gauge(name, 1);
    if (call == "observe") metrics::observe(name, 1);
  }
  const auto said = metrics::text();
  const auto manual = text_of(fs::path(FIELDWORK_SOURCE_DIR) / "docs/operations.md");
  for (const auto& [name, call] : all) {
    EXPECT_NE(said.find("# HELP " + name + " "), std::string::npos) << name << ": libs/runtime/metrics_help.cpp";
    EXPECT_EQ(name.ends_with("_total"), call == "count") << name;
    EXPECT_NE(manual.find('`' + name), std::string::npos) << name << ": docs/operations.md";
  }
}

TEST(MetricNames, BuildInfoIsThereWithTheDoor) {
  const metrics::HttpServer server(
      "127.0.0.1:0", [] { return true; }, [] { return true; });
  const auto line = "fieldwork_build_info{version=\"" + std::string(version()) + "\"} 1\n";
  EXPECT_NE(metrics::text().find(line), std::string::npos);
}

}  // namespace
}  // namespace fieldwork
