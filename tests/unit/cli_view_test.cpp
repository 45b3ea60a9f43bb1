// links: cli_lib GTest::gtest_main
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "view.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

TEST(CliView, ADeviceThatSharesItsIdentitySaysSo) {
  const Json device{{"device", "d-1"}, {"state", "ready"}, {"duplicated_since_ms", 1'000}};
  EXPECT_NE(device_text(device, 61'000).find("used by two devices for 1m 0s"), std::string::npos);
  EXPECT_EQ(device_text({{"device", "d-1"}, {"state", "ready"}}, 61'000).find("identity"), std::string::npos);
}

}  // namespace
}  // namespace fieldwork::cli
