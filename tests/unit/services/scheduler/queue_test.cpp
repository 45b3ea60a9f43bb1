// links: scheduler_core GTest::gtest_main
// Lanes sleep while nothing that could serve them changes.
#include <gtest/gtest.h>

#include "scheduler/core/plan/turns.hpp"
#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

Queue::Shape shape(const std::string& text, const std::string& group = "", std::int64_t cpu_millis = 0,
                   const std::string& submitter = "one", int priority = 5) {
  return {.text = text + submitter + std::to_string(priority),
          .fit = text,
          .group = group,
          .need = {.cpu_millis = cpu_millis},
          .submitter = submitter,
          .priority = priority};
}
QueueEntry entry(std::uint64_t order, Time since = {}) { return {since, order, JobId("j" + std::to_string(order)), 0}; }
const auto any = [](const Queue::Shape&) { return true; };

// The lane whose turn it is first.
std::optional<Queue::Lane> next_lane(const Queue& queue) {
  const Shares nothing;
  const auto turn = Turns(queue, nothing).next();
  return turn ? std::optional(turn->lane) : std::nullopt;
}
std::string next(const Queue& queue) {
  const auto lane = next_lane(queue);
  return lane ? queue.lane(*lane).entries.begin()->job.value : "";
}

TEST(QueueTest, BestHeadOfThoseAwake) {
  Queue queue;
  EXPECT_EQ(next(queue), "");
  const auto first = queue.add(shape("a"), entry(2));
  const auto second = queue.add(shape("b"), entry(1));
  queue.add(shape("c", "", 0, "one", 9), entry(3));
  EXPECT_EQ(queue.lanes(), 3U);
  EXPECT_EQ(next(queue), "j3") << "priority before order";
  queue.sleep(*next_lane(queue));
  EXPECT_EQ(next(queue), "j1");
  queue.sleep(second);
  EXPECT_EQ(next(queue), "j2");
  queue.sleep(first);
  EXPECT_EQ(next(queue), "");
  EXPECT_EQ(queue.size(), 3U);
}

TEST(QueueTest, BehindAHeadThatFitsNowhereNobodyIsTried) {
  Queue queue;
  const auto lane = queue.add(shape("a"), entry(2));
  queue.sleep(lane);
  EXPECT_EQ(queue.add(shape("a"), entry(3)), lane);
  EXPECT_EQ(next(queue), "");
  queue.add(shape("a"), entry(1));
  EXPECT_EQ(next(queue), "") << "nor one that comes before it: it wants the same";
  queue.remove(lane, entry(2));
  queue.remove(lane, entry(1));
  queue.wake({""}, any);
  EXPECT_EQ(next(queue), "j3");
  queue.remove(lane, entry(3));
  EXPECT_EQ(queue.lanes(), 0U) << "an empty lane is gone";
  EXPECT_EQ(queue.size(), 0U);
  queue.remove(lane, entry(3));
}

TEST(QueueTest, WakesOnlyTheGroupsThatChangedAndOnlyWhatFits) {
  Queue queue;
  for (const auto& [text, group, cpu] :
       {std::tuple{"x small", "x", 100}, {"x large", "x", 1000}, {"y small", "y", 100}, {"any", "", 100}})
    queue.add(shape(text, group, cpu), entry(queue.size() + 1));
  queue.add(shape("x large", "x", 1000, "other"), entry(queue.size() + 1));
  while (const auto lane = next_lane(queue)) queue.sleep(*lane);
  std::vector<std::int64_t> asked;
  queue.wake({"x", "none"}, [&](const Queue::Shape& shape) {
    asked.push_back(shape.need.cpu_millis);
    return shape.need.cpu_millis <= 500;
  });
  EXPECT_EQ(asked, (std::vector<std::int64_t>{100, 1000})) << "lanes of y and of none in particular are not looked at, "
                                                              "and lanes that want the same are looked at once";
  EXPECT_EQ(next(queue), "j1");
  queue.sleep(*next_lane(queue));
  EXPECT_EQ(next(queue), "");
  queue.wake({"x", "y", ""}, any);
  std::size_t awake = 0;
  for (; const auto lane = next_lane(queue); ++awake) queue.sleep(*lane);
  EXPECT_EQ(awake, 5U);
}

