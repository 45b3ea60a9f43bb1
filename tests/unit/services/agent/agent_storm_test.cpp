// links: agent_core GTest::gtest_main
// Random commands, answers, faults and crashes, seeded; a failure names its seed. What must hold whatever comes:
// an attempt runs once (or once per start, when its contract says so), what ended is told and arrives, what is saved is
// what is so, and the device is never mute.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "support/agent_world.hpp"

namespace fieldwork::agent {
namespace {

// The scheduler's side of docs/decisions/0011; its memory may go back.
struct Scheduler {
  struct Stream {
    std::int64_t epoch = 0, seq = 0, tag = 0;
  };
  Stream stream;
  std::vector<Stream> earlier;
  std::map<AttemptKey, AttemptState> heard;  // settled reports; never goes back

  StreamAnswer take(const Message& message) {
    earlier.push_back(stream);
    if (message.epoch < stream.epoch) return {stream.epoch, stream.seq, stream.tag, stream.epoch + 1};
    if (message.epoch > stream.epoch || stream.seq + 1 < message.first) stream = {message.epoch, message.first - 1, 0};
    const auto differs = [&](std::int64_t tag) { return stream.tag != 0 && tag != 0 && tag != stream.tag; };
    const StreamAnswer anew{stream.epoch, stream.seq, stream.tag, stream.epoch + 1};
    if (message.seq == stream.seq + 1 && differs(message.after)) return anew;
    auto seq = message.seq;
    for (const auto& item : message.items) {
      if (seq > stream.seq + 1) break;
      if (seq == stream.seq && differs(item.tag)) return anew;
      if (seq == stream.seq + 1) {
        if (settled(item.report.state) && !item.report.part) heard[item.report.key] = item.report.state;
        stream.seq = seq;
        stream.tag = item.tag;
      }
      ++seq;
    }
    return {stream.epoch, stream.seq, stream.tag, 0};
  }
};

class Storm {
 public:
  explicit Storm(unsigned seed) : random_(seed), world_(limits()) {}

  void run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      world_.now += milliseconds(random_() % 1500);
      world_.idle = chance(80);
      std::vector<Input> inputs;
      for (auto n = 1 + random_() % 4; n > 0; --n) inputs.push_back(some_input());
      if (chance(4))
        crash_before_commit(inputs);
      else if (chance(5))
        crash_after_commit(inputs);
      else
        batch(inputs);
      if (chance(2) && !scheduler_.earlier.empty())
        scheduler_.stream = scheduler_.earlier[random_() % scheduler_.earlier.size()];
    }
  }

  // The faults stop.
  void calm() {
    for (int i = 0; i < 200; ++i) {
      world_.now += seconds(1);
      world_.idle = true;
      std::vector<Input> inputs{TimePassed{}};
      if (i == 0) inputs.emplace_back(Connected{});
      for (auto& one : std::exchange(answers_, {})) inputs.emplace_back(one);
      for (const auto& k : processes_) inputs.emplace_back(ended(k));
      for (const auto& digest : fetches_) inputs.emplace_back(PackageReady{digest});
      batch(inputs);
      for (auto& message : std::exchange(on_the_way_, {})) answer(message);
    }
    EXPECT_EQ(world_.core.unacknowledged(), 0U) << "the device is mute";
    EXPECT_TRUE(world_.core.live().empty());
    for (const auto& [k, row] : world_.journal.attempts) {
      if (row.phase != Phase::settled || row.stale) continue;
      EXPECT_TRUE(scheduler_.heard.contains(k)) << k.job.value << k.fence << " ended and nobody was told";
    }
  }

  [[nodiscard]] std::size_t ran() const { return ran_.size(); }

 private:
  static Limits limits() {
    Limits out;
    out.reports.window_bytes = 1500;
    out.reports.message_bytes = 600;
    return out;
  }
  bool chance(unsigned percent) { return random_() % 100 < percent; }
  AttemptKey any_key() {
    return {JobId("j" + std::to_string(random_() % 6)), static_cast<int>(random_() % 2),
            1 + static_cast<std::int64_t>(random_() % 4)};
  }
  template <class T>
  T one_of(const std::set<T>& all, T otherwise) {
    if (all.empty()) return otherwise;
    return *std::next(all.begin(), static_cast<std::ptrdiff_t>(random_() % all.size()));
  }

  Input some_assignment() {
    const auto k = any_key();
    // The same attempt has the same contract whenever it comes.
    const auto kind = std::hash<std::string>{}(k.job.value) % 4;
    return assignment(
        k, k.fence % 2 == 0 ? "p" : "",
        {.stop_after_s = kind == 1 || kind == 3 ? std::optional(5) : std::nullopt, .restart_on_reboot = kind >= 2});
  }

  Input some_input() {
    switch (random_() % 18) {
      case 0:
      case 1:
      case 2: return some_assignment();
      case 3: return CancelArrived{{any_key(), ""}};
      case 4: return InquireArrived{{any_key(), ""}};
      case 5: return StaleArrived{{any_key(), "queued", ""}};
      case 6: return chance(20) ? Input(BadCommandArrived{any_key(), "bad"}) : TimePassed{};
      case 7: return chance(50) ? Input(Connected{}) : Disconnected{};
      case 8: return PackageReady{one_of(fetches_, std::string("p"))};
      case 9: return PackageRefused{"p", "no", chance(50)};
      case 10:
      case 11: return ended(one_of(processes_, any_key()), static_cast<int>(random_() % 2));
      case 12: return EnrolAnswered{.session = world_.core.session(), .enrolled = chance(90), .reason = ""};
      case 13:
      case 14: return some_answer();
      case 15: return ProgressMade{one_of(processes_, any_key()), {.fraction = 0.5}};
      case 16: return TailArrived{{.key = any_key()}};
      default: return chance(20) ? Input(some_configuration()) : TimePassed{};
    }
  }

