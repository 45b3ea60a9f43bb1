// links: agent_shell GTest::gtest_main
// The shell around the agent's core, over a journal that fails or is damaged.
#include <gtest/gtest.h>

#include "agent/shell/service.hpp"
#include "codec/job.hpp"
#include "crypto/digest.hpp"
#include "model/items.hpp"
#include "runtime/engine.hpp"
#include "runtime/log.hpp"
#include "support/fakes.hpp"
#include "support/said_bus.hpp"

namespace fieldwork::agent {
namespace {

constexpr Time t0{seconds{1'000'000}};
const Error full{Code::unavailable, "database or disk is full"};

struct WritingHands : Hands {
  explicit WritingHands(fakes::Journal& to) : journal(to) {}
  void run(const Assign& assign) override { journal.push_back("run " + assign.key.job.value); }
  void kill(const AttemptKey& key) override { journal.push_back("kill " + key.job.value); }
  void fetch(const Fetch& what, Time /*now*/) override { journal.push_back("fetch " + what.digest.substr(7, 2)); }
  [[nodiscard]] bool has(const std::string& digest) const override { return digest == here; }
  fakes::Journal& journal;
  std::string here{};  // the package that is here
};

struct Device {
  fakes::Journal journal;
  fakes::FlakyStore store{journal};
  support::SaidBus bus;
  WritingHands hands{journal};
  crypto::PrivateKey signer = crypto::PrivateKey::generate();
  std::optional<AgentService> service;
  std::unique_ptr<runtime::Engine> engine;
  bool metered = false;

