// links: scheduler_core agent_core GTest::gtest_main
// Both sides of a report stream (docs/decisions/0011), each with a memory that goes back: nothing is lost that is still
// in the journal, and nobody is mute.
#include <gtest/gtest.h>

#include <random>

#include "agent/core/reports.hpp"
#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

using agent::Reports;
using agent::StreamState;

const DeviceId device = dev("a");

// A device, a scheduler, and what is on its way between them. What is applied shows as "stale": nobody knows these
// jobs.
class Pair {
 public:
  explicit Pair(unsigned seed) : random_(seed) { begin_journal(1000 + seed); }

  int draw(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

  void add() {
    reports_->add({.key = key("r" + std::to_string(++added_)), .state = AttemptState::running});
    Reports::Changes changes;
    reports_->number(random_(), changes);
  }
  void send() {
    world_.now += seconds(1 + draw(40));
    for (auto& message : reports_->due(world_.now, true)) up_.push_back(std::move(message));
  }
  // One message arrives: whichever, and perhaps it comes again.
  void up() {
    if (up_.empty()) return;
    const auto at = up_.begin() + draw(static_cast<int>(up_.size()));
    const auto message = *at;
    if (draw(4) > 0) up_.erase(at);
    ReportArrived arrived{device, message.epoch, message.first, message.seq, message.after, {}, world_.now};
    for (const auto& item : message.items) arrived.items.push_back({item.tag, item.report});
    world_.step(arrived);
    for (const auto& stale : world_.said.stale) applied_.insert(stale.stale.key);
    for (const auto& ack : world_.said.acknowledgements)
      down_.push_back({ack.stream.epoch, ack.stream.seq, ack.stream.tag, ack.begin});
  }
  void down() {
    if (down_.empty()) return;
    const auto at = down_.begin() + draw(static_cast<int>(down_.size()));
    const auto answer = *at;
    if (draw(4) > 0) down_.erase(at);
    const auto before = held();
    Reports::Changes changes;
    reports_->answered(answer, 1000, world_.now, changes);
    const auto after = held();
    for (const auto& one : before) {
      if (!after.contains(one)) {
        EXPECT_TRUE(applied_.contains(one)) << one.job.value << " was dropped and never applied";
      }
    }
  }
  void lose() {
    up_.clear();
    down_.clear();
    reports_->connected(world_.now);
  }

  // --- memory that goes back ---
  void copy_journal() { journal_ = reports_->state(); }
  void restore_journal() {
    reports_.emplace(agent::ReportLimits{.items_max = 3}, journal_, world_.now);
    lose();
  }
  // A row of it cannot be read: what it said is lost, and nothing else.
  void lose_a_row() {
    auto state = reports_->state();
    if (state.waiting.size() > 1) state.waiting.erase(std::next(state.waiting.begin(), 1));
    reports_.emplace(agent::ReportLimits{.items_max = 3}, state, world_.now);
    lose();
  }
  void begin_journal(std::int64_t epoch) {
    reports_.emplace(agent::ReportLimits{.items_max = 3}, StreamState{.epoch = epoch}, world_.now);
    journal_ = reports_->state();
    lose();
  }
  void back_up_store() {
    rows_ = world_.rows;
    backed_up_ = applied_;
  }
  void restore_store() {
    world_.rows = rows_;
    world_.restart();
    applied_ = backed_up_;
    lose();
  }
  void new_store() {
    world_.rows = {};
    world_.restart();
    applied_.clear();
    lose();
  }

  // All is well from here: everything that the journal holds arrives.
  void calm() {
    for (int i = 0; i < 300 && reports_->size() > 0; ++i) {
      if (i % 30 == 0) reports_->connected(world_.now);
      send();
      while (!up_.empty()) up();
      while (!down_.empty()) down();
    }
    EXPECT_EQ(reports_->size(), 0U) << "the device is mute";
  }

 private:
  std::set<AttemptKey> held() const {
    std::set<AttemptKey> out;
    for (const auto& [seq, one] : reports_->state().waiting) out.insert(one.report.key);
    return out;
  }

  std::mt19937_64 random_;
  World world_;
  std::optional<Reports> reports_;
  StreamState journal_;
  Rows rows_;
  std::set<AttemptKey> applied_, backed_up_;  // as the store knows it
  std::vector<agent::Message> up_;
  std::vector<agent::StreamAnswer> down_;
  int added_ = 0;
};

void any(Pair& pair, bool back) {
  switch (pair.draw(back ? 30 : 22)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4: return pair.add();
    case 5:
    case 6:
    case 7:
    case 8: return pair.send();
    case 9:
    case 10:
    case 11:
    case 12:
    case 13:
    case 14: return pair.up();
    case 15:
    case 16:
    case 17:
    case 18:
    case 19:
    case 20: return pair.down();
    case 21: return pair.lose();
    case 22:
    case 23: return pair.copy_journal();
    case 24:
    case 25: return pair.back_up_store();
    case 26: return pair.restore_journal();
    case 27: return pair.restore_store();
    case 28: return pair.new_store();
    default: return pair.begin_journal(1 + pair.draw(2000));  // its clock may be earlier than it was
  }
}

TEST(StreamProperty, NothingIsLostOnABadLine) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Pair pair(seed);
    for (int i = 0; i < 300; ++i) any(pair, false);
    pair.calm();
    if (::testing::Test::HasFailure()) break;
  }
}

