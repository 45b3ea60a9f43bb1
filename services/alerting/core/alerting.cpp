#include "alerting/core/alerting.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"

namespace fieldwork::alerting {
namespace {

struct Rule {
  const char* name;
  const char* all;    // a command that shows all subjects
  const char* one;    // a command that shows one, the subject following; empty: there is none
  const char* words;  // of the alert of the many, after their number
  bool fades;         // resolves after forget_after
};
constexpr Rule rules[] = {
    {"device_lost", "fieldwork device ls", "fieldwork device show ", "more devices are lost", false},
    {"device_health", "fieldwork device ls", "fieldwork device show ", "more devices are unwell", false},
    {"device_duplicated", "fieldwork device ls", "fieldwork device show ", "more identities are used twice", false},
    {"device_claimed", "fieldwork device ls", "fieldwork device show ", "more ids are claimed by another key", true},
    {"device_unplaceable", "fieldwork device ls", "fieldwork device show ", "more devices get no work", false},
    {"job_failed", "fieldwork job ls --state failed", "fieldwork job show ", "more jobs failed", true},
    {"job_quarantined", "fieldwork job ls --state quarantined", "fieldwork job explain ", "more jobs are quarantined",
     true},
    {"transfer_failed", "fieldwork package ls", "", "more transfers failed", true},
    {"audit_broken", "fieldwork doctor", "", "more audits are broken", false},
};

const Rule& rule_of(const std::string& name) {
  for (const auto& rule : rules) {
    if (name == rule.name) return rule;
  }
  return rules[0];  // a saved alert of a rule that no longer exists
}

}  // namespace

std::string next_step(const Alert& alert) {
  const auto& rule = rule_of(alert.rule);
  return alert.subject == many || *rule.one == 0 ? rule.all : rule.one + alert.subject;
}

std::string alert_id(const std::string& rule, const std::string& subject) {
  auto id = rule + "." + subject;
  return is_id(id) ? id : rule + "." + crypto::to_hex(crypto::sha256(subject)).substr(0, 32);
}

Alerting::Alerting(Limits limits, Saved saved) : limits_(limits) {
  for (auto& alert : saved.alerts) {
    const auto id = alert.id;
    alerts_.emplace(id, std::move(alert));
  }
  limits_.rule_max = std::max<std::size_t>(1, std::min(limits_.rule_max, limits_.alerts_max / 8));
  for (const auto& [id, alert] : alerts_) {
    if (!alert.firing) continue;
    if (alert.subject != many) {
      ++firing_[alert.rule];
    } else {
      many_[alert.rule].notified = alert.value;
    }
  }
  for (auto& one : saved.notifications) {
    next_number_ = std::max(next_number_, one.number + 1);
    auto& newest = newest_[one.alert.id];
    newest = std::max(newest, one.number);
    const auto number = one.number;
    queue_[number] = Waiting{std::move(one), 0, Time{}};
  }
}

const Alert* Alerting::find(const std::string& id) const {
  const auto it = alerts_.find(id);
  return it == alerts_.end() ? nullptr : &it->second;
}

void Alerting::step(const Input& input, Time now, Output& out) {
  std::visit([&](const auto& one) { apply(one, now, out); }, input);
}

void Alerting::apply(const DeviceSeen& input, Time now, Output& out) {
  const auto& subject = input.device.value;
  const bool wanted = trusted(input.lifecycle);
  if (wanted && input.presence == Presence::lost) {
    fire("device_lost", subject, 1, input.reason.empty() ? "the device is lost" : input.reason, now, out);
  } else {
    resolve("device_lost", subject,
            "the device is " + std::string(wanted ? name(input.presence) : name(input.lifecycle)), now, out);
  }
  const bool online = wanted && input.presence == Presence::online;
  if (online && input.health < limits_.health_below) {
    fire("device_health", subject, input.health, "health is low", now, out);
  } else if (barred(input.lifecycle) || (online && input.health >= limits_.health_below + limits_.health_margin)) {
    resolve("device_health", subject, "health is good or no longer asked for", now, out);
  }
  if (input.duplicated) {
    fire("device_duplicated", subject, 1, "two devices use this identity: issue one of them its own", now, out);
  } else {
    resolve("device_duplicated", subject, "one device uses this identity", now, out);
  }
  if (input.claimed != Time{} && now - input.claimed < limits_.claimed_for) {
    fire("device_claimed", subject, 1,
         "a device with another key asks for this id: remove the device if it was replaced", now, out);
  } else {
    resolve("device_claimed", subject, "nobody else asks for this id any more", now, out);
  }
}

void Alerting::apply(const DeviceGone& input, Time now, Output& out) {
  resolve("device_lost", input.device.value, "the device is gone", now, out);
  resolve("device_health", input.device.value, "the device is gone", now, out);
  resolve("device_duplicated", input.device.value, "the device is gone", now, out);
  resolve("device_claimed", input.device.value, "the device is gone", now, out);
  resolve("device_unplaceable", input.device.value, "the device is gone", now, out);
}

void Alerting::apply(const PlacementSeen& input, Time now, Output& out) {
  if (input.placeable) return resolve("device_unplaceable", input.device.value, "the device gets work", now, out);
  fire("device_unplaceable", input.device.value, 1, input.reason.empty() ? "the device gets no work" : input.reason,
       now, out);
}

void Alerting::apply(const JobSeen& input, Time now, Output& out) {
  const auto& subject = input.job.value;
  const bool failed = !input.quarantined && input.state == JobState::failed;
  const auto is = "the job is " + (input.quarantined ? "quarantined" : std::string(name(input.state)));
  if (!failed) resolve("job_failed", subject, is, now, out);
  if (!input.quarantined) resolve("job_quarantined", subject, is, now, out);
  if ((!failed && !input.quarantined) || now - input.changed >= limits_.forget_after) return;
  const auto fallback = failed ? "the job failed" : "several devices were lost under it";
  fire(failed ? "job_failed" : "job_quarantined", subject, 1, input.reason.empty() ? fallback : input.reason, now, out);
}

void Alerting::apply(const TransferSeen& input, Time now, Output& out) {
  if (!input.failed) return resolve("transfer_failed", input.transfer.value, "the transfer goes on", now, out);
  if (now - input.changed >= limits_.forget_after) return;
  fire("transfer_failed", input.transfer.value, 1, input.reason.empty() ? "the transfer failed" : input.reason, now,
       out);
}

void Alerting::apply(const AuditSeen& input, Time now, Output& out) {
  if (!input.broken) return resolve("audit_broken", "head", "it is no news any more", now, out);
  fire("audit_broken", "head", 1, input.reason, now, out);
}

void Alerting::change(Alert& alert, bool told, Time now, Output& out) {
  alert.changed = now;
  changed_.insert(alert.id);
  if (told) notify(alert, now, out);
}

std::size_t Alerting::firing(const std::string& rule) const {
  const auto found = firing_.find(rule);
  return found == firing_.end() ? 0 : found->second;
}

void Alerting::fire(const std::string& rule, const std::string& subject, double value, const std::string& reason,
                    Time now, Output& out) {
  const auto id = alert_id(rule, subject);
  const auto found = alerts_.find(id);
  if (found != alerts_.end() && found->second.firing) {
    auto& alert = found->second;
    if (std::abs(alert.value - value) < 0.05) return;
    alert.value = value;  // worth showing, but no notification
    alert.reason = reason;
    return change(alert, false, now, out);
  }
  if (firing(rule) >= limits_.rule_max || (found == alerts_.end() && !make_room())) {
    return overflow(rule, subject, now, out);
  }
  leave_many(rule, subject, now, out);
  ++firing_[rule];
  auto& alert = alerts_[id];
  alert = Alert{id, rule, subject, true, value, reason, now, now};
  change(alert, true, now, out);
}

void Alerting::overflow(const std::string& rule, const std::string& subject, Time now, Output& out) {
  auto& one = many_[rule];
  if (one.subjects.contains(subject)) return;
  if (one.subjects.size() < limits_.many_max) {
    one.subjects.emplace(subject, now);
  } else {
    ++one.untold;
  }
  one.changed = true;
  const auto found = alerts_.find(alert_id(rule, many));
  if (found == alerts_.end() || !found->second.firing) tell_many(rule, now, out);
}

// Tells at once when the alert begins or ends, otherwise with the sweep, so that a flood of subjects is no flood of
// messages.
void Alerting::tell_many(const std::string& rule, Time now, Output& out) {
  auto& one = many_[rule];
  one.changed = false;
  const auto id = alert_id(rule, many);
  const auto count = one.subjects.size() + one.untold;
  const bool known = alerts_.contains(id);
  if (count == 0) {
    if (!known || !alerts_[id].firing) return;
    alerts_[id].firing = false;
    alerts_[id].reason = "none of them any more";
    one.notified = 0;
    return change(alerts_[id], true, now, out);
  }
  auto& alert = alerts_[id];
  if (!known || !alert.firing) alert = Alert{id, rule, many, true, 0, "", now, now};
  alert.value = static_cast<double>(count);
  alert.reason = std::to_string(count) + " " + rule_of(rule).words;
  const bool told = alert.value >= one.notified * 2;
  if (told) one.notified = alert.value;
  change(alert, told, now, out);
}

void Alerting::leave_many(const std::string& rule, const std::string& subject, Time now, Output& out) {
  const auto more = many_.find(rule);
  if (more == many_.end() || more->second.subjects.erase(subject) == 0) return;
  more->second.changed = true;
  if (more->second.subjects.empty() && more->second.untold == 0) tell_many(rule, now, out);
}

void Alerting::resolve(const std::string& rule, const std::string& subject, const std::string& reason, Time now,
                       Output& out) {
  leave_many(rule, subject, now, out);
  const auto found = alerts_.find(alert_id(rule, subject));
  if (found == alerts_.end() || !found->second.firing) return;
  auto& alert = found->second;
  alert.firing = false;
  alert.reason = reason;
  --firing_[rule];
  change(alert, true, now, out);
}

// Removes the oldest resolved alert. Firing alerts stay. False: all are firing.
bool Alerting::make_room() {
  if (alerts_.size() < limits_.alerts_max) return true;
  auto oldest = alerts_.end();
  for (auto it = alerts_.begin(); it != alerts_.end(); ++it) {
    if (!it->second.firing && (oldest == alerts_.end() || it->second.changed < oldest->second.changed)) oldest = it;
  }
  if (oldest == alerts_.end()) return false;
  remove(std::string(oldest->first));
  return true;
}

void Alerting::remove(const std::string& id) {
  changed_.insert(id);
  alerts_.erase(id);
}

void Alerting::apply(const LinkBack&, Time now, Output&) {
  say_all_ = true;
  linked_at_ = now;
}

// Each alert's last row and last state of the batch.
void Alerting::apply(const BatchEnded&, Time, Output& out) {
  const auto record = [&](const std::string& id) {
    const auto* alert = find(id);
    return AlertRecord{id, alert == nullptr ? std::nullopt : std::optional(*alert)};
  };
  for (const auto& id : changed_) out.alerts.push_back(record(id));
  out.states = out.alerts;
  if (std::exchange(say_all_, false)) {
    for (const auto& [id, alert] : alerts_) {
      if (!changed_.contains(id)) out.states.push_back(record(id));
    }
  }
  changed_.clear();
}

void Alerting::apply(const TimePassed&, Time now, Output& out) {
  if (now - swept_at_ >= limits_.sweep_every) {
    swept_at_ = now;
    sweep(now, out);
  }
  send_next(now, out);
}

void Alerting::sweep(Time now, Output& out) {
  for (auto it = alerts_.begin(); it != alerts_.end();) {
    const Alert alert = it->second;
    ++it;
    if (alert.subject == many && alert.firing) continue;
    if (alert.firing && rule_of(alert.rule).fades && now - alert.since >= limits_.forget_after) {
      resolve(alert.rule, alert.subject, "it is long ago", now, out);
    } else if (!alert.firing && now - alert.changed >= limits_.resolved_keep) {
      remove(alert.id);
    }
  }
  const bool forget = now - forgot_at_ >= seconds{60};
  if (forget) forgot_at_ = now;
  for (auto& [rule, one] : many_) {
    if (forget && rule_of(rule).fades) {
      if (std::erase_if(one.subjects, [&](const auto& s) { return now - s.second >= limits_.forget_after; }) > 0) {
        one.changed = true;
        one.untold = 0;
      }
    }
    if (one.changed) tell_many(rule, now, out);
  }
  // After a restart the states name the subjects beyond the room again. An alert rule._many for which none was named
  // ends.
  if (!forget || !linked_at_ || now - *linked_at_ < limits_.many_keep) return;
  for (const auto& rule : rules) {
    const auto found = alerts_.find(alert_id(rule.name, many));
    if (found == alerts_.end() || !found->second.firing) continue;
    if (!many_.contains(rule.name) || many_[rule.name].subjects.empty()) tell_many(rule.name, now, out);
  }
}

}  // namespace fieldwork::alerting
