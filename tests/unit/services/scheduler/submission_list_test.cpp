// links: scheduler_shell GTest::gtest_main
// A list of jobs at the scheduler's door: what is bad is told by its request or its place, and the others are taken.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/scheduler_stack.hpp"

namespace fieldwork::scheduler {
namespace {

struct Stack : OwnStore, SchedulerStack {
  Stack() : SchedulerStack(own) {}
  void say(const std::string& topic, const std::vector<std::string>& items, const std::string& reply = "reply/ann/x") {
    hear(topic, pack_items(items).at(0), reply);
  }
  // Security-policy allows all that is asked.
  void allow() {
    const auto questions = codec::decode_questions(bus.last("service/security-policy/authorise/scheduler").dump());
    ASSERT_TRUE(questions.ok());
    std::vector<std::string> items{"7"};  // and a bad decision holds up no other
    for (const auto& one : questions->good) {
      const Decision decision{.key = one.key, .device = one.device, .allow = true, .reason = "allowed"};
      items.push_back(codec::dump(codec::encode(decision)));
    }
    say("service/scheduler/authorised/security-policy", items);
  }
};

const std::string job = R"("job":{"command":["true"]})";

TEST(SubmissionList, OneBadJobHoldsUpNoOther) {
  Stack stack;
  stack.say("service/scheduler/submit/ann",
            {R"({"request":"r-1",)" + job + "}", R"({"request":"r-2","traceparent":"x",)" + job + "}", "{" + job + "}",
             R"({"request":"r-4","job":{"command":["true"],"colour":1}})", R"({"request":"r-5",)" + job + "}"});
  stack.allow();
  const auto answer = stack.bus.last("reply/ann/x");
  ASSERT_EQ(answer["items"].size(), 5U) << answer.dump();
  std::map<std::string, std::string> got;  // by request
  for (const auto& one : answer["items"]) {
    const auto said = one.contains("error") ? one["error"]["path"] : one["state"];
    got[one.value("request", "")] = said.get<std::string>();
  }
  EXPECT_EQ(got, (std::map<std::string, std::string>{{"r-1", "queued"},
                                                     {"r-2", "/items/1/traceparent"},
                                                     {"", "/items/2/request"},
                                                     {"r-4", "/job/colour"},
                                                     {"r-5", "queued"}}));
  EXPECT_EQ(stack.service.core().jobs().size(), 2U);
}

TEST(SubmissionList, OfWhichNobodyIsNamedIsRefusedWhole) {
  Stack stack;
  stack.say("service/scheduler/submit/ann", {"{" + job + "}", "7"});
  EXPECT_EQ(stack.bus.last("reply/ann/x")["error"]["path"], "/items/0/request");
  EXPECT_TRUE(stack.service.core().jobs().empty());
}

TEST(SubmissionList, IsNotTakenWhenItsAnswerWouldGoToSomebodyElse) {
  Stack stack;
  stack.say("service/scheduler/submit/ann", {R"({"request":"r-1",)" + job + "}"}, "reply/cli-bob-1/x");
  EXPECT_TRUE(stack.service.core().jobs().empty());
  EXPECT_EQ(stack.bus.find("reply/cli-bob-1/x"), nullptr);
}

}  // namespace
}  // namespace fieldwork::scheduler