TEST(QueueTest, SleepingGivesTheBestHeads) {
  Queue queue;
  for (std::uint64_t i = 1; i <= 20; ++i)
    queue.add(shape("s" + std::to_string(i), "g" + std::to_string(i % 3), 0, "one", i == 20 ? 9 : 5), entry(i));
  while (const auto lane = next_lane(queue)) queue.sleep(*lane);
  std::vector<std::string> jobs;
  for (const auto& head : queue.sleeping(4)) jobs.push_back(head.entry.job.value);
  EXPECT_EQ(jobs, (std::vector<std::string>{"j20", "j1", "j2", "j3"}));
  EXPECT_TRUE(queue.sleeping(0).empty());
}

// A step of waiting is worth a step of priority; awake and asleep alike.
TEST(QueueTest, WaitingRaisesTheLevel) {
  const auto begin = from_ms(1'000'000);
  Queue queue(seconds(100));
  queue.age(begin);
  const auto old = queue.add(shape("old", "", 0, "one", 3), entry(1, begin));
  queue.add(shape("new", "", 0, "one", 5), entry(2, begin + seconds(150)));
  const auto asleep = queue.add(shape("asleep", "", 0, "one", 3), entry(3, begin));
  queue.sleep(asleep);
  queue.age(begin + seconds(199));
  EXPECT_EQ(next(queue), "j2");
  queue.age(begin + seconds(200));
  EXPECT_EQ(next(queue), "j1") << "the same level, and it waits longer";
  EXPECT_EQ(queue.lane(asleep).rank, queue.lane(old).rank);
  queue.age(begin + seconds(100'000));
  EXPECT_EQ(queue.lane(old).rank, 0) << "nothing comes before the highest level";
  queue.remove(old, entry(1, begin));
  queue.remove(asleep, entry(3, begin));
  queue.age(begin + seconds(200'000));
  EXPECT_EQ(next(queue), "j2");
}

// In the core: of 300 lanes those that the room given back could serve are tried, and no others.
TEST(QueueTest, AnEndTriesOnlyLanesThatItCouldServe) {
  World world({ready("a", {{"zone", "a"}}), ready("b", {{"zone", "b"}})});
  for (const std::string zone : {"a", "b"})
    world.run("full-" + zone, {.requirements = {.cpu_millis = 4000, .labels = {{"zone", zone}}}});
  for (int i = 0; i < 300; ++i) {
    world.run("j" + std::to_string(i),
              {.requirements = {.cpu_millis = 1000 + i, .labels = {{"zone", i % 2 == 0 ? "a" : "b"}}}});
  }
  EXPECT_EQ(world.core.queued(), 300U);
  world.pass(seconds(1));
  EXPECT_TRUE(silent(world.said)) << "nothing changed";
  const auto& full = world.attempt("full-b");
  world.report(full.device.value, full.key, AttemptState::succeeded);
  ASSERT_EQ(world.said.questions.size(), 3U) << "as many as fit, best first";
  EXPECT_EQ(world.said.questions[0].key.job, JobId("j1"));
  EXPECT_EQ(world.said.questions[1].key.job, JobId("j3"));
  EXPECT_EQ(world.said.questions[2].key.job, JobId("j5"));
  for (const auto& question : world.said.questions) EXPECT_EQ(question.device, dev("b"));
}

// What waits for a better link or a healthier device is tried when that is measured, and not with each measurement.
TEST(QueueTest, AMeasurementThatCrossesWhatIsRequiredWakesIt) {
  auto device = ready("a");
  device.link.round_trip_ms = 80;
  World world({device});
  world.run("near", {.requirements = {.latency_ms_max = 20}});
  world.run("healthy", {.requirements = {.health_min = 0.9}});
  const auto seen = [&](double round_trip_ms, double health) {
    device.link.round_trip_ms = round_trip_ms;
    device.health = health;
    world.step(DeviceSeen{device});
    std::set<std::string> out;
    for (const auto& question : world.said.questions) out.insert(question.key.job.value);
    for (const auto& question : std::vector(world.said.questions)) world.step(World::allow(question));
    return out;
  };
  EXPECT_EQ(world.attempt("healthy").device, dev("a"));
  EXPECT_EQ(world.state("near"), JobState::queued);
  EXPECT_EQ(seen(30, 0.5), std::set<std::string>{});
  world.run("healthier", {.requirements = {.health_min = 0.6}});
  world.run("any");
  EXPECT_EQ(world.attempt("any").device, dev("a")) << "0.3 is enough where nothing else is said";
  EXPECT_EQ(seen(21, 0.55), std::set<std::string>{});
  EXPECT_EQ(seen(21, 0.6), std::set<std::string>{"healthier"});
  EXPECT_EQ(seen(20, 0.6), std::set<std::string>{"near"});
  EXPECT_EQ(seen(10, 0.2), std::set<std::string>{});
  world.run("late");
  EXPECT_EQ(world.state("late"), JobState::queued) << "it is too sick by now";
  EXPECT_EQ(seen(10, 0.3), std::set<std::string>{"late"});
}

TEST(QueueTest, EqualWantsShareALaneAndOwnPastsDoNot) {
  Job job;
  job.id = JobId("j");
  job.spec = std::make_shared<JobSpec>(JobSpec{.requirements = {.cpu_millis = 5, .labels = {{"zone", "x"}}}});
  job.executions.resize(1);
  auto other = job;
  other.id = JobId("k");
  job.authorised = other.authorised = true;
  EXPECT_EQ(shape_of(job, job.executions[0]).text, shape_of(other, other.executions[0]).text);
  other.submitter = "another";
  EXPECT_NE(shape_of(job, job.executions[0]).text, shape_of(other, other.executions[0]).text) << "each its own share";
  EXPECT_EQ(shape_of(job, job.executions[0]).fit, shape_of(other, other.executions[0]).fit);
  EXPECT_EQ(shape_of(job, job.executions[0]).group, groups_of({.device = ready("a", {{"zone", "x"}})}).at(2));
  other.executions[0].avoid.insert(dev("a"));
  EXPECT_NE(shape_of(job, job.executions[0]).fit, shape_of(other, other.executions[0]).fit);
  other.executions[0].avoid.clear();
  other.executions[0].target = dev("a");
  EXPECT_NE(shape_of(job, job.executions[0]).fit, shape_of(other, other.executions[0]).fit);
  EXPECT_EQ(shape_of(other, other.executions[0]).group, groups_of({.device = ready("a")}).at(1));
}

// Labels may hold whatever would separate them in a lane's text.
TEST(QueueTest, NoLabelCanLookLikeTwo) {
  const auto text = [](Labels labels) {
    Job job;
    job.spec = std::make_shared<JobSpec>(JobSpec{.requirements = {.labels = std::move(labels)}});
    job.executions.resize(1);
    return shape_of(job, job.executions[0]).fit;
  };
  const std::vector<Labels> all = {
      {{"zone", "x"}, {"foo", "bar"}},   {{"zone", "x\nfoo=bar"}},
      {{"zone", "x"}, {"foo=bar", ""}},  {{"foo", "bar\nzone=x"}},
      {{"foo", "bar4:zone1:x"}},         {{"foo", "bar"}, {"zone", "x"}, {"", ""}},
      {{"foo3:bar", ""}, {"zone", "x"}}, {},
  };
  std::set<std::string> texts;
  for (const auto& labels : all) texts.insert(text(labels));
  EXPECT_EQ(texts.size(), all.size());
}

}  // namespace
}  // namespace fieldwork::scheduler
