// links: scheduler_shell GTest::gtest_main
// What clients and the state of a job say while it waits.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "scheduler/shell/rows.hpp"
#include "support/scheduler_stack.hpp"

namespace fieldwork::scheduler {
namespace {

using codec::Json;

const std::string root = "fieldwork/v1/";

struct Stack : OwnStore, SchedulerStack {
  Stack() : SchedulerStack(own) {
    Device device{.id = DeviceId("edge-1"), .lifecycle = Lifecycle::active, .presence = Presence::online};
    device.about.capacity = {.cpu_millis = 4000, .memory_bytes = 1 << 30, .storage_bytes = 1 << 30};
    hear("state/device/edge-1", codec::dump(codec::encode(device)));
  }
  // The answer to the submission of a job that wants the whole device.
  Json submit(const std::string& request, const std::string& command, const Json& more = Json::object()) {
    Json job{{"command", {command}}, {"requirements", {{"cpu_millis", 4000}}}};
    job.update(more);
    hear("service/scheduler/submit/ann", pack_items({Json{{"request", request}, {"job", job}}.dump()}).at(0));
    allow();
    return bus.last("reply/ann/x").at("items").at(0);
  }
  void allow() {
    decide([](Decision& decision) {
      decision.allow = true;
      decision.grant = "g";
    });
  }
  // The job's running attempt ends after this time.
  void end(const std::string& job, Duration after, std::int64_t seq, const char* state = "succeeded") {
    now += after;
    const auto command = bus.last("device/edge-1/down/command").at("items").at(0);
    ASSERT_EQ(command.at("job"), job);
    Json report{{"tag", seq},
                {"job", job},
                {"execution", 0},
                {"fence", command.at("fence")},
                {"state", state},
                {"result",
                 {{"exit_code", 0},
                  {"stdout", ""},
                  {"stderr", ""},
                  {"truncated", false},
                  {"elapsed_ms", 1},
                  {"files", Json::array()}}}};
    Json body{{"v", 1}, {"epoch", 1}, {"first", seq}, {"seq", seq}, {"after", seq == 1 ? 0 : seq - 1}};
    body["items"] = Json::array({report});
    hear("device/edge-1/up/report", body.dump());
    allow();
  }
  void tick(Duration by) {
    now += by;
    EXPECT_TRUE(engine.run({}, now).ok());
  }
};

TEST(Waits, AnAnswerSaysWhyAndForHowLong) {
  Stack stack;
  const auto first = stack.submit("r-1", "work");
  ASSERT_EQ(first.at("state"), "assigned") << first.dump();
  EXPECT_FALSE(first.contains("waits"));
  auto second = stack.submit("r-2", "work");
  ASSERT_EQ(second.at("state"), "queued") << second.dump();
  EXPECT_EQ(second.at("waits").at("code"), "no_room");
  EXPECT_EQ(second.at("waits").at("position"), 1);
  EXPECT_FALSE(second.at("waits").contains("wait_s")) << "nobody knows how long it takes";
  stack.end(first.at("job"), seconds(60), 1);  // now it is known, and the second runs
  stack.tick(seconds(1));
  const auto third = stack.submit("r-3", "work", {{"deadline_s", 100}});
  EXPECT_EQ(third.at("waits").at("wait_s"), 59.0);
  EXPECT_EQ(third.at("waits").at("meets_deadline"), false) << "60 s more, after 59 s";
  const auto dry = stack.ask("try", {{"v", 1}, {"job", {{"command", {"work"}}, {"deadline_s", 59}}}});
  EXPECT_EQ(dry.at("placed"), 1);
  EXPECT_EQ(dry.at("meets_deadline"), false) << "it starts at once, and takes 60 s";
  EXPECT_EQ(stack.ask("try", {{"v", 1}, {"job", {{"command", {"work"}}, {"deadline_s", 61}}}}).at("meets_deadline"),
            true);
  EXPECT_FALSE(stack.ask("try", {{"v", 1}, {"job", {{"command", {"work", "less"}}, {"deadline_s", 5}}}})
                   .contains("meets_deadline"))
      << "nobody knows how long that takes";
}

TEST(Waits, AJobOfWhichAPartStartsSaysWhatTheOthersWaitFor) {
  Stack stack;
  const auto wide = stack.submit("r-1", "work", {{"replicas", 2}, {"deadline_s", 100}});
  ASSERT_EQ(wide.at("state"), "assigned") << wide.dump();
  EXPECT_EQ(wide.at("waits").at("code"), "no_room");
}

TEST(Waits, QuestionsAndTheRetainedStateSayIt) {
  Stack stack;
  stack.submit("r-1", "work");
  const auto job = stack.submit("r-2", "work").at("job").get<std::string>();
  EXPECT_EQ(stack.ask("list", {{"v", 1}, {"state", "queued"}}).at("items").at(0).at("waits").at("position"), 1);
  EXPECT_EQ(stack.ask("show", {{"v", 1}, {"job", job}}).at("job").at("waits").at("code"), "no_room");
  EXPECT_EQ(stack.ask("explain", {{"v", 1}, {"job", job}}).at("waits").at("code"), "no_room");
  stack.tick(seconds(2));
  EXPECT_EQ(stack.bus.last("state/job/" + job).at("waits").at("code"), "no_room");
  stack.bus.said.clear();
  for (int i = 0; i < 20; ++i) stack.tick(seconds(1));
  EXPECT_EQ(stack.bus.find("state/job/" + job), nullptr) << "nothing has changed";
}

// Each that waits is looked at in its turn, however many they are, and a few in each second.
TEST(Waits, EachIsRefreshedInItsTurn) {
  Stack stack;
  stack.submit("r-0", "work");
  std::set<std::string> jobs;
  for (int i = 1; i <= 30; ++i) jobs.insert(stack.submit("r-" + std::to_string(i), "work").at("job"));
  for (int i = 0; i < 30 && !jobs.empty(); ++i) {
    std::size_t said = 0;
    for (const auto& message : stack.bus.said) {
      if (!message.topic.starts_with(root + "state/job/") || !Json::parse(message.payload).contains("waits")) continue;
      ++said;
      jobs.erase(message.topic.substr((root + "state/job/").size()));
    }
    EXPECT_TRUE(i == 0 || said <= 8U) << said;
    stack.bus.said.clear();
    stack.tick(seconds(1));
  }
  EXPECT_TRUE(jobs.empty()) << jobs.size() << " were never said";
}

TEST(Waits, AJobIsTriedOut) {
  Stack stack;
  const Json job{{"command", {"work"}}, {"requirements", {{"cpu_millis", 4000}}}};
  auto answer = stack.ask("try", {{"v", 1}, {"job", job}});
  EXPECT_EQ(answer.at("placed"), 1);
  EXPECT_EQ(answer.at("devices"), Json::array({"edge-1"}));
  EXPECT_EQ(stack.bus.find("service/security-policy/authorise/scheduler"), nullptr);
  stack.submit("r-1", "work");
  answer = stack.ask("try", {{"v", 1}, {"job", job}});
  EXPECT_EQ(answer.at("placed"), 0);
  EXPECT_EQ(answer.at("waits").at("code"), "no_room");
  EXPECT_EQ(answer.at("placement").at("filtered").at(0).at("device"), "edge-1");
  const Json large{{"command", {"work"}}, {"requirements", {{"cpu_millis", 5000}}}};
  EXPECT_EQ(stack.ask("try", {{"v", 1}, {"job", large}}).at("error").at("path"), "/job/requirements/cpu_millis");
  EXPECT_EQ(stack.ask("try", {{"v", 1}, {"job", {{"command", 1}}}}).at("error").at("path"), "/job/command");
}

// How long work takes is known after a restart.
TEST(Waits, DurationsAreStored) {
  Stack stack;
  const auto first = stack.submit("r-1", "work");
  stack.end(first.at("job"), seconds(60), 1);
  stack.tick(seconds(1));
  SchedulerService again{"fieldwork/v1", Limits{.hear_first = {}}};
  runtime::Engine engine{again, stack.store, stack.bus};
  ASSERT_TRUE(engine.load(stack.now).ok());
  const auto saved = stack.store.select({.table = "duration"});
  ASSERT_TRUE(saved.ok());
  EXPECT_EQ(saved->size(), 2U) << "of the command, and of the program";
}

TEST(Waits, WhereACommandFailsIsStored) {
  Stack stack;
  const auto first = stack.submit("r-1", "work", {{"retry", {{"attempts_max", 1}}}});
  stack.end(first.at("job"), seconds(60), 1, "failed");
  stack.tick(seconds(1));
  const auto saved = stack.store.select({.table = "failure"});
  ASSERT_TRUE(saved.ok());
  ASSERT_EQ(saved->size(), 1U);
  EXPECT_EQ(Json::parse(saved->front()).at("failing"), (Json{{"edge-1", failure_step}}));
  const auto loaded = load(stack.store, Limits{});
  ASSERT_TRUE(loaded.ok());
  ASSERT_EQ(loaded->failures.size(), 1U);
  EXPECT_EQ(loaded->failures[0].failing, (Failing{{DeviceId("edge-1"), failure_step}}));
}

}  // namespace
}  // namespace fieldwork::scheduler
