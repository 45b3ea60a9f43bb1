// links: alerting_shell PkgConfig::HTTPLIB GTest::gtest_main
#include <gtest/gtest.h>
#include <httplib.h>

#include <condition_variable>
#include <nlohmann/json.hpp>
#include <thread>

#include "alerting/shell/service.hpp"
#include "alerting/shell/webhook.hpp"
#include "codec/device.hpp"
#include "runtime/engine.hpp"
#include "store/memory.hpp"
#include "support/said_bus.hpp"

namespace fieldwork::alerting {
namespace {

constexpr Time t0{seconds{1'000'000}};
Time at(int s) { return t0 + seconds{s}; }
const DeviceId edge{"edge-1"};

using Bus = support::SaidBus;

struct Stack {
  Bus bus;
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<runtime::Input> posted;
  AlertingService service;
  runtime::Engine engine;
  Stack(store::MemoryStore& store, const std::string& url)
      : service("fieldwork/v1", Limits{}, target(url),
                [this](runtime::Task task) {
                  std::lock_guard lock(mutex);
                  posted.push_back(std::move(task));
                  wake.notify_all();
                }),
        engine(service, store, bus) {
    EXPECT_TRUE(engine.load(t0).ok());
    EXPECT_TRUE(engine.run({runtime::Connected{}}, t0).ok());
  }
  static AlertingService::MakeTarget target(const std::string& url) {
    if (url.empty()) return {};
    return [url](Target::Done done) { return std::make_unique<Webhook>(WebhookConfig{url, 2}, std::move(done)); };
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

std::string duplicated_device() {
  Device device;
  device.id = edge;
  device.about = {.capacity = {1000, 1, 0}, .agent = "0.1.0"};
  device.lifecycle = Lifecycle::active;
  device.presence = Presence::online;
  device.duplicated_since_ms = 5;
  return codec::dump(codec::encode(device));
}

std::string lost_device() {
  Device device;
  device.id = edge;
  device.about = {.capacity = {1000, 1, 0}, .agent = "0.1.0"};
  device.lifecycle = Lifecycle::active;
  device.presence = Presence::lost;
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

TEST(AlertingShell, SaysThatAnIdentityIsUsedTwice) {
  store::MemoryStore store;
  Stack stack(store, "");
  stack.say("state/device/edge-1", duplicated_device(), 1);
  const auto* alert = stack.service.core().find("device_duplicated.edge-1");
  ASSERT_NE(alert, nullptr);
  EXPECT_TRUE(alert->firing);
  EXPECT_EQ(next_step(*alert), "fieldwork device show edge-1");
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

TEST(AlertingShell, TakesTheEndOfTheAudit) {
  store::MemoryStore store;
  Stack stack(store, "");
  const std::string end = R"({"v":1,"sequence":7,"at_ms":1,"checkpoint":"jws","hash":")" + std::string(64, 'a') + '"';
  stack.say("state/audit/head", end + "}", 1);
  EXPECT_EQ(stack.service.core().size(), 0u);
  stack.say("state/audit/head", end + R"(,"broken":{"sequence":7,"at_ms":1,"reason":"row 9 is gone"}})", 2);
  const auto* alert = stack.service.core().find("audit_broken.head");
  ASSERT_NE(alert, nullptr);
  EXPECT_EQ(alert->reason, "row 9 is gone");
  EXPECT_EQ(next_step(*alert), "fieldwork doctor");
  stack.say("state/audit/head", end + "}", 3);
  EXPECT_FALSE(stack.service.core().find("audit_broken.head")->firing);
}

TEST(AlertingShell, BadInputChangesNothing) {
  store::MemoryStore store;
  Stack stack(store, "");
  const auto commits = store.commits();
  stack.say("state/device/edge-2", lost_device(), 1);  // another identity
  for (const char* topic :
       {"state/device/a", "state/job/a", "state/transfer/a", "state/audit/head", "event/job/changed"}) {
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
