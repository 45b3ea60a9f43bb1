// links: agent_core GTest::gtest_main
// The agent's core: lines that programs say to the other executions of their job.
#include "support/agent_world.hpp"

namespace fieldwork::agent {
namespace {

AssignArrived speaking(const AttemptKey& k, int messages_per_s = 10) {
  auto out = assignment(k);
  out.assign.limits.messages_per_s = messages_per_s;
  if (out.grant) {
    auto grant = *out.grant;
    grant.limits = out.assign.limits;
    out.grant = grant;
  }
  return out;
}

World with(const AssignArrived& assign) {
  World world;
  world.step({Connected{}});
  world.step({EnrolAnswered{.session = world.core.session(), .enrolled = true, .heartbeat_s = 5}, TimePassed{}});
  world.step({assign});
  return world;
}

Words delivered(const World& world) {
  Words out;
  for (const auto& act : world.said.acts) {
    if (const auto* one = std::get_if<Deliver>(&act)) out = one->mail.lines;
  }
  return out;
}

const LinesWritten written{{key("j"), {"a", "b"}}};
const LinesHeard heard{{key("j"), {"c"}}};

TEST(AgentMessages, ARunningProgramSpeaksAndHears) {
  auto world = with(speaking(key("j")));
  world.step({written, heard});
  ASSERT_EQ(world.said.mail.size(), 1U);
  EXPECT_EQ(world.said.mail[0].key, key("j"));
  EXPECT_EQ(world.said.mail[0].lines, (Words{"a", "b"}));
  EXPECT_EQ(delivered(world), Words{"c"});
}

TEST(AgentMessages, OnlyWhereTheLimitsThatWereGrantedSaySo) {
  auto world = with(assignment(key("j")));
  ASSERT_NE(world.core.find(key("j")), nullptr);
  world.step({written, heard});
  EXPECT_TRUE(world.said.mail.empty());
  EXPECT_EQ(delivered(world), Words{});
  auto more = speaking(key("k"));
  more.assign.limits.messages_per_s = 100;  // the grant says 10
  world.step({more});
  EXPECT_EQ(world.core.find(key("k"))->phase, Phase::settled);
}

TEST(AgentMessages, AfterItsEndItNeitherSpeaksNorHears) {
  auto world = with(speaking(key("j")));
  world.step({ended(key("j"))});
  world.step({written, heard, LinesHeard{{key("unknown"), {"x"}}}});
  EXPECT_TRUE(world.said.mail.empty());
  EXPECT_EQ(delivered(world), Words{});
}

// The same program under a newer fence: it speaks as that, and hears what is said to that.
TEST(AgentMessages, AProgramThatGoesOnSpeaksUnderItsNewFence) {
  auto world = with(speaking(key("j")));
  auto again = speaking(key("j", 5));
  again.assign.attempt = 1;
  world.step({again});
  world.step({written, LinesHeard{{key("j", 5), {"c"}}}});
  ASSERT_EQ(world.said.mail.size(), 1U);
  EXPECT_EQ(world.said.mail[0].key, key("j", 5));
  ASSERT_EQ(delivered(world), Words{"c"});
  EXPECT_EQ(std::get<Deliver>(world.said.acts.at(0)).mail.key, key("j")) << "as it was started";
}

TEST(AgentMessages, NothingIsSaidBeforeTheDeviceIsEnrolled) {
  World world;
  world.step({Connected{}, speaking(key("j")), written});
  EXPECT_TRUE(world.said.mail.empty());
}

}  // namespace
}  // namespace fieldwork::agent
