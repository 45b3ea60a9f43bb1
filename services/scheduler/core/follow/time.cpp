// What the passing of time does: deadlines, timers of executions, silence and its end.
#include <algorithm>

#include "scheduler/core/scheduler.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {
namespace {

constexpr Duration grace{seconds{5}};        // beyond lost_after_s: the device gives up first
constexpr Duration stop_grace{seconds{15}};  // the same where the device has a program to end
constexpr Duration look_again{seconds{5}};   // between looks at an attempt while the link is away

}  // namespace

void Scheduler::set_timer(const Job& job, Execution& execution, Time at) {
  clear_timer(job, execution);
  execution.timer = at;
  timers_.emplace(at, job.id, execution.index);
}

void Scheduler::clear_timer(const Job& job, Execution& execution) {
  if (!execution.timer) return;
  timers_.erase({*execution.timer, job.id, execution.index});
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
    if (attempt.reported == AttemptState::accepted)
      at = std::min(at, live.phase_since + seconds(job.spec->timeouts.fetching_s) + limits_.overdue);
    if (attempt.reported == AttemptState::running)
      at = std::min(at, live.phase_since + seconds(job.spec->limits.time_s) + limits_.overdue);
  }
  if (rules.lost_after_s)
    at = std::min(at, live.contact + seconds(*rules.lost_after_s) + (rules.stop_after_s ? stop_grace : grace));
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
  if (hearing_) hearing_since_ = now;
  give_full_time(now);
}

void Scheduler::on(const Stalled& /*input*/, Time now, Output& /*out*/) { give_full_time(now); }

void Scheduler::on(const TimePassed& /*input*/, Time now, Output& out) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const auto it = jobs_.find(deadlines_.begin()->second);
    deadlines_.erase(deadlines_.begin());
    if (it != jobs_.end() && !settled(it->second.state))
      end_job(it->second, JobState::expired, "deadline passed", now, out);
  }
  while (!timers_.empty() && std::get<0>(*timers_.begin()) <= now) {
    const auto [at, id, index] = *timers_.begin();
    timers_.erase(timers_.begin());
    auto& job = jobs_.at(id);
    auto& execution = job.executions[static_cast<std::size_t>(index)];
    execution.timer.reset();
    timer_fired(job, execution, now, out);
  }
  while (!resting_.empty() && resting_.begin()->first <= now) {
    const auto device = resting_.begin()->second;
    resting_.erase(resting_.begin());
    if (const auto* view = fleet_.find(device)) queue_.wake(groups_of(*view), [](const Queue::Shape&) { return true; });
    place_ = true;
  }
  while (!shown_ended_.empty() && std::get<0>(*shown_ended_.begin()) <= to_ms(now)) {
    const auto [until_ms, id, index] = *shown_ended_.begin();
    shown_ended_.erase(shown_ended_.begin());
    --shown_;
    if (const auto it = jobs_.find(id);
        it != jobs_.end() && static_cast<std::size_t>(index) < it->second.executions.size())
      it->second.executions[static_cast<std::size_t>(index)].shown = false;
    out.shown.push_back({id, index, until_ms, true});
    out.forgotten_executions.push_back({id, index});
  }
  std::erase_if(cancelled_, [&](const auto& one) { return one.second.until <= now; });
  hold_for_the_starving(now, out);
}

void Scheduler::timer_fired(Job& job, Execution& execution, Time now, Output& out) {
  if (const auto* waited = std::get_if<Waiting>(&execution.phase)) {
    if (waited->until == start_of(job)) execution.reason.clear();
    return enqueue(job, execution, now);
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
  if (rules.lost_after_s && silent >= seconds(*rules.lost_after_s) + (rules.stop_after_s ? stop_grace : grace)) {
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
  if (attempt.reported == AttemptState::accepted &&
      in_phase >= seconds(job.spec->timeouts.fetching_s) + limits_.overdue) {
    const auto reason = "it did not begin within " + std::to_string(job.spec->timeouts.fetching_s) + " s";
    refused(job, execution, reason, true, now, out);
    return tell();
  }
  if (attempt.reported == AttemptState::running && in_phase >= seconds(job.spec->limits.time_s) + limits_.overdue) {
    attempt.reason = "it did not end at its time limit of " + std::to_string(job.spec->limits.time_s) + " s";
    settle_attempt(job, execution, AttemptState::failed, now, out);
    tell();
    return attempt_ended(job, execution, AttemptState::failed, now, out);
  }
  rearm(job, execution);
}

}  // namespace fieldwork::scheduler
