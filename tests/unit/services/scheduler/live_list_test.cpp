// links: scheduler_shell GTest::gtest_main
// Lists of jobs that live, by state: from memory, newest first, a page at a time.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "runtime/engine.hpp"
#include "scheduler/shell/service.hpp"
#include "store/memory.hpp"
#include "support/said_bus.hpp"
#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

using Json = nlohmann::json;

std::vector<std::string> ids(const std::vector<const Job*>& jobs) {
  std::vector<std::string> out;
  for (const auto* job : jobs) out.push_back(job->id.value);
  return out;
}

using Ids = std::vector<std::string>;

TEST(LiveList, EachJobIsInItsState) {
  World world({ready("edge-1", {}, 1000)});
  JobSpec whole;
  whole.requirements.cpu_millis = 1000;
  world.run("j-1", whole);
  world.now += seconds(1);
  world.run("j-2", whole);
  world.run("j-3", whole);  // of the same time: by id
  const auto in = [&](JobState state) { return ids(world.core.live_in(state, std::nullopt, 10)); };
  EXPECT_EQ(in(JobState::assigned), Ids{"j-1"});
  EXPECT_EQ(in(JobState::queued), (Ids{"j-3", "j-2"}));
  EXPECT_EQ(in(JobState::submitted), Ids{});
  world.report("edge-1", key("j-1"), AttemptState::running);
  EXPECT_EQ(in(JobState::running), Ids{"j-1"});
  world.restart();
  EXPECT_EQ(in(JobState::running), Ids{"j-1"});
  EXPECT_EQ(in(JobState::queued), (Ids{"j-3", "j-2"}));
  world.report("edge-1", key("j-1"), AttemptState::succeeded);
  EXPECT_EQ(in(JobState::running), Ids{});
  EXPECT_EQ(in(JobState::succeeded), Ids{}) << "what is over is in the database";
}

TEST(LiveList, APageBeginsBelowItsCursorThoughThatJobIsGone) {
  World world;
  for (const char* id : {"j-1", "j-2", "j-3", "j-4"}) {
    world.now += seconds(1);
    world.submit(id);
  }
  const Scheduler::Position third{world.job("j-3").submitted_ms, JobId("j-3")};
  EXPECT_EQ(ids(world.core.live_in(JobState::submitted, third, 1)), Ids{"j-2"});
  world.step(CancelRequested{.reply = 9, .job = JobId("j-3")});
  EXPECT_EQ(ids(world.core.live_in(JobState::submitted, third, 9)), (Ids{"j-2", "j-1"}));
  EXPECT_EQ(ids(world.core.live_in(JobState::submitted, std::nullopt, 9)), (Ids{"j-4", "j-2", "j-1"}));
}

class LiveLists : public testing::Test {
 protected:
  LiveLists() { EXPECT_TRUE(engine.load(t0).ok()); }
  void say(const std::string& operation, const Json& body) {
    bus::Message message{.topic = "fieldwork/v1/service/scheduler/" + operation + "/ann", .payload = body.dump()};
    message.response_topic = "fieldwork/v1/reply/ann/x";
    EXPECT_TRUE(engine.run({runtime::Connected{}, message}, t0).ok());
  }
  Json list(const Json& body) {
    say("list", body);
    return bus.last("reply/ann/x");
  }

  const Time t0{seconds{1'000'000}};
  store::MemoryStore store;
  support::SaidBus bus;
  SchedulerService service{"fieldwork/v1", Limits{}};
  runtime::Engine engine{service, store, bus};
};

TEST_F(LiveLists, ComeInPagesUntilTheEnd) {
  auto items = Json::array();
  for (int i = 0; i < 100; ++i) {
    items.push_back({{"request", "r-" + std::to_string(i)}, {"job", {{"command", {"true"}}}}});
  }
  say("submit", {{"v", 1}, {"items", items}});
  std::set<std::string> seen;
  std::vector<std::size_t> pages;
  Json body{{"v", 1}, {"limit", 1000}, {"state", "submitted"}};
  for (int page = 0; page < 10; ++page) {
    const auto answer = list(body);
    pages.push_back(answer.at("items").size());
    for (const auto& item : answer.at("items")) {
      EXPECT_EQ(item.at("state"), "submitted");
      seen.insert(item.at("job").get<std::string>());
    }
    if (!answer.contains("next")) break;
    body["after"] = answer.at("next");
  }
  EXPECT_EQ(pages, (std::vector<std::size_t>{48, 48, 4}));
  EXPECT_EQ(seen.size(), 100U);
  EXPECT_EQ(list({{"v", 1}, {"state", "running"}}).at("items"), Json::array());
}

TEST_F(LiveLists, ACursorThatIsNoneIsNamed) {
  for (const char* bad : {"nonsense", "12", "12x j-1", " j-1", R"(["1","j-1"])"}) {
    EXPECT_EQ(list({{"v", 1}, {"state", "queued"}, {"after", bad}}).at("error").at("path"), "/after") << bad;
  }
}

}  // namespace
}  // namespace fieldwork::scheduler
