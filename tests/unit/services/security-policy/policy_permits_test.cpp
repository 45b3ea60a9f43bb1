// links: security_policy_core GTest::gtest_main
// Permits: what a service is answered that asks for an operator, and what the audit has of it.
#include <gtest/gtest.h>

#include "crypto/digest.hpp"
#include "support/policy_world.hpp"

namespace fieldwork::security_policy {
namespace {

const std::string content = crypto::digest_of("a map");

PermitQuestion asks(const std::string& principal, const std::string& device = "edge-1", std::int64_t number = 1) {
  return {number, principal, "stage", DeviceId(device), content, ""};
}

Rulebook staging() {
  using policy::Effect;
  return {{policy::Rule{
               .name = "operators", .effect = Effect::allow, .submitters = {"operator*"}, .actions = {"run", "stage"}},
           policy::Rule{.name = "runners", .effect = Effect::allow, .submitters = {"runner"}},
           policy::Rule{.name = "plant", .effect = Effect::deny, .devices = {"plant-*"}, .actions = {"*"}}},
          seconds{100}};
}

struct Asked {
  SecurityPolicy core;
  explicit Asked(Limits limits = {})
      : core(limits, staging(), nullptr,
             [](const auto& questions, auto&&...) { return std::vector<std::string>(questions.size(), "grant"); }, {}) {
    (void)step(core, LinkBack{}, at(-100));
    for (const char* device : {"edge-1", "edge-2", "plant-1"}) seen(device);
  }
  Output seen(const std::string& device, Lifecycle state = Lifecycle::active) {
    return step(core, DeviceSeen{DeviceId(device), state, ""}, at(0));
  }
  Output ask(const std::vector<PermitQuestion>& questions, double s = 1, const std::string& from = "transfer") {
    return step(core, PermitsArrived{from, questions}, at(s));
  }
};

TEST(Permits, AreDecidedByTheRulesAndAudited) {
  Asked t;
  auto placed = asks("operator-1");
  placed.file = "maps/a";
  const auto out = t.ask({placed, asks("operator-1", "plant-1"), asks("runner", "edge-2"), asks("ann", "edge-1", 2)});
  const auto answer = [](std::int64_t number, const char* device, bool allow, const std::string& reason) {
    return PermitAnswer{"transfer", {number, DeviceId(device), allow, reason}};
  };
  const auto shown = content.substr(0, 19);
  const std::string lacks =
      "no rule allows runner to stage " + shown + " on edge-2; the actions of rule runners do not include \"stage\"";
  const std::string none = "no rule allows ann to stage " + shown + " on edge-1";
  EXPECT_EQ(out.permits, (std::vector{answer(1, "edge-1", true, "allowed by rule operators"),
                                      answer(1, "plant-1", false, "denied by rule plant"),
                                      answer(1, "edge-2", false, lacks), answer(2, "edge-1", false, none)}));
  EXPECT_TRUE(out.decisions.empty());
  AuditHead head;
  std::vector<AuditRow> rows{{.submitter = "operator-1",
                              .device = "edge-1",
                              .decision = "allow",
                              .reason = "allowed by rule operators",
                              .trace = "stage maps/a: operators decides"},
                             {.submitter = "operator-1",
                              .device = "plant-1",
                              .decision = "deny",
                              .reason = "denied by rule plant",
                              .trace = "stage: plant decides; operators matched"},
                             {.submitter = "runner",
                              .device = "edge-2",
                              .decision = "deny",
                              .reason = lacks,
                              .trace = "stage: none of 3 rules matched"},
                             {.submitter = "ann",
                              .device = "edge-1",
                              .decision = "deny",
                              .reason = none,
                              .trace = "stage: none of 3 rules matched"}};
  for (auto& row : rows) {
    row.at_ms = to_ms(at(1));
    row.kind = "permit";
    row.package = content;
    seal(row, head);
  }
  EXPECT_EQ(out.audit, rows) << "no job, no grant";
}

TEST(Permits, WaitForDevicesThatAreOnTheirWay) {
  Asked t;
  EXPECT_EQ(t.ask({asks("operator", "edge-9")}), Output{});
  t.seen("edge-9", Lifecycle::enrolling);
  EXPECT_EQ(t.ask({asks("operator", "edge-9")}), Output{});
  const auto both = t.ask({asks("operator", "edge-9"), asks("operator")}, 2);
  ASSERT_EQ(both.permits.size(), 1U) << "the others are answered";
  EXPECT_EQ(both.permits.front().permit.device, edge);
  t.seen("edge-9");
  EXPECT_TRUE(t.ask({asks("operator", "edge-9")}, 3).permits.at(0).permit.allow);
}

TEST(Permits, ABarredDeviceIsDenied) {
  Asked t;
  t.seen("edge-1", Lifecycle::refused);
  const auto out = t.ask({asks("operator")});
  EXPECT_EQ(out.permits.at(0).permit, (Permit{1, edge, false, "device edge-1 is refused"}));
  EXPECT_EQ(out.audit.at(0).reason, "device edge-1 is refused");
  EXPECT_EQ(out.audit.at(0).decision, "deny");
}

TEST(Permits, ARepeatGetsTheSameAnswerAndNoSecondRow) {
  Asked t;
  const auto first = t.ask({asks("operator"), asks("operator"), asks("ann", "edge-2")});
  EXPECT_EQ(first.permits.size(), 2U) << "a repeat within one message";
  EXPECT_EQ(first.audit.size(), 2U);
  const auto again = t.ask({asks("operator"), asks("ann", "edge-2")}, 50);
  EXPECT_EQ(again.permits, first.permits);
  EXPECT_TRUE(again.audit.empty());
  t.seen("edge-2", Lifecycle::refused);
  EXPECT_EQ(t.ask({asks("ann", "edge-2")}, 51).permits.at(0), first.permits.at(1)) << "what was denied stays so";
}

TEST(Permits, WhatWasAllowedIsDeniedOnceItsDeviceIsBarred) {
  Asked t;
  EXPECT_TRUE(t.ask({asks("operator")}).permits.at(0).permit.allow);
  t.seen("edge-1", Lifecycle::refused);
  const auto after = t.ask({asks("operator")}, 2);
  EXPECT_FALSE(after.permits.at(0).permit.allow);
  EXPECT_EQ(after.audit.size(), 1U);
  EXPECT_TRUE(t.ask({asks("operator")}, 3).audit.empty());
}

// After a restart an asker may begin to count anew: an old answer must not permit what another wants.
TEST(Permits, TheSameNumberForSomethingElseIsAnotherQuestion) {
  const auto first = asks("operator");
  auto principal = first, package = first, file = first, device = first, number = first;
  principal.principal = "ann";
  package.package = crypto::digest_of("other");
  file.file = "f";
  device.device = DeviceId("edge-2");
  number.question = 2;
  for (const auto& other : {principal, package, file, device, number}) {
    Asked t;
    (void)t.ask({first});
    const auto out = t.ask({other}, 2);
    EXPECT_EQ(out.audit.size(), 1U) << other.question << other.principal << other.file;
    EXPECT_EQ(out.permits.at(0).permit.allow, other.principal == "operator");
  }
  Asked t;
  (void)t.ask({first});
  const auto out = t.ask({first}, 2, "registry");
  EXPECT_EQ(out.audit.size(), 1U) << "another service counts for itself";
  EXPECT_EQ(out.permits.at(0).to, "registry");
}

TEST(Permits, TheMemoryIsBoundedAndApartFromThatOfJobs) {
  Limits limits;
  limits.remembered_max = 2;
  Asked t(limits);
  (void)t.ask({asks("operator")});
  for (std::int64_t fence = 1; fence < 9; ++fence)
    (void)step(t.core, QuestionsArrived{{question("operator", "ls", "edge-1", fence)}}, at(2));
  EXPECT_TRUE(t.ask({asks("operator")}, 3).audit.empty());
  (void)t.ask({asks("operator", "edge-1", 2), asks("operator", "edge-1", 3)}, 4);
  EXPECT_EQ(t.ask({asks("operator")}, 5).audit.size(), 1U) << "forgotten";
}

TEST(Permits, AFloodOfDenialsIsCounted) {
  Limits limits;
  limits.flood.denial_rows_max = 3;
  Asked t(limits);
  std::size_t denied = 0, allowed = 0;
  for (std::int64_t number = 1; number <= 10; ++number) {
    denied += t.ask({asks("ann", "edge-1", number)}).audit.size();
    allowed += t.ask({asks("operator", "edge-2", number)}).audit.size();
  }
  EXPECT_EQ(denied, 3U);
  EXPECT_EQ(allowed, 10U) << "every permission is in the audit";
  const auto out = step(t.core, TimePassed{}, at(4'000));
  ASSERT_EQ(out.audit.size(), 1U);
  EXPECT_EQ(out.audit.front().kind, "permit");
  EXPECT_EQ(out.audit.front().submitter, "ann");
}

}  // namespace
}  // namespace fieldwork::security_policy
