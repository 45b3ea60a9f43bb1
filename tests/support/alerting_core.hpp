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
inline Time at(double s) { return t0 + milliseconds{static_cast<std::int64_t>(s * 1000)}; }

// The shipped rules, and what `more` says.
inline RuleBook rules(const std::string& more = "") {
  auto book = alerts::read_rules(more, "test.toml");
  EXPECT_TRUE(book) << (book ? "" : describe(book.error()));
  return book ? *book : RuleBook{};
}
// One target that is told at once, of everything, and never twice.
inline RuleBook told(const std::string& more = "", const std::string& notify = "wait = \"0s\"\ninterval = \"0s\"\n") {
  auto book =
      rules("[notify]\n" + notify + "[[target]]\nname = \"ops\"\ntype = \"webhook\"\nurl = \"http://x\"\n" + more);
  for (auto& target : book.targets) {
    if (target.name == "ops") target.repeat = Duration{};
  }
  return book;
}

inline Seen device(const char* id, Lifecycle lifecycle, Presence presence, double health = 1, std::string reason = "",
                   std::string site = "") {
  Device out;
  out.id = DeviceId(id);
  out.lifecycle = lifecycle;
  out.presence = presence;
  out.health = health;
  out.reason = std::move(reason);
  out.about.site = std::move(site);
  return {alerts::of(std::move(out))};
}
inline Seen lost(const char* id, std::string site = "") {
  return device(id, Lifecycle::active, Presence::lost, 0, "", std::move(site));
}
inline Seen ready(const char* id, std::string site = "") {
  return device(id, Lifecycle::active, Presence::online, 1, "", std::move(site));
}
inline Seen gone(const char* id) { return {alerts::gone(alerts::Over::device, id)}; }
inline Seen job(const char* id, const char* state, Time since = t0, std::string reason = "") {
  fleet::NamedValues values;
  values.set("job", std::string(id));
  EXPECT_TRUE(alerts::set_word(values, alerts::vocabulary(alerts::Over::job), "state", state)) << state;
  values.set("submitter", std::string("ann"));
  if (!reason.empty()) values.set("reason", std::move(reason));
  return {alerts::of(alerts::Over::job, id, std::move(values), since)};
}
inline Seen failed(const char* id, double s = 0) { return job(id, "failed", at(s)); }

inline Output step(Alerting& alerting, const Input& input, Time now) {
  return support::step_batch(alerting, input, now);
}
// The ids that a message names, and how they are.
inline std::vector<std::string> said(const Output& from) {
  std::vector<std::string> out;
  for (const auto& send : from.sends) {
    for (const auto& one : send.alerts) out.push_back(one.id + " " + std::string(name(one.state)));
  }
  return out;
}
using Texts = std::vector<std::string>;
inline std::string state_of(const Alerting& alerting, const std::string& id) {
  const auto* alert = alerting.find(id);
  return alert == nullptr ? "" : std::string(name(alert->state));
}

// The rows, as the shell writes and reads them.
struct Stored {
  std::map<std::string, Alert> alerts;
  std::map<std::string, Silence> silences;

  void add(const Output& out) {
    for (const auto& one : out.alerts) {
      alerts.erase(one.id);
      if (!one.alert) continue;
      auto read = alert_from_row(to_row(*one.alert).to_json());
      ASSERT_TRUE(read.ok()) << describe(read.error());
      alerts.emplace(one.id, *read);
    }
    for (const auto& one : out.silences) {
      silences.erase(one.silence.id);
      if (one.remove) continue;
      auto read = silence_from_row(to_row(one.silence).to_json());
      ASSERT_TRUE(read.ok()) << describe(read.error());
      silences.emplace(one.silence.id, *read);
    }
  }
  [[nodiscard]] Saved saved() const {
    Saved out;
    for (auto it = alerts.rbegin(); it != alerts.rend(); ++it) out.alerts.push_back(it->second);
    for (const auto& [id, one] : silences) out.silences.push_back(one);
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
