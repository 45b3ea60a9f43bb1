// What the passing of time does: deadlines, timers of executions, silence and its end.
#include <algorithm>

#include "scheduler/core/scheduler.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {
namespace {

constexpr Duration grace{seconds{5}};        // beyond lost_after_s: the device gives up first
constexpr Duration stop_grace{seconds{15}};  // the same where the device has a program to end
constexpr Duration look_again{seconds{5}};   // between looks at an attempt while the link is away

// Work that its device has before its time may do without contact until then, unless the device itself counts.
Time silent_since(const Job& job, const Contract& rules, const Live& live) {
  const bool may = job.spec->offline.stage_s && !rules.stop_after_s;
  return may ? std::max(live.contact, start_of(job)) : live.contact;
}

// A device that has the work before its time may take until then to fetch its package, and the usual time beyond.
Time fetching_since(const Job& job, const Live& live) { return std::max(live.phase_since, start_of(job)); }

}  // namespace

void Scheduler::set_timer(const Job& job, Execution& execution, Time at) {
  clear_timer(job, execution);
  execution.timer = at;
  timers_.set(at, ExecutionDue{job.id, execution.index});
}

void Scheduler::clear_timer(const Job& job, Execution& execution) {
  if (!execution.timer) return;
  timers_.clear(*execution.timer, ExecutionDue{job.id, execution.index});
  execution.timer.reset();
}

// Sets when a live execution is to be looked at next.
void Scheduler::rearm(const Job& job, Execution& execution) {
  const auto& live = std::get<Live>(execution.phase);
  const auto& attempt = *execution.attempt;
  const auto rules = contract(job, execution);
  auto at = Time::max();
  if (attempt.state != AttemptState::unreachable) {
    at = live.contact + limits_.unreachable_after;
    if (attempt.reported == AttemptState::fetching)
      at = std::min(at, fetching_since(job, live) + seconds(job.spec->timeouts.fetching_s) + limits_.overdue);
    if (attempt.reported == AttemptState::running)
      at = std::min(at, live.phase_since + seconds(job.spec->limits.time_s) + limits_.overdue);
  }
  if (rules.lost_after_s)
    at = std::min(
        at, silent_since(job, rules, live) + seconds(*rules.lost_after_s) + (rules.stop_after_s ? stop_grace : grace));
  if (at == Time::max()) return clear_timer(job, execution);
  set_timer(job, execution, at);
}

void Scheduler::give_full_time(Time now) {
  for (auto& [device, keys] : on_device_) {
    for (const auto& key : keys) {
      Job* job = nullptr;
      Execution* execution = find(key, job);
      if (execution == nullptr) continue;
      auto& live = std::get<Live>(execution->phase);
      live.contact = std::max(live.contact, now);
      rearm(*job, *execution);
    }
  }
}

void Scheduler::on(const LinkLost& /*input*/, Time /*now*/, Output& /*out*/) { link_ = false; }

void Scheduler::on(const LinkBack& /*input*/, Time now, Output& /*out*/) {
  link_ = true;
  hears_since_ = now;
  if (hearing_) hearing_since_ = now;
  give_full_time(now);
}

void Scheduler::on(const Stalled& /*input*/, Time now, Output& /*out*/) {
  hears_since_ = now;
  give_full_time(now);
}

void Scheduler::on(const TimePassed& /*input*/, Time now, Output& out) {
  while (const auto due = timers_.pop(now))
    std::visit([&](const auto& what) { fired(what, due->first, now, out); }, due->second);
  hold_for_the_starving(now, out);
}

void Scheduler::fired(const DeadlineDue& due, Time /*at*/, Time now, Output& out) {
  const auto it = jobs_.find(due.job);
  if (it == jobs_.end() || settled(it->second.state)) return;
  auto& job = it->second;
  const auto all = job.executions.size();
  const auto good =
      static_cast<std::size_t>(std::count_if(job.executions.begin(), job.executions.end(),
                                             [](const auto& one) { return one.state == ExecutionState::succeeded; }));
  const bool done = all > 0 && good >= successes_needed(job.spec->success, all);
  end_job(job, done ? JobState::succeeded : JobState::expired, "deadline passed", now, out);
}

void Scheduler::fired(const RestOver& due, Time /*at*/, Time /*now*/, Output& /*out*/) {
  if (const auto* view = fleet_.find(due.device)) wake_all_of(*view);
  place_ = true;
}

void Scheduler::fired(const ShownToTheEnd& due, Time at, Time /*now*/, Output& out) {
  --shown_;
  if (const auto it = jobs_.find(due.job);
      it != jobs_.end() && static_cast<std::size_t>(due.execution) < it->second.executions.size())
    it->second.executions[static_cast<std::size_t>(due.execution)].shown = false;
  out.shown.push_back({due.job, due.execution, to_ms(at), true});
  out.forgotten_executions.push_back({due.job, due.execution});
}

