// links: registry_shell GTest::gtest_main
// Groups: who is in them, when that changes, what is stored, and what is refused. And when the fleet's summary is due.
#include <gtest/gtest.h>

#include "registry/shell/groups.hpp"
#include "support/registry_core.hpp"

namespace fieldwork::registry {
namespace {

using Names = std::vector<std::string>;

// Three devices at two sites, and the rows that the registry has saved.
struct Fleet {
  std::map<DeviceId, Record> rows;
  std::map<std::string, Group> group_rows;
  Registry registry = made();
  Output said;

  Fleet() { step(LinkBack{}, at(0)); }
  Registry made() {
    std::vector<Record> records;
    for (const auto& [id, site] : {std::pair{"a", "berlin"}, {"b", "berlin"}, {"c", "rome"}}) {
      auto one = record(online);
      one.device.id = DeviceId(id);
      one.device.about.site = site;
      rows[one.device.id] = one;
      records.push_back(one);
    }
    return Registry(Limits{}, records, t0);
  }
  void step(const Input& input, Time now) {
    said = registry::step(registry, input, now);
    for (const auto& one : said.devices) rows[one.device.id] = stored(one);
    for (const auto& one : said.groups) group_rows[one.name] = *group_from_row(to_row(one).to_json());
    for (const auto& name : said.removed_groups) group_rows.erase(name);
  }
  void restart(Time now) {
    std::vector<Record> records;
    std::vector<Group> groups;
    for (const auto& [id, one] : rows) records.push_back(one);
    for (const auto& [name, one] : group_rows) groups.push_back(one);
    registry = Registry(Limits{}, records, now, groups);
    step(LinkBack{}, now);
  }
  void define(const std::string& group, const char* expression, Time now) {
    step(GroupRequested{.reply = 1, .group = group, .expression = *fleet::Expression::parse(expression)}, now);
  }
  void change(const std::string& group, std::vector<DeviceId> add, std::vector<DeviceId> drop, Time now) {
    step(GroupRequested{.reply = 1, .group = group, .add = std::move(add), .drop = std::move(drop)}, now);
  }
  void beat(const char* id, double load, Time now) {
    auto one = heartbeat(3, load, ++beats_[id]);
    step(HeartbeatArrived{DeviceId(id), one}, now);
  }
  [[nodiscard]] const Names& of(const char* id) const { return registry.find(DeviceId(id))->device.groups; }
  [[nodiscard]] std::int64_t counted() const { return std::get<GroupShown>(said.group_answers.at(0).answer).devices; }
  [[nodiscard]] Error refused() const { return std::get<Error>(said.group_answers.at(0).answer); }
  [[nodiscard]] std::string found(const char* expression) const {
    std::string out;
    for (const auto* one : registry.list(*fleet::Expression::parse(expression), {}, SIZE_MAX)) out += one->id.value;
    return out;
  }

 private:
  std::map<std::string, std::int64_t> beats_;
};

TEST(Groups, AStaticOneHasTheMembersThatAreNamed) {
  Fleet fleet;
  fleet.change("canary", {DeviceId("a"), DeviceId("c")}, {}, at(1));
  EXPECT_EQ(fleet.counted(), 2);
  EXPECT_EQ(fleet.said.states.size(), 2U) << "the devices' states say it";
  EXPECT_EQ(fleet.said.devices.size(), 2U);
  EXPECT_EQ(fleet.found("group == canary"), "ac");
  fleet.change("canary", {DeviceId("a")}, {}, at(2));
  EXPECT_TRUE(fleet.said.states.empty() && fleet.said.devices.empty()) << "it is in already";
  fleet.restart(at(3));
  EXPECT_EQ(fleet.found("group == canary"), "ac");
  fleet.change("canary", {}, {DeviceId("a"), DeviceId("nobody")}, at(4));
  EXPECT_EQ(fleet.counted(), 1);
  EXPECT_EQ(fleet.of("a"), Names{});
  fleet.step(GroupRequested{.reply = 1, .group = "canary", .remove = true}, at(5));
  EXPECT_EQ(fleet.counted(), 1) << "as it was";
  EXPECT_EQ(fleet.found("group == canary"), "");
  EXPECT_TRUE(fleet.registry.groups().empty());
  fleet.restart(at(6));
  EXPECT_EQ(fleet.found("group == canary"), "");
}

TEST(Groups, ADynamicOneFollowsItsExpression) {
  Fleet fleet;
  fleet.define("berlin", "site == berlin", at(1));
  EXPECT_EQ(fleet.counted(), 2);
  EXPECT_EQ(fleet.said.states.size(), 2U);
  fleet.define("unwell", "health < 0.7 and presence == online", at(2));
  EXPECT_EQ(fleet.counted(), 0);
  fleet.beat("b", 99, at(3));
  EXPECT_EQ(fleet.of("b"), (Names{"berlin", "unwell"}));
  ASSERT_EQ(fleet.said.states.size(), 1U) << "said at once: others act on it";
  EXPECT_EQ(fleet.said.states[0].groups, (Names{"berlin", "unwell"}));
  fleet.restart(at(4));
  EXPECT_EQ(fleet.of("b"), (Names{"berlin", "unwell"})) << "as it was measured last";
  fleet.beat("b", 99, at(5));
  EXPECT_EQ(fleet.found("group == unwell"), "b");
  fleet.beat("b", 0.1, at(6));
  EXPECT_EQ(fleet.found("group == unwell"), "");
  fleet.define("berlin", "site == rome", at(7));
  EXPECT_EQ(fleet.found("group == berlin"), "c") << "it can be defined anew";
  const auto all = fleet.registry.groups();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].devices, 1);
  EXPECT_EQ(all[0].group.expression->text(), "site == rome");
}

