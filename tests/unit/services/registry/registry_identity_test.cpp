// links: registry_shell GTest::gtest_main
// Two devices with one identity: the registry notices, says it, and says when it is over.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "registry/core/registry.hpp"
#include "registry/shell/rows.hpp"

namespace fieldwork::registry {
namespace {

constexpr Time t0{seconds{1'000'000}};
Time at(int s) { return t0 + seconds{s}; }
const DeviceId edge{"edge-1"};

struct Seen {
  int s;
  Start start;
};

TEST(Starts, TellTwoDevicesFromOneThatIsUnwell) {
  const Start a{7, 1}, b{7, 2}, c{9, 3};
  struct Case {
    const char* name;
    std::vector<Seen> seen;
    bool shared;
  };
  const Case cases[] = {
      {"one whose link breaks", {{0, a}, {1, a}, {2, a}, {3, a}, {4, a}, {5, a}}, false},
      {"one that restarts", {{0, {1, 1}}, {1, {2, 2}}, {2, {3, 3}}, {3, {4, 4}}, {4, {5, 5}}, {5, {6, 6}}}, false},
      {"one that restarts and does not say its boot", {{0, {1}}, {1, {2}}, {2, {3}}, {3, {4}}, {4, {5}}}, false},
      {"an old message, once", {{0, a}, {1, b}, {2, a}, {3, b}}, false},
      {"two with copies of one journal", {{0, a}, {1, b}, {2, a}, {3, b}, {4, a}}, true},
      {"two with sessions of their own", {{0, a}, {1, c}, {2, a}, {3, c}, {4, a}}, true},
      {"two that do not say their boot", {{0, {4}}, {1, {9}}, {2, {4}}, {3, {9}}, {4, {4}}}, true},
      {"three", {{0, a}, {1, b}, {2, c}, {3, a}, {4, b}, {5, c}}, true},
      {"two, one of which restarts", {{0, a}, {1, b}, {2, a}, {3, {8, 4}}, {4, a}, {5, {9, 5}}, {6, a}}, true},
      {"slowly", {{0, a}, {30, b}, {60, a}, {90, b}, {120, a}, {150, b}}, true},
      {"too slowly", {{0, a}, {31, b}, {62, a}, {93, b}, {124, a}, {155, b}}, false},
  };
  for (const auto& one : cases) {
    Starts starts;
    bool shared = false;
    for (const auto& seen : one.seen) {
      starts.connected(seen.start, at(seen.s));
      shared = starts.shared(at(seen.s));
    }
    EXPECT_EQ(shared, one.shared) << one.name;
  }
}

TEST(Starts, AreBoundedAndForgetWhatIsQuiet) {
  Starts starts;
  for (int i = 0; i < 5; ++i) starts.connected({7, 1 + i % 2}, at(i));
  EXPECT_TRUE(starts.shared(at(4)));
  EXPECT_TRUE(starts.shared(at(4) + Starts::quiet - seconds{1}));
  EXPECT_FALSE(starts.shared(at(4) + Starts::quiet));
  starts.connected({7, 2}, at(200));
  EXPECT_FALSE(starts.shared(at(200))) << "counted anew";
  for (int i = 0; i < 1000; ++i) starts.connected({i, 1}, at(300));
  starts.connected({1, 1}, at(300));
  EXPECT_FALSE(starts.shared(at(300))) << "long forgotten, so not come back";
}

Registry with_device() {
  Record record;
  record.device.id = edge;
  record.device.lifecycle = Lifecycle::active;
  record.device.presence = Presence::online;
  record.device.session = 7;
  Registry registry(Limits{}, {record}, t0);
  Output out;
  registry.step(LinkBack{}, t0, out);
  registry.step(BatchEnded{}, t0, out);
  return registry;
}

Output online(Registry& registry, int s, std::int64_t session, std::int64_t boot, bool retained = false) {
  Output out;
  registry.step(PresenceArrived{edge, {PresenceSaid::State::online, session, boot}, retained}, at(s), out);
  registry.step(BatchEnded{}, at(s), out);
  return out;
}

std::string events(const Output& out) {
  std::string text;
  for (const auto& one : out.events) text += (text.empty() ? "" : " ") + one.event;
  return text;
}

TEST(Identity, OfTwoDevicesIsSaidUntilItIsQuiet) {
  auto registry = with_device();
  for (int s = 0; s < 4; ++s) {
    const auto out = online(registry, s, 7, 1 + s % 2);
    EXPECT_EQ(events(out), "");
    EXPECT_TRUE(out.rejections.empty());
  }
  const auto noticed = online(registry, 4, 7, 1);
  EXPECT_EQ(events(noticed), "duplicated");
  ASSERT_EQ(noticed.states.size(), 1U);
  EXPECT_EQ(noticed.states[0].duplicated_since_ms, to_ms(at(4)));
  ASSERT_EQ(noticed.rejections.size(), 1U) << "who connects now hears why it will be thrown out";
  EXPECT_EQ(noticed.rejections[0].channel, "presence");
  EXPECT_NE(noticed.rejections[0].error.reason.find("scripts/pki"), std::string::npos) << "and what to do";
  const auto expression = *fleet::Expression::parse("duplicated == true");
  EXPECT_EQ(registry.list(expression, {}, SIZE_MAX).size(), 1U) << "and found";
  const auto other = online(registry, 5, 7, 2);
  EXPECT_EQ(events(other), "") << "once";
  EXPECT_EQ(other.rejections.size(), 1U) << "each of them";

  Output out;
  for (int s = 6; s <= 125; ++s) registry.step(TimePassed{}, at(s), out);
  registry.step(BatchEnded{}, at(125), out);
  EXPECT_EQ(events(out).find("single"), events(out).size() - 6) << events(out);
  ASSERT_FALSE(out.states.empty());
  EXPECT_EQ(out.states.back().duplicated_since_ms, 0);
  EXPECT_TRUE(registry.list(expression, {}, SIZE_MAX).empty());
}

TEST(Identity, IsWatchedAlsoWhereAnOldSessionIsNotBelieved) {
  auto registry = with_device();
  std::string all;
  for (int s = 0; s < 5; ++s) all += events(online(registry, s, s % 2 == 0 ? 3 : 7, 0));
  EXPECT_EQ(all, "duplicated");
  EXPECT_EQ(registry.find(edge)->device.session, 7);
}

TEST(Identity, IsNoMatterOfWhatTheBrokerKept) {
  auto registry = with_device();
  for (int s = 0; s < 8; ++s) EXPECT_EQ(events(online(registry, s, 7, 1 + s % 2, true)), "");
}

TEST(Identity, StandsInTheStateAndInTheRow) {
  Record record;
  record.device.id = edge;
  record.device.about.capacity = {4000, 1, 1};
  record.device.duplicated_since_ms = 9;
  EXPECT_EQ(codec::encode(record.device).at("duplicated_since_ms"), 9);
  EXPECT_EQ(codec::decode_device(codec::encode(record.device))->duplicated_since_ms, 9);
  const auto read = from_row(to_row(record).to_json());
  ASSERT_TRUE(read.ok()) << describe(read.error());
  EXPECT_EQ(read->device.duplicated_since_ms, 9);
  record.device.duplicated_since_ms = 0;
  EXPECT_FALSE(codec::encode(record.device).contains("duplicated_since_ms"));
}

}  // namespace
}  // namespace fieldwork::registry
