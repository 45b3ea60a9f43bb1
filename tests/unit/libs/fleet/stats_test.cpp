// links: fleet GTest::gtest_main
#include "fleet/stats.hpp"

#include <gtest/gtest.h>

namespace fieldwork::fleet {
namespace {

Device device(int number, const std::string& site, double health, std::vector<std::string> capabilities = {}) {
  Device out;
  out.id = DeviceId("edge-" + std::to_string(number));
  out.about.site = site;
  out.health = health;
  out.about.capabilities = std::move(capabilities);
  return out;
}

std::vector<const Device*> all(const std::vector<Device>& devices) {
  std::vector<const Device*> out;
  for (const auto& one : devices) out.push_back(&one);
  return out;
}

TEST(Stats, CountsByAnAttribute) {
  const std::vector<Device> fleet{device(1, "b", 1, {"camera", "gpu"}), device(2, "a", 0.5),
                                  device(3, "b", 0.25, {"gpu"}), device(4, "", 1)};
  const auto by_site = stats(all(fleet), *attribute("site"), {});
  ASSERT_TRUE(by_site);
  EXPECT_EQ(*by_site, (std::vector<Group>{{"b", 2, {}}, {"", 1, {}}, {"a", 1, {}}}));
  const auto by_capability = stats(all(fleet), *attribute("capability"), {});
  EXPECT_EQ(*by_capability, (std::vector<Group>{{"", 2, {}}, {"gpu", 2, {}}, {"camera", 1, {}}}));
  EXPECT_EQ(*stats(all(fleet), {}, {}), (std::vector<Group>{{"", 4, {}}}));
  EXPECT_EQ(stats(all(fleet), *attribute("presence"), {})->front().value, "starting");
  EXPECT_TRUE(stats({}, *attribute("site"), {})->empty());
}

TEST(Stats, PercentilesAreValuesThatOccur) {
  std::vector<Device> fleet;
  for (int i = 1; i <= 100; ++i) fleet.push_back(device(i, "a", i / 100.0));
  const auto one = stats(all(fleet), *attribute("site"), *attribute("health"));
  ASSERT_TRUE(one);
  const auto& d = one->front().distribution;
  EXPECT_EQ(d.count, 100);
  EXPECT_EQ(d.min, 0.01);
  EXPECT_EQ(d.p50, 0.5);
  EXPECT_EQ(d.p90, 0.9);
  EXPECT_EQ(d.p99, 0.99);
  EXPECT_EQ(d.max, 1);
  EXPECT_NEAR(d.mean, 0.505, 1e-9);
  // What was not measured is not counted.
  EXPECT_EQ(stats(all(fleet), {}, *attribute("battery"))->front().distribution, Distribution{});
}

TEST(Stats, OnlyNumbersAreDistributed) {
  EXPECT_EQ(stats({}, {}, *attribute("site")).error(), (Error{Code::invalid, "site is not a number"}));
  EXPECT_EQ(stats({}, {}, *attribute("presence")).error(), (Error{Code::invalid, "presence is not a number"}));
}

TEST(Stats, ManyGroupsAreSummedUp) {
  std::vector<Device> fleet;
  for (int i = 0; i < 1000; ++i) fleet.push_back(device(i, "site-" + std::to_string(i), 1));
  const auto groups = stats(all(fleet), *attribute("site"), *attribute("health"));
  ASSERT_EQ(groups->size(), groups_max);
  EXPECT_EQ(groups->back().value, "…");
  EXPECT_EQ(groups->back().devices, 1000 - static_cast<std::int64_t>(groups_max) + 1);
  EXPECT_EQ(groups->back().distribution.count, groups->back().devices);
}

}  // namespace
}  // namespace fieldwork::fleet
