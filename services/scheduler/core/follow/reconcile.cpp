// When the device of an attempt that silence ended comes back with it (docs/decisions/0024).
#include <algorithm>

#include "scheduler/core/scheduler.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {
namespace {

// The share of the work that is done: as the program says; else by how long such work takes.
double share_done(const std::optional<RunProgress>& progress, Duration ran, std::optional<Duration> expected) {
  if (progress && progress->fraction) return *progress->fraction;
  if (!expected || *expected <= Duration{}) return 0;
  return std::clamp(std::chrono::duration<double>(ran) / std::chrono::duration<double>(*expected), 0.0, 1.0);
}

}  // namespace

// Before the attempt is given up for its silence: its device may come back with it.
void Scheduler::remember_original(const Job& job, Execution& execution) {
  if (job.spec->offline.reconcile == Reconcile::keep_replacement || !contract(job, execution).replace) return;
  const auto& attempt = *execution.attempt;
  const auto& original = execution.original;
  const bool never_there = attempt.went_on && attempt.reported == AttemptState::assigned;
  if (never_there && original && original->device == attempt.device) return;  // the device has what it had
  execution.original =
      Original{attempt.key.fence, attempt.device, attempt.number, attempt.created_ms, attempt.progress};
}

double Scheduler::score_there(const Job& job, const Execution& execution, const DeviceId& device, Time now) const {
  const auto number = fleet_.number_of(device);
  if (!number) return 0;
  // That it was lost there counts against it as a place to try again, not as the one where it is.
  const auto score = rate(want_of(job, execution, now), fleet_, *number, fleet_.view(*number).used, limits_);
  return score.score - score.history;
}

// `done`: it has its result.
bool Scheduler::original_stays(const Job& job, const Execution& execution, bool done, Time now) const {
  if (job.spec->offline.reconcile == Reconcile::keep_original || !execution.is<Live>()) return true;
  const auto& original = *execution.original;
  const auto& attempt = *execution.attempt;
  const auto expected = durations_.expected(job.durations);
  const auto share = [&](const std::optional<RunProgress>& progress, std::int64_t created_ms) {
    return share_done(progress, now - std::max(from_ms(created_ms), start_of(job)), expected);
  };
  return score_there(job, execution, original.device, now) +
             (done ? 1.0 : share(original.progress, original.created_ms)) >=
         score_there(job, execution, attempt.device, now) + share(attempt.progress, attempt.created_ms);
}

// The device speaks of an attempt that is not live here. True: it goes on with it, or is about to.
bool Scheduler::returned(const DeviceId& device, const AttemptKey& key, Time now, Output& out) {
  Job* job = nullptr;
  auto* execution = find(key, job);
  if (execution == nullptr || settled(execution->state)) return false;
  // Its next attempt is on its way to the same device, which goes on with the program under the newer fence.
  if (execution->is<Live>() && execution->attempt->device == device && key.fence < execution->fence &&
      execution->attempt->reported == AttemptState::assigned)
    return true;
  const auto& original = execution->original;
  if (!original || original->device != device || original->fence != key.fence) return false;
  if (execution->claimed == device) return true;
  if (!execution->target.empty() && execution->target != device) return false;
  const auto number = fleet_.number_of(device);
  if (!number) {
    execution->original.reset();
    touch(*job, *execution);
    return false;
  }
  const auto& view = fleet_.view(*number);
  const bool live = execution->is<Live>();
  if (live && execution->attempt->device == device) return false;
  // What replaces it is not given up before it is known that the device may have the work: its heartbeat may come
  // before the registry's word that it is back.
  const auto presence = view.device.presence;
  const bool there = presence == Presence::online || presence == Presence::suspect || presence == Presence::starting;
  if (!there && !barred(view.device.lifecycle)) return true;
  const auto may = claim_of(fleet_, *number, view.used, *job, *execution, limits_, now);
  if (may == Claim::none) {
    execution->original.reset();
    touch(*job, *execution);
    return false;
  }
  if (may == Claim::waits) return true;  // its room is another's by now, or its word is not trusted yet
  const auto other = live ? execution->attempt->device : DeviceId{};
  if (!original_stays(*job, *execution, false, now)) {
    out.moved.push_back(
        {Moved::What::reconciled, execution->attempt->key, device, other, "the replacement is the better", false});
    execution->original.reset();
    touch(*job, *execution);
    return false;
  }
  const auto reason = device.value + " came back with it";
  out.moved.push_back({Moved::What::reconciled, key, other, device, reason, true});
  if (live) {
    cancel_attempt(*job, *execution, reason, now, out);
  } else {
    withdraw(*job, *execution);
  }
  execution->claimed = device;
  execution->losses = std::max(0, execution->losses - 1);  // it was away, and is not lost
  execution->avoid.erase(device);
  execution->reason = reason;
  enqueue(*job, *execution, now);
  touch(*job, *execution);
  refresh(*job, now, out);
  return true;
}

