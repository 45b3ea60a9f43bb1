// links: model GTest::gtest_main
// The two axes of a device: what its tables promise to those who read only a part of them.
#include <gtest/gtest.h>

#include "model/device.hpp"

namespace fieldwork {
namespace {

template <class State, class Then>
void each(const std::vector<std::string_view>& names, const Then& then) {
  for (std::size_t i = 0; i < names.size(); ++i) then(static_cast<State>(i));
}
void each_lifecycle(const auto& then) { each<Lifecycle>(lifecycle_names(), then); }
void each_presence(const auto& then) { each<Presence>(presence_names(), then); }

TEST(DeviceStates, AreReadBack) {
  EXPECT_EQ(lifecycle_names().size(), 6U);
  EXPECT_EQ(presence_names().size(), 6U);
  each_lifecycle([](Lifecycle one) { EXPECT_EQ(lifecycle(name(one)), one); });
  each_presence([](Presence one) { EXPECT_EQ(presence(name(one)), one); });
  EXPECT_EQ(lifecycle("online"), std::nullopt);
  EXPECT_EQ(presence("active"), std::nullopt);
}

TEST(DeviceStates, NothingFollowsRetired) {
  each_lifecycle([](Lifecycle one) {
    EXPECT_EQ(may_follow(Lifecycle::retired, one), one == Lifecycle::retired) << name(one);
    EXPECT_TRUE(may_follow(one, Lifecycle::retired)) << name(one) << " can be retired";
    EXPECT_EQ(may_follow(one, Lifecycle::enrolling), one == Lifecycle::enrolling) << name(one);
  });
}

TEST(DeviceStates, EachPresenceButDisconnectedCanBecomeLost) {
  each_presence([](Presence one) {
    EXPECT_EQ(may_follow(one, Presence::lost), one != Presence::disconnected) << name(one);
    EXPECT_EQ(may_follow(one, Presence::suspect), one != Presence::disconnected && one != Presence::lost) << name(one);
    EXPECT_TRUE(may_follow(one, Presence::starting)) << name(one) << " can begin a new session";
    EXPECT_TRUE(may_follow(one, Presence::online)) << name(one) << " can be heard";
  });
}

TEST(DeviceStates, WorkIsForWhoIsActiveAndOnline) {
  Device device;
  each_lifecycle([&](Lifecycle cycle) {
    each_presence([&](Presence heard) {
      device.lifecycle = cycle;
      device.presence = heard;
      EXPECT_EQ(gets_work(device), cycle == Lifecycle::active && heard == Presence::online);
    });
    EXPECT_FALSE(trusted(cycle) && barred(cycle)) << name(cycle);
    EXPECT_EQ(!trusted(cycle) && !barred(cycle), cycle == Lifecycle::enrolling) << name(cycle);
  });
}

}  // namespace
}  // namespace fieldwork
