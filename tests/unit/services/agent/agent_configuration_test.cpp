// links: agent_shell GTest::gtest_main
// What operators want of this device: versions, what it takes and runs then, and what a restart keeps.
#include <nlohmann/json.hpp>

#include "agent/shell/service.hpp"
#include "codec/device.hpp"
#include "model/items.hpp"
#include "runtime/engine.hpp"
#include "store/memory.hpp"
#include "support/agent_world.hpp"
#include "support/said_bus.hpp"

namespace fieldwork::agent {
namespace {

ConfigurationArrived wanted(std::int64_t version, Lifecycle lifecycle = Lifecycle::active) {
  return {{.version = version, .lifecycle = lifecycle}};
}

// A device that is connected and enrolled.
World enrolled() {
  World world;
  world.step({Connected{}});
  world.step({EnrolAnswered{.session = world.core.session(), .enrolled = true, .heartbeat_s = 5}, TimePassed{}});
  return world;
}

TEST(Configuration, OnlyANewerVersionIsFollowed) {
  World world;
  world.step({ConfigurationArrived{{.version = 4, .sample_s = 9}}});
  EXPECT_EQ(world.said.configuration, (Configuration{.version = 4, .sample_s = 9}));
  EXPECT_EQ(world.said.configured, 4);
  for (const std::int64_t version : {4, 3, 0}) {
    world.step({ConfigurationArrived{{.version = version, .sample_s = 1}}});
    EXPECT_EQ(world.said.configuration, std::nullopt) << version << ": nothing to save or apply";
    EXPECT_EQ(world.said.configured, 4) << version << ": the answer was lost, or this one comes late";
    EXPECT_EQ(world.core.configuration().sample_s, 9) << version;
  }
  world.step({wanted(6), wanted(5)});
  EXPECT_EQ(world.said.configuration, Configuration{.version = 6}) << "it has no settings of before";
  EXPECT_EQ(world.said.configured, 6);
  world.step({TimePassed{}});
  EXPECT_TRUE(world.quiet()) << "it is said once";
}

TEST(Configuration, PrunesOncePerRequest) {
  World world;
  world.step({ConfigurationArrived{{.version = 1, .prune = 2}}});
  EXPECT_EQ(world.all<Prune>().size(), 1U);
  EXPECT_EQ(world.said.configured, 1);
  for (const Configuration& again :
       {Configuration{.version = 1, .prune = 2}, {.version = 2, .sample_s = 3, .prune = 2}}) {
    world.step({ConfigurationArrived{again}});
    EXPECT_TRUE(world.all<Prune>().empty()) << again.version;
  }
  world.restart();
  world.step({ConfigurationArrived{{.version = 3, .prune = 2}}});
  EXPECT_TRUE(world.all<Prune>().empty());
  world.step({ConfigurationArrived{{.version = 4, .prune = 3}}});
  EXPECT_EQ(world.all<Prune>().size(), 1U);
}

TEST(Configuration, IsKeptByARestart) {
  World world;
  world.step({wanted(4, Lifecycle::draining)});
  world.restart();
  EXPECT_EQ(world.core.configuration(), (Configuration{.version = 4, .lifecycle = Lifecycle::draining}));
  EXPECT_EQ(world.said.configured, std::nullopt) << "the enrolment says it";
  world.step({assignment(key("j"))});
  EXPECT_EQ(world.reported(), Words{"j1 rejected"});
  world.step({wanted(3)});
  EXPECT_EQ(world.said.configured, 4);
}

TEST(Configuration, WhoDrainsOrIsInactiveRefusesForItself) {
  for (const auto lifecycle : {Lifecycle::draining, Lifecycle::inactive}) {
    World world;
    world.step({wanted(1, lifecycle), assignment(key("j")), assignment(key("k"), "p")});
    EXPECT_EQ(world.reported(), (Words{"j1 rejected", "k1 rejected"}));
    EXPECT_EQ(world.last_report().reason, "this device is " + std::string(name(lifecycle)));
    EXPECT_FALSE(world.last_report().work_fault) << "another device can do it";
    EXPECT_TRUE(world.all<agent::Run>().empty() && world.all<Fetch>().empty());
    EXPECT_TRUE(world.core.live().empty());
    world.step({wanted(2), assignment(key("l"))});
    EXPECT_EQ(world.reported(), Words{"l1 running"});
  }
}

TEST(Configuration, WhoDrainsFinishesWhatItHas) {
  World world;
  world.step({assignment(key("j")), assignment(key("k"), "p")});
  world.step({wanted(1, Lifecycle::draining)});
  EXPECT_TRUE(world.said.acts.empty());
  EXPECT_EQ(world.core.live().size(), 2U);
  world.step({PackageReady{"p"}, ended(key("j"))});
  EXPECT_EQ(world.reported(), (Words{"k1 running", "j1 succeeded"}));
  world.step({ended(key("k"))});
  EXPECT_EQ(world.reported(), Words{"k1 succeeded"});
}

TEST(Inactive, GivesBackWhatItHas) {
  World world;
  world.step({assignment(key("j")), assignment(key("k"), "p"), assignment(key("l"), "", {.stop_after_s = 60}),
              assignment(key("m"))});
  world.step({CancelArrived{{key("m"), ""}}});
  world.step({wanted(1, Lifecycle::inactive)});
  EXPECT_EQ(world.said.configured, 1);
  EXPECT_EQ(world.reported(), (Words{"k1 lost", "l1 lost"})) << "those had not begun";
  EXPECT_EQ(world.last_report().reason, "this device was deactivated");
  ASSERT_EQ(world.all<Kill>().size(), 1U) << "one is being killed already";
  EXPECT_EQ(world.all<Kill>()[0].key, key("j"));
  ASSERT_EQ(world.all<Unfetch>().size(), 1U);
  EXPECT_EQ(world.core.live(), (std::vector{key("j"), key("m")})) << "as long as a program is there";
  world.step({wanted(1, Lifecycle::inactive), wanted(2, Lifecycle::inactive)});
  EXPECT_TRUE(world.said.acts.empty()) << "killed once";
  world.step({PackageReady{"p"}, World::confirmed(99), killed(key("j")), killed(key("m"))});
  EXPECT_EQ(world.reported(), (Words{"j1 lost", "m1 cancelled"}));
  EXPECT_TRUE(world.all<agent::Run>().empty());
  EXPECT_TRUE(world.core.live().empty());
}

TEST(Inactive, ARunIsLostHoweverItEnds) {
  for (const auto& end : {killed(key("j")), ended(key("j")), ended(key("j"), 3)}) {
    World world;
    world.step({assignment(key("j"))});
    world.step({wanted(1, Lifecycle::inactive)});
    world.step({wanted(2)});  // active again, too late for that one
    world.step({end});
    EXPECT_EQ(world.reported(), Words{"j1 lost"});
    EXPECT_EQ(world.last_report().reason, "this device was deactivated");
  }
}

TEST(Inactive, ARestartEndsWhatWasBeingKilled) {
  World world;
  world.step({assignment(key("j"), "", {.restart_on_reboot = true})});
  world.step({wanted(1, Lifecycle::inactive)});
  world.restart();
  EXPECT_EQ(world.reported(), Words{"j1 lost"});
  EXPECT_EQ(world.last_report().reason, "this device was deactivated");
  EXPECT_TRUE(world.all<agent::Run>().empty()) << "though its contract starts it again elsewhere";
}

// The scheduler's database went back while the program was being killed.
TEST(Inactive, AKilledRunIsLostUnderANewerFenceToo) {
  World world;
  world.step({assignment(key("j"))});
  world.step({wanted(1, Lifecycle::inactive)});
  world.step({wanted(2)});
  auto again = assignment(key("j", 2));
  again.assign.attempt = 1;
  world.step({again});
  EXPECT_EQ(world.reported(), Words{"j2 running"});
  world.step({killed(key("j"))});
  EXPECT_EQ(world.reported(), Words{"j2 lost"});
  EXPECT_EQ(world.last_report().reason, "this device was deactivated");
}

TEST(Settings, AttemptsMaxIsWhatItTakesAtOnce) {
  World world;
  world.step({ConfigurationArrived{{.version = 1, .attempts_max = 2}}});
  world.step({assignment(key("j")), assignment(key("k"))});
  world.step({assignment(key("l"))});
  EXPECT_EQ(world.reported(), Words{"l1 rejected"});
  EXPECT_EQ(world.last_report().reason, "this device is to have at most 2 attempts");
  EXPECT_FALSE(world.last_report().work_fault);
  world.step({ended(key("j")), assignment(key("m"))});
  EXPECT_EQ(world.reported(), (Words{"j1 succeeded", "m1 running"}));
  world.step({ConfigurationArrived{{.version = 2, .attempts_max = 0}}});
  EXPECT_EQ(world.core.live().size(), 2U) << "what runs goes on";
  EXPECT_TRUE(world.said.acts.empty());
  world.step({ended(key("k")), ended(key("m")), assignment(key("n"))});
  EXPECT_EQ(world.last_report().reason, "this device is to have at most 0 attempts");
  world.step({wanted(3), assignment(key("o"))});
  EXPECT_EQ(world.reported(), Words{"o1 running"}) << "not limited any more";
}

// Milliseconds to the next heartbeat, in steps of half a second.
int next_beat(World& world) {
  for (int ms = 500; ms <= 100'000; ms += 500) {
    world.pass(milliseconds(500));
    if (world.said.heartbeat) return ms;
  }
  return 0;
}

TEST(Settings, HeartbeatsComeAsConfiguredAtRest) {
  auto world = enrolled();
  EXPECT_EQ(next_beat(world), 5000) << "as the registry told";
  world.step({ConfigurationArrived{{.version = 1, .heartbeat_s = 1}}});
  EXPECT_EQ(next_beat(world), 1000) << "at once, not after the five seconds";
  world.step({ConfigurationArrived{{.version = 2, .heartbeat_s = 30}}});
  (void)next_beat(world);
  EXPECT_EQ(next_beat(world), 30'000);
  world.step({EnrolAnswered{.session = world.core.session(), .enrolled = true, .heartbeat_s = 5}});
  (void)next_beat(world);
  EXPECT_EQ(next_beat(world), 30'000) << "also after another answer";
  world.step({assignment(key("j"), "", {.lost_after_s = 9})});
  (void)next_beat(world);
  EXPECT_EQ(next_beat(world), 3000) << "a contract needs them more often";
  world.step({ended(key("j")), wanted(3)});
  (void)next_beat(world);
  EXPECT_EQ(next_beat(world), 5000) << "unset";
}

TEST(Settings, HeartbeatsComeAsConfiguredAfterARestart) {
  auto world = enrolled();
  world.step({ConfigurationArrived{{.version = 1, .heartbeat_s = 20}}});
  world.restart();
  world.step({Connected{}, TimePassed{}});
  EXPECT_TRUE(world.said.heartbeat.has_value());
  EXPECT_EQ(next_beat(world), 20'000);
}

// --- the shell ----------------------------------------------------------------------------------------------------

struct IdleHands : Hands {
  void run(const Assign& /*assign*/) override {}
  void kill(const AttemptKey& /*key*/) override {}
  void fetch(const Fetch& /*what*/, Time /*now*/) override {}
};

struct Shell {
  explicit Shell(store::MemoryStore& to) : store(to) {
    AgentConfig config;
    config.device = "d1";
    config.configure = [this](const Configuration& one) { applied.push_back(one); };
    service.emplace(std::move(config), hands);
    engine = std::make_unique<runtime::Engine>(*service, store, bus);
    EXPECT_TRUE(engine->load(now).ok());
    EXPECT_TRUE(engine->run({runtime::Connected{}}, now).ok());
  }
  void configure(const std::vector<Configuration>& all) {
    std::vector<std::string> items;
    for (const auto& one : all) items.push_back(codec::configuration_text(one));
    bus.said.clear();
    const auto payload = pack_items(items).at(0);
    EXPECT_TRUE(
        engine->run({bus::Message{.topic = "fieldwork/v1/device/d1/down/configure", .payload = payload}}, now).ok());
  }

  Time now{seconds{1'000'000}};
  store::MemoryStore& store;
  support::SaidBus bus;
  IdleHands hands;
  std::vector<Configuration> applied;
  std::optional<AgentService> service;
  std::unique_ptr<runtime::Engine> engine;
};

TEST(ConfigurationShell, SavesAppliesAndAnswers) {
  const Configuration whole{.version = 3,
                            .lifecycle = Lifecycle::draining,
                            .heartbeat_s = 30,
                            .sample_s = 2,
                            .attempts_max = 0,
                            .cache_bytes = 1 << 20,
                            .log_level = "debug",
                            .labels = {{"zone", "a"}}};
  store::MemoryStore store;
  {
    Shell shell(store);
    EXPECT_EQ(shell.applied, std::vector{Configuration{}}) << "the defaults";
    EXPECT_FALSE(shell.bus.last("device/d1/up/enrol").contains("configured"));
    shell.configure({{.version = 2}, whole, {.version = 1}});
    EXPECT_EQ(shell.applied.back(), whole);
    EXPECT_EQ(shell.bus.last("device/d1/up/configured").at("version"), 3);
    const auto rows = store.find("meta", "key", {"configuration"});
    ASSERT_TRUE(rows.ok() && rows->size() == 1U);
    const auto value = nlohmann::json::parse(rows->front()).at("value");
    EXPECT_EQ(*codec::decode_configuration_text(value.dump()), whole);
    shell.configure({whole});
    EXPECT_EQ(shell.bus.last("device/d1/up/configured").at("version"), 3) << "a repeat is answered";
    EXPECT_EQ(shell.applied.size(), 2U) << "and not applied again";
  }
  Shell again(store);
  EXPECT_EQ(again.applied, std::vector{whole}) << "a restart applies it";
  EXPECT_EQ(again.service->core().configuration(), whole);
  EXPECT_EQ(again.bus.last("device/d1/up/enrol").at("configured"), 3);
}

}  // namespace
}  // namespace fieldwork::agent
