// links: alerting_shell PkgConfig::HTTPLIB GTest::gtest_main
#include <gtest/gtest.h>
#include <httplib.h>

#include <condition_variable>
#include <nlohmann/json.hpp>
#include <thread>

#include "alerting/core/alerting.hpp"
#include "alerting/shell/rows.hpp"
#include "alerting/shell/service.hpp"
#include "codec/device.hpp"
#include "runtime/engine.hpp"
#include "store/memory.hpp"

namespace fieldwork::alerting {
namespace {

constexpr Time t0{seconds{1'000'000}};
Time at(int s) { return t0 + seconds{s}; }
const DeviceId edge{"edge-1"};
const JobId job{"j1"};

Limits quiet() {
  Limits limits;
  limits.notify = false;
  return limits;
}

template <class T>
std::vector<T> all(const Effects& effects) {
  std::vector<T> out;
  for (const auto& effect : effects) {
    if (const auto* one = std::get_if<T>(&effect)) out.push_back(*one);
  }
  return out;
}

TEST(Alerting, FiresAndResolves) {
  struct Step {
    Input input;
    const char* alert;
    const char* state;  // firing, resolved, or empty: not there
    std::size_t said;
  };
  const TransferId transfer{std::string(32, 'a')};
  const Step steps[] = {
      {DeviceSeen{edge, DeviceState::ready, 0.9, ""}, "device_lost.edge-1", "", 0},
      {DeviceSeen{edge, DeviceState::lost, 0, "silent"}, "device_lost.edge-1", "firing", 1},
      {DeviceSeen{edge, DeviceState::lost, 0, "silent"}, "device_lost.edge-1", "firing", 0},
      {DeviceSeen{edge, DeviceState::ready, 1, ""}, "device_lost.edge-1", "resolved", 1},
      {DeviceSeen{edge, DeviceState::ready, 0.70, ""}, "device_health.edge-1", "", 0},
      {DeviceSeen{edge, DeviceState::ready, 0.69, ""}, "device_health.edge-1", "firing", 1},
      {DeviceSeen{edge, DeviceState::ready, 0.68, ""}, "device_health.edge-1", "firing", 0},
      {DeviceSeen{edge, DeviceState::ready, 0.5, ""}, "device_health.edge-1", "firing", 1},  // the value moved
      {DeviceSeen{edge, DeviceState::suspect, 0.9, ""}, "device_health.edge-1", "firing", 0},
      {DeviceSeen{edge, DeviceState::ready, 0.74, ""}, "device_health.edge-1", "firing", 0},
      {DeviceSeen{edge, DeviceState::ready, 0.75, ""}, "device_health.edge-1", "resolved", 1},
      {JobSeen{job, JobState::running, "", at(0)}, "job_failed.j1", "", 0},
      {JobSeen{job, JobState::failed, "exit code 1", at(0)}, "job_failed.j1", "firing", 1},
      {JobSeen{job, JobState::queued, "", at(0)}, "job_failed.j1", "resolved", 1},
      {JobSeen{JobId{"old"}, JobState::failed, "", t0 - std::chrono::hours(25)}, "job_failed.old", "", 0},
      {TransferSeen{transfer, true, "no space", at(0)}, nullptr, "firing", 1},
      {TransferSeen{transfer, false, "", at(0)}, nullptr, "resolved", 1},
  };
  Alerting alerting(quiet(), {});
  int index = 0;
  for (const auto& step : steps) {
    const auto effects = alerting.step(step.input, at(1));
    const auto id = step.alert != nullptr ? std::string(step.alert) : alert_id("transfer_failed", transfer.value);
    const auto* alert = alerting.find(id);
    EXPECT_EQ(alert == nullptr ? "" : alert->firing ? "firing" : "resolved", std::string(step.state)) << index;
    EXPECT_EQ(all<PublishAlert>(effects).size(), step.said) << index;
    EXPECT_EQ(all<SaveAlert>(effects).size(), step.said) << index;
    ++index;
  }
}

TEST(Alerting, NamesStayIds) {
  EXPECT_EQ(alert_id("job_failed", "j1"), "job_failed.j1");
  EXPECT_TRUE(is_id(alert_id("transfer_failed", std::string(64, 'x'))));
}

TEST(Alerting, RemovesWhatIsLongResolvedAndForgetsFailures) {
  Alerting alerting(quiet(), {});
  (void)alerting.step(JobSeen{job, JobState::failed, "", t0}, t0);
  EXPECT_TRUE(alerting.step(TimePassed{}, at(86'399)).empty());
  EXPECT_EQ(all<PublishAlert>(alerting.step(TimePassed{}, at(86'400))).size(), 1u);
  EXPECT_TRUE(alerting.step(JobSeen{job, JobState::failed, "", t0}, at(86'401)).empty());  // said again, still old
  const auto effects = alerting.step(TimePassed{}, at(86'400 + 3600));
  EXPECT_EQ(effects, (Effects{RemoveAlert{"job_failed.j1"}, RetractAlert{"job_failed.j1"}}));
  EXPECT_EQ(alerting.size(), 0u);
}

TEST(Alerting, SaysWhatGetsNoWork) {
  Alerting alerting(quiet(), {});
  (void)alerting.step(PlacementSeen{edge, false, "three jobs were refused: disk full"}, at(0));
  const auto* alert = alerting.find("device_unplaceable.edge-1");
  ASSERT_NE(alert, nullptr);
  EXPECT_EQ(alert->reason, "three jobs were refused: disk full");
  EXPECT_EQ(next_step(*alert), "fieldwork device show edge-1");
  (void)alerting.step(PlacementSeen{edge, true, ""}, at(1));
  EXPECT_FALSE(alerting.find("device_unplaceable.edge-1")->firing);
  (void)alerting.step(JobSeen{job, JobState::failed, "two devices were lost", t0, true}, at(2));
  EXPECT_TRUE(alerting.find("job_quarantined.j1")->firing);
  EXPECT_EQ(alerting.find("job_failed.j1"), nullptr);
  (void)alerting.step(JobSeen{job, JobState::queued, "", t0}, at(3));
  EXPECT_FALSE(alerting.find("job_quarantined.j1")->firing);
}

// Any number of failed jobs: the lost device is told, and the flood is one alert that counts.
TEST(Alerting, AFloodOfOneKindHidesNoOther) {
  Alerting alerting(quiet(), {});
  std::size_t said = 0;
  for (int i = 0; i < 10'000; ++i) {
    said += alerting.step(JobSeen{JobId{"j" + std::to_string(i)}, JobState::failed, "", t0}, at(0)).size();
  }
  EXPECT_EQ(said, 2 * (1'000U + 1)) << "saved and said: each within the room, and that there are more";
  EXPECT_EQ(all<PublishAlert>(alerting.step(DeviceSeen{edge, DeviceState::lost, 0, ""}, at(0))).size(), 1u);
  auto effects = all<PublishAlert>(alerting.step(TimePassed{}, at(2)));
  ASSERT_EQ(effects.size(), 1u);
  EXPECT_EQ(effects[0].alert.id, "job_failed._many");
  EXPECT_EQ(effects[0].alert.value, 9'000);
  EXPECT_EQ(effects[0].alert.reason, "9000 more jobs failed");
  EXPECT_EQ(next_step(effects[0].alert), "fieldwork job ls --state failed");
  (void)alerting.step(JobSeen{JobId{"j9999"}, JobState::succeeded, "", t0}, at(3));
  (void)alerting.step(JobSeen{JobId{"j9998"}, JobState::failed, "", t0}, at(3));  // said again
  EXPECT_EQ(all<PublishAlert>(alerting.step(TimePassed{}, at(4)))[0].alert.value, 8'999);
  (void)alerting.step(TimePassed{}, at(86'500));
  EXPECT_FALSE(alerting.find("job_failed._many")->firing) << "it is long ago";
  EXPECT_TRUE(alerting.find("device_lost.edge-1")->firing);
}

TEST(Alerting, ManyLostDevicesAreCountedUntilTheyAreBack) {
  auto limits = quiet();
  limits.rule_max = 1;
  Alerting alerting(limits, {});
  for (const char* id : {"a", "b", "c"}) (void)alerting.step(DeviceSeen{DeviceId{id}, DeviceState::lost, 0, ""}, at(0));
  EXPECT_TRUE(alerting.find("device_lost._many")->firing);
  for (const char* id : {"b", "c"}) (void)alerting.step(DeviceSeen{DeviceId{id}, DeviceState::ready, 1, ""}, at(1));
  EXPECT_FALSE(alerting.find("device_lost._many")->firing);
  EXPECT_TRUE(alerting.find("device_lost.a")->firing);
}

TEST(Alerting, ResolvedAlertsMakeRoom) {
  auto limits = quiet();
  limits.alerts_max = 2;
  Alerting alerting(limits, {});
  for (const char* id : {"a", "b", "c"}) {
    (void)alerting.step(JobSeen{JobId{id}, JobState::failed, "", t0}, at(0));
    (void)alerting.step(JobSeen{JobId{id}, JobState::succeeded, "", t0}, at(1));
  }
  EXPECT_EQ(alerting.size(), 2u);
}

DeviceSeen lost(const char* id) { return {DeviceId{id}, DeviceState::lost, 0, ""}; }
JobSeen failed(const char* id, int s = 0) { return {JobId{id}, JobState::failed, "", at(s)}; }
std::vector<std::string> sent(const Effects& effects) {
  std::vector<std::string> out;
  for (const auto& one : all<SendNotification>(effects)) out.push_back(one.notification.alert.id);
  return out;
}
using Ids = std::vector<std::string>;

TEST(Notifications, GoOneAtATimeDevicesFirstAndTheNewestOnly) {
  Alerting alerting(Limits{}, {});
  EXPECT_EQ(sent(alerting.step(failed("a"), at(0))), Ids{"job_failed.a"});
  EXPECT_EQ(sent(alerting.step(failed("b"), at(0))), Ids{});
  EXPECT_EQ(sent(alerting.step(lost("x"), at(0))), Ids{});
  const auto back = alerting.step(DeviceSeen{DeviceId{"x"}, DeviceState::ready, 1, ""}, at(0));
  EXPECT_EQ(all<RemoveNotification>(back), (std::vector{RemoveNotification{3}})) << "no longer news";
  EXPECT_TRUE(alerting.step(NotificationDelivered{7}, at(0)).empty());
  const auto next = alerting.step(NotificationDelivered{1}, at(0));
  EXPECT_EQ(sent(next), Ids{"device_lost.x"});
  EXPECT_FALSE(all<SendNotification>(next)[0].notification.alert.firing);
  EXPECT_EQ(sent(alerting.step(NotificationDelivered{4}, at(0))), Ids{"job_failed.b"});
  (void)alerting.step(NotificationDelivered{2}, at(0));
  EXPECT_EQ(alerting.waiting(), 0u);
}

TEST(Notifications, WhatIsRefusedForGoodHoldsNobodyBack) {
  Alerting alerting(Limits{}, {});
  (void)alerting.step(failed("a"), at(0));
  (void)alerting.step(failed("b"), at(0));
  const auto effects = alerting.step(NotificationFailed{1, true, "answered 400"}, at(0));
  ASSERT_EQ(all<DeadLetter>(effects).size(), 1u);
  EXPECT_EQ(all<DeadLetter>(effects)[0].reason, "answered 400");
  EXPECT_EQ(all<RemoveNotification>(effects), (std::vector{RemoveNotification{1}}));
  EXPECT_EQ(sent(effects), Ids{"job_failed.b"}) << "at once";
}

TEST(Notifications, WhatFailsIsTriedAgainWhileOthersGo) {
  Alerting alerting(Limits{}, {});
  (void)alerting.step(failed("a"), at(0));
  (void)alerting.step(failed("b"), at(0));
  EXPECT_TRUE(alerting.step(NotificationFailed{1}, at(0)).empty());
  EXPECT_EQ(sent(alerting.step(TimePassed{}, at(1) - milliseconds{1})), Ids{}) << "the target has a moment";
  EXPECT_EQ(sent(alerting.step(TimePassed{}, at(1))), Ids{"job_failed.a"});
  (void)alerting.step(NotificationFailed{1}, at(1));
  EXPECT_EQ(sent(alerting.step(TimePassed{}, at(3))), Ids{"job_failed.a"});
  (void)alerting.step(NotificationFailed{1}, at(3));
  EXPECT_EQ(sent(alerting.step(TimePassed{}, at(3) + seconds{4} - milliseconds{1})), Ids{});
  // Hours later it is given up, and the other one had its turn.
  int now = 7;
  std::size_t dead = 0;
  bool other = false;
  for (; now < 30'000 && dead == 0; ++now) {
    const auto effects = alerting.step(TimePassed{}, at(now));
    for (const auto& one : all<SendNotification>(effects)) {
      const auto number = one.notification.number;
      if (number == 2) {
        other = true;
        (void)alerting.step(NotificationDelivered{2}, at(now));
      } else {
        dead += all<DeadLetter>(alerting.step(NotificationFailed{number, false, "answered 500"}, at(now))).size();
      }
    }
  }
  EXPECT_EQ(dead, 1u);
  EXPECT_GE(now, 6 * 3600);
  EXPECT_TRUE(other);
  EXPECT_EQ(alerting.waiting(), 0u);
}

TEST(Notifications, AFullQueueKeepsWhatIsAboutDevices) {
  Limits limits;
  limits.notifications_max = 3;
  Alerting alerting(limits, {});
  (void)alerting.step(failed("a"), at(0));  // on its way
  (void)alerting.step(lost("x"), at(0));
  (void)alerting.step(failed("b"), at(0));
  const auto effects = alerting.step(failed("c"), at(0));
  EXPECT_EQ(all<RemoveNotification>(effects), (std::vector{RemoveNotification{3}}));
  EXPECT_EQ(all<CountDropped>(effects).size(), 1u);
  EXPECT_EQ(sent(alerting.step(NotificationDelivered{1}, at(0))), Ids{"device_lost.x"});
}

TEST(Notifications, SurviveARestart) {
  Limits limits;
  Alerting before(limits, {});
  Saved saved;
  for (const char* id : {"a", "b", "c"}) {
    const auto effects = before.step(JobSeen{JobId{id}, JobState::failed, "", t0}, at(0));
    for (const auto& one : all<SaveNotification>(effects)) {
      auto read = notification_from_row(to_row(one.notification));
      ASSERT_TRUE(read.ok());
      EXPECT_EQ(*read, one.notification);
      saved.notifications.insert(saved.notifications.begin(), *read);
    }
    for (const auto& one : all<RemoveNotification>(effects)) {
      std::erase_if(saved.notifications, [&](const auto& n) { return n.number == one.number; });
    }
  }
  EXPECT_EQ(before.waiting(), 3u);
  EXPECT_EQ(saved.notifications.size(), 3u);
  Alerting after(limits, saved);
  const auto again = all<SendNotification>(after.step(TimePassed{}, at(9)));
  ASSERT_EQ(again.size(), 1u) << "one, which may have arrived before";
  EXPECT_EQ(again[0].notification.number, 1);
  const auto next = after.step(JobSeen{JobId{"d"}, JobState::failed, "", t0}, at(9));
  EXPECT_EQ(all<SaveNotification>(next)[0].notification.number, 4);
}

struct Bus : bus::Bus {
  std::vector<bus::Message> said;
  Result<void> publish(bus::Message message) override {
    said.push_back(std::move(message));
    return {};
  }
};

struct Stack {
  Bus bus;
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<runtime::Input> posted;
  AlertingService service;
  runtime::Engine engine;
  Stack(store::MemoryStore& store, const std::string& url)
      : service("fieldwork/v1", Limits{}, WebhookConfig{url, 2},
                [this](runtime::Task task) {
                  std::lock_guard lock(mutex);
                  posted.push_back(std::move(task));
                  wake.notify_all();
                }),
        engine(service, store, bus) {
    EXPECT_TRUE(engine.load(t0).ok());
    EXPECT_TRUE(engine.run({runtime::Connected{}}, t0).ok());
  }
  void say(const std::string& topic, const std::string& payload, int s) {
    EXPECT_TRUE(engine.run({bus::Message{.topic = "fieldwork/v1/" + topic, .payload = payload}}, at(s)).ok());
  }
  void run_posted(int s) {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(wake.wait_for(lock, seconds{30}, [&] { return !posted.empty(); }));
    auto batch = std::move(posted);
    posted.clear();
    lock.unlock();
    EXPECT_TRUE(engine.run(batch, at(s)).ok());
  }
};

std::string lost_device() {
  Device device;
  device.id = edge;
  device.state = DeviceState::lost;
  device.reason = "silent for 45 s";
  return codec::dump(codec::encode(device));
}

TEST(AlertingShell, RepeatsToTheWebhookUntilItTakes) {
  httplib::Server server;
  std::vector<std::string> bodies;
  server.Post("/hook", [&](const httplib::Request& request, httplib::Response& response) {
    bodies.push_back(request.body);
    response.status = bodies.size() == 1 ? 500 : 204;
  });
  const int port = server.bind_to_any_port("127.0.0.1");
  std::thread thread([&] { server.listen_after_bind(); });
  store::MemoryStore store;
  {
    Stack stack(store, "http://127.0.0.1:" + std::to_string(port) + "/hook");
    stack.say("state/device/edge-1", lost_device(), 0);
    EXPECT_EQ(stack.bus.said.back().topic, "fieldwork/v1/state/alert/device_lost.edge-1");
    EXPECT_TRUE(stack.bus.said.back().retain);
    stack.run_posted(0);  // 500
    EXPECT_EQ(stack.service.core().waiting(), 1u);
    EXPECT_TRUE(stack.engine.run({}, at(1)).ok());
    stack.run_posted(1);  // 204
    EXPECT_EQ(stack.service.core().waiting(), 0u);
  }
  server.stop();
  thread.join();
  ASSERT_EQ(bodies.size(), 2u);
  EXPECT_EQ(bodies[0], bodies[1]);
  const auto body = nlohmann::json::parse(bodies[0]);
  EXPECT_EQ(body["state"], "firing");
  EXPECT_EQ(body["reason"], "silent for 45 s");
  EXPECT_EQ(body["next"], "fieldwork device show edge-1");
  EXPECT_EQ(body.size(), 8u);
  Stack again(store, "");  // the alert is said again, the notification is not there any more
  EXPECT_EQ(again.service.core().waiting(), 0u);
  ASSERT_EQ(again.bus.said.size(), 1u);
}

TEST(AlertingShell, TakesBulkJobsFromEvents) {
  store::MemoryStore store;
  Stack stack(store, "");
  stack.say("event/job/changed",
            R"({"v":1,"items":[{"job":"a","state":"failed","reason":"x"},{"job":"b","state":"running","reason":""}]})",
            1);
  EXPECT_EQ(stack.service.core().size(), 1u);
  stack.say("event/job/changed",
            R"({"v":1,"items":[7,{"job":"-","state":"failed"},{"job":"c","state":"quarantined"}]})", 1);
  EXPECT_TRUE(stack.service.core().find("job_quarantined.c")->firing) << "bad neighbours keep nobody from being heard";
  stack.say("state/job/a", R"({"v":1,"job":"a","state":"succeeded","changed_ms":1,"new_field":1})", 2);
  EXPECT_FALSE(stack.service.core().find("job_failed.a")->firing);
}

TEST(AlertingShell, TakesPlacementStates) {
  store::MemoryStore store;
  Stack stack(store, "");
  const std::string no = R"({"v":1,"device":"edge-1","placeable":false,"reason":"clock","since_ms":1,"changed_ms":1})";
  const auto firing = [&] { return stack.service.core().find("device_unplaceable.edge-1")->firing; };
  stack.say("state/placement/edge-1", no, 1);
  EXPECT_TRUE(firing());
  stack.say("state/placement/edge-1", "", 2);
  EXPECT_FALSE(firing());
  stack.say("state/placement/edge-1", no, 3);
  stack.say("state/placement/edge-1", R"({"v":1,"device":"edge-1","placeable":true,"since_ms":1,"changed_ms":1})", 4);
  EXPECT_FALSE(firing());
}

TEST(AlertingShell, BadInputChangesNothing) {
  store::MemoryStore store;
  Stack stack(store, "");
  const auto commits = store.commits();
  stack.say("state/device/edge-2", lost_device(), 1);  // another identity
  for (const char* topic : {"state/device/a", "state/job/a", "state/transfer/a", "event/job/changed"}) {
    for (const std::string& bad :
         {std::string("{"), std::string("[]"), std::string(R"({"v":2,"job":"a","state":"failed","changed_ms":1})"),
          std::string(R"({"v":1,"job":"b","transfer":"b","state":"failed","changed_ms":1})"),
          std::string(R"({"v":1,"job":"a","transfer":"a","state":"odd","changed_ms":1})"),
          std::string(R"({"v":1,"items":[{"job":"b","state":7}]})"), std::string(99, '[')}) {
      stack.say(topic, bad, 1);
    }
  }
  EXPECT_EQ(store.commits(), commits);
  EXPECT_EQ(stack.service.core().size(), 0u);
  for (const char* url : {"ftp://x", "http://", "http:///x", "http://a b", "x"})
    EXPECT_FALSE(check_webhook(url).ok()) << url;
  for (const char* url : {"http://x", "https://x:1/y?z=1"}) EXPECT_TRUE(check_webhook(url).ok()) << url;
}

}  // namespace
}  // namespace fieldwork::alerting
