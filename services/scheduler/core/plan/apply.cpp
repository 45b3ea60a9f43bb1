// What a plan says is done, and each step is looked at once more. Then from proposed to assigned: security-policy is
// asked, and its answer followed.
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

}  // namespace

Contract Scheduler::contract(const Job& job, const Execution& execution) const {
  if (execution.is<Live>() && execution.attempt && execution.attempt->contract) return *execution.attempt->contract;
  return contract_of(*job.spec, !execution.target.empty(), limits_.lease_s);
}

void Scheduler::on(const BatchEnded& /*input*/, Time now, Output& out) {
  place_waiting(now, out);
  say_changes(now, out);
  forget_settled(now, out);
  forget_contents();
}

Snapshot Scheduler::snapshot() const {
  return {.fleet = fleet_,
          .queue = queue_,
          .jobs = jobs_,
          .holds = holds_,
          .on_device = on_device_,
          .shares = shares_,
          .limits = limits_,
          .most = limits_.questions_open_max - std::min(asking_.size(), limits_.questions_open_max),
          .asking = asking_,
          .leaving = leaving_};
}

void Scheduler::place_waiting(Time now, Output& out) {
  if (hears_first(now)) return;
  for (int pass = 0; place_ && pass < passes_max; ++pass) {
    if (asking_.size() >= limits_.questions_open_max) return;  // the batch of the next answer goes on from here
    place_ = false;
    queue_.age(now);
    shares_.total = fleet_.capacity();
    shares_.attempts = static_cast<std::int64_t>(fleet_.size()) * limits_.attempts_per_device_max;
    const auto made = plan(snapshot(), now);
    // Lanes go to sleep first: what follows may wake them again.
    for (const auto& step : made.steps) {
      if (const auto* sleeps = std::get_if<Sleep>(&step)) apply(*sleeps, now, out);
    }
    for (const auto& step : made.steps) {
      if (!std::holds_alternative<Sleep>(step)) std::visit([&](const auto& one) { apply(one, now, out); }, step);
    }
    place_ = place_ || made.more;
  }
}

// The execution, where it still stands in that lane.
Execution* Scheduler::waiting(const Waiter& who, Job*& job) {
  const auto it = jobs_.find(who.job);
  if (it == jobs_.end() || static_cast<std::size_t>(who.execution) >= it->second.executions.size()) return nullptr;
  job = &it->second;
  auto& execution = job->executions[static_cast<std::size_t>(who.execution)];
  const auto* queued = std::get_if<Queued>(&execution.phase);
  return queued != nullptr && queued->lane == who.lane ? &execution : nullptr;
}

// Of a bulk job the attempt keeps the chosen candidate, not the others.
std::shared_ptr<const Placement> Scheduler::described(const Job& job, const Execution& execution, const Place& place,
                                                      Time now) const {
  const Candidate chosen{place.score, fleet_.view(place.number).device.id};
  Placement out;
  if (job.bulk) {
    out.candidates_total = 1;
  } else {
    out = describe(want_of(job, execution, now), fleet_, limits_);
    std::erase_if(out.candidates, [&](const auto& one) { return one.device == chosen.device; });
    if (out.candidates.size() >= limits_.explained_max) out.candidates.pop_back();
  }
  out.candidates.insert(out.candidates.begin(), chosen);
  out.chosen = chosen.device;
  return std::make_shared<const Placement>(std::move(out));
}

void Scheduler::apply(const Place& step, Time now, Output& out) {
  Job* job = nullptr;
  auto* execution = waiting(step.who, job);
  const auto& view = fleet_.view(step.number);
  const auto device = view.device.id;
  const auto good = [&] {
    if (execution->claimed == device)
      return claim_of(fleet_, step.number, view.used, *job, *execution, limits_, now) == Claim::fits;
    auto want = want_of(*job, *execution, now);
    const auto hold = holds_.find(step.number);
    if (hold != holds_.end() && gives_way(snapshot(), step.number, class_of(job->spec->priority)))
      want.lane = hold->second.lane;
    return fits(want, fleet_, step.number, view.used, limits_);
  };
  if (execution == nullptr || !good()) {  // others sleep because the plan gave the room away
    wake_all_of(view);
    place_ = place_ || execution != nullptr;
    return;
  }
  auto placement = described(*job, *execution, step, now);
  release(step.number, step.who);
  propose(*job, *execution, device, std::move(placement), now, out);
}

void Scheduler::apply(const Ask& step, Time now, Output& out) {
  Job* job = nullptr;
  if (auto* execution = waiting(step.who, job)) propose(*job, *execution, {}, nullptr, now, out);
}

