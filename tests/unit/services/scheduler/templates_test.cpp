// links: scheduler_shell GTest::gtest_main
// Templates at the scheduler's door: versions, submissions that are made of them, and what a restart knows.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "scheduler/limits.hpp"
#include "support/scheduler_stack.hpp"

namespace fieldwork::scheduler {
namespace {

using codec::Json;

struct Stack : SchedulerStack {
  using SchedulerStack::SchedulerStack;
  // Security-policy denies the job: then the submission is answered.
  Json submit(Json item, const std::string& request) {
    item["request"] = request;
    bus.said.clear();
    hear("service/scheduler/submit/ann", pack_items({item.dump()}).at(0));
    decide([](Decision& decision) { decision.reason = "no"; });
    return bus.last("reply/ann/x").at("items").at(0);
  }
};

Json watch(int rate = 10) {
  return {{"name", "watch"},
          {"parameters", {{"rate", {{"type", "integer"}, {"default", rate}}}}},
          {"job", {{"command", {"./run", "${rate}"}}, {"name", "watching"}}}};
}

TEST(TemplatesTest, VersionsOnlyGrowAndTheNewestAreKept) {
  store::MemoryStore store;
  Stack stack(store);
  EXPECT_EQ(stack.ask("template", {{"template", watch()}}).at("version"), 1);
  const auto same = stack.ask("template", {{"template", watch()}});
  EXPECT_EQ(same.at("state"), "unchanged");
  EXPECT_EQ(same.at("version"), 1);
  for (int i = 2; i <= 12; ++i) EXPECT_EQ(stack.ask("template", {{"template", watch(i)}}).at("version"), i);
  const auto shown = stack.ask("templates", {{"template", "watch"}});
  EXPECT_EQ(shown.at("version"), 12);
  EXPECT_EQ(shown.at("versions"), Json::parse("[5,6,7,8,9,10,11,12]"));
  EXPECT_EQ(shown.at("template"), watch(12));
  EXPECT_EQ(shown.at("pushed_by"), "ann");
  EXPECT_EQ(stack.ask("templates", {{"template", "watch@5"}}).at("template"), watch(5));
  EXPECT_EQ(stack.ask("templates", {{"template", "watch@4"}}).at("error").at("reason"),
            "the template watch has no version 4; the newest is 12 (fieldwork template ls)");
  EXPECT_EQ(store.select({.table = "template"})->size(), 8U);
}

TEST(TemplatesTest, WhoExpectsAnotherVersionIsTold) {
  store::MemoryStore store;
  Stack stack(store);
  EXPECT_EQ(stack.ask("template", {{"template", watch()}, {"expects", 3}}).at("error").at("code"), "conflict");
  EXPECT_EQ(stack.ask("template", {{"template", watch()}, {"expects", 0}}).at("version"), 1);
  EXPECT_EQ(stack.ask("template", {{"template", watch()}, {"expects", 0}}).at("state"), "unchanged") << "a repeat";
  const auto late = stack.ask("template", {{"template", watch(7)}, {"expects", 0}}).at("error");
  EXPECT_EQ(late.at("reason"), "the newest version is 1");
  EXPECT_EQ(late.at("path"), "/expects");
  EXPECT_EQ(stack.ask("template", {{"template", watch(7)}, {"expects", 1}}).at("version"), 2);
}

TEST(TemplatesTest, AJobIsMadeOfIt) {
  store::MemoryStore store;
  Stack stack(store);
  stack.ask("template", {{"template", watch()}});
  const auto answer =
      stack.submit({{"template", "watch"}, {"parameters", {{"rate", "50"}}}, {"job", {{"priority", 7}}}}, "r-1");
  ASSERT_TRUE(answer.contains("job")) << answer.dump();
  const auto job = stack.bus.last("state/job/" + answer.at("job").get<std::string>());
  EXPECT_EQ(job.at("template"), "watch@1");
  EXPECT_EQ(job.at("name"), "watching");
  const auto row = Json::parse(store.select({.table = "job"})->at(0));
  EXPECT_EQ(row.at("template"), "watch@1");
  EXPECT_EQ(row.at("spec").at("command"), Json::parse(R"(["./run","50"])"));
  EXPECT_EQ(row.at("spec").at("priority"), 7);
}

// A repeat is the same job, whatever has become of the template; other values under the same request are a conflict.
TEST(TemplatesTest, ARepeatedRequestIsTheSameJob) {
  store::MemoryStore store;
  Stack stack(store);
  stack.ask("template", {{"template", watch()}});
  const auto first = stack.submit({{"template", "watch"}}, "r-1");
  stack.ask("template", {{"template", watch(99)}});
  EXPECT_EQ(stack.submit({{"template", "watch"}}, "r-1").at("job"), first.at("job"));
  stack.ask("template", {{"remove", "watch"}});
  EXPECT_EQ(stack.submit({{"template", "watch"}}, "r-1").at("job"), first.at("job"));
  EXPECT_EQ(stack.submit({{"template", "watch"}}, "r-2").at("error").at("path"), "/template");
  EXPECT_EQ(stack.submit({{"template", "watch"}, {"parameters", {{"rate", 1}}}}, "r-1").at("error").at("code"),
            "conflict");
}

TEST(TemplatesTest, MistakesAreNamed) {
  store::MemoryStore store;
  Stack stack(store);
  stack.ask("template", {{"template", watch()}});
  const auto error = [&](const Json& item) { return stack.submit(item, "r-1").at("error"); };
  EXPECT_EQ(error({{"template", "other"}}).at("reason"), "there is no template other (fieldwork template ls)");
  EXPECT_EQ(error({{"template", "watch"}, {"parameters", {{"rate", "x"}}}}).at("path"), "/parameters/rate");
  EXPECT_EQ(error({{"template", "watch"}, {"job", {{"priority", 77}}}}).at("path"), "/job/priority");
  EXPECT_EQ(error({{"parameters", Json::object()}, {"job", {{"command", {"a"}}}}}).at("path"), "/items/0/parameters");
  EXPECT_EQ(error({{"parameters", Json::object()}}).at("path"), "/items/0/job");
  auto bad = watch();
  bad["job"]["command"] = {"./run", "${speed}"};
  EXPECT_EQ(stack.ask("template", {{"template", bad}}).at("error").at("path"), "/template/job/command/1");
  EXPECT_EQ(stack.ask("template", {{"remove", "other"}}).at("error").at("code"), "unknown");
  EXPECT_EQ(stack.ask("template", Json::object()).at("error").at("path"), "/template");
}

TEST(TemplatesTest, ARestartKnowsThemAndWhatIsRemovedIsGone) {
  store::MemoryStore store;
  {
    Stack stack(store);
    for (const char* name : {"a", "b", "c"}) {
      auto one = watch();
      one["name"] = name;
      stack.ask("template", {{"template", one}});
      one["job"]["priority"] = 3;
      stack.ask("template", {{"template", one}});
    }
    EXPECT_EQ(stack.ask("template", {{"remove", "b"}}).at("state"), "removed");
  }
  Stack again(store);
  const auto items = again.ask("templates", Json::object()).at("items");
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items.at(0).at("name"), "a");
  EXPECT_EQ(items.at(0).at("version"), 2);
  EXPECT_EQ(items.at(1).at("name"), "c");
  auto again_b = watch();
  again_b["name"] = "b";
  EXPECT_EQ(again.ask("template", {{"template", again_b}}).at("version"), 3) << "a number is given out once";
  EXPECT_EQ(store.select({.table = "template"})->size(), 5U);
}

TEST(TemplatesTest, AreListedInPages) {
  store::MemoryStore store;
  Stack stack(store);
  for (std::size_t i = 0; i < templates_page_max + 5; ++i) {
    auto one = watch();
    one["name"] = "t" + std::to_string(1000 + i);
    stack.ask("template", {{"template", one}});
  }
  const auto first = stack.ask("templates", Json::object());
  ASSERT_EQ(first.at("items").size(), templates_page_max);
  const auto second = stack.ask("templates", {{"after", first.at("next")}});
  EXPECT_EQ(second.at("items").size(), 5U);
  EXPECT_FALSE(second.contains("next"));
}

}  // namespace
}  // namespace fieldwork::scheduler
