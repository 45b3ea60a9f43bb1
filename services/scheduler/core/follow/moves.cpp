// Work that its device has, and has not begun, leaves the device when what is measured of it falls below what the job
// requires, as when its health falls (docs/decisions/0027). At most one move for each job and move_every.
#include <cmath>
#include <limits>

#include "scheduler/core/scheduler.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {
namespace {

// A program that begins while it is told to end loses what it has done: so only what may be preempted moves.
bool may_move(const Job& job, const Execution& execution) {
  if (!execution.is<Live>() || !execution.target.empty() || !may_be_preempted(*job.spec)) return false;
  const auto& attempt = *execution.attempt;
  return !is_told_to_end(attempt) && attempt.state != AttemptState::unreachable &&
         attempt.reported != AttemptState::running;
}

// What is not known says nothing against the device: after its agent's start it has not measured its link yet.
Measures known_measures_of(const Device& device) {
  auto out = measures_of(device);
  if (std::isinf(out.latency_ms)) out.latency_ms = 0;
  if (out.bandwidth_mbit < 0) out.bandwidth_mbit = std::numeric_limits<double>::infinity();
  return out;
}

}  // namespace

void Scheduler::look_at_health(const DeviceId& device, Time now, Output& out) {
  if (!sick_.contains(device)) move_away(device, now, out);  // else it is looked at when its timer fires
}

void Scheduler::fired(const SickLook& due, Time /*at*/, Time now, Output& out) { move_away(due.device, now, out); }

// Looks at some attempts of the device, in turn. While one is left that should move, it is looked at again: another
// device may fit by then. What was not heard since a restart may run already.
void Scheduler::move_away(const DeviceId& device, Time now, Output& out) {
  const auto before = sick_.extract(device);
  const auto there = on_device_.find(device);
  const auto* view = fleet_.find(device);
  if (there == on_device_.end() || view == nullptr || view->device.presence != Presence::online) return;
  const auto measures = known_measures_of(view->device);
  const auto& keys = there->second;
  auto next = before ? keys.upper_bound(before.mapped()) : keys.begin();
  bool left = false;
  std::size_t looked = 0;
  AttemptKey last;
  for (std::size_t i = 0; i < keys.size() && looked < moves_looked_max; ++i, ++next) {
    if (next == keys.end()) next = keys.begin();
    Job* job = nullptr;
    Execution* execution = find(*next, job);
    if (execution == nullptr || !may_move(*job, *execution) || meets(job->spec->requirements, measures)) continue;
    left = true;
    last = *next;
    ++looked;
    const bool heard = !hearing_ && std::get<Live>(execution->phase).contact > hears_since_;
    const bool may = job->moved_at == Time{} || now >= job->moved_at + move_every;
    if (!heard || !may || !describe(want_of(*job, *execution, now), fleet_, limits_).chosen) continue;
    const auto why = unmet(job->spec->requirements, measures);
    execution->attempt->moves = std::string(why.requirement) + " " + why.reason;
    job->moved_at = now;
    tell_to_end(*job, *execution, out);
  }
  if (!left) return;
  sick_.emplace(device, last);
  timers_.set(now + move_every, SickLook{device});
}

// As an operator's cancel would. The report of its end gives the room back.
void Scheduler::tell_to_end(const Job& job, const Execution& execution, Output& out) {
  const auto& attempt = *execution.attempt;
  out.outbox.emplace_back(CloseCommand{assign_key(attempt.key)});
  out.outbox.emplace_back(PutCommand{
      .key = cancel_key(attempt.key), .device = attempt.device, .command = Cancel{attempt.key, job.traceparent}});
  touch(job, execution);
}

}  // namespace fieldwork::scheduler
