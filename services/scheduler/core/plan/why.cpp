#include "scheduler/core/plan/why.hpp"

#include <algorithm>

#include "base/timestamp.hpp"
#include "scheduler/core/fleet/measures.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {
namespace {

struct Kept {  // devices that one thing keeps away
  std::size_t count = 0;
  std::optional<Filtered> nearest;  // the first by id
  void add(Filtered one) {
    ++count;
    if (!nearest || one.device < nearest->device) nearest = std::move(one);
  }
  [[nodiscard]] Reason as(const char* word, const char* what) const {
    return {word, std::to_string(count) + (count == 1 ? " device " : " devices ") + what +
                      "; nearest: " + nearest->device.value + ": " + nearest->requirement + " " + nearest->reason};
  }
};

// Which of the words: suitable devices only.
Kept& of(const std::string& requirement, Kept& room, Kept& health, Kept& link, Kept& away) {
  if (requirement == "presence" || requirement == "lifecycle" || requirement == "placeable") return away;
  if (requirement == "requirements/health_min") return health;
  return is_measured(requirement) ? link : room;
}

// Looks at the devices that could be meant first, so that a few of them in a large fleet are not overlooked.
class Looking {
 public:
  Looking(const Want& want, const Fleet& fleet, const Limits& limits) : want_(want), fleet_(fleet), limits_(limits) {}

  Reason run() {
    if (!want_.target.empty()) {
      const auto number = fleet_.number_of(want_.target);
      if (!number) return {"no_device", want_.target.value + " is not known"};
      look(*number);
      return found();
    }
    const auto& labels = want_.spec.requirements.labels;
    if (want_.where != nullptr) {
      for (const auto* device : fleet_.matching(*want_.where)) look(*fleet_.number_of(device->id));
    } else if (const auto* ready = fleet_.ready(labels); ready != nullptr && !labels.empty()) {
      for (Order::Walk walk(*ready, 0); !walk.over() && looked_ < reason_devices_max; walk.next()) look(walk.number());
    }
    if (fitting_ + suitable_ > 0) return found();
    unsuitable_ = {};
    for (const auto& [id, number] : fleet_.all()) {
      look(number);
      if (fitting_ > 0) break;
    }
    return found();
  }

 private:
  void look(Fleet::Number number) {
    const auto& view = fleet_.view(number);
    if (looked_ >= reason_devices_max && !could_ever(want_, fleet_, number)) return;
    if (suitable_ >= reason_devices_max) return;
    ++looked_;
    auto filtered = unfit(want_, fleet_, number, limits_);
    if (!filtered) return void(++fitting_);
    if (!could_ever(want_, fleet_, number) || !matches(want_, view.device))
      return unsuitable_.add(std::move(*filtered));
    ++suitable_;
    auto& kept = of(filtered->requirement, room_, health_, link_, away_);
    kept.add(std::move(*filtered));
  }

  [[nodiscard]] Reason found() const {
    if (fitting_ > 0) return {"in_turn", "it is tried next"};
    if (room_.count > 0) return room_.as("no_room", "could run it, but not now");
    if (health_.count > 0) return health_.as("no_healthy_device", "would suit, but for the health that is asked for");
    if (link_.count > 0) return link_.as("no_good_link", "would suit, but for what is measured of the link");
    if (away_.count > 0) return away_.as("no_device_ready", "would suit, but not ready");
    if (unsuitable_.count > 0) return unsuitable_.as("no_suitable_device", "known, and none is suitable");
    return {"no_device", "no device is known"};
  }

  const Want& want_;
  const Fleet& fleet_;
  const Limits& limits_;
  Kept room_, health_, link_, away_, unsuitable_;
  std::size_t fitting_ = 0, looked_ = 0, suitable_ = 0;
};

constexpr Queue::Lane lane_of_trial = Queue::Lane{1} << 62U;  // no lane has it, and no hold is for it

// 1: the first. Counted from the end, where new ones stand; 0: it is too far from there.
std::size_t place_in(const Queue::LaneState& lane, const QueueEntry& entry) {
  std::size_t behind = 0;
  for (auto it = lane.entries.find(entry); it != lane.entries.end(); ++it) {
    if (++behind > forecast_waiters_max) return 0;
  }
  return lane.entries.size() + 1 - behind;
}

Waits preempting(const DeviceId& device) {
  return {.reason = {"preempting", "room is made for it on " + device.value}, .until_start = ends_within};
}

}  // namespace

std::optional<bool> meets_deadline(const Job& job, const std::optional<Time>& start, const Durations& durations) {
  if (!job.spec->deadline_s || !start) return std::nullopt;
  const auto takes = durations.expected_of_command(job.durations);
  if (!takes && *start <= deadline_of(job)) return std::nullopt;
  return *start + takes.value_or(Duration{}) <= deadline_of(job);
}

Reason why(const Want& want, const Fleet& fleet, const Limits& limits) { return Looking(want, fleet, limits).run(); }

namespace {

// Where room is made for it: said only if it holds for whoever ends at once, and for whoever takes ends_within.
std::optional<bool> meets_within(const Job& job, Time now, const Durations& durations) {
  const auto soon = meets_deadline(job, now, durations), late = meets_deadline(job, now + ends_within, durations);
  return soon == late ? late : std::nullopt;
}

}  // namespace

