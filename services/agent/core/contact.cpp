// The link: enrolment, heartbeats, the report stream, and what contracts demand while nobody answers.
#include <algorithm>
#include <utility>

#include "agent/core/agent.hpp"

namespace fieldwork::agent {

void Agent::on(const Connected& /*input*/, Time now, Output& out) {
  const auto away = away_since_ ? now - *away_since_ : Duration{};
  away_since_.reset();
  if (away >= limits_.away_told_after) {
    const auto text =
        "the link was away for " + std::to_string(std::chrono::duration_cast<seconds>(away).count()) + " s: it went on";
    for (const auto& key : live_) {
      if (auto& attempt = attempts_.at(key); attempt.phase == Phase::running && now - attempt.since >= away)
        decide(attempt, text, now, out);
    }
  }
  connected_ = true;
  enrolled_ = false;
  enrol_due_ = heartbeat_due_ = now;
  enrols_ = 0;
  beats_.clear();
  reports_.connected(now);
  tell_progress_again();
}

void Agent::on(const Disconnected& /*input*/, Time now, Output& /*out*/) {
  connected_ = false;
  if (!away_since_) away_since_ = now;
  reports_.disconnected();
}

void Agent::on(const EnrolAnswered& input, Time now, Output& out) {
  if (input.session != session_) return;
  if (input.unknown) {  // also while an enrolment is on its way
    if (std::exchange(enrolled_, false)) enrol_due_ = now;
    return;
  }
  if (input.enrolled && !enrolled_) heartbeat_due_ = now;  // until a heartbeat arrives the device is `starting`
  enrolled_ = input.enrolled;
  refused_ = input.enrolled ? std::nullopt : std::optional(input.reason);
  heartbeat_ = seconds(input.heartbeat_s);
  heartbeat_due_ = std::min(heartbeat_due_, now + at_rest());
  if (!enrolled_) enrol_due_ = now + limits_.refused_again;
  if (input.now_ms == 0) return;
  registry_clock_ = {input.now_ms, now};
  clock_offset_ms_ = input.wall_ms - input.now_ms;
  if (std::abs(clock_offset_ms_) > 60'000) {
    out.notices.push_back({"this device's clock is " + std::to_string(clock_offset_ms_ / 1000) +
                           " s off the registry's; grants are judged by the registry's"});
  }
}

// An earlier version arrives late, or twice: the answer names the one that is followed.
void Agent::on(const ConfigurationArrived& input, Time now, Output& out) {
  if (input.configuration.version > configuration_.version) {
    if (input.configuration.prune != configuration_.prune) out.acts.emplace_back(Prune{});
    configuration_ = input.configuration;
    out.configuration = configuration_;
    heartbeat_due_ = std::min(heartbeat_due_, now + at_rest());
    if (configuration_.lifecycle == Lifecycle::inactive) stop_all(now, out);
  }
  out.configured = configuration_.version;
}

// The registry's time now; without it, the device's own clock, which may be years off, or jump.
std::int64_t Agent::trusted_ms(std::int64_t wall_ms, Time now) const {
  if (!registry_clock_) return wall_ms;
  return registry_clock_->first + std::chrono::duration_cast<milliseconds>(now - registry_clock_->second).count();
}

std::optional<std::int64_t> Agent::registry_ms(Time now) const {
  return registry_clock_ ? std::optional(trusted_ms(0, now)) : std::nullopt;
}

// The device's clock may jump between two looks at it; the registry's goes on by the monotonic clock.
std::int64_t Agent::clock_ms(Time now) const {
  const auto own = wall_ ? wall_->first + std::chrono::duration_cast<milliseconds>(now - wall_->second).count() : 0;
  return trusted_ms(own, now);
}

void Agent::on(const TimePassed& input, Time now, Output& out) {
  wall_ = {input.wall_ms, now};
  enforce(now, out);
  if (!connected_) return;
  if (!enrolled_ && now >= enrol_due_) {
    out.enrol = true;
    // Less and less often: a fleet of which all devices enrol at once is answered in turn.
    const auto wait = std::min(limits_.enrol_again * (1 << std::min(enrols_, 4)), limits_.enrol_again_max);
    ++enrols_;
    enrol_due_ = now + wait - wait / 4 * static_cast<std::int64_t>(random_ % 1024) / 1024;
  }
  if (now >= heartbeat_due_ && input.beat_idle) beat(now, out);
  if (enrolled_ && input.beat_idle) say_progress(now, out);
}

// Whoever hears this device from now on may have forgotten it.
void Agent::tell_progress_again() {
  for (const auto& key : live_) {
    if (attempts_.at(key).progress) progressed_.insert(key);
  }
}

// Of more than fit into one message the others come first in the next.
void Agent::say_progress(Time now, Output& out) {
  if (progressed_.empty() || now < progress_due_) return;
  auto next = progressed_.upper_bound(progress_last_);
  while (!progressed_.empty() && out.progress.size() < limits::progress_items_max) {
    if (next == progressed_.end()) next = progressed_.begin();
    progress_last_ = *next;
    next = progressed_.erase(next);
    const auto& attempt = attempts_.at(progress_last_);
    if (attempt.progress) out.progress.emplace_back(progress_last_, *attempt.progress);
  }
  progress_due_ = now + limits_.progress_every;
}

// limits.messages_per_s is covered by the grant: without it no line leaves the device, and none comes in.
void Agent::on(const LinesWritten& input, Time /*now*/, Output& out) {
  const auto* attempt = of_program(input.mail.key);
  if (attempt == nullptr || attempt->assign.limits.messages_per_s == 0 || !enrolled_ || input.mail.lines.empty())
    return;
  out.mail.push_back({attempt->assign.key, input.mail.lines});
}

void Agent::on(const LinesHeard& input, Time /*now*/, Output& out) {
  const auto it = attempts_.find(input.mail.key);
  if (it == attempts_.end() || it->second.phase != Phase::running || it->second.assign.limits.messages_per_s == 0)
    return;
  out.acts.emplace_back(Deliver{{program(it->second), input.mail.lines}});
}

// A new connection, or new work, ends it: the machine was not suspended, or is awake again. It is as quiet as its
// contracts allow, and no longer than it wanted to sleep.
void Agent::on(const SleepAnnounced& input, Time now, Output& /*out*/) {
  auto quiet = std::min<Duration>(limits_.quiet_before_sleep, seconds{input.sleep_s});
  for (const auto& key : live_) quiet = std::min(quiet, beat_interval(attempts_.at(key).assign.contract));
  heartbeat_due_ = std::max(heartbeat_due_, now + quiet);
}

void Agent::beat(Time now, Output& out) {
  out.heartbeat = SendHeartbeat{++beat_, live(), clock_offset_ms_, outcomes_};
  beats_.emplace_back(beat_, now);
  if (beats_.size() > limits_.beats_max) beats_.pop_front();
  auto interval = at_rest();
  for (const auto& key : live_) interval = std::min(interval, beat_interval(attempts_.at(key).assign.contract));
  // Up to a tenth earlier: devices that connected together, when the broker came back, do not beat together for ever.
  heartbeat_due_ = now + interval - interval / 10 * static_cast<std::int64_t>(random_ % 1024) / 1024;
}

Duration Agent::at_rest() const {
  return configuration_.heartbeat_s ? seconds(*configuration_.heartbeat_s) : heartbeat_;
}

Duration Agent::beat_interval(const Contract& contract) const {
  auto interval = std::min(at_rest(), limits_.working_beat);
  for (const auto& bound : {contract.stop_after_s, contract.lost_after_s}) {
    if (bound) interval = std::min<Duration>(interval, std::max<Duration>(seconds(*bound) / 3, milliseconds(500)));
  }
  return interval;
}

void Agent::hold(const AttemptKey& key, Time now) {
  held_.emplace(key, beat_);
  heartbeat_due_ = now;
}

std::optional<Time> Agent::contract_end(const Attempt& attempt) const {
  const auto& contract = attempt.assign.contract;
  if (!contract.stop_after_s || attempt.stopped || attempt.stale || attempt.cancelled) return std::nullopt;
  return std::max(contact_, attempt.came) + seconds(*contract.stop_after_s);
}

std::vector<std::pair<AttemptKey, Time>> Agent::contract_ends() const {
  std::vector<std::pair<AttemptKey, Time>> out;
  for (const auto& key : live_) {
    const auto& attempt = attempts_.at(key);
    if (const auto at = contract_end(attempt); at && attempt.phase == Phase::running)
      out.emplace_back(program(attempt), *at);
  }
  return out;
}

// What is here begins at its time; what is not here by then may take the usual time from then on.
void Agent::wait_for_package(Attempt& attempt, Time now, Output& out) {
  const bool early = is_before_its_time(attempt, now);
  if (attempt.staged && !early) {
    attempt.since = now;
    attempt.staged = false;
    return resume(attempt, now, out);
  }
  if (attempt.staged && !attempt.assign.package.empty() && now - attempt.since >= limits_.fetch_again) {
    attempt.since = now;
    out.acts.emplace_back(Fetch{attempt.assign.package, attempt.assign.priority, attempt.assign.executions});
  }
  if (early) return;
  auto waited = now - attempt.since;
  if (const auto& start = attempt.assign.contract.start_at_ms)
    waited = std::min<Duration>(waited, milliseconds(clock_ms(now) - *start));
  if (waited < seconds(attempt.assign.fetching_s)) return;
  settle(attempt,
         {.state = AttemptState::rejected,
          .reason = "package: not here within " + std::to_string(attempt.assign.fetching_s) + " s"},
         now, out);
}

// Ends what has had no contact for stop_after_s, with or without a link; and what was fetching for too long.
void Agent::enforce(Time now, Output& out) {
  const auto live = live_;
  for (const auto& key : live) {
    auto& attempt = attempts_.at(key);
    const auto& contract = attempt.assign.contract;
    const auto at = contract_end(attempt);
    if (!at || now < *at) {
      if (attempt.phase == Phase::fetching) wait_for_package(attempt, now, out);
      continue;
    }
    if (attempt.phase == Phase::running) {
      attempt.stopped = true;
      decide(attempt, "no contact for " + std::to_string(*contract.stop_after_s) + " s: stopped, as its contract says",
             now, out);
      out.acts.emplace_back(Kill{program(attempt)});
      out.notices.push_back(
          {"no contact for " + std::to_string(*contract.stop_after_s) + " s: its contract stops " + key.job.value});
    } else {
      settle(attempt,
             {.state = AttemptState::lost,
              .reason = "its contract ended it before it began: no contact for " +
                        std::to_string(*contract.stop_after_s) + " s"},
             now, out);
    }
  }
}

// The heartbeat `beat`, sent at `sent`, is confirmed.
void Agent::contact(std::int64_t beat, Time sent, Time now, Output& out) {
  contact_ = std::max(contact_, sent);
  for (auto it = held_.begin(); it != held_.end();) {
    if (beat <= it->second) {
      ++it;
      continue;
    }
    const auto key = it->first;
    it = held_.erase(it);
    resume(attempts_.at(key), now, out);
  }
}

void Agent::on(const AckArrived& input, Time now, Output& out) {
  if (input.beat > 0) {
    while (!beats_.empty() && beats_.front().first <= input.beat) {
      if (beats_.front().first == input.beat) contact(input.beat, beats_.front().second, now, out);
      beats_.pop_front();
    }
  }
  if (input.ask) tell_what_is_here(input.answer, now, out);
  Reports::Changes changes;
  if (reports_.answered(input.answer, input.wall_ms, now, changes)) {
    out.notices.push_back(
        {"the scheduler knows another history of this device (a copy or an older state was restored); "
         "reports go on as epoch " +
         std::to_string(reports_.state().epoch)});
  }
  save_stream(changes, out);
}

// A heartbeat at once, so that no other device is given what this one has. A scheduler whose position is behind what
// was acknowledged has forgotten some of the attempts that ended since. Only the scheduler can say which: it is told
// the newest.
void Agent::tell_what_is_here(const StreamAnswer& answer, Time now, Output& out) {
  if (!connected_) return;
  tell_progress_again();
  beat(now, out);
  auto& ended = out.heartbeat->ended.emplace();
  const auto& state = reports_.state();
  const auto acked = state.waiting.empty() ? state.next_seq - 1 : state.waiting.begin()->first - 1;
  if (answer.epoch > state.epoch || (answer.epoch == state.epoch && answer.seq >= acked)) return;
  for (auto it = settled_.rbegin(); it != settled_.rend() && ended.size() < limits::ended_per_heartbeat_max; ++it)
    ended.push_back(*it);
}

void Agent::save_stream(const Reports::Changes& changes, Output& out) {
  for (const auto seq : changes.dropped) out.reports.push_back({seq, std::nullopt});
  for (const auto seq : changes.added) out.reports.push_back({seq, reports_.state().waiting.at(seq)});
  if (!changes.position) return;
  const auto& state = reports_.state();
  out.position = Position{state.epoch, state.next_seq, state.acked_tag};
}

void Agent::on(const BatchEnded& input, Time now, Output& out) {
  random_ = input.random;
  Reports::Changes changes;
  reports_.number(input.random, changes);
  save_stream(changes, out);
  for (auto& message : reports_.due(now, input.reports_idle)) out.messages.push_back(std::move(message));
}

}  // namespace fieldwork::agent