  Result<void> start() {
    AgentConfig config;
    config.device = "d1";
    config.about.uplink.metered = metered;
    config.grants.add(signer.public_key());
    engine.reset();
    service.emplace(std::move(config), hands);
    engine = std::make_unique<runtime::Engine>(*service, store, bus);
    auto loaded = engine->load(t0);
    journal.clear();
    return loaded;
  }
  Result<void> command(const codec::Command& command) {
    const auto items = pack_items({codec::dump(codec::encode(command))});
    return engine->run({bus::Message{.topic = "fieldwork/v1/device/d1/down/command", .payload = items.at(0)}}, t0);
  }
  [[nodiscard]] Assign assignment(const std::string& job, const std::string& package = "") const {
    Assign out{.key = {JobId(job), 0, 1}, .command = {"run"}, .package = package};
    Grant grant{.key = out.key, .device = DeviceId("d1"), .package = package, .limits = out.limits, .expires_ms = 1};
    grant.work_digest = crypto::digest_of(codec::work_text(out.command, out.env, out.outputs, out.contract));
    out.grant = crypto::sign_jws(signer, "fieldwork-grant+jws", codec::encode(grant));
    return out;
  }
};

TEST(AgentShell, TheFirstMessageOfAllIsNoWorkOfBeforeItsStart) {
  Device device;
  ASSERT_TRUE(device.start().ok());
  ASSERT_TRUE(device.command(device.assignment("j1")).ok());
  EXPECT_EQ(device.journal, (fakes::Journal{"committed", "run j1"}));
  EXPECT_EQ(device.service->core().live().size(), 1U) << "it runs, and is not said to have failed";
}

// What has to be fetched is judged by what is here.
TEST(AgentShell, FetchesOverAMeteredConnectionOnlyIfTheJobAllowsIt) {
  const auto some = crypto::digest_of("some"), other = crypto::digest_of("other");
  for (const bool metered : {true, false}) {
    Device device;
    device.metered = metered;
    device.hands.here = some;
    ASSERT_TRUE(device.start().ok());
    ASSERT_TRUE(device.command(device.assignment("here", some)).ok());
    ASSERT_TRUE(device.command(device.assignment("away", other)).ok());
    auto allowed = device.assignment("allowed", other);
    allowed.metered = true;
    ASSERT_TRUE(device.command(allowed).ok());
    const auto phase = [&](const char* job) { return device.service->core().find({JobId(job), 0, 1})->phase; };
    EXPECT_EQ(phase("here"), Phase::fetching);
    EXPECT_EQ(phase("away"), metered ? Phase::settled : Phase::fetching);
    EXPECT_EQ(phase("allowed"), Phase::fetching);
    const auto fetched = [&](const std::string& digest) {
      return std::count(device.journal.begin(), device.journal.end(), "fetch " + digest.substr(7, 2));
    };
    EXPECT_EQ(fetched(some), 1);
    EXPECT_EQ(fetched(other), metered ? 1 : 2);
  }
}

// The job that fills the disk must be one that can be ended.
TEST(AgentShell, MeasuresTheRoundTripToTheRegistry) {
  Device device;
  ASSERT_TRUE(device.start().ok());
  ASSERT_TRUE(device.engine->run({runtime::Connected{}}, t0).ok());
  const auto first = device.bus.last("device/d1/up/heartbeat");
  EXPECT_EQ(first["echo"], true);
  EXPECT_FALSE(first["link"].contains("round_trip_ms"));
  const auto echo = [&](std::int64_t session, int ms) {
    bus::Message message{.topic = "fieldwork/v1/device/d1/down/echo",
                         .payload = codec::encode(codec::Echo{session, first["beat"], 2'000})};
    message.arrived = t0 + milliseconds(ms);
    ASSERT_TRUE(device.engine->run({message}, t0 + seconds(1)).ok());
  };
  echo(first["session"].get<std::int64_t>() + 1, 500);  // another agent's, with the same identity
  echo(first["session"], 14);
  ASSERT_TRUE(device.engine->run({}, t0 + seconds(6)).ok());
  EXPECT_EQ(device.bus.last("device/d1/up/heartbeat")["link"]["round_trip_ms"], 12.0);
}

TEST(AgentShell, EndsAProgramAlsoWhenTheJournalTakesNothing) {
  Device device;
  ASSERT_TRUE(device.start().ok());
  const auto command = device.assignment("j1");
  ASSERT_TRUE(device.command(command).ok());
  EXPECT_EQ(device.journal, (fakes::Journal{"committed", "run j1"})) << "nothing runs that is not in the journal";
  device.journal.clear();
  device.store.failures = {full, full};
  EXPECT_FALSE(device.command(Cancel{command.key, ""}).ok());
  EXPECT_EQ(device.journal, (fakes::Journal{"kill j1", "refused: unavailable"}));
  EXPECT_FALSE(device.engine->commit(t0).ok());
  EXPECT_TRUE(device.engine->commit(t0).ok());
  EXPECT_EQ(device.journal, (fakes::Journal{"kill j1", "refused: unavailable", "refused: unavailable", "committed"}));
}

TEST(AgentShell, DoesNotRunWhatTheJournalDoesNotTake) {
  Device device;
  ASSERT_TRUE(device.start().ok());
  device.store.failures = {full};
  EXPECT_FALSE(device.command(device.assignment("j1")).ok());
  EXPECT_EQ(device.journal, (fakes::Journal{"refused: unavailable"}));
}

// --- a journal of which a row cannot be read ---

using Rows = std::vector<std::string>;

// The numbers of the reports in what is said next, by message.
std::vector<std::vector<std::int64_t>> numbers_said(Device& device) {
  device.bus.said.clear();
  EXPECT_TRUE(device.engine->run({runtime::Connected{}}, t0).ok());
  std::vector<std::vector<std::int64_t>> out;
  for (const auto& message : device.bus.said) {
    if (!message.topic.ends_with("/up/report")) continue;
    const auto report = codec::decode_report(message.payload);
    EXPECT_TRUE(report.ok());
    auto& numbers = out.emplace_back();
    for (std::size_t i = 0; i < report->items.size(); ++i)
      numbers.push_back(report->seq + static_cast<std::int64_t>(i));
  }
  return out;
}

TEST(AgentShell, StartsWithoutTheRowsThatItCannotRead) {
  const std::vector<store::Row> damages = {{{"phase", "running"}},
                                           {{"seq", "x"}, {"report", 7}},
                                           {},
                                           {{"phase", 7}, {"order", store::Value::json("{}")}},
                                           {{"phase", store::Value::json("no JSON")}}};
  for (const auto& damage : damages) {
    Device device;
    ASSERT_TRUE(device.start().ok());
    for (const char* job : {"j1", "j2", "j3"}) ASSERT_TRUE(device.command(device.assignment(job)).ok());
    const auto all = device.service->core().unacknowledged();
    ASSERT_GE(all, 3U);
    const std::string second = "00000000000000000002";
    ASSERT_TRUE(
        device.store.commit({{"attempt", "j2:0:1", damage}, {"report", second, damage}, {"meta", "x", damage}}).ok());
    ::testing::internal::CaptureStderr();
    log::setup("agent", "text", "error");
    const auto started = device.start();
    const auto said = ::testing::internal::GetCapturedStderr();
    ASSERT_TRUE(started.ok()) << damage.to_json() << describe(started.error());
    EXPECT_NE(said.find("table=attempt"), std::string::npos) << said;
    EXPECT_NE(said.find("table=report"), std::string::npos) << said;
    EXPECT_NE(device.service->core().find({JobId("j1"), 0, 1}), nullptr) << damage.to_json();
    EXPECT_EQ(device.service->core().find({JobId("j2"), 0, 1}), nullptr) << damage.to_json();
    EXPECT_NE(device.service->core().find({JobId("j3"), 0, 1}), nullptr) << damage.to_json();
    EXPECT_EQ(device.service->core().unacknowledged(), all - 1 + 2)
        << damage.to_json() << ": and two that the start ended";
    // What stands under a number is what was saved under it.
    std::set<std::int64_t> numbers;
    for (const auto& message : numbers_said(device)) numbers.insert(message.begin(), message.end());
    EXPECT_FALSE(numbers.contains(2)) << damage.to_json();
    EXPECT_TRUE(numbers.contains(1) && numbers.contains(3)) << damage.to_json();
  }
}

}  // namespace
}  // namespace fieldwork::agent