std::optional<Waits> waits_of(const Job& job, const Snapshot& from, const Forecast& forecast,
                              const Durations& durations, Reasons& known, Time now) {
  const Execution *first = nullptr, *later = nullptr, *asking = nullptr, *last = nullptr;
  for (const auto& execution : job.executions) {
    if (const auto* queued = std::get_if<Queued>(&execution.phase); queued != nullptr && queued->lane != 0) {
      if (first == nullptr) first = &execution;
      last = &execution;
    }
    if (execution.is<Waiting>() &&
        (later == nullptr || std::get<Waiting>(execution.phase).until < std::get<Waiting>(later->phase).until))
      later = &execution;
    if (execution.is<Asking>()) asking = &execution;
  }
  if (first == nullptr && later == nullptr && asking == nullptr) return std::nullopt;
  Waits out;
  if (first == nullptr) {
    out.reason = {"policy", "security-policy is asked"};
    if (asking != nullptr) return out;
    const auto until = std::get<Waiting>(later->phase).until;
    out.reason = {"later", later->reason.empty() ? "it is tried again at " + timestamp(until) : later->reason};
    out.until_start = std::max(Duration{}, until - now);
    return out;
  }
  const auto lane_of_first = std::get<Queued>(first->phase).lane;
  const auto making = makes_room(from, job.id, first->index);
  if (making) {
    out = preempting(from.fleet.view(*making).device.id);
  } else {
    if (known.size() >= reasons_looked_max && !known.contains(lane_of_first)) return std::nullopt;
    const auto [reason, fresh] = known.try_emplace(lane_of_first);
    if (fresh) reason->second = why(want_of(job, *first, now), from.fleet, from.limits);
    out.reason = reason->second;
  }
  const auto start_of = [&](const Execution& execution) {
    const auto lane = std::get<Queued>(execution.phase).lane;
    return forecast.of(job.id, execution.index, lane, place_in(from.queue.lane(lane), entry_of(job, execution)));
  };
  if (const auto start = start_of(*first)) {
    out.position = start->position;
    if (start->at && !making) out.until_start = std::max(Duration{}, *start->at - now);
  }
  if (!job.spec->deadline_s) return out;
  if (making && first == last) {
    out.meets_deadline = meets_within(job, now, durations);
  } else if (const auto end = start_of(*last)) {
    out.meets_deadline = meets_deadline(job, end->at, durations);
  }
  return out;
}

namespace {

// What a plan would do with the job alone.
struct Outcome {
  std::vector<Fleet::Number> placed;
  std::map<int, Fleet::Number> preempts;  // executions for which others would end, and where
  std::vector<int> left;                  // executions that get no device now, these too
};

Outcome plan_alone(Job& job, const Snapshot& from, Time now) {
  Queue queue(from.limits.age_every, lane_of_trial);
  for (auto& execution : job.executions) {
    execution.phase = Queued{.since = now};
    std::get<Queued>(execution.phase).lane = queue.add(shape_of(job, execution), entry_of(job, execution));
  }
  queue.age(now);
  const auto made = plan({.fleet = from.fleet,
                          .queue = queue,
                          .jobs = from.jobs.with(job),
                          .holds = from.holds,
                          .on_device = from.on_device,
                          .shares = from.shares,
                          .limits = from.limits,
                          .asking = from.asking,
                          .leaving = from.leaving},
                         now);
  Outcome out;
  std::map<int, Fleet::Number> places;
  for (const auto& step : made.steps) {
    if (const auto* place = std::get_if<Place>(&step)) places[place->who.execution] = place->number;
    if (const auto* one = std::get_if<Preempt>(&step)) out.preempts.emplace(one->who.execution, one->number);
  }
  for (const auto& execution : job.executions) {
    const auto place = places.find(execution.index);
    if (place == places.end()) {
      out.left.push_back(execution.index);
    } else {
      out.placed.push_back(place->second);
      ++job.taken[from.fleet.view(place->second).device.id];
    }
  }
  return out;
}

// Of those that get no device now: the first one's reason, and when the last one starts.
Waits waits_of_left(const Job& job, const Job& with, const Outcome& outcome, const Snapshot& from,
                    const Durations& durations, Time now) {
  const auto first = outcome.left.front();
  const auto preempts = outcome.preempts.find(first);
  const bool all = outcome.preempts.size() == outcome.left.size();
  const Extra extra{job, outcome.placed, outcome.left};
  const auto seen = forecast(from, durations, now, &extra);
  Waits out;
  if (preempts != outcome.preempts.end()) {
    out = preempting(from.fleet.view(preempts->second).device.id);
  } else {
    out.reason = why(want_of(with, with.executions[static_cast<std::size_t>(first)], now), from.fleet, from.limits);
  }
  out.position = seen.extra().position;
  if (!all) {
    out.until_start.reset();
    if (const auto at = seen.extra().at) out.until_start = *at - now;
  }
  out.meets_deadline = all ? meets_within(job, now, durations) : meets_deadline(job, seen.extra().at, durations);
  return out;
}

}  // namespace

Trial try_out(const Job& job, const Snapshot& from, const Durations& durations, Time now) {
  Trial out{.width = job.executions.size()};
  if (job.executions.empty()) return out;  // of a continuous job for which there is no device yet
  out.placement = explain(want_of(job, job.executions.front(), now), from.fleet, from.limits);
  out.placement.chosen.reset();
  if (placed_from(job) > now) {
    out.waits = Waits{.reason = {"later", "starts at " + timestamp(start_of(job))}, .until_start = start_of(job) - now};
    return out;
  }
  auto with = job;  // as it would be with those that are placed
  with.authorised = true;
  const auto outcome = plan_alone(with, from, now);
  out.placed = outcome.placed.size();
  for (std::size_t i = 0; i < std::min(outcome.placed.size(), from.limits.explained_max); ++i)
    out.devices.push_back(from.fleet.view(outcome.placed[i]).device.id);
  if (outcome.left.empty()) {
    out.meets_deadline = meets_deadline(job, now, durations);
  } else {
    out.waits = waits_of_left(job, with, outcome, from, durations, now);
  }
  return out;
}

}  // namespace fieldwork::scheduler