TEST(StreamProperty, NothingIsLostAndNobodyIsMuteWhenMemoryGoesBack) {
  for (unsigned seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Pair pair(seed);
    for (int i = 0; i < 300; ++i) any(pair, true);
    pair.calm();
    if (::testing::Test::HasFailure()) break;
  }
}

TEST(StreamProperty, AJournalWithAHoleIsHeardToItsEnd) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Pair pair(seed);
    for (int i = 0; i < 100; ++i) any(pair, false);
    pair.lose_a_row();
    pair.calm();
    if (::testing::Test::HasFailure()) break;
  }
}

// --- attempts that a database which went back has forgotten ---

struct WentBack {
  World world{{ready("a"), ready("b", {}, 8000)}};
  AttemptKey first;

  WentBack() {
    world.now = from_ms(1'800'000'000'000);
    JobSpec spec;
    spec.command = {"run"};
    spec.requirements.cpu_millis = 100;
    world.submit("j", spec);
    const auto before = world.rows;
    first = std::get<Assign>(world.allow_all().at(0).command).key;
    world.now += seconds(30);
    world.rows = before;
    world.restart();
  }
};

TEST(Forgotten, AFenceIsNotGivenOutAgain) {
  WentBack it;
  it.world.step(DeviceSeen{ready("a")});
  const auto commands = it.world.allow_all();
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_GT(std::get<Assign>(commands[0].command).key.fence, it.first.fence);
}

TEST(Forgotten, TheDeviceThatHasTheAttemptIsAskedFirst) {
  for (const bool by_report : {false, true}) {
    WentBack it;
    auto& world = it.world;
    if (by_report)
      world.report("b", it.first, AttemptState::running);
    else
      world.heartbeat("b", {it.first});
    EXPECT_TRUE(world.said.stale.empty()) << "it may go on";
    EXPECT_EQ(world.said.notices.size(), 1U);
    const auto may_it_run_at_all = world.question();
    world.step(DeviceSeen{ready("a")});  // the better fit
    world.step(DeviceSeen{ready("b", {}, 8000)});
    world.step(World::allow(may_it_run_at_all));
    EXPECT_EQ(world.question().device, dev("b"));
  }
}

TEST(Forgotten, WhenAnotherHasItByThenTheOldOneIsStale) {
  WentBack it;
  it.world.step(DeviceSeen{ready("a")});
  it.world.allow_all();
  it.world.heartbeat("b", {it.first});
  ASSERT_EQ(it.world.said.stale.size(), 1U);
  EXPECT_EQ(it.world.said.stale[0].stale.key, it.first);
}

}  // namespace
}  // namespace fieldwork::scheduler