  // The operator's newest, or an earlier one.
  ConfigurationArrived some_configuration() {
    if (chance(60)) ++version_;
    const auto lifecycle = version_ % 3 == 1   ? Lifecycle::inactive
                           : version_ % 6 == 2 ? Lifecycle::draining
                                               : Lifecycle::active;
    return {{.version = version_, .lifecycle = lifecycle}};
  }

  // Late, twice, or never.
  Input some_answer() {
    if (!on_the_way_.empty()) {
      const auto at = static_cast<std::ptrdiff_t>(random_() % on_the_way_.size());
      if (chance(80)) answer(on_the_way_[static_cast<std::size_t>(at)]);
      if (chance(80)) on_the_way_.erase(on_the_way_.begin() + at);
    }
    if (answers_.empty()) return AckArrived{{}, beat_, wall_ms()};
    const auto at = random_() % answers_.size();
    auto out = answers_[at];
    if (chance(70)) answers_.erase(answers_.begin() + static_cast<std::ptrdiff_t>(at));
    return out;
  }
  void answer(const Message& message) {
    answers_.push_back({scheduler_.take(message), chance(50) ? beat_ : 0, wall_ms()});
  }
  // The device's clock is anywhere.
  std::int64_t wall_ms() { return static_cast<std::int64_t>(random_() % 20'000); }

  void batch(const std::vector<Input>& inputs) {
    for (const auto& input : inputs) forget(input);
    world_.step(inputs);
    observe();
  }
  // Nothing of this batch was saved or done.
  void crash_before_commit(const std::vector<Input>& inputs) {
    Output lost;
    for (const auto& input : inputs) world_.core.step(input, world_.now, lost);
    world_.core.step(BatchEnded{random_(), true}, world_.now, lost);
    restart();
  }
  // All was saved, nothing was done or said.
  void crash_after_commit(const std::vector<Input>& inputs) {
    world_.step(inputs);
    restart();
  }
  void restart() {
    processes_.clear();
    fetches_.clear();
    world_.restart();
    observe();
  }
  // What is over in the world before the core hears of it.
  void forget(const Input& input) {
    if (const auto* end = std::get_if<RunEnded>(&input)) processes_.erase(end->key);
    if (const auto* ready = std::get_if<PackageReady>(&input)) fetches_.erase(ready->digest);
    if (const auto* refused = std::get_if<PackageRefused>(&input)) fetches_.erase(refused->digest);
  }

  void observe() {
    configured_anew_ = world_.said.configuration.has_value();
    for (const auto& act : world_.said.acts) {
      if (const auto* run = std::get_if<agent::Run>(&act)) began(run->assign);
      if (const auto* fetch = std::get_if<Fetch>(&act)) fetches_.insert(fetch->digest);
      if (const auto* unfetch = std::get_if<Unfetch>(&act)) fetches_.erase(unfetch->digest);
    }
    for (const auto& message : world_.said.messages) on_the_way_.push_back(message);
    for (const auto& [k, progress] : world_.said.progress) {
      EXPECT_TRUE(world_.core.find(k) != nullptr) << k.job.value;
      EXPECT_TRUE(ran_.contains(k) || world_.core.find(k)->runs_as != 0) << k.job.value << " never ran";
    }
    if (world_.said.heartbeat) beat_ = world_.said.heartbeat->beat;
    std::map<std::pair<JobId, int>, int> at_once;
    for (const auto& k : world_.core.live()) {
      const bool runs = world_.core.find(k)->phase == Phase::running;
      EXPECT_LE((at_once[{k.job, k.execution}] += runs ? 1 : 0), 1) << k.job.value;
    }
  }
  void began(const Assign& assign) {
    auto& sessions = ran_[assign.key];
    EXPECT_TRUE(sessions.empty() || assign.contract.restart_on_reboot) << assign.key.job.value << " ran twice";
    EXPECT_TRUE(sessions.insert(world_.core.session()).second) << assign.key.job.value << " ran twice in one start";
    EXPECT_TRUE(configured_anew_ || world_.core.configuration().lifecycle != Lifecycle::inactive) << "inactive";
    EXPECT_FALSE(scheduler_.heard.contains(assign.key)) << assign.key.job.value << " ran after its end was told";
    processes_.insert(assign.key);
  }

  std::mt19937_64 random_;
  World world_;
  Scheduler scheduler_;
  bool configured_anew_ = false;  // in this batch, perhaps after what began in it
  std::set<AttemptKey> processes_;
  std::set<std::string> fetches_;
  std::vector<Message> on_the_way_;
  std::vector<AckArrived> answers_;
  std::int64_t beat_ = 0, version_ = 0;
  std::map<AttemptKey, std::set<std::int64_t>> ran_;  // the sessions that ran it
};

TEST(Storm, HoldsWhatIsPromised) {
  std::size_t ran = 0;
  for (unsigned seed = 1; seed <= 60 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Storm storm(seed);
    storm.run(300);
    storm.calm();
    ran += storm.ran();
  }
  EXPECT_GT(ran, 100U) << "some of every kind";
}

}  // namespace
}  // namespace fieldwork::agent