void Scheduler::fired(const CancelOver& due, Time /*at*/, Time /*now*/, Output& /*out*/) { cancelled_.erase(due.key); }

void Scheduler::fired(const RoomBack& due, Time /*at*/, Time /*now*/, Output& /*out*/) {
  give_room_back(due.device, due.key);
}

void Scheduler::fired(const ExecutionDue& due, Time /*at*/, Time now, Output& out) {
  auto& job = jobs_.at(due.job);
  auto& execution = job.executions[static_cast<std::size_t>(due.execution)];
  execution.timer.reset();
  if (const auto* waited = std::get_if<Waiting>(&execution.phase)) {
    if (waited->until == placed_from(job)) execution.reason.clear();
    const auto since = waited->since;
    enqueue(job, execution, now);
    if (auto* queued = std::get_if<Queued>(&execution.phase); queued != nullptr && since != Time{}) {
      queued->since = since;
      set_timer(job, execution, since + seconds(job.spec->timeouts.queued_s));
    }
    return;
  }
  if (execution.is<Queued>()) {
    const auto nearest = explain(job, execution, now);
    auto reason = "no device took it within " + std::to_string(job.spec->timeouts.queued_s) + " s";
    if (!nearest.filtered.empty()) {
      const auto& one = nearest.filtered.front();
      reason += "; nearest: " + one.device.value + ": " + one.requirement + " " + one.reason;
    }
    settle(job, execution, ExecutionState::expired, reason, now);
    return refresh(job, now, out);
  }
  if (const auto* asking = std::get_if<Asking>(&execution.phase)) {
    // What passed while nobody could be asked does not count.
    if (link_ && now >= std::max(asking->since, hears_since_) + seconds(job.spec->timeouts.queued_s)) {
      settle(job, execution, ExecutionState::expired,
             "security-policy did not answer within " + std::to_string(job.spec->timeouts.queued_s) + " s", now);
      return refresh(job, now, out);
    }
    // A question about a device that is no longer ready is not repeated: the execution is queued again.
    if (asking->device.empty() || is_ready(asking->device)) return ask(job, execution, now, out);
    withdraw(job, execution);
    return enqueue(job, execution, now);
  }
  if (execution.is<Live>()) watch_live(job, execution, now, out);
}

// The contract judges silence; a device that is in contact must end each phase within its limit.
void Scheduler::watch_live(Job& job, Execution& execution, Time now, Output& out) {
  if (!link_) return set_timer(job, execution, now + look_again);
  const auto& live = std::get<Live>(execution.phase);
  auto& attempt = *execution.attempt;
  const auto rules = contract(job, execution);
  const auto silent = now - live.contact;
  const auto key = attempt.key;
  const auto device = attempt.device;
  const auto tell = [&] {  // after it is settled, which closes an older cancel
    out.outbox.emplace_back(PutCommand{
        .key = cancel_key(key), .device = device, .command = Cancel{key, job.traceparent}, .life = command_life_max});
  };
  if (rules.lost_after_s && now - silent_since(job, rules, live) >=
                                seconds(*rules.lost_after_s) + (rules.stop_after_s ? stop_grace : grace)) {
    remember_original(job, execution);
    return lose(job, execution, "nothing was heard of it for " + std::to_string(*rules.lost_after_s) + " s", now, out);
  }
  if (silent >= limits_.unreachable_after) {
    if (attempt.state != AttemptState::unreachable) {
      attempt.reason =
          "nothing was heard of it for " + std::to_string(std::chrono::duration_cast<seconds>(silent).count()) + " s";
      set_attempt_state(job, execution, AttemptState::unreachable, now);
      refresh(job, now, out);
    }
    return rearm(job, execution);
  }
  const auto in_phase = now - live.phase_since;
  if (attempt.reported == AttemptState::fetching &&
      now - fetching_since(job, live) >= seconds(job.spec->timeouts.fetching_s) + limits_.overdue) {
    const auto reason = "it did not begin within " + std::to_string(job.spec->timeouts.fetching_s) + " s";
    refused(job, execution, reason, true, now, out);
    return tell();
  }
  if (attempt.reported == AttemptState::running && in_phase >= seconds(job.spec->limits.time_s) + limits_.overdue) {
    attempt.reason = "it did not end at its time limit of " + std::to_string(job.spec->limits.time_s) + " s";
    settle_attempt(job, execution, AttemptState::timed_out, now, out);
    tell();
    return attempt_ended(job, execution, AttemptState::timed_out, now, out);
  }
  rearm(job, execution);
}

}  // namespace fieldwork::scheduler
