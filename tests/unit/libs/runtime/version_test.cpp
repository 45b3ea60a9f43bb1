// links: runtime GTest::gtest_main
// The version that programs say is the one that the changelog begins with.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "runtime/version.hpp"

namespace fieldwork {
namespace {

TEST(Version, IsTheNewestOfTheChangelog) {
  std::stringstream text;
  text << std::ifstream(FIELDWORK_SOURCE_DIR "/CHANGELOG.md").rdbuf();
  const auto changes = text.str();
  const auto at = changes.find("\n## [");
  ASSERT_NE(at, std::string::npos);
  EXPECT_TRUE(changes.substr(at + 5).starts_with(std::string(version()) + "]")) << changes.substr(at, 40);
}

}  // namespace
}  // namespace fieldwork
