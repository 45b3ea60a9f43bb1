// From queued to assigned: propose a device, ask security-policy, assign.
#include <algorithm>

#include "scheduler/core/scheduler.hpp"

namespace fieldwork::scheduler {
namespace {

constexpr std::size_t excluded_max = limits::executions_max;
constexpr Duration claim_again{seconds{2}};
constexpr std::int64_t fences_begin_ms = 1'767'225'600'000;  // 2026

// Greater than the execution's last fence, and than every fence given out before now, also by a database state that was
// lost since (decision 0011).
std::int64_t next_fence(const Execution& execution, Time now) {
  return std::max(execution.fence + 1, to_ms(now) - fences_begin_ms);
}

// Of a bulk job the attempt keeps the chosen candidate and the totals, not the other devices.
std::shared_ptr<const Placement> only_chosen(const Placement& all) {
  auto out = std::make_shared<Placement>();
  out->chosen = all.chosen;
  out->candidates_total = all.candidates_total;
  out->filtered_total = all.filtered_total;
  for (const auto& candidate : all.candidates) {
    if (candidate.device == all.chosen) out->candidates.push_back(candidate);
  }
  return out;
}

// Whether a device that does not meet this requirement will not meet it by waiting.
bool is_for_good(const std::string& requirement) {
  return requirement.starts_with("labels/") || requirement == "policy" || requirement == "refused" ||
         requirement == "placeable" || requirement == "lifecycle";
}

}  // namespace

Contract Scheduler::contract(const Job& job, const Execution& execution) const {
  if (execution.is<Live>() && execution.attempt && execution.attempt->contract) return *execution.attempt->contract;
  return contract_of(*job.spec, !execution.target.empty(), limits_.lease_s);
}

void Scheduler::on(const BatchEnded& /*input*/, Time now, Output& out) {
  place_waiting(now, out);
  say_changes(now, out);
  forget_settled(now, out);
}

void Scheduler::place_waiting(Time now, Output& out) {
  if (hears_first(now) || !place_) return;
  place_ = false;
  std::set<std::string> full;  // shapes (queue.hpp) that fitted no device in this pass
  while (const auto head = queue_.next()) {
    if (asking_ >= limits_.questions_open_max) {  // the batch of the next answer goes on from here
      place_ = true;
      return;
    }
    auto& job = jobs_.at(head->entry.job);
    auto& execution = job.executions[static_cast<std::size_t>(head->entry.execution)];
    if (propose(job, execution, head->lane, full, now, out)) continue;
    if (execution.is<Queued>() && std::get<Queued>(execution.phase).lane == head->lane) queue_.sleep(head->lane);
  }
}

// False: the execution fits no device now, and stays in its lane.
bool Scheduler::propose(Job& job, Execution& execution, Queue::Lane /*lane*/, std::set<std::string>& full, Time now,
                        Output& out) {
  const auto claim = claim_of(job, execution, now);
  if (claim == Claim::waits) {
    dequeue(job, execution);
    execution.phase = Waiting{now + claim_again};
    set_timer(job, execution, now + claim_again);
    return true;
  }
  const auto shape = shape_of(job, execution);
  std::shared_ptr<Placement> placement;
  if (!full.contains(shape.text) || claim == Claim::fits)
    placement = std::make_shared<Placement>(place(want_of(job, execution, now), fleet_, limits_));
  if (claim == Claim::fits) placement->chosen = execution.claimed;
  const auto chosen = placement && placement->chosen ? *placement->chosen : DeviceId();
  if (chosen.empty()) {
    full.insert(shape.text);
    if (job.authorised) return end_round(job, execution, now, out);
  }
  dequeue(job, execution);
  execution.phase = Asking{chosen, next_fence(execution, now), std::move(placement), now, limits_.ask_again};
  ++asking_;
  if (!chosen.empty()) {
    fleet_.reserve(chosen, job.spec->requirements, 1);
    occupy(job, chosen, 1);
  }
  ask(job, execution, now, out);
  return true;
}

// A device that claims the execution (Execution::claimed) has an attempt of it already: no other device gets the
// execution while that device is ready or suspect. Where the device has no room now, the execution waits outside the
// queue, so that its lane goes on. A device that can never take the execution is not waited for. The rule that replicas
// run on different devices does not count here: the device has its attempt whether or not it should.
Scheduler::Claim Scheduler::claim_of(const Job& job, const Execution& execution, Time now) const {
  const auto number = fleet_.number_of(execution.claimed);
  if (!number) return Claim::none;
  const auto why = unfit(want_of(job, execution, now), fleet_, *number, limits_);
  // Its own attempt may be what presses it, and what the expression measures.
  if (!why || why->requirement == "replicas" || why->requirement == "pressure" || why->requirement == "expression")
    return Claim::fits;
  const auto heard = fleet_.view(*number).device.presence;
  const bool passes = why->requirement == "presence" ? heard == Presence::suspect || heard == Presence::starting
                                                     : !is_for_good(why->requirement);
  return passes ? Claim::waits : Claim::none;
}

void Scheduler::ask(Job& job, Execution& execution, Time now, Output& out) {
  auto& asking = std::get<Asking>(execution.phase);
  asking.again = now + asking.patience;
  asking.patience = std::min(asking.patience * 2, limits_.ask_again_max);
  set_timer(job, execution, asking.again);
  out.questions.push_back({.key = {job.id, execution.index, asking.fence},
                           .submitter = job.submitter,
                           .command = job.spec->command,
                           .env = job.spec->env,
                           .outputs = job.spec->outputs,
                           .contract = contract(job, execution),
                           .package = job.spec->package,
                           .device = asking.device,
                           .limits = job.spec->limits,
                           .traceparent = job.traceparent});
}

bool Scheduler::is_ready(const DeviceId& device) const {
  const auto* view = fleet_.find(device);
  return view != nullptr && gets_work(view->device);
}

void Scheduler::on(const DecisionMade& input, Time now, Output& out) {
  const auto& decision = input.decision;
  Job* job = nullptr;
  Execution* execution = find(decision.key, job);
  if (execution == nullptr) return;
  const auto* asking = std::get_if<Asking>(&execution->phase);
  // Only the answer to the open question counts: same fence, same device.
  if (asking == nullptr || decision.key.fence != asking->fence || decision.device != asking->device) return;
  if (!decision.allow) return denied(*job, *execution, decision, now, out);
  const bool first = authorised(*job, now);
  // The question named no device, or its device is no longer ready.
  if (!is_ready(asking->device)) {
    if (first) unsaved_jobs_.insert(job->id);  // an attempt's row would show that the job is authorised
    withdraw(*job, *execution);
    enqueue(*job, *execution, now);
  } else {
    assign(*job, *execution, decision, now, out);
  }
  refresh(*job, now, out);
  answer(*job, out);
}

// True: the job was not authorised before.
bool Scheduler::authorised(Job& job, Time now) {
  if (job.authorised) return false;
  job.authorised = true;
  for (auto& sibling : job.executions) {
    if (!sibling.is<Queued>()) continue;
    dequeue(job, sibling);
    enqueue(job, sibling, now);
  }
  return true;
}

// A "no" about one device excludes that device. A "no" about the job, or about every device that could run it, denies.
void Scheduler::denied(Job& job, Execution& execution, const Decision& decision, Time now, Output& out) {
  if (!decision.about_device || decision.device.empty()) {
    return end_job(job, JobState::denied, decision.reason, now, out);
  }
  withdraw(job, execution);
  if (execution.excluded.size() < excluded_max) execution.excluded[decision.device] = {true, decision.reason};
  enqueue(job, execution, now);
  touch(job, execution);
  refresh(job, now, out);
}

// Called when the execution fits no device now. When every device that could ever run it has said no, waiting cannot
// help. If security-policy denied all of these devices, the job (of an execution with a target: the execution) is
// denied; otherwise one round is over. True: the execution left its lane.
bool Scheduler::end_round(Job& job, Execution& execution, Time now, Output& out) {
  if (execution.excluded.empty()) return false;
  const auto want = want_of(job, execution, now);
  // A device on which another replica of the job succeeded takes no further replica.
  const auto has_had = [&](const DeviceId& device) {
    return execution.target.empty() && job.taken.contains(device) &&
           std::any_of(job.executions.begin(), job.executions.end(), [&](const auto& other) {
             return other.state == ExecutionState::succeeded && other.attempt && other.attempt->device == device;
           });
  };
  for (const auto& [id, number] : fleet_.all()) {
    const auto& view = fleet_.view(number);
    if (could_ever(want, view) && matches(want, view.device) && !has_had(id)) return false;
  }
  const auto refusal = std::find_if(execution.excluded.begin(), execution.excluded.end(),
                                    [](const auto& one) { return !one.second.by_policy; });
  if (refusal == execution.excluded.end()) {
    const auto reason = execution.excluded.begin()->second.reason;
    if (execution.target.empty()) {
      end_job(job, JobState::denied, reason, now, out);
    } else {
      settle(job, execution, ExecutionState::denied, reason, now);
      refresh(job, now, out);
      answer(job, out);
    }
    return true;
  }
  const auto reason = "every device that could run it refused: " + refusal->first.value + ": " + refusal->second.reason;
  ++execution.rounds;
  if (execution.rounds >= job.spec->retry.attempts_max) {
    settle(job, execution, ExecutionState::failed, reason, now);
  } else {
    dequeue(job, execution);
    std::erase_if(execution.excluded, [](const auto& one) { return !one.second.by_policy; });
    back_off(job, execution, execution.rounds, now);
  }
  refresh(job, now, out);
  return true;
}

void Scheduler::assign(Job& job, Execution& execution, const Decision& decision, Time now, Output& out) {
  auto& asking = std::get<Asking>(execution.phase);
  // The previous attempt may have ended in this batch: its row is saved before the new attempt replaces it.
  if (execution.attempt && touched_.contains({job.id, execution.index})) save_attempt(execution, out);
  Attempt attempt;
  attempt.key = decision.key;
  attempt.number = execution.attempts + 1;
  attempt.device = asking.device;
  attempt.grant = decision.grant;
  attempt.contract = contract(job, execution);
  attempt.placement = job.bulk && asking.placement ? only_chosen(*asking.placement) : asking.placement;
  attempt.created_ms = attempt.changed_ms = to_ms(now);
  on_device_[attempt.device].insert(attempt.key);
  --asking_;
  execution.phase = Live{.contact = now, .phase_since = now};
  execution.fence = decision.key.fence;
  execution.attempts = attempt.number;
  execution.reason.clear();
  execution.claimed = {};
  execution.attempt = std::move(attempt);
  out.outbox.emplace_back(command_of(job, execution));
  set_state(job, execution, ExecutionState::assigned, now);
  rearm(job, execution);
}

PutCommand Scheduler::command_of(const Job& job, const Execution& execution) const {
  const auto& attempt = *execution.attempt;
  return {.key = assign_key(attempt.key),
          .device = attempt.device,
          .command = Assign{.key = attempt.key,
                            .attempt = attempt.number,
                            .fetching_s = job.spec->timeouts.fetching_s,
                            .contract = contract(job, execution),
                            .command = job.spec->command,
                            .env = job.spec->env,
                            .limits = job.spec->limits,
                            .package = job.spec->package,
                            .outputs = job.spec->outputs,
                            .grant = attempt.grant,
                            .traceparent = job.traceparent},
          .kept = false};
}

std::vector<PutCommand> Scheduler::open_commands() const {
  std::vector<PutCommand> out;
  for (const auto& [device, keys] : on_device_) {
    for (const auto& key : keys) {
      const auto& job = jobs_.at(key.job);
      const auto& execution = job.executions[static_cast<std::size_t>(key.execution)];
      if (execution.attempt->reported == AttemptState::assigned) out.push_back(command_of(job, execution));
    }
  }
  return out;
}

// Large executions must not wait for ever while small ones take each piece of room that becomes free: each head of a
// sleeping lane that has waited for hold_after gets one device, which takes nothing else.
void Scheduler::hold_for_the_starving(Time now) {
  if (now - held_at_ < seconds(1)) return;
  held_at_ = now;
  // A hold on a device that takes no work would never be used.
  std::erase_if(holds_, [&](const auto& one) {
    const auto& view = fleet_.view(one.first);
    const auto job = jobs_.find(one.second.job);
    const bool asked_for = job == jobs_.end() || !job->second.where || fleet::matches(*job->second.where, view.device);
    if (gets_work(view.device) && view.unplaceable_until <= now && view.device.pressure.empty() && asked_for)
      return false;
    fleet_.set_hold(one.first, std::nullopt);
    if (!asked_for) {  // it is free for others
      queue_.wake(groups_of(view), [](const Queue::Shape&) { return true; });
      place_ = true;
    }
    return true;
  });
  for (const auto& head : queue_.sleeping(limits_.holds_max)) {
    if (holds_.size() >= limits_.holds_max) return;
    const auto& job = jobs_.at(head.entry.job);
    const auto& execution = job.executions[static_cast<std::size_t>(head.entry.execution)];
    const Fleet::Hold self{job.id, execution.index};
    const bool has_one = std::any_of(holds_.begin(), holds_.end(), [&](const auto& one) { return one.second == self; });
    if (has_one || std::get<Queued>(execution.phase).since + limits_.hold_after > now) continue;
    const auto want = want_of(job, execution, now);
    std::optional<Fleet::Number> best;
    std::int64_t most = 0;
    for (const auto& [id, number] : fleet_.all()) {
      const auto& view = fleet_.view(number);
      if (holds_.contains(number) || !gets_work(view.device) || !could_ever(want, view) || !matches(want, view.device))
        continue;
      if (job.taken.contains(id) || view.unplaceable_until > now || !view.device.pressure.empty()) continue;
      const auto room = view.device.about.capacity.cpu_millis - view.cpu_millis_used;
      if (best && (room < most || (room == most && fleet_.view(*best).device.id < id))) continue;
      best = number;
      most = room;
    }
    if (!best) continue;
    holds_[*best] = self;
    fleet_.set_hold(*best, self);
  }
}

}  // namespace fieldwork::scheduler
