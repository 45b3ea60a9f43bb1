// One pass over the queue, as a value: what to place where, whom to preempt, which lanes go to sleep
// (docs/decisions/0019). Pure: the same snapshot gives the same plan. Scheduler::apply does it.
#pragma once

#include <algorithm>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/check.hpp"
#include "scheduler/core/fleet/fleet.hpp"
#include "scheduler/core/plan/overlay.hpp"
#include "scheduler/core/plan/placement.hpp"
#include "scheduler/core/plan/queue.hpp"
#include "scheduler/core/plan/turns.hpp"

namespace fieldwork::scheduler {

using Holds = std::map<Fleet::Number, Fleet::Hold>;
using OnDevice = std::unordered_map<DeviceId, std::set<AttemptKey>>;  // live attempts

// What of a device a cancelled program still takes, until the device says that it has ended, or `until`.
struct Left {
  Fleet::Load load;
  Time until{};
};
using Leaving = std::unordered_map<DeviceId, std::map<AttemptKey, Left>>;

using Which = std::set<std::pair<JobId, int>>;  // executions

// All jobs, and one more that has not come (try_out).
class Jobs {
 public:
  Jobs(const std::unordered_map<JobId, Job>& all, const Job* more = nullptr) : all_(all), more_(more) {}
  [[nodiscard]] const Job* find(const JobId& id) const {
    if (more_ != nullptr && more_->id == id) return more_;
    const auto it = all_.find(id);
    return it == all_.end() ? nullptr : &it->second;
  }
  [[nodiscard]] const Job& at(const JobId& id) const {
    const auto* job = find(id);
    FIELDWORK_CHECK(job != nullptr);
    return *job;
  }
  [[nodiscard]] Jobs with(const Job& more) const { return {all_, &more}; }

 private:
  const std::unordered_map<JobId, Job>& all_;
  const Job* more_;
};

// What a plan is made of. It must not change meanwhile.
struct Snapshot {
  const Fleet& fleet;
  const Queue& queue;  // its ranks are up to date
  Jobs jobs;
  const Holds& holds;
  const OnDevice& on_device;
  const Shares& shares;
  const Limits& limits;
  std::size_t most = SIZE_MAX;   // placements
  const Which& asking = none();  // executions of which security-policy is asked
  const Leaving& leaving = nobody();

  static const Which& none() {
    static const Which empty;
    return empty;
  }
  static const Leaving& nobody() {
    static const Leaving empty;
    return empty;
  }
};

// Who stands in a lane.
struct Waiter {
  Queue::Lane lane = 0;
  JobId job;
  int execution = 0;
};
// The waiter gets the device.
struct Place {
  Waiter who;
  Fleet::Number number = 0;
  Score score;
};
// No device fits now; security-policy is asked about the job meanwhile.
struct Ask {
  Waiter who;
};
// The device that has an attempt of the execution already has no room now: it waits outside the queue.
struct StandAside {
  Waiter who;
};
// No device fits the head of the lane: the lane sleeps.
struct Sleep {
  Waiter who;
};
// The device is held for the waiter, and these attempts on it are ended.
struct Preempt {
  Waiter who;
  Fleet::Number number = 0;
  std::vector<AttemptKey> victims;  // none: others that end there already are enough
  Duration lost{};                  // run time of the victims
};
using Step = std::variant<Place, Ask, StandAside, Sleep, Preempt>;

struct Plan {
  std::vector<Step> steps;
  bool more = false;  // `most` was reached before all had their turn
};

[[nodiscard]] Plan plan(const Snapshot& snapshot, Time now);

// What the plan has given: the device to another execution of the job, or its room to another waiter.
struct Given {
  std::set<Fleet::Number> promised;
  std::map<JobId, std::set<Fleet::Number>> to_job;
  std::map<Fleet::Number, std::set<std::string>> names;  // of jobs, where one that waits stays apart from others
  [[nodiscard]] bool has(const JobId& job, Fleet::Number number) const {
    const auto it = to_job.find(job);
    return it != to_job.end() && it->second.contains(number);
  }
  [[nodiscard]] bool has_neighbour(const JobSpec& spec, Fleet::Number number) const {
    const auto it = names.find(number);
    return it != names.end() && std::any_of(spec.placement.apart_from.begin(), spec.placement.apart_from.end(),
                                            [&](const auto& name) { return it->second.contains(name); });
  }
};
// The least run time whose loss would make room for the waiter, after what the plan gave out (`overlay`, `given`);
// nothing: no preemption does. A device that is held for a lower class makes room, too, unless room is being made
// there.
[[nodiscard]] std::optional<Preempt> preempt(const Snapshot& snapshot, const Overlay& overlay, const Waiter& who,
                                             const Given& given, Time now);
// The same for those of a lane from `first` on, until there is none for one of them. What is found is noted in `given`.
[[nodiscard]] std::vector<Preempt> preempt_for_lane(const Snapshot& snapshot, const Overlay& overlay, Queue::Lane lane,
                                                    std::set<QueueEntry>::const_iterator first, Given& given, Time now);
// The same for lanes that sleep: what ended meanwhile may have made a preemption sufficient.
[[nodiscard]] std::vector<Preempt> preempt_for_sleepers(const Snapshot& snapshot, Time now);
[[nodiscard]] bool is_for_lower(const Snapshot& snapshot, const Fleet::Hold& hold, PriorityClass of);
// Whether the device is held by a reservation for a class lower than this.
[[nodiscard]] bool gives_way(const Snapshot& snapshot, Fleet::Number number, PriorityClass of);
// Whether attempts are still to end on the device that were told to make room. A device that is not heard makes none.
[[nodiscard]] bool is_ending(const Snapshot& snapshot, Fleet::Number number);
// The device on which others were told to end for this execution.
[[nodiscard]] std::optional<Fleet::Number> makes_room(const Snapshot& snapshot, const JobId& job, int execution);

struct Reservation {
  Waiter who;
  Fleet::Number number = 0;
};
// For the heads of sleeping lanes that have been queued for hold_after: one device each, with the most processor free
// of those on which they would fit if nothing ran there.
[[nodiscard]] std::vector<Reservation> reserve(const Snapshot& snapshot, Time now);
// Whether a hold serves nobody: its device would not take the work even if nothing ran there.
[[nodiscard]] bool is_idle(const Snapshot& snapshot, Fleet::Number number, const Fleet::Hold& hold, Time now);

// Of a device that has an attempt of the execution already (Execution::claimed): no other device gets the execution
// while that device is ready or suspect. The rule that replicas run on different devices does not count here: the
// device has its attempt whether or not it should.
enum class Claim { none, fits, waits };
[[nodiscard]] Claim claim_of(const Fleet& fleet, Fleet::Number number, const Use& used, const Job& job,
                             const Execution& execution, const Limits& limits, Time now);

}  // namespace fieldwork::scheduler
