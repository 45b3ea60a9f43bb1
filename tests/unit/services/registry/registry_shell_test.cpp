// links: registry_shell GTest::gtest_main
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "codec/policy.hpp"
#include "model/items.hpp"
#include "registry/shell/service.hpp"
#include "runtime/engine.hpp"
#include "store/memory.hpp"
#include "support/certificates.hpp"
#include "support/registry_inputs.hpp"
#include "support/said_bus.hpp"

namespace fieldwork::registry {
namespace {

// The shell over an engine, a store in memory and a bus that only writes down.
using Bus = support::SaidBus;

struct Stack {
  store::MemoryStore& store;
  Bus bus;
  RegistryService service{"fieldwork/v1", Limits{}};
  runtime::Engine engine{service, store, bus};
  explicit Stack(store::MemoryStore& s, Time now = t0) : store(s) {
    EXPECT_TRUE(engine.load(now).ok());
    EXPECT_TRUE(engine.run({runtime::Connected{}}, now).ok());
  }
  void say(const std::string& topic, const std::string& payload, double s, const std::string& reply = "") {
    bus::Message message{.topic = "fieldwork/v1/" + topic, .payload = payload};
    message.response_topic = reply;
    message.correlation = "c1";
    EXPECT_TRUE(engine.run({message}, at(s)).ok());
  }
  nlohmann::json heard(const std::string& topic) const { return bus.last(topic); }
};

TEST(RegistryShell, RetainedRequestsAreNotAnsweredAgainAndAgain) {
  store::MemoryStore store;
  Stack stack(store);
  bus::Message message{.topic = "fieldwork/v1/service/registry/list/operator", .payload = R"({"v":1})", .retain = true};
  message.response_topic = "fieldwork/v1/reply/cli-1/answer";
  EXPECT_TRUE(stack.engine.run({message}, at(1)).ok());
  EXPECT_EQ(stack.heard("reply/cli-1/answer")["error"]["reason"], "a request is not retained");
}

TEST(RegistryShell, EchoesTheHeartbeatThatAsksBeforeItIsStored) {
  store::MemoryStore store;
  Stack stack(store);
  const auto beat = [&](std::int64_t number, bool echo) {
    const Heartbeat said{.session = 3, .beat = number, .echo = echo};
    bus::Message message{.topic = "fieldwork/v1/device/edge-1/up/heartbeat", .payload = codec::encode(said)};
    message.arrived = at(1);
    stack.bus.said.clear();
    EXPECT_TRUE(stack.engine.run({message}, at(1) + milliseconds(20)).ok());
    return stack.heard("device/edge-1/down/echo");
  };
  EXPECT_TRUE(beat(7, false).is_null());
  const auto echo = beat(8, true);
  EXPECT_EQ(echo["session"], 3);
  EXPECT_EQ(echo["beat"], 8);
  EXPECT_EQ(echo["held_us"], 20'000);
  EXPECT_EQ(stack.bus.find("device/edge-1/down/echo")->qos, 0);
  EXPECT_EQ(stack.bus.said.front().topic, "fieldwork/v1/device/edge-1/down/echo");
}

TEST(RegistryShell, TalksFromEnrolmentToState) {
  store::MemoryStore store;
  Stack stack(store);
  const auto pem = make_certificate("edge-1");
  stack.say("device/edge-1/up/enrol", codec::encode(enrolment(1, pem)), 1);
  auto question = stack.heard("service/security-policy/certificate/registry");
  EXPECT_EQ(question["items"][0]["certificate"], pem);
  EXPECT_EQ(stack.engine.outbox_size(), 1u);
  stack.bus.said.clear();
  EXPECT_TRUE(stack.engine.run({}, at(4)).ok());  // not answered: asked again
  EXPECT_FALSE(stack.heard("service/security-policy/certificate/registry").is_null());

  const CertificateAnswer answer{edge, fingerprint_of(pem), CertificateState::valid, "good"};
  const std::vector<std::string> items{R"({"device":"edge-2"})", codec::dump(codec::encode(answer)), "7"};
  stack.say("service/registry/certificate/security-policy", pack_items(items).at(0), 5);
  EXPECT_EQ(stack.engine.outbox_size(), 0u);
  EXPECT_EQ(stack.heard("device/edge-1/down/enrolled")["state"], "enrolled");
  EXPECT_EQ(stack.heard("event/device/edge-1")["event"], "active");
  EXPECT_EQ(stack.heard("state/device/edge-1")["lifecycle"], "active");
  EXPECT_EQ(stack.heard("state/device/edge-1")["presence"], "starting");
  EXPECT_TRUE(stack.bus.find("state/device/edge-1")->retain);

  stack.say("service/registry/show/ann", R"({"v":1,"device":"edge-1"})", 6, "fieldwork/v1/reply/ann/x");
  EXPECT_EQ(stack.heard("reply/ann/x")["device"]["lifecycle"], "active");
  EXPECT_EQ(stack.bus.said.back().correlation, "c1");
  stack.say("service/registry/list/ann", R"({"v":1})", 6, "fieldwork/v1/reply/ann/y");
  EXPECT_EQ(stack.heard("reply/ann/y")["items"].size(), 1u);

  Stack again(store, at(7));  // restart: everything retained is said again
  EXPECT_EQ(again.heard("state/device/edge-1")["session"], 1);
  EXPECT_EQ(again.service.core().find(edge)->device, stack.service.core().find(edge)->device);
}

// The broker says what it keeps again at each connection: nobody lives because of it.
TEST(RegistryShell, WhatADeviceRetainedIsNoSignOfLife) {
  store::MemoryStore store;
  Stack stack(store);
  for (const char* channel : {"enrol", "heartbeat"}) {
    const auto payload = codec::encode(enrolment(1, make_certificate("edge-1")));
    const bus::Message message{
        .topic = std::string("fieldwork/v1/device/edge-1/up/") + channel, .payload = payload, .retain = true};
    EXPECT_TRUE(stack.engine.run({message}, at(1)).ok());
    EXPECT_EQ(stack.heard("device/edge-1/down/rejected")["channel"], channel);
  }
  EXPECT_EQ(stack.service.core().size(), 0U);
}

TEST(RegistryShell, SumsUpTheFleetAndItsGroups) {
  store::MemoryStore store;
  Stack stack(store);
  for (const char* id : {"d1", "d2"}) {
    auto one = enrolment(1, make_certificate(id));
    one.about.site = "berlin";
    stack.say(std::string("device/") + id + "/up/enrol", codec::encode(one), 1);
  }
  stack.say("service/registry/group/ann", R"({"v":1,"group":"b","expression":"site ^= ber"})", 2,
            "fieldwork/v1/reply/ann/x");
  EXPECT_EQ(stack.heard("reply/ann/x")["group"]["devices"], 2);
  stack.say("service/registry/group/ann", R"({"v":1,"group":"c","add":["d1"]})", 3, "fieldwork/v1/reply/ann/x");
  EXPECT_EQ(stack.heard("state/device/d1")["groups"], (nlohmann::json{"b", "c"}));
  EXPECT_TRUE(stack.engine.run({}, at(9)).ok());
  auto summary = stack.heard("state/fleet/summary");
  EXPECT_TRUE(stack.bus.find("state/fleet/summary")->retain);
  summary.erase("at_ms");
  EXPECT_EQ(summary, (nlohmann::json{{"v", 1},
                                     {"devices", 2},
                                     {"lifecycle", {{"enrolling", 2}}},
                                     {"presence", {{"starting", 2}}},
                                     {"site", {{"berlin", 2}}},
                                     {"group", {{"b", 2}, {"c", 1}}},
                                     {"pressure", nlohmann::json::object()},
                                     {"health", {{"min", 1}, {"p50", 1}, {"mean", 1}}},
                                     {"attempts", 0}}));
  Stack again(store, at(10));
  again.say("service/registry/groups/ann", R"({"v":1})", 11, "fieldwork/v1/reply/ann/y");
  const auto groups = again.heard("reply/ann/y")["items"];
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0]["expression"], "site ^= ber");
  EXPECT_EQ(groups[1]["devices"], 1);
  again.say("service/registry/health/ann", R"({"v":1,"device":"d1"})", 12, "fieldwork/v1/reply/ann/z");
  EXPECT_EQ(again.heard("reply/ann/z")["report"]["components"].size(), 1 + component_names.size());
}

TEST(RegistryShell, ListsPageByPage) {
  store::MemoryStore store;
  Stack stack(store);
  for (const char* id : {"d1", "d2", "d3", "d4", "d5"}) {
    auto enrol = enrolment(1, make_certificate(id));
    stack.say(std::string("device/") + id + "/up/enrol", codec::encode(enrol), 1);
  }
  std::string seen, after;
  int pages = 0;
  do {
    ASSERT_LT(++pages, 5);
    const nlohmann::json question{{"v", 1}, {"limit", 2}, {"after", after}};
    stack.say("service/registry/list/ann", question.dump(), 2, "fieldwork/v1/reply/ann/y");
    const auto page = stack.heard("reply/ann/y");
    EXPECT_LE(page["items"].size(), 2U);
    for (const auto& one : page["items"]) seen += one["device"].get<std::string>() + " ";
    after = page.value("next", "");
  } while (!after.empty());
  EXPECT_EQ(seen, "d1 d2 d3 d4 d5 ");
  EXPECT_EQ(pages, 3);
}

TEST(RegistryShell, RejectsBadInputAndChangesNothing) {
  store::MemoryStore store;
  Stack stack(store);
  const auto commits = store.commits();
  const std::string deep(100, '[');
  for (const std::string channel : {"enrol", "heartbeat", "presence"}) {
    for (const std::string& bad : {std::string("{"), std::string("[]"), std::string(R"({"v":2})"), deep,
                                   std::string(300'000, 'x'), std::string(R"({"v":1,"session":"one"})")}) {
      stack.bus.said.clear();
      stack.say("device/edge-1/up/" + channel, bad, 1);
      EXPECT_EQ(stack.heard("device/edge-1/down/rejected")["channel"], channel) << channel << " " << bad.substr(0, 30);
    }
  }
  stack.bus.said.clear();
  stack.say("device/.bad/up/enrol", "{", 2);
  EXPECT_TRUE(stack.bus.said.empty());
  stack.say("service/registry/certificate/mallory", R"({"v":1,"items":[]})", 2, "fieldwork/v1/reply/mallory/x");
  EXPECT_EQ(stack.heard("reply/mallory/x")["error"]["code"], "denied");
  stack.say("service/registry/show/ann", R"({"v":1,"device":"none"})", 2, "fieldwork/v1/reply/ann/x");
  EXPECT_EQ(stack.heard("reply/ann/x")["error"]["code"], "unknown");
  stack.say("service/registry/show/ann", R"({"v":1,"device":"a","b":1})", 2, "fieldwork/v1/reply/ann/x");
  EXPECT_EQ(stack.heard("reply/ann/x")["error"]["path"], "/b");
  stack.bus.said.clear();
  stack.say("service/registry/list/ann", R"({"v":1})", 2, "elsewhere/reply/ann/x");
  EXPECT_TRUE(stack.bus.said.empty());
  EXPECT_EQ(store.commits(), commits);
  EXPECT_EQ(stack.service.core().size(), 0u);
}

}  // namespace
}  // namespace fieldwork::registry
