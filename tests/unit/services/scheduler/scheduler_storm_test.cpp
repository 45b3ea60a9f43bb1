// links: scheduler_core GTest::gtest_main
// Random facts, repeated, late and reordered; refusals, losses, denials, outages and restarts in between. The promises
// are checked after each.
#include <gtest/gtest.h>

#include <random>

#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

constexpr std::size_t open_max = 6;

class Storm {
 public:
  explicit Storm(unsigned seed) : random_(seed) {
    for (const auto& id : devices_) feed(DeviceSeen{device(id)});
  }

  void run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      any();
      check();
    }
  }

  // The faults stop: every job ends.
  void calm() {
    feed(LinkBack{});
    for (const auto& id : devices_) feed(DeviceSeen{device(id)});
    for (int round = 0; round < 8000 && world_.core.live() > 0 && !::testing::Test::HasFailure(); ++round) {
      world_.now += seconds(1);
      feed(TimePassed{});
      const auto open = std::move(asked_);
      asked_.clear();
      for (const auto& question : open) feed(World::allow(question));
      std::vector<std::pair<DeviceId, AttemptKey>> live;
      for (const auto& [id, job] : world_.core.jobs()) {
        for (const auto& e : job.executions) {
          if (e.is<Live>()) live.emplace_back(e.attempt->device, e.attempt->key);
        }
      }
      for (const auto& [where, k] : live) say(where, k, AttemptState::succeeded);
      check();
    }
    // What was denied on each device that its siblings leave waits until its time is up.
    world_.now += std::chrono::hours(24 * 8);
    feed(TimePassed{});
    EXPECT_EQ(world_.core.live(), 0U) << stuck();
    EXPECT_TRUE(world_.core.snapshot().leaving.empty());
    EXPECT_EQ(world_.core.queued(), 0U);
    EXPECT_EQ(world_.core.asking(), 0U);
    EXPECT_EQ(world_.core.timers(), 0U);
    EXPECT_EQ(world_.core.deadlines(), 0U);
    for (const auto& [id, number] : world_.core.fleet().all()) {
      const auto& view = world_.core.fleet().view(number);
      EXPECT_EQ(view.used.attempts, 0) << id.value;
      EXPECT_EQ(view.used.cpu_millis, 0) << id.value;
      EXPECT_FALSE(world_.core.fleet().hold(number)) << id.value;
    }
  }

 private:
  int draw(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  template <class T>
  const T& one_of(const std::vector<T>& all) {
    return all[static_cast<std::size_t>(draw(static_cast<int>(all.size())))];
  }
  static Device device(const std::string& id) { return ready(id, {{"zone", id < "d3" ? "x" : "y"}}); }

  [[nodiscard]] std::string stuck() const {
    std::string out;
    for (const auto& [id, job] : world_.core.jobs()) {
      if (settled(job.state)) continue;
      out += id.value + " is " + std::string(name(job.state)) + (job.authorised ? ", authorised:" : ":");
      for (const auto& e : job.executions) {
        out += " phase " + std::to_string(e.phase.index()) + " " + std::string(name(e.state));
        for (const auto& f : world_.core.explain(job, e, world_.now).filtered)
          out += " [" + f.device.value + " " + f.requirement + " " + f.reason + "]";
      }
      out += "\n";
    }
    return out;
  }

  void feed(const Input& input) {
    world_.step(input);
    asked_.insert(asked_.end(), world_.said.questions.begin(), world_.said.questions.end());
    for (const auto& one : world_.commands<Assign>()) assigned(one.device, std::get<Assign>(one.command).key);
    for (const auto& attempt : world_.said.attempts) {
      if (settled(attempt.state)) ended_.insert(attempt.key);
    }
  }

  void assigned(const DeviceId& where, const AttemptKey& k) {
    auto& last = newest_[{k.job, k.execution}];
    EXPECT_GT(k.fence, last) << "a fence was used twice: " << k.job.value;
    if (last > 0) {
      EXPECT_TRUE(ended_.contains({k.job, k.execution, last})) << k.job.value << " has two live attempts";
    }
    last = k.fence;
    given_.emplace_back(where, k);
  }

  void say(const DeviceId& where, const AttemptKey& k, AttemptState state) {
    const auto at = world_.core.stream(where);
    const auto epoch = std::max<std::int64_t>(1, at.epoch);
    AttemptReport report{.key = k, .state = state, .work_fault = draw(2) == 0};
    feed(ReportArrived{where, epoch, at.seq + 1, at.seq + 1, at.tag, {{1 + draw(1000), report}}, world_.now});
  }

  JobSpec spec() {
    JobSpec out{.requirements = {.cpu_millis = 500 * draw(7)}, .priority = draw(10)};
    if (draw(3) == 0) out.requirements.labels["zone"] = draw(2) == 0 ? "x" : "y";
    if (draw(4) == 0) out.replicas = 1 + draw(out.requirements.labels.empty() ? 5 : 2);  // as many as there are devices
    if (out.requirements.labels.empty() && draw(5) == 0) out.targets = Targets{.labels = {{"zone", "x"}}};
    if (draw(5) == 0) out.deadline_s = 1 + draw(200);
    if (draw(6) == 0) out.offline.lost_after_s = 5 + draw(100);
    if (draw(6) == 0) out.offline.replace = draw(2) == 0;
    out.retry = {.attempts_max = 1 + draw(4), .backoff_s = draw(20), .lost_max = 1 + draw(4)};
    return out;
  }

  void decide() {
    if (asked_.empty()) return;
    const auto at = static_cast<std::size_t>(draw(static_cast<int>(asked_.size())));
    auto decision = World::allow(asked_[at]);
    decision.decision.allow = draw(8) > 0;
    decision.decision.about_device = !decision.decision.device.empty() && draw(3) > 0;
    if (draw(3) > 0) asked_.erase(asked_.begin() + static_cast<std::ptrdiff_t>(at));  // else it comes again
    feed(decision);
  }

  void report() {
    if (given_.empty()) return;
    const auto [where, k] = one_of(given_);
    static const std::vector<AttemptState> states{
        AttemptState::fetching, AttemptState::running,   AttemptState::running,  AttemptState::succeeded,
        AttemptState::failed,   AttemptState::cancelled, AttemptState::rejected, AttemptState::lost};
    say(where, k, one_of(states));
  }

  void heartbeat() {
    HeartbeatArrived beat{dev(one_of(devices_)), draw(100), {}, world_.now};
    for (const auto& [where, k] : given_) {
      if (where == beat.device && draw(2) == 0) beat.attempts.push_back(k);
    }
    feed(beat);
  }

  void see_device() {
    const auto& id = one_of(devices_);
    if (draw(8) == 0) return feed(DeviceGone{dev(id)});
    auto one = device(id);
    if (draw(2) == 0) {
      one.lifecycle = draw(4) == 0 ? static_cast<Lifecycle>(draw(6)) : Lifecycle::active;
      one.presence = static_cast<Presence>(draw(6));
    }
    feed(DeviceSeen{one});
  }

  void outage() {
    if (draw(3) == 0) return feed(Stalled{});
    link_ = !link_;
    if (link_) return feed(LinkBack{});
    feed(LinkLost{});
  }

  void restart() {
    world_.restart();
    for (const auto& id : devices_) feed(DeviceSeen{device(id)});
    link_ = true;
  }

  void any() {
    const int what = draw(28);
    if (what < 4)
      return feed(World::submission("j" + std::to_string(jobs_ < 5 || draw(4) > 0 ? jobs_++ : draw(jobs_)), spec()));
    if (what < 10) return decide();
    if (what < 16) return report();
    if (what < 18) return heartbeat();
    if (what < 20) return see_device();
    if (what == 20 && jobs_ > 0 && draw(2) == 0)
      return feed(CancelRequested{1, JobId("j" + std::to_string(draw(jobs_)))});
    if (what == 21) return outage();
    if (what == 22 && draw(4) == 0) return restart();
    if (what == 23) return feed(DeviceReturned{dev(one_of(devices_))});
    world_.now += milliseconds(draw(draw(10) == 0 ? 120'000 : 8000));
    feed(TimePassed{});
  }

  // Live jobs that stand in the list of their state, and there alone.
  [[nodiscard]] std::size_t listed() const {
    std::size_t out = 0;
    for (const auto state : {JobState::submitted, JobState::queued, JobState::assigned, JobState::running}) {
      for (const auto* job : world_.core.live_in(state, std::nullopt, 10'000)) {
        EXPECT_TRUE(job != nullptr && job->state == state);
        ++out;
      }
    }
    return out;
  }

  // A lane that sleeps is woken by all that could serve it.
  void nobody_sleeps_who_fits() const {
    for (const auto& [id, job] : world_.core.jobs()) {
      for (const auto& e : job.executions) {
        const auto* queued = std::get_if<Queued>(&e.phase);
        if (queued == nullptr || queued->lane == 0) continue;
        const auto fits = world_.core.explain(job, e, world_.now).chosen;
        ASSERT_FALSE(fits) << id.value << " would fit on " << fits->value;
      }
    }
  }

  void check() {
    std::map<DeviceId, std::pair<int, std::int64_t>> used;
    std::size_t live = 0, asking = 0;
    for (const auto& [id, job] : world_.core.jobs()) {
      live += settled(job.state) ? 0 : 1;
      ASSERT_TRUE(!settled(job.state) || job.executions.empty()) << id.value;
      std::set<DeviceId> on;
      Counts counts{};
      for (const auto& e : job.executions) {
        ++counts[static_cast<std::size_t>(e.state)];
        EXPECT_EQ(e.is<Settled>(), settled(e.state)) << id.value;
        EXPECT_TRUE(e.is<Settled>() || e.timer || e.is<Live>()) << id.value << " waits for nothing";
        if (e.attempt) {
          EXPECT_EQ(e.is<Live>(), !settled(e.attempt->state)) << id.value;
        }
        EXPECT_LE(e.losses, job.spec->retry.lost_max) << id.value;
        EXPECT_LE(e.failures, job.spec->retry.attempts_max) << id.value;
        const auto* question = std::get_if<Asking>(&e.phase);
        asking += question != nullptr ? 1 : 0;
        const auto where = e.is<Live>() ? e.attempt->device : question != nullptr ? question->device : DeviceId();
        if (where.empty()) continue;
        EXPECT_TRUE(on.insert(where).second) << id.value << " is twice on " << where.value;
        auto& [attempts, cpu] = used[where];
        ++attempts;
        cpu += job.spec->requirements.cpu_millis;
      }
      if (!settled(job.state)) {
        EXPECT_EQ(counts, job.counts) << id.value;
      }
    }
    EXPECT_EQ(live, world_.core.live());
    EXPECT_EQ(live, listed());
    EXPECT_EQ(asking, world_.core.asking());
    EXPECT_LE(asking, open_max);
    if (asking < open_max) nobody_sleeps_who_fits();
    std::map<DeviceId, Use> leaving;
    const auto snapshot = world_.core.snapshot();
    for (const auto& [id, programs] : snapshot.leaving) {
      for (const auto& [key, one] : programs) leaving[id].add(one.load.need);
    }
    for (const auto& [id, number] : world_.core.fleet().all()) {
      const auto& view = world_.core.fleet().view(number);
      EXPECT_EQ(view.used.attempts, used[id].first + leaving[id].attempts) << id.value;
      EXPECT_EQ(view.used.cpu_millis, used[id].second + leaving[id].cpu_millis) << id.value;
      EXPECT_LE(view.used.cpu_millis, 4000) << id.value;
    }
  }

  std::mt19937 random_;
  World world_{{}, {.questions_open_max = open_max}};
  std::vector<std::string> devices_{"d0", "d1", "d2", "d3", "d4"};
  bool link_ = true;
  int jobs_ = 0;
  std::vector<Question> asked_;
  std::vector<std::pair<DeviceId, AttemptKey>> given_;
  std::map<std::pair<JobId, int>, std::int64_t> newest_;
  std::set<AttemptKey> ended_;
};

TEST(StormTest, PromisesHold) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Storm storm(seed);
    storm.run(400);
    storm.calm();
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace fieldwork::scheduler
