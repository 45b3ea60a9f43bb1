// links: scheduler_shell GTest::gtest_main
// Scenarios: words that become numbers, and the jobs that come with them.
#include "scheduler/shell/scenarios.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "codec/job.hpp"
#include "support/scheduler_stack.hpp"
#include "support/temp_dir.hpp"

namespace fieldwork::scheduler {
namespace {

using codec::Json;

struct Words {
  Needs needs;
  double success;
  const char* document;
};

// The table of docs/scenarios.md, and the four that come with Fieldwork.
TEST(ScenariosTest, NeedsBecomeNumbers) {
  const Words cases[] = {
      {{}, 0.95, R"({"requirements":{"health_min":0.53},"replicas":1,"retry":{"attempts_max":3},"priority":5})"},
      {{.latency_ms = 10, .bandwidth = "high", .reliability = 0.9999},
       0.95,
       R"({"requirements":{"latency_ms_max":10.0,"bandwidth_mbit_min":10,"health_min":0.9},"replicas":4,"success":"any",
           "retry":{"attempts_max":3},"priority":5})"},
      {{.latency_ms = 50, .privacy = "strict", .large = true},
       0.99,
       R"({"requirements":{"latency_ms_max":50.0,"health_min":0.53,"privacy":"medium"},"replicas":1,
           "retry":{"attempts_max":3},"priority":5,"placement":{"strategy":"spread","spread_by":"site"}})"},
      {{.latency_ms = 1, .on_device = true, .reliability = 0.999, .criticality = "mission_critical", .mobile = true},
       0.95,
       R"({"requirements":{"health_min":0.82},"retry":{"attempts_max":4},"priority":9,"preemptible":false,
           "offline":{"lost_after_s":3600,"replace":true,"on_reboot":"restart"}})"},
      {{.latency_ms = 100, .reliability = 0.999, .privacy = "highest", .criticality = "critical"},
       0.95,
       R"({"requirements":{"latency_ms_max":100.0,"health_min":0.82,"privacy":"high"},"replicas":3,"success":"any",
           "retry":{"attempts_max":3},"priority":8,"preemptible":false})"},
      {{.bandwidth = "medium", .reliability = 0.999'999},
       0.5,
       R"({"requirements":{"bandwidth_mbit_min":1,"health_min":0.9},"replicas":5,"success":"any",
           "retry":{"attempts_max":3},"priority":5})"},
  };
  for (const auto& c : cases) {
    const auto document = document_of(c.needs, c.success);
    EXPECT_EQ(document, Json::parse(c.document)) << document.dump();
    auto job = document;
    job["command"] = {"true"};
    EXPECT_TRUE(codec::decode_job(job).ok()) << document.dump();
  }
}

// ceil(ln(1 - R) / ln(1 - p)) is the least number of which one succeeds with probability R.
TEST(ScenariosTest, ReplicasAreTheLeastThatSuffice) {
  for (const double p : {0.5, 0.7, 0.9, 0.95, 0.99}) {
    for (const double r : {0.5, 0.9, 0.95, 0.99}) {
      const auto document = document_of({.reliability = r}, p);
      const int n = document.at("replicas");
      EXPECT_TRUE(n == 5 || 1 - std::pow(1 - p, n) >= r - 1e-9) << p << " " << r;
      EXPECT_TRUE(n == 1 || 1 - std::pow(1 - p, n - 1) < r) << p << " " << r;
    }
  }
}

TEST(ScenariosTest, SuccessIsWhatDevicesReported) {
  EXPECT_DOUBLE_EQ(success_of({}), 0.95);
  EXPECT_DOUBLE_EQ(success_of({.succeeded = 981, .failed = 0}), 1000.0 / 1001);
  EXPECT_DOUBLE_EQ(success_of({.succeeded = 0, .failed = 1000}), 0.5);
  EXPECT_DOUBLE_EQ(success_of({.succeeded = 10'000'000, .failed = 0}), 0.9999);
}

