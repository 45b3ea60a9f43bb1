#include "agent/core/agent.hpp"

#include <algorithm>

namespace fieldwork::agent {

Agent::Agent(Limits limits, DeviceId device, Saved saved, Time now)
    : limits_(limits),
      device_(std::move(device)),
      epoch_(saved.epoch),
      session_(saved.session),
      attempts_(std::move(saved.attempts)),
      reports_(std::move(saved.reports)),
      next_seq_(saved.next_seq),
      report_due_(now),
      report_wait_(limits.report_again),
      enrol_due_(now),
      heartbeat_due_(now) {
  std::vector<std::pair<std::int64_t, AttemptKey>> ended;
  for (const auto& [key, attempt] : attempts_) {
    order_ = std::max(order_, attempt.order);
    if (attempt.phase == Phase::done) ended.emplace_back(attempt.order, key);
  }
  std::sort(ended.begin(), ended.end());
  for (auto& [order, key] : ended) done_.push_back(std::move(key));
}

void Agent::step(const Input& input, Time now, Effects& out) {
  std::visit([&](const auto& fact) { on(fact, now, out); }, input);
}

const Attempt* Agent::find(const AttemptKey& key) const {
  const auto it = attempts_.find(key);
  return it == attempts_.end() ? nullptr : &it->second;
}

std::vector<AttemptKey> Agent::live() const {
  std::vector<AttemptKey> out;
  for (const auto& [key, attempt] : attempts_) {
    if (attempt.phase != Phase::done && !attempt.stale) out.push_back(key);
  }
  return out;
}

void Agent::on(const Started& /*input*/, Time /*now*/, Effects& out) {
  for (auto& [key, attempt] : attempts_) {
    if (attempt.phase == Phase::running) {
      end(attempt, AttemptState::failed, "the agent was restarted while it ran", std::nullopt, out);
    } else if (attempt.phase == Phase::fetching) {
      out.push_back(Fetch{attempt.assign.package});
    }
  }
}

// --- the link -----------------------------------------------------------------------------------------------------

void Agent::on(const Connected& /*input*/, Time now, Effects& /*out*/) {
  connected_ = true;
  enrolled_ = false;
  enrol_due_ = heartbeat_due_ = report_due_ = now;
  report_wait_ = limits_.report_again;
  sent_up_to_ = 0;  // what was on its way may be lost
}

void Agent::on(const Disconnected& /*input*/, Time /*now*/, Effects& /*out*/) { connected_ = false; }

void Agent::on(const EnrolAnswered& input, Time now, Effects& /*out*/) {
  if (input.session != session_) return;
  enrolled_ = input.enrolled;
  heartbeat_ = seconds(input.heartbeat_s);
  heartbeat_due_ = std::min(heartbeat_due_, now + heartbeat_);
  if (!enrolled_) enrol_due_ = now + limits_.refused_again;
}

void Agent::on(const TimePassed& /*input*/, Time now, Effects& out) {
  if (!connected_) return;
  if (!enrolled_ && now >= enrol_due_) {
    out.push_back(SendEnrolment{});
    enrol_due_ = now + limits_.enrol_again;
  }
  if (now >= heartbeat_due_) {
    out.push_back(SendHeartbeat{});
    heartbeat_due_ = now + heartbeat_;
  }
}

// --- orders -------------------------------------------------------------------------------------------------------

std::optional<std::string> Agent::refuse(const AssignArrived& input) const {
  if (!input.grant) return "grant: " + describe(input.grant.error());
  const auto& grant = *input.grant;
  const auto& assign = input.assign;
  if (grant.key != assign.key) return "grant: is for another attempt";
  if (grant.device != device_) return "grant: is for device " + grant.device.value;
  if (grant.package != assign.package) return "grant: is for another package";
  if (grant.command_digest != input.command_digest) return "grant: is for another command";
  if (grant.limits != assign.limits) return "grant: is for other limits";
  if (input.wall_ms > grant.expires_ms) return "grant: has expired";
  return std::nullopt;
}

void Agent::on(const AssignArrived& input, Time now, Effects& out) {
  const auto& key = input.assign.key;
  if (attempts_.contains(key)) return;  // a repeat: the report stream answers it
  auto& attempt = attempts_[key];
  attempt.assign = input.assign;
  attempt.order = ++order_;
  if (auto reason = refuse(input)) return end(attempt, AttemptState::refused, std::move(*reason), std::nullopt, out);
  // An older attempt of the same execution has lost its lease: two must not run side by side here.
  const auto next = attempts_.upper_bound(key);
  if (next != attempts_.end() && next->first.job == key.job && next->first.execution == key.execution) {
    attempt.stale = true;  // this is the older one, and comes late
    return end(attempt, AttemptState::cancelled, "", std::nullopt, out);
  }
  std::vector<AttemptKey> older;
  for (auto it = attempts_.lower_bound({key.job, key.execution, 0}); it->first != key; ++it) older.push_back(it->first);
  for (const auto& other : older) on(StaleArrived{{.key = other}}, now, out);
  report({.key = key, .state = AttemptState::accepted});
  if (input.assign.package.empty()) return start(attempt, out);
  out.push_back(SaveAttempt{key});
  out.push_back(Fetch{input.assign.package});
}

void Agent::start(Attempt& attempt, Effects& out) {
  attempt.phase = Phase::running;
  report({.key = attempt.assign.key, .state = AttemptState::running});
  out.push_back(SaveAttempt{attempt.assign.key});
  out.push_back(Run{attempt.assign});
}

void Agent::on(const PackageReady& input, Time /*now*/, Effects& out) {
  for (auto& [key, attempt] : attempts_) {
    if (attempt.phase != Phase::fetching || attempt.assign.package != input.digest) continue;
    if (attempt.stale) {
      end(attempt, AttemptState::cancelled, "", std::nullopt, out);
    } else {
      start(attempt, out);
    }
  }
}

void Agent::on(const PackageRefused& input, Time /*now*/, Effects& out) {
  for (auto& [key, attempt] : attempts_) {
    if (attempt.phase != Phase::fetching || attempt.assign.package != input.digest) continue;
    end(attempt, AttemptState::refused, "package: " + input.reason, std::nullopt, out);
  }
}

void Agent::on(const CancelArrived& input, Time /*now*/, Effects& out) {
  const auto& key = input.cancel.key;
  auto& attempt = attempts_[key];  // not seen yet: remembered as done, so that a late assignment does not run
  attempt.assign.key = key;
  if (attempt.assign.traceparent.empty()) attempt.assign.traceparent = input.cancel.traceparent;
  if (attempt.order == 0) attempt.order = ++order_;
  if (attempt.phase == Phase::running) {
    attempt.cancelled = true;
    out.push_back(Kill{key});
    return;
  }
  if (attempt.phase == Phase::done) return report({.key = key, .state = AttemptState::cancelled});
  end(attempt, AttemptState::cancelled, "cancelled on request", std::nullopt, out);
}

void Agent::on(const StaleArrived& input, Time /*now*/, Effects& out) {
  const auto it = attempts_.find(input.stale.key);
  if (it == attempts_.end() || it->second.phase == Phase::done) return;
  it->second.stale = true;
  if (it->second.phase == Phase::running) {
    out.push_back(Kill{it->first});
  } else {
    end(it->second, AttemptState::cancelled, "", std::nullopt, out);
  }
}

void Agent::on(const RunEnded& input, Time /*now*/, Effects& out) {
  const auto it = attempts_.find(input.key);
  if (it == attempts_.end() || it->second.phase != Phase::running) return;
  auto state = AttemptState::succeeded;
  std::string reason = input.reason;
  if (it->second.cancelled) {
    state = AttemptState::cancelled;
    reason = "cancelled on request";
  } else if (!input.result || !reason.empty() || input.result->exit_code != 0) {
    state = AttemptState::failed;
    if (reason.empty()) reason = "exit code " + std::to_string(input.result->exit_code);
  }
  end(it->second, state, std::move(reason), input.result, out);
}

void Agent::end(Attempt& attempt, AttemptState state, std::string reason, std::optional<RunResult> result,
                Effects& out) {
  attempt.phase = Phase::done;
  const auto key = attempt.assign.key;
  Assign bare;
  bare.key = key;
  bare.traceparent = attempt.assign.traceparent;
  attempt.assign = bare;
  if (!attempt.stale) report({.key = key, .state = state, .reason = std::move(reason), .result = std::move(result)});
  out.push_back(SaveAttempt{key});
  done_.push_back(key);
  prune(out);
}

void Agent::prune(Effects& out) {
  while (done_.size() > limits_.done_max) {
    attempts_.erase(done_.front());
    out.push_back(DropAttempt{done_.front()});
    done_.pop_front();
  }
}

// --- the report stream --------------------------------------------------------------------------------------------

void Agent::report(AttemptReport report) {
  if (const auto of = attempts_.find(report.key); of != attempts_.end())
    report.traceparent = of->second.assign.traceparent;
  const auto same = std::find_if(unsent_.begin(), unsent_.end(), [&](const auto& r) { return r.key == report.key; });
  if (same == unsent_.end()) {
    unsent_.push_back(std::move(report));
  } else {
    *same = std::move(report);
  }
}

void Agent::flush(Time now, Effects& out) {
  for (auto& report : unsent_) {
    out.push_back(SaveReport{next_seq_, report});
    reports_.emplace(next_seq_++, std::move(report));
  }
  unsent_.clear();
  if (!connected_ || reports_.empty()) return;
  if (now >= report_due_) {
    sent_up_to_ = 0;  // nobody answered: from the first one again
    report_due_ = now + report_wait_;
    report_wait_ = std::min(report_wait_ * 2, limits_.report_again_max);
  }
  send_from(std::max(sent_up_to_ + 1, reports_.begin()->first), out);
}

void Agent::send_from(std::int64_t seq, Effects& out) {
  auto it = reports_.lower_bound(seq);
  while (it != reports_.end()) {
    SendReports message{.seq = it->first};
    std::size_t bytes = 0;
    while (it != reports_.end() && message.items.size() < limits_.report_items_max) {
      std::size_t size = 256;
      if (it->second.result) {
        size += it->second.result->stdout_text.size() + it->second.result->stderr_text.size();
        for (const auto& file : it->second.result->files) size += file.content ? file.content->size() * 4 / 3 : 0;
      }
      if (!message.items.empty() && bytes + size > limits_.report_bytes_max) break;
      bytes += size;
      message.items.push_back(it->second);
      sent_up_to_ = it->first;
      ++it;
    }
    out.push_back(std::move(message));
  }
}

void Agent::on(const AckArrived& input, Time now, Effects& out) {
  if (input.epoch != epoch_ || reports_.empty() || input.seq < reports_.begin()->first) return;
  const auto first = reports_.begin()->first;
  reports_.erase(reports_.begin(), reports_.upper_bound(input.seq));
  out.push_back(DropReports{first, std::min(input.seq, next_seq_ - 1)});
  report_wait_ = limits_.report_again;
  report_due_ = now + report_wait_;
}

}  // namespace fieldwork::agent