TEST(Groups, WhatCannotBeIsRefusedAndChangesNothing) {
  Fleet fleet;
  fleet.change("fixed", {DeviceId("a")}, {}, at(1));
  fleet.define("moving", "site == rome", at(1));
  struct Case {
    const char* name;
    GroupRequested input;
    Code code;
    const char* path;
  };
  const auto rome = *fleet::Expression::parse("site == rome");
  const Case cases[] = {
      {"shown, unknown", {.group = "none"}, Code::unknown, "/group"},
      {"removed, unknown", {.group = "none", .remove = true}, Code::unknown, "/group"},
      {"members of a dynamic one", {.group = "moving", .add = {DeviceId("a")}}, Code::conflict, "/group"},
      {"an expression for a static one", {.group = "fixed", .expression = rome}, Code::conflict, "/group"},
      {"both", {.group = "new", .expression = rome, .add = {DeviceId("a")}}, Code::conflict, "/group"},
      {"by groups",
       {.group = "new", .expression = *fleet::Expression::parse("not (site == rome or group == fixed)")},
       Code::invalid,
       "/expression"},
      {"an unknown device", {.group = "fixed", .add = {DeviceId("b"), DeviceId("x")}}, Code::unknown, "/add"},
  };
  for (const auto& one : cases) {
    fleet.step(one.input, at(2));
    EXPECT_EQ(fleet.refused().code, one.code) << one.name;
    EXPECT_EQ(fleet.refused().path, one.path) << one.name;
    EXPECT_EQ(fleet.registry.groups().size(), 2U) << one.name;
    EXPECT_EQ(fleet.of("b"), Names{}) << one.name;
  }
  for (std::size_t i = fleet.registry.groups().size(); i < limits::groups_max; ++i)
    fleet.define("g" + std::to_string(i), "site == rome", at(3));
  fleet.define("more", "site == rome", at(4));
  EXPECT_EQ(fleet.refused().code, Code::conflict);
  EXPECT_EQ(fleet.of("c").size(), limits::groups_max - 1);
  EXPECT_EQ(decode_group_request(R"({"v":1,"group":"g","expression":"site = x"})").error().path, "/expression");
  EXPECT_EQ(decode_group_request(R"({"v":1,"group":"g","add":["-"]})").error().path, "/add");
}

TEST(Groups, RemovedAndDefinedInOneBatchIsAsTheLastSaid) {
  Fleet fleet;
  fleet.change("g", {DeviceId("a")}, {}, at(1));
  Output out;
  fleet.registry.step(GroupRequested{.group = "g", .remove = true}, at(2), out);
  fleet.registry.step(GroupRequested{.group = "g", .add = {DeviceId("b")}}, at(2), out);
  EXPECT_EQ(out.groups.size(), 1U);
  EXPECT_TRUE(out.removed_groups.empty());
  fleet.registry.step(GroupRequested{.group = "g", .remove = true}, at(2), out);
  EXPECT_TRUE(out.groups.empty());
  EXPECT_EQ(out.removed_groups, Names{"g"});
}

TEST(Groups, ADeviceIsNotInAGroupThatNobodyKnows) {
  auto saved = record(online);
  saved.device.groups = {"gone"};
  Registry registry(Limits{}, {saved}, t0);
  EXPECT_TRUE(registry.find(edge)->device.groups.empty());
}

TEST(Groups, ADeviceThatEnrolsIsInTheDynamicOnesThatItMatches) {
  Fleet fleet;
  fleet.define("all", "lifecycle == active", at(1));
  const auto pem = make_certificate("edge-1");
  fleet.step(EnrolmentArrived{edge, enrolment(1, pem)}, at(2));
  EXPECT_EQ(fleet.of("edge-1"), Names{});
  fleet.step(checked(pem), at(3));
  EXPECT_EQ(fleet.of("edge-1"), Names{"all"});
}

TEST(Summary, IsDueWhenDevicesChangedAndNotTooOften) {
  Fleet fleet;
  const auto due = [&](double s) {
    fleet.step(TimePassed{}, at(s));
    return fleet.said.summary;
  };
  EXPECT_TRUE(due(1));
  EXPECT_FALSE(due(8)) << "nothing changed";
  fleet.beat("a", 99, at(9));
  EXPECT_TRUE(due(10));
  fleet.beat("a", 0.1, at(11));
  EXPECT_FALSE(due(12));
  EXPECT_TRUE(due(15));
  fleet.step(LinkBack{}, at(16));
  EXPECT_TRUE(due(21)) << "the broker may have lost it";
}

}  // namespace
}  // namespace fieldwork::registry