// A report of an original attempt whose execution has a replacement. True: the report was taken.
bool Scheduler::original_reports(const DeviceId& device, const AttemptReport& report, Time now, Output& out) {
  Job* job = nullptr;
  auto* execution = find(report.key, job);
  if (execution == nullptr || settled(execution->state) || !execution->original) return false;
  const auto& original = *execution->original;
  if (original.device != device || original.fence != report.key.fence) return false;
  if (report.part) return out.parts.push_back({report.key, *report.part}), true;
  if (!settled(report.state)) return returned(device, report.key, now, out);
  if (report.state != AttemptState::succeeded) {
    execution->original.reset();  // whatever became of it: it does not run any more
    if (execution->claimed == device) execution->claimed = {};
    touch(*job, *execution);
    return false;
  }
  if (!original_stays(*job, *execution, true, now)) return false;
  const bool live = execution->is<Live>();
  const auto other = live ? execution->attempt->device : DeviceId{};
  const auto reason = device.value + " came back with its result";
  out.moved.push_back({Moved::What::reconciled, report.key, other, device, reason, true});
  Attempt attempt;
  attempt.key = report.key;
  attempt.number = original.number;
  attempt.device = device;
  attempt.state = attempt.reported = AttemptState::succeeded;
  attempt.reason = report.reason;
  attempt.created_ms = original.created_ms;
  attempt.changed_ms = to_ms(now);
  attempt.stored = true;
  add_end(attempt, report);
  if (live) {
    cancel_attempt(*job, *execution, reason, now, out);
    save_attempt(*execution, out);
  } else if (execution->attempt && touched_.contains({job->id, execution->index})) {
    save_attempt(*execution, out);  // it may have ended in this batch
  }
  execution->attempt = std::move(attempt);
  occupy(*job, device, 1);
  for (const auto& key : {assign_key(report.key), inquire_key(report.key)}) out.outbox.emplace_back(CloseCommand{key});
  attempt_ended(*job, *execution, AttemptState::succeeded, now, out);
  return true;
}

// The device is told until it answers, or until it can no longer begin (command_life_max). What becomes of the
// execution is the caller's next step.
void Scheduler::cancel_attempt(Job& job, Execution& execution, const std::string& reason, Time now, Output& out) {
  auto& attempt = *execution.attempt;
  attempt.reason = reason;
  Left left{{.need = job.spec->requirements, .name = job.spec->name}, now + room_kept};
  fleet_.reserve(attempt.device, left.load, 1);  // before the attempt's own is given back
  timers_.set(left.until, RoomBack{attempt.device, attempt.key});
  leaving_[attempt.device][attempt.key] = std::move(left);
  settle_attempt(job, execution, AttemptState::cancelled, now, out);
  out.outbox.emplace_back(PutCommand{.key = cancel_key(attempt.key),
                                     .device = attempt.device,
                                     .command = Cancel{attempt.key, job.traceparent},
                                     .life = command_life_max});
  auto& cancelled = cancelled_[attempt.key] = {attempt, now + command_life_max};
  cancelled.attempt.stored = true;  // this batch saves its row
  timers_.set(cancelled.until, CancelOver{attempt.key});
}

void Scheduler::give_room_back(const DeviceId& device, const AttemptKey& key) {
  const auto there = leaving_.find(device);
  if (there == leaving_.end()) return;
  const auto left = there->second.extract(key);
  if (left.empty()) return;
  if (there->second.empty()) leaving_.erase(there);
  timers_.clear(left.mapped().until, RoomBack{device, key});
  fleet_.reserve(device, left.mapped().load, -1);
  wake_for_room(device);
}

}  // namespace fieldwork::scheduler
