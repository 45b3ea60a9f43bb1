// links: security_policy_core GTest::gtest_main
// Questions that come again, together, late or damaged: what each is answered, and what the audit has of it.
#include <gtest/gtest.h>

#include "crypto/digest.hpp"
#include "support/policy_world.hpp"

namespace fieldwork::security_policy {
namespace {

DeviceSeen seen(const char* device, Lifecycle state = Lifecycle::active) { return {DeviceId{device}, state, ""}; }

// A core with a device that is ready.
SecurityPolicy with_edge(Limits limits = {}) {
  auto core = make_core(limits);
  (void)step(core, seen("edge-1"), at(0));
  return core;
}

TEST(Decisions, EachGrantIsForItsOwnQuestion) {
  std::vector<std::vector<Question>> signed_for;
  Time issued, expires;
  const auto sign = [&](const std::vector<Question>& questions, Time from, Time to) {
    signed_for.push_back(questions);
    issued = from;
    expires = to;
    std::vector<std::string> out;
    for (const auto& one : questions) out.push_back("grant " + one.device.value + std::to_string(one.key.fence));
    return out;
  };
  SecurityPolicy core({}, rulebook(), nullptr, sign, {});
  for (const auto* device : {"edge-1", "edge-2"}) (void)step(core, seen(device), at(0));
  const auto out = step(core,
                        QuestionsArrived{{question("ann", "ls", "edge-1", 1), question("operator", "ls", "edge-2", 2),
                                          question("operator", "ls", "", 3), question("operator", "ls", "unknown", 4),
                                          question("operator", "ls", "edge-1", 5)}},
                        at(9));
  std::map<std::int64_t, std::string> grants, digests;
  for (const auto& one : out.decisions) grants[one.key.fence] = one.grant;
  for (const auto& row : out.audit) digests[row.fence] = row.grant_digest;
  EXPECT_EQ(grants,
            (std::map<std::int64_t, std::string>{{1, ""}, {2, "grant edge-22"}, {3, ""}, {5, "grant edge-15"}}));
  for (const auto& [fence, grant] : grants) {
    EXPECT_EQ(digests.at(fence), grant.empty() ? "" : crypto::digest_of(grant)) << fence;
  }
  ASSERT_EQ(signed_for.size(), 1u) << "one signature for the batch";
  EXPECT_EQ(signed_for[0].size(), 2u) << "nothing is signed that is not allowed";
  EXPECT_EQ(issued, at(9));
  EXPECT_EQ(expires, at(109));
}

TEST(Decisions, TheRowSaysWhatWasAskedAndAnswered) {
  auto core = with_edge();
  auto asked = question("operator", "ls", "edge-1", 7);
  asked.key.execution = 3;
  asked.package = crypto::digest_of("p");
  asked.traceparent = "00-1-2-03";
  const auto out = ask(core, asked, 5);
  ASSERT_EQ(out.decisions.size(), 1u);
  const std::string reason = "allowed by rule operators", grant = "grant edge-1 100000";
  EXPECT_EQ(out.decisions[0], (Decision{asked.key, edge, true, false, reason, grant, asked.traceparent}));
  AuditRow row{.at_ms = to_ms(at(5)),
               .kind = "authorise",
               .submitter = "operator",
               .job = "j1",
               .execution = 3,
               .fence = 7,
               .device = "edge-1",
               .decision = "allow",
               .reason = reason,
               .trace = "operators decides",
               .package = asked.package,
               .grant_digest = crypto::digest_of(grant)};
  AuditHead head;
  seal(row, head);
  EXPECT_EQ(out.audit, std::vector{row});
  EXPECT_EQ(out.head, head);
}

// Job, execution, fence and device make a question: everything else is answered from memory.
TEST(Decisions, AnotherKeyIsAnotherQuestion) {
  const auto first = question("operator", "ls");
  struct Case {
    const char* name;
    Question asked;
    std::size_t rows;
  };
  auto job = first, execution = first, device = first, submitter = first;
  job.key.job = JobId{"j2"};
  execution.key.execution = 1;
  device.device = DeviceId{"edge-2"};
  submitter.submitter = "ann";
  const Case cases[] = {{"the same", first, 0},
                        {"another job", job, 1},
                        {"another execution", execution, 1},
                        {"another fence", question("operator", "ls", "edge-1", 2), 1},
                        {"another device", device, 1},
                        {"no device", question("operator", "ls", ""), 1},
                        {"a key is asked about once", submitter, 0}};
  for (const auto& c : cases) {
    auto core = with_edge();
    (void)step(core, seen("edge-2"), at(0));
    (void)ask(core, first, 1);
    const auto out = ask(core, c.asked, 2);
    EXPECT_EQ(out.audit.size(), c.rows) << c.name;
    ASSERT_EQ(out.decisions.size(), 1u) << c.name;
    EXPECT_EQ(out.decisions[0].key, c.asked.key) << c.name;
    EXPECT_EQ(out.decisions[0].device, c.asked.device) << c.name;
  }
}

TEST(Decisions, ARepeatInOneMessageOrBatchHasOneRow) {
  auto core = with_edge();
  const auto one = question("operator", "ls");
  Output out;
  core.step(QuestionsArrived{{one, question("ann", "ls", "", 2), one, one}}, at(1), out);
  EXPECT_EQ(out.decisions.size(), 2u);
  core.step(QuestionsArrived{{one}}, at(1), out);
  core.step(BatchEnded{}, at(1), out);
  EXPECT_EQ(out.audit.size(), 2u);
  ASSERT_EQ(out.decisions.size(), 3u);
  EXPECT_EQ(out.decisions[2], out.decisions[0]) << "the same grant";
}

// The scheduler was away for as long as the grant is good: the device would refuse it.
TEST(Decisions, ALateRepeatGetsAGrantThatIsStillGood) {
  std::vector<Time> expires;
  const auto sign = [&](const std::vector<Question>& questions, Time, Time to) {
    if (!questions.empty()) expires.push_back(to);
    return std::vector<std::string>(questions.size(), "grant " + std::to_string(expires.size()));
  };
  SecurityPolicy core({}, rulebook(), nullptr, sign, {});  // a grant is good for 100 s
  (void)step(core, seen("edge-1"), at(0));
  const auto row = ask(core, question("operator", "ls"), 1).audit.at(0);
  for (const double s : {40.0, 101.0, 3'700.0}) {
    const auto out = ask(core, question("operator", "ls"), s);
    ASSERT_EQ(out.decisions.size(), 1u) << s;
    EXPECT_GT(expires.back(), at(s) + seconds{40}) << s;
    EXPECT_EQ(out.decisions[0].grant, "grant " + std::to_string(expires.size())) << "the newest, at " << s;
    EXPECT_EQ(out.audit.empty(), s == 40.0) << "every grant is in the audit";
  }
  (void)ask(core, question("operator", "ls", "", 2), 3'701);
  EXPECT_TRUE(ask(core, question("operator", "ls", "", 2), 9'999).audit.empty()) << "no grant, nothing to renew";
}

TEST(Decisions, ADeviceThatCameBackChangesNoDenial) {
  auto core = make_core();
  (void)step(core, seen("edge-1", Lifecycle::refused), at(0));
  const auto denied = ask(core, question("operator", "ls"), 1);
  EXPECT_TRUE(denied.decisions.at(0).about_device);
  (void)step(core, seen("edge-1"), at(2));
  EXPECT_EQ(ask(core, question("operator", "ls"), 3).decisions, denied.decisions) << "the same question";
  EXPECT_TRUE(ask(core, question("operator", "ls", "edge-1", 2), 4).decisions.at(0).allow) << "the next attempt";
}

TEST(Decisions, MemoryDoesNotSpeakForADeviceThatIsAway) {
  auto core = with_edge();
  const auto first = ask(core, question("operator", "ls"), 1);
  (void)step(core, DeviceGone{edge}, at(2));
  EXPECT_EQ(ask(core, question("operator", "ls"), 3), Output{}) << "removed";
  (void)step(core, seen("edge-1", Lifecycle::enrolling), at(4));
  EXPECT_EQ(ask(core, question("operator", "ls"), 5), Output{}) << "not yet enrolled again";
  (void)step(core, seen("edge-1"), at(6));
  EXPECT_EQ(ask(core, question("operator", "ls"), 7).decisions, first.decisions);
}

// A decision that is made again keeps its place among those that are remembered.
TEST(Decisions, MadeAgainTakeNoSecondPlaceInTheMemory) {
  Limits limits;
  limits.remembered_max = 2;
  auto core = with_edge(limits);
  (void)ask(core, question("operator", "ls"), 1);
  (void)step(core, seen("edge-1", Lifecycle::refused), at(2));
  EXPECT_EQ(ask(core, question("operator", "ls"), 3).audit.size(), 1u);
  (void)ask(core, question("operator", "ls", "", 2), 4);
  EXPECT_TRUE(ask(core, question("operator", "ls"), 5).audit.empty()) << "two are remembered";
  EXPECT_TRUE(ask(core, question("operator", "ls", "", 2), 5).audit.empty());
}

TEST(Decisions, DevicesBeyondTheBoundAreNotKnown) {
  Limits limits;
  limits.devices_max = 1;
  auto core = with_edge(limits);
  (void)step(core, seen("edge-2"), at(1));
  EXPECT_EQ(ask(core, question("operator", "ls", "edge-2"), 2), Output{});
  (void)step(core, seen("edge-1", Lifecycle::refused), at(3));
  EXPECT_FALSE(ask(core, question("operator", "ls"), 4).decisions.at(0).allow) << "what is known is kept up to date";
  (void)step(core, DeviceGone{edge}, at(5));
  (void)step(core, seen("edge-2"), at(6));
  EXPECT_TRUE(ask(core, question("operator", "ls", "edge-2"), 7).decisions.at(0).allow) << "there is room again";
}

// Whatever was answered under its key before: a question that cannot be read allows nothing.
TEST(Decisions, WhatCannotBeReadIsDeniedAlthoughItsKeyWasAllowed) {
  for (const bool refused : {false, true}) {
    auto core = with_edge();
    const auto asked = question("operator", "ls");
    EXPECT_TRUE(ask(core, asked, 1).decisions.at(0).allow);
    if (refused) (void)step(core, seen("edge-1", Lifecycle::refused), at(2));
    const auto out = step(core, QuestionUnreadable{asked.key, edge, "/command: is missing"}, at(3));
    ASSERT_EQ(out.decisions.size(), 1u);
    EXPECT_FALSE(out.decisions[0].allow);
    EXPECT_EQ(out.decisions[0].grant, "");
    ASSERT_EQ(out.audit.size(), 1u);
    EXPECT_EQ(out.audit[0].decision, "deny");
    EXPECT_EQ(out.audit[0].job, "j1");
    EXPECT_EQ(out.audit[0].device, "edge-1");
  }
}

TEST(Decisions, WhatCannotBeReadIsAnsweredForADeviceThatNobodyKnows) {
  auto core = make_core();
  const auto out = step(core, QuestionUnreadable{{JobId{"j1"}, 0, 1}, DeviceId{"unknown"}, "bad"}, at(1));
  ASSERT_EQ(out.decisions.size(), 1u) << "it would be repeated for ever";
  EXPECT_FALSE(out.decisions[0].about_device) << "no other device would understand it";
}

}  // namespace
}  // namespace fieldwork::security_policy
