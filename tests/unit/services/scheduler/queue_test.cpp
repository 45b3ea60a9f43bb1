// links: scheduler_core GTest::gtest_main
// Lanes sleep while nothing that could serve them changes.
#include <gtest/gtest.h>

#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

Queue::Shape shape(const std::string& text, const std::string& group = "", std::int64_t cpu_millis = 0) {
  return {text, group, {.cpu_millis = cpu_millis}};
}
QueueEntry entry(std::uint64_t order, int priority_down = 4) {
  return {priority_down, order, JobId("j" + std::to_string(order)), 0};
}
std::string next(const Queue& queue) {
  const auto head = queue.next();
  return head ? head->entry.job.value : "";
}
const auto any = [](const Queue::Shape&) { return true; };

TEST(QueueTest, BestHeadOfThoseAwake) {
  Queue queue;
  EXPECT_EQ(next(queue), "");
  const auto first = queue.add(shape("a"), entry(2));
  const auto second = queue.add(shape("b"), entry(1));
  queue.add(shape("c"), entry(3, 0));
  EXPECT_EQ(queue.lanes(), 3U);
  EXPECT_EQ(next(queue), "j3") << "priority before order";
  queue.sleep(queue.next()->lane);
  EXPECT_EQ(next(queue), "j1");
  queue.sleep(second);
  EXPECT_EQ(next(queue), "j2");
  queue.sleep(first);
  EXPECT_EQ(next(queue), "");
  EXPECT_EQ(queue.size(), 3U);
}

TEST(QueueTest, BehindAHeadThatFitsNowhereNobodyIsTried) {
  Queue queue;
  const auto lane = queue.add(shape("a"), entry(1));
  queue.sleep(lane);
  EXPECT_EQ(queue.add(shape("a"), entry(2)), lane);
  EXPECT_EQ(next(queue), "");
  queue.add(shape("a"), entry(3, 0));
  EXPECT_EQ(next(queue), "") << "nor one that comes before it: it wants the same";
  queue.remove(lane, entry(1));
  queue.remove(lane, entry(3, 0));
  queue.wake({""}, any);
  EXPECT_EQ(next(queue), "j2");
  queue.remove(lane, entry(2));
  EXPECT_EQ(queue.lanes(), 0U) << "an empty lane is gone";
  EXPECT_EQ(queue.size(), 0U);
  queue.remove(lane, entry(2));
}

TEST(QueueTest, WakesOnlyTheGroupsThatChangedAndOnlyWhatFits) {
  Queue queue;
  for (const auto& [text, group, cpu] :
       {std::tuple{"x small", "x", 100}, {"x large", "x", 1000}, {"y small", "y", 100}, {"any", "", 100}})
    queue.add(shape(text, group, cpu), entry(queue.size() + 1));
  while (const auto head = queue.next()) queue.sleep(head->lane);
  std::vector<std::int64_t> asked;
  queue.wake({"x", "none"}, [&](const Queue::Shape& shape) {
    asked.push_back(shape.need.cpu_millis);
    return shape.need.cpu_millis <= 500;
  });
  EXPECT_EQ(asked, (std::vector<std::int64_t>{100, 1000})) << "lanes of y and of none in particular are not looked at";
  EXPECT_EQ(next(queue), "j1");
  queue.sleep(queue.next()->lane);
  EXPECT_EQ(next(queue), "");
  queue.wake_all();
  std::size_t awake = 0;
  for (; const auto head = queue.next(); ++awake) queue.sleep(head->lane);
  EXPECT_EQ(awake, 4U);
}

TEST(QueueTest, SleepingGivesTheBestHeads) {
  Queue queue;
  for (std::uint64_t i = 1; i <= 20; ++i)
    queue.add(shape("s" + std::to_string(i), "g" + std::to_string(i % 3)), entry(i, i == 20 ? 0 : 4));
  while (const auto head = queue.next()) queue.sleep(head->lane);
  std::vector<std::string> jobs;
  for (const auto& head : queue.sleeping(4)) jobs.push_back(head.entry.job.value);
  EXPECT_EQ(jobs, (std::vector<std::string>{"j20", "j1", "j2", "j3"}));
  EXPECT_TRUE(queue.sleeping(0).empty());
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

TEST(QueueTest, EqualWantsShareALaneAndOwnPastsDoNot) {
  Job job;
  job.id = JobId("j");
  job.spec = std::make_shared<JobSpec>(JobSpec{.requirements = {.cpu_millis = 5, .labels = {{"zone", "x"}}}});
  job.executions.resize(1);
  auto other = job;
  other.id = JobId("k");
  EXPECT_EQ(shape_of(job, job.executions[0]).text, shape_of(other, other.executions[0]).text);
  EXPECT_EQ(shape_of(job, job.executions[0]).group, groups_of({.device = ready("a", {{"zone", "x"}})}).at(2));
  other.executions[0].avoid.insert(dev("a"));
  EXPECT_NE(shape_of(job, job.executions[0]).text, shape_of(other, other.executions[0]).text);
  other.executions[0].avoid.clear();
  other.executions[0].target = dev("a");
  EXPECT_NE(shape_of(job, job.executions[0]).text, shape_of(other, other.executions[0]).text);
  EXPECT_EQ(shape_of(other, other.executions[0]).group, groups_of({.device = ready("a")}).at(1));
}

// Labels may hold whatever would separate them in a lane's text.
TEST(QueueTest, NoLabelCanLookLikeTwo) {
  const auto text = [](Labels labels) {
    Job job;
    job.spec = std::make_shared<JobSpec>(JobSpec{.requirements = {.labels = std::move(labels)}});
    job.executions.resize(1);
    return shape_of(job, job.executions[0]).text;
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
