// links: agent_core GTest::gtest_main
// Work that a device has before its time, and what a device decides while nobody can be asked.
#include <gtest/gtest.h>

#include "support/agent_world.hpp"

namespace fieldwork::agent {
namespace {

std::vector<std::string> whats(const std::vector<Decided>& decided) {
  std::vector<std::string> out;
  for (const auto& one : decided) out.push_back(one.what);
  return out;
}

// The decisions in the report of how the attempt ended.
std::vector<Decided> decided_at_the_end(const World& world) {
  for (const auto& [seq, one] : world.journal.stream.waiting) {
    if (settled(one.report.state)) return one.report.decided;
  }
  return {};
}

AssignArrived staged(std::int64_t start_at_ms, const std::string& package = "", bool restart = false) {
  Contract contract;
  contract.start_at_ms = start_at_ms;
  contract.restart_on_reboot = restart;
  return assignment(key("j"), package, contract);
}

TEST(Staged, BeginsAtItsTimeWithoutALink) {
  World world;
  world.step({staged(60'500)});
  EXPECT_TRUE(world.all<agent::Run>().empty());
  EXPECT_EQ(world.reported(), Words{"j1 fetching"});
  world.pass(seconds(59));
  EXPECT_TRUE(world.all<agent::Run>().empty());
  world.pass(seconds(1));
  ASSERT_EQ(world.all<agent::Run>().size(), 1U);
  world.step({ended(key("j"))});
  EXPECT_EQ(whats(decided_at_the_end(world)), Words{"its time has come: it begins, without a link"});
  EXPECT_EQ(decided_at_the_end(world)[0].at_ms, 60'500);
}

TEST(Staged, WaitsForItsPackageAndThenForItsTime) {
  World world;
  world.step({staged(600'000, "p")});
  EXPECT_EQ(world.all<Fetch>().size(), 1U);
  world.step({PackageReady{"p"}});
  EXPECT_TRUE(world.all<agent::Run>().empty());
  std::size_t asked_again = 0;
  for (int i = 0; i < 599; ++i) {
    world.pass(seconds(1));
    for (const auto& one : world.all<Fetch>()) asked_again += one.digest == "p" ? 1 : 0;
    if (!world.all<Fetch>().empty()) world.step({PackageReady{"p"}});
    ASSERT_TRUE(world.all<agent::Run>().empty()) << i;
  }
  EXPECT_GE(asked_again, 8U) << "the package must not be deleted meanwhile";
  world.pass(seconds(1));
  EXPECT_EQ(world.all<Fetch>().size(), 1U);
  world.step({PackageReady{"p"}});
  EXPECT_EQ(world.all<agent::Run>().size(), 1U);
}

TEST(Staged, AfterARestartItStillWaits) {
  World world;
  world.step({staged(60'500, "p")});
  world.step({PackageReady{"p"}});
  world.restart();
  EXPECT_EQ(world.all<Fetch>().size(), 1U);
  world.step({PackageReady{"p"}});
  EXPECT_TRUE(world.all<agent::Run>().empty()) << "no clock was heard yet";
  world.pass(seconds(30));
  EXPECT_TRUE(world.all<agent::Run>().empty());
  world.pass(seconds(30));
  world.step({PackageReady{"p"}});
  EXPECT_EQ(world.all<agent::Run>().size(), 1U);
}

// The device's clock is an hour ahead: the registry's says when.
TEST(Staged, TheRegistrysClockSaysWhen) {
  World world;
  world.wall_ms += 3'600'000;
  world.step({Connected{}, EnrolAnswered{.session = 3, .enrolled = true, .now_ms = 500, .wall_ms = world.wall_ms}});
  world.step({staged(60'500)});
  world.pass(seconds(59));
  EXPECT_TRUE(world.all<agent::Run>().empty());
  world.pass(seconds(1));
  EXPECT_EQ(world.all<agent::Run>().size(), 1U);
}

TEST(Staged, CanBeCancelledBefore) {
  World world;
  world.step({staged(60'500)});
  world.step({CancelArrived{{.key = key("j")}}});
  EXPECT_EQ(world.reported(), Words{"j1 cancelled"});
  world.pass(seconds(120));
  EXPECT_TRUE(world.all<agent::Run>().empty());
}

TEST(DecidedAlone, WentOnWhileTheLinkWasAway) {
  World world;
  world.step({Connected{}});
  world.step({assignment(key("j"))});
  world.pass(seconds(10));
  world.step({Disconnected{}});
  world.pass(seconds(29));
  world.step({Connected{}});
  world.step({Disconnected{}});
  world.pass(seconds(312));
  world.step({Connected{}});
  world.step({ended(key("j"))});
  EXPECT_EQ(whats(decided_at_the_end(world)), Words{"the link was away for 312 s: it went on"});
}

TEST(DecidedAlone, WhatTheContractDid) {
  World world;
  Contract contract;
  contract.restart_on_reboot = true;
  world.step({assignment(key("j"), "", contract)});
  world.restart();
  EXPECT_EQ(world.all<agent::Run>().size(), 1U);
  world.restart();
  world.step({ended(key("j"))});
  EXPECT_EQ(whats(decided_at_the_end(world)),
            (Words{"the agent was restarted: it begins again, as its contract says",
                   "the agent was restarted: it begins again, as its contract says"}));
}

TEST(DecidedAlone, OfManyTheNewestAreKept) {
  World world;
  Contract contract;
  contract.restart_on_reboot = true;
  world.step({assignment(key("j"), "", contract)});
  for (int i = 0; i < 40; ++i) world.restart();
  world.step({ended(key("j"))});
  EXPECT_EQ(decided_at_the_end(world).size(), limits::decided_max);
}

}  // namespace
}  // namespace fieldwork::agent
