// Inputs of alerting's core for its tests, what it puts out, and what is stored of that.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "alerting/core/alerting.hpp"
#include "alerting/shell/rows.hpp"
#include "support/core_batch.hpp"

namespace fieldwork::alerting {

inline constexpr Time t0{seconds{1'000'000}};
inline Time at(int s) { return t0 + seconds{s}; }
inline const DeviceId edge{"edge-1"};
inline const JobId job{"j1"};

inline Limits quiet() {
  Limits limits;
  limits.notify = false;
  return limits;
}

inline DeviceSeen lost(const char* id) { return {DeviceId{id}, Lifecycle::active, Presence::lost, 0, ""}; }
inline DeviceSeen ready(const char* id) { return {DeviceId{id}, Lifecycle::active, Presence::online, 1, ""}; }
inline JobSeen failed(const char* id, int s = 0) { return {JobId{id}, JobState::failed, "", at(s)}; }

inline Output step(Alerting& alerting, const Input& input, Time now) {
  return support::step_batch(alerting, input, now);
}

using Ids = std::vector<std::string>;
inline Ids sent(const Output& from) {
  Ids out;
  for (const auto& one : from.sends) out.push_back(one.alert.id);
  return out;
}
using Numbers = std::vector<std::int64_t>;
inline Numbers removed(const Output& from) {
  Numbers out;
  for (const auto& one : from.notifications) {
    if (one.remove) out.push_back(one.notification.number);
  }
  return out;
}
inline std::string state_of(const Alerting& alerting, const std::string& id) {
  const auto* alert = alerting.find(id);
  return alert == nullptr ? "" : alert->firing ? "firing" : "resolved";
}

// The rows, as the shell writes and reads them.
struct Stored {
  std::map<std::string, Alert> alerts;
  std::map<std::int64_t, Notification> notifications;

  void add(const Output& out) {
    for (const auto& one : out.alerts) {
      alerts.erase(one.id);
      if (!one.alert) continue;
      auto read = alert_from_row(to_row(*one.alert).to_json());
      ASSERT_TRUE(read.ok()) << describe(read.error());
      alerts.emplace(one.id, *read);
    }
    for (const auto& one : out.notifications) {
      notifications.erase(one.notification.number);
      if (one.remove) continue;
      auto read = notification_from_row(to_row(one.notification).to_json());
      ASSERT_TRUE(read.ok()) << describe(read.error());
      notifications.emplace(one.notification.number, *read);
    }
  }
  // The newest row first.
  [[nodiscard]] Saved saved() const {
    Saved out;
    for (auto it = alerts.rbegin(); it != alerts.rend(); ++it) out.alerts.push_back(it->second);
    for (auto it = notifications.rbegin(); it != notifications.rend(); ++it) out.notifications.push_back(it->second);
    return out;
  }
};

// Steps a batch of one input and stores what it saves.
inline Output step(Alerting& alerting, const Input& input, Time now, Stored& stored) {
  auto out = step(alerting, input, now);
  stored.add(out);
  return out;
}

}  // namespace fieldwork::alerting
