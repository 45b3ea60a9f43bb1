// links: codec nlohmann_json::nlohmann_json GTest::gtest_main
// What a job says of its tries and of its run, and what it must not say together.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <span>

#include "codec/job.hpp"

namespace fieldwork::codec {
namespace {

struct Case {
  const char* more;  // fields of the job
  const char* path;  // none: it is read
  const char* reason;
};

void expect_each(std::span<const Case> cases) {
  for (const auto& c : cases) {
    const auto job = decode_job(Json::parse(std::string(R"({"command":["a"],)") + c.more + "}"));
    ASSERT_EQ(job.ok(), c.path == nullptr) << c.more;
    if (job.ok()) continue;
    EXPECT_EQ(job.error(), (Error{Code::invalid, c.reason, c.path})) << c.more;
  }
}

// The device gives up first, and what is at most once is not begun again: each error names its path.
TEST(JobTest, TheOfflineContractMustNotContradictItself) {
  constexpr const char* first = "must be below lost_after_s: the device gives up first";
  const Case cases[] = {
      {R"("offline":{"stop_after_s":9,"lost_after_s":10})", nullptr, nullptr},
      {R"("offline":{"stop_after_s":10,"lost_after_s":10})", "/offline/stop_after_s", first},
      {R"("offline":{"stop_after_s":11,"lost_after_s":10})", "/offline/stop_after_s", first},
      {R"("retry":{"attempts_max":1})", nullptr, nullptr},
      {R"("retry":{"attempts_max":1},"offline":{"replace":false,"on_reboot":"fail"})", nullptr, nullptr},
      {R"("retry":{"attempts_max":1},"offline":{"replace":true})", "/offline/replace",
       "contradicts at_most_once (retry/attempts_max 1 means it, too): it is never replaced"},
      {R"("retry":{"attempts_max":1},"offline":{"on_reboot":"restart"})", "/offline/on_reboot",
       "restart contradicts at_most_once (retry/attempts_max 1 means it, too)"},
      {R"("semantics":"at_most_once")", nullptr, nullptr},
      {R"("semantics":"at_most_once","retry":{"attempts_max":2})", "/retry/attempts_max",
       "contradicts semantics at_most_once: must be 1"},
      {R"("semantics":"at_most_once","offline":{"replace":true})", "/offline/replace",
       "contradicts at_most_once (retry/attempts_max 1 means it, too): it is never replaced"},
      {R"("semantics":"at_least_once","retry":{"attempts_max":1},"offline":{"replace":true,"on_reboot":"restart"})",
       nullptr, nullptr},
      {R"("semantics":"at_least_once","offline":{"replace":false})", "/offline/replace",
       "contradicts semantics at_least_once: a lost attempt is followed by another"},
      {R"("retry":{"attempts_max":2},"offline":{"replace":true,"on_reboot":"restart"})", nullptr, nullptr},
      {R"("offline":{"replace":true,"on_reboot":"restart"})", nullptr, nullptr},
  };
  expect_each(cases);
}

TEST(JobTest, WhatHasOneCopyIsNotReconciled) {
  constexpr const char* one = "contradicts at_most_once (retry/attempts_max 1 means it, too): there is one copy";
  const Case cases[] = {
      {R"("offline":{"reconcile":"keep_replacement"})", nullptr, nullptr},
      {R"("retry":{"attempts_max":1},"offline":{"reconcile":"keep_original"})", "/offline/reconcile", one},
      {R"("retry":{"attempts_max":1},"offline":{"reconcile":"keep_replacement"})", "/offline/reconcile", one},
      {R"("semantics":"at_most_once","offline":{"reconcile":"best_score"})", "/offline/reconcile", one},
      {R"("semantics":"at_least_once","retry":{"attempts_max":1},"offline":{"reconcile":"best_score"})", nullptr,
       nullptr},
  };
  expect_each(cases);
}

TEST(JobTest, WhatIsStagedHasItsTime) {
  constexpr const char* beside = "stands beside start_at: before it the device has the work";
  constexpr const char* bounds = "must be a whole number from 1 to 31536000";
  const Case cases[] = {
      {R"("start_at":"2026-12-01T02:00:00Z","offline":{"stage_s":1})", nullptr, nullptr},
      {R"("offline":{"stage_s":31536000},"start_at":"2026-12-01T02:00:00Z")", nullptr, nullptr},
      {R"("offline":{"stage_s":60})", "/offline/stage_s", beside},
      {R"("start_at":"2026-12-01T02:00:00Z","offline":{"stage_s":0})", "/offline/stage_s", bounds},
      {R"("start_at":"2026-12-01T02:00:00Z","offline":{"stage_s":31536001})", "/offline/stage_s", bounds},
      {R"("start_at":"2026-12-01T02:00:00Z","offline":{"stage_s":"60"})", "/offline/stage_s", bounds},
      {R"("start_at":"soon","offline":{"stage_s":60})", "/start_at",
       "must be a time in UTC such as 2026-12-01T02:00:00Z"},
  };
  expect_each(cases);
  const auto value = Json::parse(R"({"command":["a"],"start_at":"2026-12-01T02:00:00Z","offline":{"stage_s":60}})");
  const auto job = decode_job(value);
  ASSERT_TRUE(job.ok()) << describe(job.error());
  EXPECT_EQ(job->offline.stage_s, 60);
  EXPECT_EQ(encode(*job).at("offline"), value.at("offline"));
  EXPECT_EQ(*decode_job(encode(*job)), *job);
}

TEST(JobTest, OnlyWhatIsChosenGoesOn) {
  constexpr const char* named = "cannot stand beside devices: they are named, so none comes later";
  constexpr const char* none = "is missing: targets need labels, an expression, a group or devices";
  const Case cases[] = {
      {R"("targets":{"labels":{},"continuous":true})", nullptr, nullptr},
      {R"("targets":{"expression":"health > 0.5","group":"g","labels":{"zone":"a"},"continuous":true})", nullptr,
       nullptr},
      {R"("targets":{"devices":["a"],"continuous":false})", nullptr, nullptr},
      {R"("targets":{"devices":["a"],"continuous":true})", "/targets/continuous", named},
      {R"("targets":{"continuous":true})", "/targets/labels", none},
      {R"("targets":{"continuous":false})", "/targets/labels", none},
      {R"("targets":{})", "/targets/labels", none},
  };
  expect_each(cases);
}

TEST(JobTest, AStepEndsBeforeTheRun) {
  constexpr const char* before = "must not be above time_s";
  const Case cases[] = {
      {R"("limits":{"time_s":90,"step_s":90})", nullptr, nullptr},
      {R"("limits":{"time_s":90,"step_s":91})", "/limits/step_s", before},
      {R"("limits":{"step_s":60})", nullptr, nullptr},
      {R"("limits":{"step_s":61})", "/limits/step_s", before},
  };
  expect_each(cases);
}

TEST(JobTest, WhoKeepsTheLogsMakesNoOutputsOfTheirNames) {
  const Case cases[] = {
      {R"("outputs":["stdout.log","stderr.log"])", nullptr, nullptr},
      {R"("limits":{"log_bytes":0},"outputs":["stdout.log"])", nullptr, nullptr},
      {R"("limits":{"log_bytes":1},"outputs":["logs/stdout.log"])", nullptr, nullptr},
      {R"("limits":{"log_bytes":1},"outputs":["a","stdout.log"])", "/outputs",
       "stdout.log is what limits/log_bytes makes"},
      {R"("limits":{"log_bytes":1},"outputs":["stderr.log"])", "/outputs", "stderr.log is what limits/log_bytes makes"},
  };
  expect_each(cases);
}

TEST(JobTest, NotTooManyExecutionsExchangeMessages) {
  constexpr const char* few = "is for at most 64 replicas";
  constexpr const char* bounds = "must be a whole number from 0 to 100";
  const Case cases[] = {
      {R"("limits":{"messages_per_s":100},"replicas":64)", nullptr, nullptr},
      {R"("limits":{"messages_per_s":0},"replicas":1000)", nullptr, nullptr},
      {R"("replicas":1000)", nullptr, nullptr},
      {R"("limits":{"messages_per_s":1},"replicas":65)", "/limits/messages_per_s", few},
      {R"("limits":{"messages_per_s":1},"replicas":1001)", "/replicas", "must be a whole number from 1 to 1000"},
      {R"("limits":{"messages_per_s":101})", "/limits/messages_per_s", bounds},
      // How many these are, only the scheduler knows.
      {R"("limits":{"messages_per_s":1},"targets":{"labels":{}})", nullptr, nullptr},
  };
  expect_each(cases);
}

}  // namespace
}  // namespace fieldwork::codec
