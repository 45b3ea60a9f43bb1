#include "alerting/core/alerting.hpp"

#include <algorithm>
#include <cmath>

#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"

namespace fieldwork::alerting {

std::string alert_id(const std::string& rule, const std::string& subject) {
  auto id = rule + "." + subject;
  return is_id(id) ? id : rule + "." + crypto::to_hex(crypto::sha256(subject)).substr(0, 32);
}

Alerting::Alerting(Limits limits, Saved saved) : limits_(limits) {
  for (auto& alert : saved.alerts) {
    const auto id = alert.id;
    alerts_.emplace(id, std::move(alert));
  }
  std::sort(saved.notifications.begin(), saved.notifications.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  queue_.assign(saved.notifications.begin(), saved.notifications.end());
  if (!queue_.empty()) next_number_ = queue_.back().number + 1;
}

const Alert* Alerting::find(const std::string& id) const {
  const auto it = alerts_.find(id);
  return it == alerts_.end() ? nullptr : &it->second;
}

Effects Alerting::step(const Input& input, Time now) {
  Effects out;
  std::visit([&](const auto& one) { apply(one, now, out); }, input);
  return out;
}

void Alerting::apply(const DeviceSeen& input, Time now, Effects& out) {
  const auto& subject = input.device.value;
  if (input.state == DeviceState::lost) {
    fire("device_lost", subject, 1, input.reason.empty() ? "the device is lost" : input.reason, now, out);
  } else {
    resolve("device_lost", subject, "the device is " + std::string(name(input.state)), now, out);
  }
  if (input.state == DeviceState::ready && input.health < limits_.health_below) {
    fire("device_health", subject, input.health, "health is low", now, out);
  } else if (input.state == DeviceState::refused ||
             (input.state == DeviceState::ready && input.health >= limits_.health_below + limits_.health_margin)) {
    resolve("device_health", subject, "health is good or no longer asked for", now, out);
  }
}

void Alerting::apply(const DeviceGone& input, Time now, Effects& out) {
  resolve("device_lost", input.device.value, "the device is gone", now, out);
  resolve("device_health", input.device.value, "the device is gone", now, out);
}

void Alerting::apply(const JobSeen& input, Time now, Effects& out) {
  if (input.state != JobState::failed) {
    return resolve("job_failed", input.job.value, "the job is " + std::string(name(input.state)), now, out);
  }
  if (now - input.changed >= limits_.forget_after) return;
  fire("job_failed", input.job.value, 1, input.reason.empty() ? "the job failed" : input.reason, now, out);
}

void Alerting::apply(const TransferSeen& input, Time now, Effects& out) {
  if (!input.failed) return resolve("transfer_failed", input.transfer.value, "the transfer goes on", now, out);
  if (now - input.changed >= limits_.forget_after) return;
  fire("transfer_failed", input.transfer.value, 1, input.reason.empty() ? "the transfer failed" : input.reason, now,
       out);
}

void Alerting::fire(const std::string& rule, const std::string& subject, double value, const std::string& reason,
                    Time now, Effects& out) {
  const auto id = alert_id(rule, subject);
  const auto found = alerts_.find(id);
  if (found != alerts_.end() && found->second.firing) {
    auto& alert = found->second;
    if (std::abs(alert.value - value) < 0.05) return;
    alert.value = value;  // worth showing, not worth a notification
    alert.reason = reason;
    alert.changed = now;
    out.push_back(SaveAlert{alert});
    out.push_back(PublishAlert{alert});
    return;
  }
  if (found == alerts_.end() && !make_room(out)) {
    out.push_back(CountDropped{"alert"});
    return;
  }
  auto& alert = alerts_[id];
  alert = Alert{id, rule, subject, true, value, reason, now, now};
  out.push_back(SaveAlert{alert});
  out.push_back(PublishAlert{alert});
  notify(alert, now, out);
}

void Alerting::resolve(const std::string& rule, const std::string& subject, const std::string& reason, Time now,
                       Effects& out) {
  const auto found = alerts_.find(alert_id(rule, subject));
  if (found == alerts_.end() || !found->second.firing) return;
  auto& alert = found->second;
  alert.firing = false;
  alert.reason = reason;
  alert.changed = now;
  out.push_back(SaveAlert{alert});
  out.push_back(PublishAlert{alert});
  notify(alert, now, out);
}

// The oldest resolved alert goes first; those that fire stay.
bool Alerting::make_room(Effects& out) {
  if (alerts_.size() < limits_.alerts_max) return true;
  auto oldest = alerts_.end();
  for (auto it = alerts_.begin(); it != alerts_.end(); ++it) {
    if (!it->second.firing && (oldest == alerts_.end() || it->second.changed < oldest->second.changed)) oldest = it;
  }
  if (oldest == alerts_.end()) return false;
  out.push_back(RemoveAlert{oldest->first});
  out.push_back(RetractAlert{oldest->first});
  alerts_.erase(oldest);
  return true;
}

void Alerting::apply(const BrokerReturned&, Time, Effects& out) {
  for (const auto& [id, alert] : alerts_) out.push_back(PublishAlert{alert});
}

void Alerting::apply(const TimePassed&, Time now, Effects& out) {
  if (now - swept_at_ >= limits_.sweep_every) {
    swept_at_ = now;
    sweep(now, out);
  }
  send_next(now, out);
}

void Alerting::sweep(Time now, Effects& out) {
  for (auto it = alerts_.begin(); it != alerts_.end();) {
    const Alert alert = it->second;
    ++it;
    const bool fades = alert.rule == "job_failed" || alert.rule == "transfer_failed";
    if (alert.firing && fades && now - alert.since >= limits_.forget_after) {
      resolve(alert.rule, alert.subject, "it is long ago", now, out);
    } else if (!alert.firing && now - alert.changed >= limits_.resolved_keep) {
      out.push_back(RemoveAlert{alert.id});
      out.push_back(RetractAlert{alert.id});
      alerts_.erase(alert.id);
    }
  }
}

}  // namespace fieldwork::alerting
