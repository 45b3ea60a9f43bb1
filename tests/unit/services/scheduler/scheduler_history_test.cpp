// links: scheduler_shell runtime crypto store PkgConfig::PQXX GTest::gtest_main
// What the database keeps of jobs that are over: lists in pages, whole jobs, and how they go.
#include <condition_variable>
#include <nlohmann/json.hpp>
#include <set>

#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "scheduler/shell/rows.hpp"
#include "scheduler/shell/service.hpp"
#include "store/memory.hpp"
#include "support/postgres_test.hpp"

namespace fieldwork::scheduler {
namespace {

using Json = nlohmann::json;

class HistoryTest : public store::PostgresTest {
 protected:
  HistoryTest() {
    config.migrations = FIELDWORK_SOURCE_DIR "/services/scheduler/sql";
    EXPECT_TRUE(store::migrate(config).ok());
    store = activate();
    auto reader = std::make_unique<store::PostgresReader>(config);
    reads = std::make_shared<runtime::Reads>(std::move(reader), [this](runtime::Task task) {
      std::lock_guard lock(mutex);
      tasks.push_back(std::move(task));
      wake.notify_one();
    });
  }
  ~HistoryTest() override { reads->stop(); }

  static JobRecord job(int number, JobState state) {
    JobRecord out;
    out.id = JobId("j-" + std::to_string(1000 + number));
    out.request = std::to_string(number);
    out.submitter = "operator";
    JobSpec spec;
    spec.command = {"true"};
    out.spec = std::make_shared<JobSpec>(spec);
    out.state = state;
    out.submitted_ms = out.changed_ms = 1'000'000 + number;
    return out;
  }
  void keep(const JobRecord& job, bool whole = false) {
    std::vector<store::Change> changes{{"job", job.id.value, job_row(job)}};
    if (whole) {
      Attempt attempt;
      attempt.key = {job.id, 0, 1};
      attempt.device = DeviceId("edge-1");
      attempt.state = AttemptState::succeeded;
      Execution execution;
      execution.state = ExecutionState::succeeded;
      execution.fence = 1;
      execution.attempts = 1;
      execution.phase = Settled{};
      execution.attempt = attempt;
      const PartRecord part{attempt.key, {"stdout", 0, "text"}};
      changes.push_back(
          {"execution", execution_key(job.id, 0), execution_row({job.id, job.spec, "", false, execution})});
      changes.push_back({"attempt", key_text(attempt.key), attempt_row(attempt)});
      changes.push_back({"part", part_key(part), part_row(part)});
      changes.push_back({"shown", execution_key(job.id, 0), shown_row({job.id, 0, 5, false})});
    }
    const auto done = store->commit(changes);
    ASSERT_TRUE(done.ok()) << describe(done.error());
  }
  void start() {
    service = std::make_unique<SchedulerService>("fieldwork/v1", Limits{}, reads);
    const auto loaded = service->load(*store, from_ms(2'000'000));
    ASSERT_TRUE(loaded.ok()) << describe(loaded.error());
  }
  // The answer to one question, after the reads and the engine had their turns.
  Json ask(const std::string& operation, Json body) {
    body["v"] = 1;
    runtime::Output out;
    const bus::Message message{.topic = "fieldwork/v1/service/scheduler/" + operation + "/operator",
                               .payload = body.dump(),
                               .response_topic = "fieldwork/v1/reply/cli-1/answer",
                               .correlation = "c"};
    service->message(message, from_ms(2'000'000), out);
    if (out.messages.empty()) {
      std::unique_lock lock(mutex);
      EXPECT_TRUE(wake.wait_for(lock, seconds(60), [&] { return !tasks.empty(); }));
      const auto task = std::move(tasks.front());
      tasks.erase(tasks.begin());
      task(from_ms(2'000'000), out);
    }
    EXPECT_EQ(out.messages.size(), 1U);
    if (out.messages.size() != 1) return {};
    EXPECT_EQ(out.messages[0].topic, "fieldwork/v1/reply/cli-1/answer");
    EXPECT_EQ(out.messages[0].correlation, "c");
    return Json::parse(out.messages[0].payload);
  }

  // All that was asked of the reads in the background, to its end.
  void finish_reads() {
    for (;;) {
      runtime::Output out;
      service->flush(from_ms(2'000'000), out);
      if (service->stored_ids().is_filled()) return;
      std::unique_lock lock(mutex);
      ASSERT_TRUE(wake.wait_for(lock, seconds(60), [&] { return !tasks.empty(); }));
      const auto task = std::move(tasks.front());
      tasks.erase(tasks.begin());
      task(from_ms(2'000'000), out);
    }
  }
  // Whether a submission under this request is asked of the store before it is decided.
  bool looks_for(const std::string& request) {
    const Json one{{"request", request}, {"job", {{"command", Json::array({"true"})}}}};
    const Json body{{"v", 1}, {"items", Json::array({one})}};
    const bus::Message message{.topic = "fieldwork/v1/service/scheduler/submit/operator", .payload = body.dump()};
    Looking looking(*store);
    EXPECT_TRUE(service->prefetch(looking, {&message}).ok());
    return looking.looks > 0;
  }

  struct Looking : store::MemoryStore {
    explicit Looking(store::Store& store) : real(store) {}
    Result<std::vector<std::string>> find(const std::string& table, const std::string& column,
                                          const std::vector<std::string>& keys) override {
      ++looks;
      return real.find(table, column, keys);
    }
    store::Store& real;
    int looks = 0;
  };

