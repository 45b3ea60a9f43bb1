#include "scheduler/core/plan/plan.hpp"

#include <algorithm>
#include <array>

#include "model/limits.hpp"
#include "scheduler/core/plan/choices.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {
namespace {

// Whether a device that does not meet this requirement will not meet it by waiting.
bool is_for_good(const std::string& requirement) {
  return requirement.starts_with("labels/") || requirement == "package" || requirement == "policy" ||
         requirement == "refused" || requirement == "placeable" || requirement == "lifecycle" ||
         requirement == "requirements/sandbox_min";
}

class Planner {
 public:
  Planner(const Snapshot& snapshot, Time now, std::uint64_t order = 0)
      : from_(snapshot),
        now_(now),
        turns_(snapshot.queue, snapshot.shares, order, now - fresh_for),
        overlay_(snapshot.fleet) {
    for (const auto& [number, hold] : snapshot.holds) {
      if (is_ending(snapshot, number)) ending_.insert(number);
    }
  }

  Plan make() {
    while (const auto turn = turns_.next()) {
      if (asked_ >= from_.most) {
        plan_.more = true;
        break;
      }
      step(*turn);
    }
    for (const auto of : {PriorityClass::high, PriorityClass::normal}) make_room(stuck_[of]);
    return std::move(plan_);
  }

 private:
  void make_room(const std::vector<Turns::Turn>& lanes) {
    for (const auto& lane : lanes) {
      for (auto& found : preempt_for_lane(from_, overlay_, lane.lane, lane.entry, given_, now_))
        plan_.steps.emplace_back(std::move(found));
    }
  }

  void step(const Turns::Turn& turn) {
    const auto& job = from_.jobs.at(turn.entry->job);
    const auto& execution = job.executions[static_cast<std::size_t>(turn.entry->execution)];
    const Waiter who{turn.lane, job.id, execution.index};
    if (!job.authorised && placed_from(job) > now_) return ask(who);
    if (const auto there = from_.fleet.number_of(execution.claimed); there && claimed(who, job, execution, *there))
      return;
    const auto want = want_of(job, execution, now_);
    auto choice = job.spec->placement.spread_by.empty() ? best(turn, want, job) : best_spread(turn, want, job);
    if (!choice) choice = held(want, job);
    if (choice) return place(who, job, *choice);
    if (!job.authorised) return ask(who);
    plan_.steps.emplace_back(Sleep{who});
    const auto of = class_of(job.spec->priority);
    auto& stuck = stuck_[of];
    if (stuck.size() < stuck_max && from_.fleet.may_preempt(of)) stuck.push_back(turn);
    turns_.leave_out();
  }

  // True: the device that has an attempt of it gets it, or it waits for that device.
  bool claimed(const Waiter& who, const Job& job, const Execution& execution, Fleet::Number number) {
    const auto& used = overlay_.used(number);
    switch (claim_of(from_.fleet, number, used, job, execution, from_.limits, now_)) {
      case Claim::none: return false;
      case Claim::waits: {
        plan_.steps.emplace_back(StandAside{who});
        turns_.got(nullptr);
        return true;
      }
      case Claim::fits: {
        const auto score = rate(want_of(job, execution, now_), from_.fleet, number, used, from_.limits);
        place(who, job, {number, score});
        return true;
      }
    }
    return false;
  }

  void place(const Waiter& who, const Job& job, const Choice& choice) {
    const auto& need = job.spec->requirements;
    plan_.steps.emplace_back(Place{who, choice.number, choice.score});
    ++asked_;
    overlay_.reserve(choice.number, need);
    if (job.executions.size() > 1) given_.to_job[job.id].insert(choice.number);
    if (from_.queue.has_apart() && !job.spec->name.empty()) given_.names[choice.number].insert(job.spec->name);
    if (const auto there = spread_.find(job.id); there != spread_.end())
      there->second.add(value_at(job, choice.number));
    turns_.got(&need);
  }

  void ask(const Waiter& who) {
    plan_.steps.emplace_back(Ask{who});
    ++asked_;
    turns_.got(nullptr);
  }

  std::optional<Choice> best(const Turns::Turn& turn, const Want& want, const Job& job) {
    const auto expected = std::min(turn.state->entries.size(), from_.most - asked_);
    auto key = turn.state->shape.fit;
    if (want.value != nullptr) key.append(" at ").append(*want.value);
    auto& choices = choices_.try_emplace(key, overlay_, from_.limits, expected, turn.entry->order).first->second;
    const auto is_given = [&](Fleet::Number number) {
      return (want.target.empty() && given_.has(job.id, number)) || given_.has_neighbour(*job.spec, number);
    };
    auto choice = choices.best(want);
    for (; choice && is_given(choice->number); choice = choices.best(want)) choices.leave_out();
    return choice;
  }

  std::string value_at(const Job& job, Fleet::Number number) const {
    const auto& labels = from_.fleet.view(number).device.labels;
    const auto it = labels.find(job.spec->placement.spread_by);
    return it == labels.end() ? "" : it->second;
  }

  // Where the executions of a job are that is spread over the values of a label.
  struct Spread {
    std::map<std::string, int> counts;
    std::set<std::pair<int, std::string>> order;  // values that may have a device that fits
    void add(const std::string& value) {
      auto& count = counts[value];
      const bool open = order.erase({count, value}) > 0;
      ++count;
      if (open) order.emplace(count, value);
    }
  };
  Spread& spread_of(const Job& job) {
    const auto [it, fresh] = spread_.try_emplace(job.id);
    auto& out = it->second;
    if (!fresh) return out;
    for (const auto& [device, count] : job.taken) {
      if (const auto number = from_.fleet.number_of(device)) out.counts[value_at(job, *number)] += count;
    }
    if (const auto* values = from_.fleet.values_of(job.spec->placement.spread_by)) {
      for (const auto& [value, devices] : *values) {
        if (out.order.size() >= spread_values_max) break;
        out.order.emplace(out.counts[value], value);
      }
    }
    return out;
  }

