// links: agent_shell GTest::gtest_main
// Stages through the agent's shell: commands, answers after the commit, the journal.
#include <gtest/gtest.h>

#include "agent/shell/service.hpp"
#include "codec/stage.hpp"
#include "model/items.hpp"
#include "runtime/engine.hpp"
#include "store/memory.hpp"
#include "support/said_bus.hpp"

namespace fieldwork::agent {
namespace {

constexpr Time t0{seconds{1'000'000}};
const std::string digest = "sha256:" + std::string(64, 'a');
using Words = std::vector<std::string>;

struct StagingHands : Hands {
  void run(const Assign& /*assign*/) override {}
  void kill(const AttemptKey& /*key*/) override {}
  void fetch(const Fetch& /*what*/, Time /*now*/) override {}
  void stage(const Fetch& what, Time /*now*/) override { did.push_back("stage " + what.digest.substr(7, 1)); }
  void unstage(const std::string& what) override { did.push_back("unstage " + what.substr(7, 1)); }
  void place(const staging::Place& what) override {
    did.push_back("place " + what.file);
    done.push_back({what.digest, what.file});
  }
  std::vector<staging::Placed> placed() override { return std::exchange(done, {}); }
  std::vector<PackageNews> news() override { return std::exchange(here, {}); }
  Words did;
  std::vector<staging::Placed> done;
  std::vector<PackageNews> here;
};

struct Device {
  store::MemoryStore journal;
  support::SaidBus bus;
  StagingHands hands;
  std::optional<AgentService> service;
  std::unique_ptr<runtime::Engine> engine;

  void start(bool places = true) {
    AgentConfig config;
    config.device = "d1";
    config.places = places;
    engine.reset();
    service.emplace(std::move(config), hands);
    engine = std::make_unique<runtime::Engine>(*service, journal, bus);
    ASSERT_TRUE(engine->load(t0).ok());
    ASSERT_TRUE(engine->run({}, t0).ok());
  }
  void command(const StageCommand& command) {
    const auto items = pack_items({codec::dump(codec::encode(command))});
    ASSERT_TRUE(
        engine->run({bus::Message{.topic = "fieldwork/v1/device/d1/down/stage", .payload = items.at(0)}}, t0).ok());
  }
  void comes(const PackageNews& news) {
    hands.here.push_back(news);
    ASSERT_TRUE(engine->run({}, t0).ok());
  }
  // What was said last, as "ready".
  std::string said() {
    const auto last = bus.last("device/d1/up/stage");
    return last.is_null() || last.at("items").empty() ? "" : last.at("items").at(0).at("state").get<std::string>();
  }
};

TEST(AgentStaging, PlacesAFileAndGoesOnAfterARestart) {
  Device device;
  device.start();
  device.command({.digest = digest, .file = "maps/a", .until_ms = 9});
  EXPECT_EQ(device.said(), "taken");
  EXPECT_EQ(device.hands.did, Words{"stage a"});
  device.hands.did.clear();
  device.start();
  EXPECT_EQ(device.hands.did, Words{"stage a"}) << "it is in the journal";
  device.comes({digest, std::nullopt});
  EXPECT_EQ(device.hands.did.back(), "place maps/a");
  EXPECT_EQ(device.said(), "ready");
  device.start();
  ASSERT_TRUE(device.engine->run({runtime::Connected{}}, t0).ok());
  EXPECT_EQ(device.bus.last("device/d1/up/stage").at("all"), true);
  EXPECT_EQ(device.said(), "ready");
  device.command({.digest = digest});
  EXPECT_EQ(device.said(), "dropped");
  EXPECT_EQ(device.hands.did.back(), "unstage a");
  EXPECT_TRUE(device.journal.select({.table = "stage"}).value().empty());
}

TEST(AgentStaging, ARefusalIsSaid) {
  Device device;
  device.start(false);
  device.command({.digest = digest, .file = "maps/a", .until_ms = 9});
  EXPECT_EQ(device.said(), "refused");
  device.command({.digest = digest, .until_ms = 9});
  device.comes({digest, "disk: full"});
  EXPECT_EQ(device.bus.last("device/d1/up/stage").at("items").at(0).at("reason"), "disk: full");
}

TEST(AgentStaging, ABadRowOrOrderSpoilsNoOther) {
  Device device;
  ASSERT_TRUE(device.journal.commit({{"stage", "x", {{"command", "no command"}}}}).ok());
  device.start();
  const auto good = codec::dump(codec::encode(StageCommand{.digest = digest, .until_ms = 9}));
  const auto items = pack_items({R"({"digest":"sha256:no","until_ms":9})", good});
  ASSERT_TRUE(
      device.engine->run({bus::Message{.topic = "fieldwork/v1/device/d1/down/stage", .payload = items.at(0)}}, t0)
          .ok());
  EXPECT_EQ(device.hands.did, Words{"stage a"});
}

}  // namespace
}  // namespace fieldwork::agent