struct Files {
  support::TempDir place;
  void write(const std::string& name, const std::string& text) const { place.write(name, text); }
  Files() {
    write("plant/scenario.json",
          R"({"name":"plant","title":"Plant","description":"A plant.","needs":{"latency_ms":10,"privacy":"strict"},
              "jobs":["watch"]})");
    write("plant/watch/template.json",
          R"({"name":"watch","parameters":{"rate":{"type":"integer","default":5}},
              "job":{"command":["./run","${rate}"],"requirements":{"latency_ms_max":7}}})");
    write("notes.txt", "nothing");
  }
};

TEST(ScenariosTest, MistakesInFilesAreNamed) {
  const Files files;
  ASSERT_TRUE(Scenarios::load(files.place.path()).ok());
  EXPECT_TRUE(Scenarios::load(files.place.path() / "not-there").ok());
  files.write("plant/scenario.json",
              R"({"name":"plant","title":"P","description":"","needs":{"privacy":"secret"},"jobs":[]})");
  auto wrong = Scenarios::load(files.place.path());
  ASSERT_FALSE(wrong.ok());
  EXPECT_NE(describe(wrong.error()).find("/needs/privacy"), std::string::npos) << describe(wrong.error());
  EXPECT_NE(describe(wrong.error()).find("must be one of none, strict, highest"), std::string::npos);
  EXPECT_NE(describe(wrong.error()).find("plant/scenario.json"), std::string::npos);
  files.write("plant/scenario.json", R"({"name":"plant","title":"P","description":"","needs":{},"jobs":["gone"]})");
  EXPECT_FALSE(Scenarios::load(files.place.path()).ok());
}

struct Stack : Files, OwnStore, SchedulerStack {
  Stack() : SchedulerStack(own, *Scenarios::load(place.path())) {}
};

TEST(ScenariosTest, AreAnsweredOverMqtt) {
  Stack stack;
  const auto all = stack.ask("scenarios", Json::object()).at("items");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all.at(0).at("job").at("requirements").at("latency_ms_max"), 10);
  const auto one = stack.ask("scenarios", {{"scenario", "plant"}});
  EXPECT_EQ(one.at("needs").at("privacy"), "strict");
  EXPECT_EQ(one.at("jobs").at(0).at("name"), "watch");
  EXPECT_EQ(one.at("success"), 0.95);
  const auto error = stack.ask("scenarios", {{"scenario", "moon"}}).at("error");
  EXPECT_EQ(error.at("reason"), "there is no scenario moon; there are plant");
}

// The template says more than its scenario, and the submitter more than both.
TEST(ScenariosTest, AJobHasWhatItsScenarioNeeds) {
  Stack stack;
  auto refused = stack.ask("try", {{"template", "watch"}}).at("error");
  EXPECT_EQ(refused.at("path"), "/job/requirements/privacy");
  EXPECT_EQ(refused.at("reason"), "no device enforces a privacy level yet");
  const Json item{{"request", "r-1"}, {"template", "watch"}, {"job", {{"requirements", {{"privacy", "none"}}}}}};
  stack.ask("submit", {{"items", Json::array({item})}});
  const auto row = Json::parse(stack.store.select({.table = "job"})->at(0));
  EXPECT_EQ(row.at("template"), "plant/watch");
  EXPECT_EQ(row.at("spec").at("requirements").at("latency_ms_max"), 7);
  EXPECT_EQ(row.at("spec").at("requirements").at("health_min"), 0.53);
  const auto shown = stack.ask("templates", {{"template", "watch"}});
  EXPECT_EQ(shown.at("pushed_by"), "plant");
  const Json own{{"name", "watch"}, {"job", {{"command", {"true"}}}}};
  EXPECT_EQ(stack.ask("template", {{"template", own}}).at("error").at("code"), "conflict");
}

}  // namespace
}  // namespace fieldwork::scheduler
