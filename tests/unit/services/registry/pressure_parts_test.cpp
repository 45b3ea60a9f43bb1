// links: registry_shell scheduler_core exchange GTest::gtest_main
// Each threshold as a closed loop: a device is loaded until its resource is under pressure, the part that has to act
// acts on the published state, and the use falls below the threshold minus the hysteresis. (Storage: the agent deletes
// its cache, tests/integration/pressure_test.sh.)
#include <gtest/gtest.h>

#include <deque>

#include "scheduler/core/plan/placement.hpp"
#include "support/ends.hpp"
#include "support/registry_core.hpp"

namespace fieldwork {
namespace {

using registry::at;

registry::Record loaded_device() {
  auto saved = registry::record(registry::online);
  saved.device.about.capacity = {4000, 1'000'000'000, 10'000'000'000};
  saved.device.about.uplink.bit_per_s = 1'000'000;
  return saved;
}

// Jobs that use a quarter of a resource each, which is more than they ask for, and run for five heartbeats. One more
// waits at any time.
class Crowd {
 public:
  explicit Crowd(Resource resource) : resource_(resource) { (void)registry::step(registry_, LinkBack{}, registry::t0); }
  void turn() {
    ++now_;
    std::erase_if(ends_, [&](int end) { return end <= now_; });
    auto beat = registry::heartbeat(3, 0.2, now_);
    const double share = std::min<double>(1, 0.25 * static_cast<double>(ends_.size()));
    use = 100 * share;
    if (resource_ == Resource::cpu) beat.resources.cpu_percent = use;
    if (resource_ == Resource::memory)
      beat.resources.memory_available_bytes = static_cast<std::int64_t>(1e9 * (1 - share));
    const auto out = registry::step(registry_, registry::HeartbeatArrived{registry::edge, beat}, at(now_));
    for (const auto& state : out.states) fleet_.seen(state);
    pressed = !registry_.find(registry::edge)->device.pressure.empty();
    const JobSpec job{.requirements = {.cpu_millis = 100}};
    const scheduler::Want want{job, {}, {}, {}, {}, 1, at(now_)};
    placed = scheduler::describe(want, fleet_, {}).chosen.has_value();
    if (placed) ends_.push_back(now_ + 5);
  }

  double use = 0;
  bool pressed = false, placed = false;

 private:
  Resource resource_;
  registry::Registry registry_{{.pressed_after = {}, .relieved_after = {}}, {loaded_device()}, registry::t0};
  scheduler::Fleet fleet_;
  std::deque<int> ends_;
  int now_ = 0;
};

TEST(PressureParts, TheSchedulerKeepsWorkAwayUntilTheUseHasFallen) {
  for (const auto& [resource, threshold] : {std::pair{Resource::cpu, 80.0}, {Resource::memory, 85.0}}) {
    Crowd crowd(resource);
    int times = 0;
    for (int turn = 0; turn < 60; ++turn) {
      const bool before = crowd.pressed;
      crowd.turn();
      EXPECT_EQ(crowd.placed, !crowd.pressed) << turn << ": " << crowd.use << " %";
      if (crowd.pressed) {
        EXPECT_GT(crowd.use, threshold - 5) << turn;
      }
      if (before && !crowd.pressed) {
        EXPECT_LE(crowd.use, threshold - 5) << turn;
        ++times;
      }
    }
    EXPECT_GE(times, 3) << "loaded and relieved, again and again";
  }
}

// A transfer over a link of 1 Mbit/s that it fills.
TEST(PressureParts, TransfersSlowDownUntilTheLinkHasRoom) {
  registry::Registry registry{{}, {loaded_device()}, registry::t0};
  (void)registry::step(registry, LinkBack{}, registry::t0);
  const support::Ends ends(support::make_bytes(20'000'000, 3));
  Time now = at(0);
  auto sender = ends.outbound({}, now);
  auto receiver = ends.inbound().value();
  std::deque<std::pair<Time, std::string>> link;  // when each frame arrives
  Time free = now;                                // when the newest has left
  double most = 0;
  bool was_pressed = false, was_relieved = false;
  int changes = 0;
  for (int beat = 1; beat <= 24; ++beat) {
    std::int64_t bytes = 0;
    for (const auto end = now + seconds(5); now < end; now += milliseconds(5)) {
      for (auto& frame : sender.due(now)) {
        free = std::max(free, now) + Duration(8 * frame.size());
        link.emplace_back(free + milliseconds(10), std::move(frame));
      }
      for (; !link.empty() && link.front().first <= now; link.pop_front()) {
        bytes += static_cast<std::int64_t>(link.front().second.size());
        ASSERT_TRUE(receiver.frame(link.front().second, now).ok());
      }
      if (const auto answer = receiver.ack_due(now)) sender.received(*answer, now);
    }
    auto one = registry::heartbeat(3, 0.2, beat);
    one.resources.received_bit_per_s = bytes * 8 / 5;
    (void)registry::step(registry, registry::HeartbeatArrived{registry::edge, one}, now);
    const auto& device = registry.find(registry::edge)->device;
    const bool pressed = !device.pressure.empty();
    const double use = static_cast<double>(*one.resources.received_bit_per_s) / 10'000;
    most = std::max(most, use);
    changes += was_pressed == pressed ? 0 : 1;
    was_relieved = was_relieved || (was_pressed && !pressed);
    if (was_pressed && !pressed) {
      EXPECT_LT(use, 65);
    }
    was_pressed = pressed;
    sender.limit(pressed ? device.about.uplink.bit_per_s * 6 / 10 : 0);
  }
  EXPECT_GT(most, 70);
  EXPECT_TRUE(was_relieved);
  EXPECT_LE(changes, 3) << "in two minutes: relief does not end its own cause at once";
}

}  // namespace
}  // namespace fieldwork
