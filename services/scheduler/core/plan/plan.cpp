#include "scheduler/core/plan/plan.hpp"

#include "scheduler/core/fleet/measures.hpp"
#include "scheduler/core/plan/choices.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {
namespace {

// Whether a device that does not meet this requirement will not meet it by waiting.
bool is_for_good(const std::string& requirement) {
  return requirement.starts_with("labels/") || requirement == "policy" || requirement == "refused" ||
         requirement == "placeable" || requirement == "lifecycle" || requirement == "requirements/sandbox_min";
}

class Planner {
 public:
  Planner(const Snapshot& snapshot, Time now)
      : from_(snapshot), now_(now), turns_(snapshot.queue, snapshot.shares), overlay_(snapshot.fleet) {}

  Plan make() {
    while (const auto turn = turns_.next()) {
      if (asked_ >= from_.most) {
        plan_.more = true;
        break;
      }
      step(*turn);
    }
    for (const auto& lane : stuck_) {
      for (auto& found : preempt_for_lane(from_, overlay_, lane.lane, lane.entry, given_, now_))
        plan_.steps.emplace_back(std::move(found));
    }
    return std::move(plan_);
  }

 private:
  void step(const Turns::Turn& turn) {
    const auto& job = from_.jobs.at(turn.entry->job);
    const auto& execution = job.executions[static_cast<std::size_t>(turn.entry->execution)];
    const Waiter who{turn.lane, job.id, execution.index};
    if (!job.authorised && start_of(job) > now_) return ask(who);
    if (const auto there = from_.fleet.number_of(execution.claimed); there && claimed(who, job, execution, *there))
      return;
    const auto want = want_of(job, execution, now_);
    auto choice = best(turn, want, job);
    if (!choice) choice = held(want, job.id);
    if (choice) return place(who, job, *choice);
    if (!job.authorised) return ask(who);
    plan_.steps.emplace_back(Sleep{who});
    if (stuck_.size() < stuck_max && from_.fleet.may_preempt(class_of(job.spec->priority))) stuck_.push_back(turn);
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
        const auto score = rate(want_of(job, execution, now_), from_.fleet.view(number), used, from_.limits);
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
    turns_.got(&need);
  }

  void ask(const Waiter& who) {
    plan_.steps.emplace_back(Ask{who});
    ++asked_;
    turns_.got(nullptr);
  }

  std::optional<Choice> best(const Turns::Turn& turn, const Want& want, const Job& job) {
    const auto expected = std::min(turn.state->entries.size(), from_.most - asked_);
    auto& choices = choices_.try_emplace(turn.state->shape.fit, overlay_, from_.limits, expected).first->second;
    auto choice = choices.best(want);
    for (; choice && want.target.empty() && given_.has(job.id, choice->number); choice = choices.best(want))
      choices.leave_out();
    return choice;
  }

  // A device that is held for the lane and has room.
  std::optional<Choice> held(const Want& want, const JobId& job) {
    for (const auto& [number, hold] : from_.holds) {
      const auto& used = overlay_.used(number);
      if (hold.lane != want.lane || overlay_.changed_at(number) > 0 || given_.has(job, number)) continue;
      if (fits(want, from_.fleet, number, used, from_.limits))
        return Choice{number, rate(want, from_.fleet.view(number), used, from_.limits)};
    }
    return std::nullopt;
  }

  const Snapshot& from_;
  Time now_;
  Turns turns_;
  Overlay overlay_;
  std::unordered_map<std::string, Choices> choices_;  // by Queue::Shape::fit
  std::vector<Turns::Turn> stuck_;
  Given given_;
  std::size_t asked_ = 0;  // questions to security-policy that follow from the plan
  Plan plan_;
};

}  // namespace

Claim claim_of(const Fleet& fleet, Fleet::Number number, const Use& used, const Job& job, const Execution& execution,
               const Limits& limits, Time now) {
  const auto why = unfit(want_of(job, execution, now), fleet, number, used, limits);
  if (!why || why->requirement == "replicas") return Claim::fits;
  // Its own attempt may be what presses it, and what is measured of it.
  if (why->requirement == "pressure" || why->requirement == "expression" || is_measured(why->requirement))
    return Claim::fits;
  const auto heard = fleet.view(number).device.presence;
  const bool passes = why->requirement == "presence" ? heard == Presence::suspect || heard == Presence::starting
                                                     : !is_for_good(why->requirement);
  return passes ? Claim::waits : Claim::none;
}

Plan plan(const Snapshot& snapshot, Time now) { return Planner(snapshot, now).make(); }

}  // namespace fieldwork::scheduler