  // The best device at the value with the fewest executions of the job that has one; devices without the label last,
  // and behind these the ones where it failed. Room is only taken: a value that has none has none later in this plan.
  std::optional<Choice> best_spread(const Turns::Turn& turn, const Want& wanted, const Job& job) {
    if (!wanted.target.empty()) return best(turn, wanted, job);
    const auto is_avoided = [&](const std::optional<Choice>& choice) {
      return wanted.avoid.contains(from_.fleet.view(choice->number).device.id);
    };
    auto& spread = spread_of(job);
    auto want = wanted;
    std::optional<Choice> avoided;
    for (auto at = spread.order.begin(); at != spread.order.end();) {
      want.value = &at->second;
      const auto choice = best(turn, want, job);
      if (choice && !is_avoided(choice)) return choice;
      if (!avoided) avoided = choice;
      at = choice ? std::next(at) : spread.order.erase(at);
    }
    const auto other = best(turn, wanted, job);
    return other && (!avoided || !is_avoided(other)) ? other : avoided;
  }

  // A device that has room, and is held for the lane or gives way.
  std::optional<Choice> held(const Want& wanted, const Job& job) {
    auto want = wanted;
    for (const auto& [number, hold] : from_.holds) {
      const bool free = !ending_.contains(number) && is_for_lower(from_, hold, class_of(job.spec->priority));
      if (hold.lane != wanted.lane && !free) continue;
      want.lane = hold.lane;
      const auto& used = overlay_.used(number);
      if (!given_.has(job.id, number) && !given_.has_neighbour(*job.spec, number) &&
          fits(want, from_.fleet, number, used, from_.limits))
        return Choice{number, rate(want, from_.fleet, number, used, from_.limits)};
    }
    return std::nullopt;
  }

  const Snapshot& from_;
  Time now_;
  Turns turns_;
  Overlay overlay_;
  std::unordered_map<std::string, Choices> choices_;         // by Queue::Shape::fit
  std::map<PriorityClass, std::vector<Turns::Turn>> stuck_;  // lanes of which the head fits nowhere
  std::map<JobId, Spread> spread_;
  Given given_;
  std::set<Fleet::Number> ending_;  // held devices on which room is still being made
  std::size_t asked_ = 0;           // questions to security-policy that follow from the plan
  Plan plan_;
};

}  // namespace

Claim claim_of(const Fleet& fleet, Fleet::Number number, const Use& used, const Job& job, const Execution& execution,
               const Limits& limits, Time now) {
  auto want = want_of(job, execution, now);
  want.measured = false;  // its own attempt may be what presses it, and what is measured of it
  const auto why = unfit(want, fleet, number, used, limits);
  if (!why || why->requirement == "replicas" || why->requirement == "metered") return Claim::fits;
  const auto heard = fleet.view(number).device.presence;
  const bool passes = why->requirement == "presence" ? heard == Presence::suspect || heard == Presence::starting
                                                     : !is_for_good(why->requirement);
  return passes ? Claim::waits : Claim::none;
}

namespace {

// What a plan places, by priority, the highest first: the shares of the fleet that are set aside.
std::array<double, limits::priority_max + 1> packed(const Snapshot& from, const Plan& made) {
  std::array<double, limits::priority_max + 1> out{};
  for (const auto& step : made.steps) {
    const auto* place = std::get_if<Place>(&step);
    if (place == nullptr) continue;
    const auto& spec = *from.jobs.at(place->who.job).spec;
    const auto& need = spec.requirements;
    const auto& all = from.shares.total;
    out[static_cast<std::size_t>(limits::priority_max - spec.priority)] +=
        share_of(need.cpu_millis, all.cpu_millis) + share_of(need.memory_bytes, all.memory_bytes) +
        share_of(need.storage_bytes, all.storage_bytes);
  }
  return out;
}

// Who fits nowhere sleeps, or is asked about first.
bool leaves_some(const Plan& made) {
  return std::any_of(made.steps.begin(), made.steps.end(), [](const auto& step) {
    return std::holds_alternative<Sleep>(step) || std::holds_alternative<Ask>(step);
  });
}

// Lanes that are awake, and whose head has just come at the same time as that of another one of its line.
std::size_t fresh_lanes(const Queue& queue, Time from) {
  std::size_t out = 0;
  for (const auto& [rank, by_submitter] : queue.awake()) {
    for (const auto& [submitter, heads] : by_submitter) {
      for (auto head = heads.begin(); head != heads.end() && std::next(head) != heads.end(); ++head)
        out += head->first.since >= from && head->first.since == std::next(head)->first.since ? 1 : 0;
    }
  }
  return out;
}

}  // namespace

// In a small fleet the order decides how much fits: where some are left over, other orders of those that have just come
// at the same time are tried, and the fullest plan is taken. Who waits longer keeps its place, which forecasts go by.
Plan plan(const Snapshot& snapshot, Time now) {
  auto best = Planner(snapshot, now).make();
  if (snapshot.fleet.size() > small_fleet_max || !leaves_some(best)) return best;
  if (const auto lanes = fresh_lanes(snapshot.queue, now - fresh_for); lanes == 0 || lanes > small_lanes_max)
    return best;
  auto most = packed(snapshot, best);
  for (std::uint64_t order = 1; order <= orders_max; ++order) {
    auto other = Planner(snapshot, now, order).make();
    if (const auto value = packed(snapshot, other); value > most) {
      most = value;
      best = std::move(other);
    }
  }
  return best;
}

}  // namespace fieldwork::scheduler