  std::unique_ptr<store::PostgresStore> store;
  std::shared_ptr<runtime::Reads> reads;
  std::unique_ptr<SchedulerService> service;
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<runtime::Task> tasks;
};

TEST_F(HistoryTest, ListsComeInPagesNewestFirstUntilTheEnd) {
  for (int i = 0; i < 150; ++i) keep(job(i, i % 10 == 0 ? JobState::failed : JobState::succeeded));
  start();
  const auto all = [&](Json body) {
    std::vector<std::string> out;
    for (int page = 0; page < 10; ++page) {
      const auto answer = ask("list", body);
      for (const auto& item : answer.at("items")) out.push_back(item.at("job"));
      if (!answer.contains("next")) break;
      body["after"] = answer.at("next");
    }
    return out;
  };
  const auto jobs = all({{"limit", 1000}});
  ASSERT_EQ(jobs.size(), 150U);
  EXPECT_TRUE(std::is_sorted(jobs.rbegin(), jobs.rend()));
  EXPECT_EQ(jobs.front(), "j-1149");
  EXPECT_EQ(all({{"limit", 4}, {"state", "failed"}}).size(), 15U);
  EXPECT_EQ(ask("list", {{"after", "nonsense"}}).at("error").at("path"), "/after");
}

TEST_F(HistoryTest, AfterAReconnectEveryStateIsSaidAgainSomeAtATime) {
  for (int i = 0; i < 600; ++i) keep(job(i, JobState::succeeded));
  start();
  runtime::Output out;
  service->connected(from_ms(2'000'000), out);
  std::set<std::string> said;
  for (int batch = 0; batch < 3; ++batch) {
    service->flush(from_ms(2'000'000), out);
    EXPECT_LE(out.messages.size(), 250U);
    for (const auto& message : out.messages) {
      EXPECT_TRUE(message.retain);
      said.insert(message.topic);
    }
    out = {};
  }
  EXPECT_EQ(said.size(), 600U);
  service->flush(from_ms(2'000'000), out);
  EXPECT_TRUE(out.messages.empty());
}

// The look for an earlier job of a request is a round trip of each submission: only where there may be one.
TEST_F(HistoryTest, OnlyARequestThatMayHaveAJobIsLookedFor) {
  for (int i = 0; i < 2500; ++i) keep(job(i, JobState::succeeded));
  auto earlier = job(0, JobState::succeeded);
  earlier.id = JobId("j-" + crypto::to_hex(crypto::sha256("operator\nearlier")).substr(0, 20));
  keep(earlier);
  start();
  EXPECT_TRUE(looks_for("new")) << "what is stored is not known yet";
  finish_reads();
  EXPECT_TRUE(looks_for("earlier"));
  EXPECT_FALSE(looks_for("new"));
}

TEST(StoredIds, ForgetsNoneAndTakesFewOthersForStored) {
  StoredIds ids;
  EXPECT_TRUE(ids.may_hold(JobId("j-1"))) << "before it is filled";
  const auto id = [](const char* kind, int i) {
    return JobId(kind + crypto::to_hex(crypto::sha256(std::to_string(i))));
  };
  for (int i = 0; i < 200'000; ++i) ids.add(id("j-", i));
  ids.filled();
  int wrong = 0;
  for (int i = 0; i < 200'000; ++i) {
    ASSERT_TRUE(ids.may_hold(id("j-", i)));
    wrong += ids.may_hold(id("k-", i)) ? 1 : 0;
  }
  EXPECT_FALSE(ids.is_worn());
  for (std::size_t i = 0; i < StoredIds::added_max; ++i) ids.add(JobId("j-1"));
  EXPECT_TRUE(ids.is_worn());
  ids.filled();
  EXPECT_FALSE(ids.is_worn());
  EXPECT_LT(wrong, 20) << "0.00002 % by the formula: none, or a few";
}

TEST_F(HistoryTest, AReadThatFailsIsAnAnswerAndTheNextOneWorks) {
  keep(job(1, JobState::succeeded), true);
  start();
  sql("ALTER TABLE " + quoted("job") + " RENAME TO away");
  EXPECT_EQ(ask("show", {{"job", "j-1001"}}).at("error").at("code"), "unavailable");
  EXPECT_EQ(ask("list", Json::object()).at("error").at("code"), "unavailable");
  sql("ALTER TABLE " + quoted("away") + " RENAME TO job");
  EXPECT_EQ(ask("show", {{"job", "j-1001"}}).at("executions").size(), 1U);
  EXPECT_EQ(ask("result", {{"job", "j-1001"}}).at("parts").at(0).at("of"), "stdout");
  EXPECT_EQ(ask("explain", {{"job", "j-1001"}}).at("executions").at(0).at("state"), "succeeded");
  EXPECT_EQ(ask("show", {{"job", "j-none"}}).at("error").at("code"), "unknown");
}

TEST_F(HistoryTest, OldJobsGoWithAllThatBelongsToThem) {
  keep(job(1, JobState::succeeded), true);
  keep(job(2, JobState::queued), true);
  keep(job(3, JobState::failed), true);
  start();
  auto prune = service->retention().at(0).prune;
  prune.before = "1000003";
  store::PostgresPruner pruner(config);
  const auto removed = pruner.prune(prune);
  ASSERT_TRUE(removed.ok()) << describe(removed.error());
  EXPECT_EQ(*removed, 1);
  for (const char* table : {"job", "execution", "attempt", "part", "shown"}) {
    EXPECT_EQ(sql("SELECT DISTINCT job FROM " + quoted(table) + " ORDER BY job"),
              (std::vector<std::string>{"j-1002", "j-1003"}))
        << table;
  }
}

}  // namespace
}  // namespace fieldwork::scheduler
