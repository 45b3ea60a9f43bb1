// links: alerting_shell GTest::gtest_main
// Each shipped rule: what makes it fire, what resolves it, what does not; states that are seen late or twice.
#include <gtest/gtest.h>

#include <cmath>

#include "support/alerting_core.hpp"

namespace fieldwork::alerting {
namespace {

using alerts::Over;

// Something with attributes; a text that begins with = is a word, one that is a number a number.
Seen thing(Over over, const char* id, std::vector<std::pair<const char*, std::string>> attributes, Time since = {}) {
  fleet::NamedValues values;
  for (const auto& [name, text] : attributes) {
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    if (text.starts_with('=')) {
      EXPECT_TRUE(alerts::set_word(values, alerts::vocabulary(over), name, text.substr(1))) << name << text;
    } else if (*end == '\0') {
      values.set(name, number);
    } else {
      values.set(name, text);
    }
  }
  return {alerts::of(over, id, std::move(values), since)};
}
Seen transfer(const char* state, Time since = t0) {
  return thing(Over::transfer, "t1", {{"state", state}, {"device", "edge-1"}, {"done", "40"}}, since);
}
Seen upload(const char* state, const char* failure) {
  return thing(Over::transfer, "t1", {{"state", state}, {"direction", "=up"}, {"failure", failure}});
}
Seen placement(const char* placeable) {
  return thing(Over::placement, "edge-1", {{"device", "edge-1"}, {"placeable", placeable}, {"reason", "clock"}});
}
Seen event(const char* event) {
  return thing(Over::event, "edge-1", {{"device", "edge-1"}, {"event", event}, {"reason", "why"}});
}
Seen moved(const char* event) {
  return thing(Over::move, "j1.0", {{"event", event}, {"job", "j1"}, {"from", "edge-1"}, {"to", "edge-2"}});
}
Seen described(void (*change)(Device&)) {
  Device device;
  device.id = DeviceId("edge-1");
  device.lifecycle = Lifecycle::active;
  device.presence = Presence::online;
  device.measured = true;
  device.about.capacity = {1000, 1000, 1000};
  device.resources.memory_available_bytes = device.resources.storage_available_bytes = 1000;
  change(device);
  return {alerts::of(std::move(device))};
}

struct Case {
  const char* alert;
  std::vector<Seen> seen;  // one each second
  double after;            // seconds until it fires; below 0: it does not
  Seen then;               // …
  const char* state;       // … and then it is
};

std::vector<Case> device_cases() {
  const auto online = ready("edge-1");
  const auto unwell = device("edge-1", Lifecycle::active, Presence::online, 0.6);
  return {
      {"device_lost.edge-1", {lost("edge-1")}, 0, online, "resolved"},
      {"device_lost.edge-1", {lost("edge-1")}, 0, device("edge-1", Lifecycle::refused, Presence::lost), "resolved"},
      {"device_lost.edge-1", {lost("edge-1")}, 0, gone("edge-1"), "resolved"},
      {"device_lost.edge-1", {lost("edge-1")}, 0, ready("edge-2"), "firing"},
      {"device_lost.edge-1", {device("edge-1", Lifecycle::enrolling, Presence::lost)}, -1, online, ""},
      {"device_health.edge-1", {unwell}, 0, device("edge-1", Lifecycle::active, Presence::online, 0.74), "firing"},
      {"device_health.edge-1", {unwell}, 0, device("edge-1", Lifecycle::active, Presence::online, 0.75), "resolved"},
      {"device_health.edge-1", {unwell}, 0, device("edge-1", Lifecycle::active, Presence::lost, 0), "firing"},
      {"device_health.edge-1", {unwell}, 0, device("edge-1", Lifecycle::refused, Presence::online, 0), "resolved"},
      {"device_health.edge-1", {device("edge-1", Lifecycle::active, Presence::suspect, 0.1)}, -1, online, ""},
      {"device_health.edge-1", {device("edge-1", Lifecycle::active, Presence::online, 0.7)}, -1, online, ""},
      {"device_flapping.edge-1",
       {event("lost"), event("suspect"), event("restarted"), event("lost"), event("rebooted")},
       4,
       event("online"),
       "firing"},
      {"device_flapping.edge-1",
       {event("lost"), event("back"), event("lost"), event("back"), event("lost")},
       -1,
       event("back"),
       ""},
      {"device_stopped.edge-1",
       {described([](Device& d) { d.presence = Presence::disconnected; })},
       3600,
       online,
       "resolved"},
      {"device_refused.edge-1",
       {described([](Device& d) { d.lifecycle = Lifecycle::refused; })},
       0,
       described([](Device& d) { d.lifecycle = Lifecycle::retired; }),
       "resolved"},
      {"device_pressed.edge-1", {described([](Device& d) { d.pressure = {"storage"}; })}, 600, online, "resolved"},
      {"device_duplicated.edge-1", {described([](Device& d) { d.duplicated_since_ms = 5; })}, 0, online, "resolved"},
      {"device_claimed.edge-1", {described([](Device& d) { d.claimed_ms = to_ms(at(-10)); })}, 0, online, "resolved"},
      {"device_claimed.edge-1", {described([](Device& d) { d.claimed_ms = to_ms(at(-3600)); })}, -1, online, ""},
      {"device_unplaceable.edge-1", {placement("=false")}, 0, placement("=true"), "resolved"},
      {"device_unplaceable.edge-1", {placement("=false")}, 0, {alerts::gone(Over::placement, "edge-1")}, "resolved"},
      {"clock_offset.edge-1",
       {described([](Device& d) { d.link.clock_offset_ms = -31'000; })},
       300,
       online,
       "resolved"},
      {"identity_refused.edge-1",
       {event("refused"), event("already_registered"), event("refused")},
       2,
       event("x"),
       "firing"},
      {"work_moved.edge-1", {moved("lost"), moved("moved")}, 1, moved("reconciled"), "firing"},
  };
}

std::vector<Case> other_cases() {
  const auto denied = [](const char* id) { return job(id, "denied"); };
  std::vector<Seen> burst;
  for (const char* id : {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}) burst.push_back(denied(id));
  std::vector<Seen> one(10, denied("a"));
  const auto disk = [](const char* use) {
    return thing(Over::disk, "/", {{"path", "/"}, {"use", use}, {"free", "5"}});
  };
  const auto certificate = [](const char* left) {
    return thing(Over::certificate, "/ca", {{"file", "/ca"}, {"kind", "crl"}, {"left", left}});
  };
  const auto broker = [](const char* dropped) { return thing(Over::broker, "broker", {{"dropped", dropped}}); };
  const std::vector<Seen> refused(20, thing(Over::refusal, "broker", {{"reason", "no certificate"}}));
  const auto service = [](const char* state) { return thing(Over::service, "transfer", {{"state", state}}); };
  const auto stalled_upload = thing(Over::transfer, "t1", {{"state", "=suspended"}, {"direction", "=up"}}, at(-1000));
  const auto audit = [](const char* broken) { return thing(Over::audit, "head", {{"broken", broken}}); };
  return {
      {"job_failed.j1", {job("j1", "failed")}, 0, job("j1", "succeeded"), "resolved"},
      {"job_failed.j1", {job("j1", "failed")}, 0, transfer("=completed"), "firing"},
      {"job_failed.j1", {job("j1", "failed")}, 0, {alerts::gone(Over::job, "j1")}, "firing"},
      {"job_failed.j1", {job("j1", "failed", at(-86'400))}, -1, job("j1", "failed", at(-86'400)), ""},
      {"job_quarantined.j1", {job("j1", "quarantined")}, 0, job("j1", "failed"), "resolved"},
      {"job_expired.j1", {job("j1", "expired")}, 0, job("j1", "cancelled"), "resolved"},
      {"job_stuck.j1", {job("j1", "queued", at(-21'590))}, 10, job("j1", "running", at(11)), "resolved"},
      {"policy_denials.ann", burst, 9, denied("k"), "firing"},
      {"policy_denials.ann", one, -1, denied("a"), ""},
      {"transfer_failed.t1", {transfer("=failed")}, 0, transfer("=sending"), "resolved"},
      {"transfer_failed.t1", {upload("=failed", "=silent")}, -1, transfer("=sending"), ""},
      {"transfer_failed.t1", {upload("=failed", "=verification_failed")}, 0, transfer("=sending"), "resolved"},
      {"transfer_stalled.t1", {transfer("=sending", at(-895))}, 5, transfer("=sending", at(8)), "resolved"},
      {"transfer_stalled.t1", {stalled_upload}, -1, stalled_upload, ""},
      {"transfer_stalled.t1", {transfer("=sending", at(-895))}, 5, {alerts::gone(Over::transfer, "t1")}, "resolved"},
      {"audit_broken.head", {audit("=true")}, 0, audit("=false"), "resolved"},
      {"service_down.transfer", {service("=down")}, 30, service("=up"), "resolved"},
      {"broker_drops.broker", {broker("2")}, 60, broker("0.5"), "firing"},
      {"broker_drops.broker", {broker("2")}, 60, broker("0.05"), "resolved"},
      {"connections_refused.broker", refused, 19, refused[0], "firing"},
      {"connections_refused.broker", {refused[0], refused[1]}, -1, refused[2], ""},
      {nullptr, {disk("91")}, 0, disk("86"), "firing"},
      {nullptr, {disk("91")}, 0, disk("84"), "resolved"},
      {nullptr, {certificate("1000000")}, 0, certificate("2000000"), "resolved"},
  };
}

void check(const Case& one, int index) {
  Alerting alerting(Limits{}, rules(), {});
  double now = -1;
  for (const auto& seen : one.seen) (void)step(alerting, seen, at(++now));
  const auto disk = alert_id("disk_full", "/"), certificate = alert_id("certificate_expires", "/ca");
  const std::string id = one.alert != nullptr ? one.alert : alerting.find(disk) != nullptr ? disk : certificate;
  const auto wait = [&](double until) {
    for (; now < until; now += 1) (void)step(alerting, TimePassed{}, at(now));
    (void)step(alerting, TimePassed{}, at(until));
  };
  if (one.after > now) wait(one.after - 1);
  if (one.after > now) {
    EXPECT_NE(state_of(alerting, id), "firing") << index << " " << id;
    wait(one.after);
  }
  EXPECT_EQ(state_of(alerting, id) == "firing", one.after >= 0) << index << " " << id;
  EXPECT_TRUE(one.after < 0 || !alerting.find(id)->next.empty()) << id;
  now = std::max(now, one.after) + 1;
  (void)step(alerting, one.then, at(now));
  EXPECT_EQ(state_of(alerting, id), one.state) << index << " " << id;
}

TEST(Rules, FireAndResolveByWhatTheirTableSays) {
  int index = 0;
  for (const auto& one : device_cases()) check(one, index++);
  for (const auto& one : other_cases()) check(one, index++);
}

TEST(Rules, AreAllTriedHere) {
  std::set<std::string> tried{"site_lost", "disk_full", "certificate_expires"};  // the first: alerting_muting_test
  for (const auto& cases : {device_cases(), other_cases()}) {
    for (const auto& one : cases) {
      const std::string id = one.alert == nullptr ? "" : one.alert;
      if (one.after >= 0) tried.insert(id.substr(0, id.find('.')));
    }
  }
  for (const auto& rule : alerts::shipped().rules) EXPECT_TRUE(tried.contains(rule.name)) << rule.name;
}

TEST(Rules, OnlyFailuresResolveByTheirAge) {
  Alerting alerting(Limits{}, rules(), {});
  for (const auto& one : {lost("a"), job("q", "quarantined"), job("f", "failed"), transfer("=failed")})
    (void)step(alerting, one, at(0));
  for (int s = 0; s <= 86'400; s += 600) (void)step(alerting, TimePassed{}, at(s));
  EXPECT_EQ(state_of(alerting, "device_lost.a"), "firing");
  for (const char* id : {"job_quarantined.q", "job_failed.f", "transfer_failed.t1"})
    EXPECT_EQ(state_of(alerting, id), "resolved") << id;
  EXPECT_EQ(step(alerting, job("f", "failed"), at(86'401)), Output{}) << "said again, it is still old";
}

// A rate that has fired resolves when its window has passed.
TEST(Rules, AFlappingDeviceComesToRest) {
  Alerting alerting(Limits{}, rules(), {});
  for (int s = 0; s < 5; ++s) (void)step(alerting, event("lost"), at(s));
  for (int s = 5; s < 1000; ++s) {
    (void)step(alerting, TimePassed{}, at(s));
    EXPECT_EQ(state_of(alerting, "device_flapping.edge-1"), s < 900 ? "firing" : "resolved") << s;
  }
}

}  // namespace
}  // namespace fieldwork::alerting
