// links: security_policy_core GTest::gtest_main
// Security-policy's denials: of this device, or of the job wherever it runs.
#include <gtest/gtest.h>

#include "security-policy/core/security_policy.hpp"

namespace fieldwork::security_policy {
namespace {

using policy::Rule;

constexpr Time now{seconds{1'000'000}};

Question question(const std::string& program, const std::string& device) {
  Question out;
  out.key = {JobId{"j1"}, 0, 1};
  out.submitter = "ann";
  out.command = {program};
  out.device = DeviceId{device};
  return out;
}

// Another device may be asked about when the denial is about the device; else the job is denied.
TEST(Denial, SaysWhomItIsAbout) {
  const Rulebook rules{{Rule{.name = "edges", .effect = policy::Effect::allow, .devices = {"edge-*"}},
                        Rule{.name = "no-shell", .effect = policy::Effect::deny, .commands = {"sh"}},
                        Rule{.name = "plant", .effect = policy::Effect::deny, .devices = {"edge-plant"}}},
                       seconds{100}};
  struct Case {
    const char *program, *device;
    Lifecycle state;
    bool allow, about_device;
  };
  const Case cases[] = {
      {"ls", "edge-1", Lifecycle::active, true, false},   {"ls", "edge-1", Lifecycle::refused, false, true},
      {"ls", "other", Lifecycle::active, false, true},    {"ls", "edge-plant", Lifecycle::active, false, true},
      {"sh", "edge-1", Lifecycle::active, false, false},  {"sh", "other", Lifecycle::active, false, false},
      {"sh", "edge-1", Lifecycle::refused, false, false}, {"sh", "", Lifecycle::active, false, false},
  };
  for (const auto& c : cases) {
    SecurityPolicy core(
        {}, rules, nullptr,
        [](const auto& questions, auto&&...) { return std::vector<std::string>(questions.size(), "grant"); }, {});
    Output out;
    if (*c.device != '\0') core.step(DeviceSeen{DeviceId{c.device}, c.state, ""}, now, out);
    core.step(QuestionsArrived{{question(c.program, c.device)}}, now, out);
    ASSERT_EQ(out.audit.size(), 1U);
    ASSERT_EQ(out.decisions.size(), 1U);
    const auto& decision = out.decisions[0];
    EXPECT_EQ(decision.allow, c.allow) << c.program << " " << c.device;
    EXPECT_EQ(decision.about_device, c.about_device) << c.program << " " << c.device;
    EXPECT_EQ(decision.grant.empty(), !c.allow) << c.program << " " << c.device;
  }
}

}  // namespace
}  // namespace fieldwork::security_policy