void Scheduler::apply(const StandAside& step, Time now, Output& /*out*/) {
  Job* job = nullptr;
  auto* execution = waiting(step.who, job);
  if (execution == nullptr) return;
  const auto since = std::get<Queued>(execution->phase).since;
  dequeue(*job, *execution);
  execution->phase = Waiting{now + claim_again, since};
  set_timer(*job, *execution, now + claim_again);
}

void Scheduler::apply(const Sleep& step, Time now, Output& out) {
  Job* job = nullptr;
  auto* execution = waiting(step.who, job);
  if (execution == nullptr || !queue_.lane(step.who.lane).awake) return;
  if (!end_round(*job, *execution, now, out)) queue_.sleep(step.who.lane);
}

void Scheduler::apply(const Preempt& step, Time now, Output& out) {
  Job* job = nullptr;
  if (waiting(step.who, job) == nullptr) return;
  for (const auto& key : step.victims) {
    Job* other = nullptr;
    auto* victim = find(key, other);
    if (victim == nullptr || !victim->is<Live>() || victim->attempt->key != key) continue;
    auto& attempt = *victim->attempt;
    const auto ran = ran_for(*victim, now);
    attempt.preempted_by = job->id;
    tell_to_end(*other, *victim, out);
    out.preempted.push_back({key, attempt.device, job->id, ran, attempt.progress});
  }
  keep_free(step.number, step.who);
}

// Without a device: security-policy is asked about the job alone.
void Scheduler::propose(Job& job, Execution& execution, const DeviceId& device,
                        std::shared_ptr<const Placement> placement, Time now, Output& out) {
  const auto* queued = std::get_if<Queued>(&execution.phase);
  const auto since = queued != nullptr ? queued->since : now;
  dequeue(job, execution);
  execution.phase = Asking{device, next_fence(execution, now), std::move(placement), now, limits_.ask_again,
                           since,  package_for(job, device)};
  asking_.emplace(job.id, execution.index);
  if (!device.empty()) {
    reserve(job, device, 1);
    occupy(job, device, 1);
  }
  ask(job, execution, now, out);
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
                           .package = asking.package,
                           .device = asking.device,
                           .limits = job.spec->limits,
                           .traceparent = job.traceparent});
}

// The variant of the job's package for the device; where no device is said, or none is for it, the one that is named.
const std::string& Scheduler::package_for(const Job& job, const DeviceId& device) const {
  const auto number = job.content != nullptr ? fleet_.number_of(device) : std::nullopt;
  const auto* variant = number ? job.content->for_architecture(fleet_.architecture(*number)) : nullptr;
  return variant != nullptr ? *variant : job.spec->package;
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
  // The question named no device, or its device is no longer ready, or gets another variant by now than was granted.
  if (!is_ready(asking->device) || asking->package != package_for(*job, asking->device)) {
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
  // What it has of the execution is not its own any more.
  if (execution.claimed == decision.device) execution.claimed = {};
  if (execution.original && execution.original->device == decision.device) execution.original.reset();
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
    if (could_ever(want, fleet_, number) && matches(want, view.device) && !has_had(id)) return false;
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
  if (execution.attempt && (execution.attempt->state == AttemptState::lost || !execution.attempt->moves.empty()) &&
      execution.attempt->device != asking.device && execution.claimed != asking.device)
    out.moved.push_back(
        {Moved::What::moved, decision.key, execution.attempt->device, asking.device, execution.attempt->reason});
  Attempt attempt;
  attempt.key = decision.key;
  // A device that may still have the program goes on with a try of the same number (Agent::same_try).
  const bool back = execution.original && execution.original->device == asking.device;
  attempt.number = back ? execution.original->number : execution.attempts + 1;
  attempt.device = asking.device;
  attempt.grant = decision.grant;
  attempt.package = asking.package;
  attempt.contract = contract(job, execution);
  attempt.placement = asking.placement;
  attempt.created_ms = attempt.changed_ms = to_ms(now);
  on_device_[attempt.device].insert(attempt.key);
  asking_.erase({job.id, execution.index});
  execution.phase = Live{.contact = now, .phase_since = now};
  execution.fence = decision.key.fence;
  attempt.went_on = back;
  execution.attempts = std::max(execution.attempts, attempt.number);
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
                            .priority = job.spec->priority,
                            .executions = std::max<std::int64_t>(static_cast<std::int64_t>(job.executions.size()), 1),
                            .metered = job.spec->metered,
                            .contract = contract(job, execution),
                            .command = job.spec->command,
                            .env = job.spec->env,
                            .limits = job.spec->limits,
                            .package = attempt.package.empty() ? job.spec->package : attempt.package,
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
      if (execution.attempt->reported == AttemptState::assigned && !is_told_to_end(*execution.attempt))
        out.push_back(command_of(job, execution));
    }
  }
  return out;
}

}  // namespace fieldwork::scheduler
