// links: bus GTest::gtest_main
// The bus over a real Mosquitto: delivery, windows and bounds, and what a broker's death and return do.
#include <gtest/gtest.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "../support/broker.hpp"
#include "bus/mqtt.hpp"

namespace fieldwork::bus {
namespace {

using std::chrono::milliseconds;
using support::Broker;

// A client, and what it has heard.
class Client {
 public:
  explicit Client(MqttConfig config)
      : bus_(std::move(config), {.message =
                                     [this](Message&& message) {
                                       const std::lock_guard lock(mutex_);
                                       heard_.push_back(std::move(message));
                                       changed_.notify_all();
                                     },
                                 .connected =
                                     [this] {
                                       const std::lock_guard lock(mutex_);
                                       ++connects_;
                                       changed_.notify_all();
                                     },
                                 .disconnected =
                                     [this](const std::string& reason) {
                                       const std::lock_guard lock(mutex_);
                                       reasons_.push_back(reason);
                                       changed_.notify_all();
                                     }}) {
    bus_.start();
  }

  // Waits until `good()` of what was heard; false after 30 s.
  template <typename Good>
  bool await(Good good) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return good(*this); });
  }
  bool await_connects(int n) {
    return await([n](const Client& c) { return c.connects_ >= n; });
  }
  bool await_heard(std::size_t n) {
    return await([n](const Client& c) { return c.heard_.size() >= n; });
  }
  bool await_failures(std::size_t n) {
    return await([n](const Client& c) { return c.reasons_.size() >= n; });
  }
  bool await_payload(const std::string& payload) {
    return await([&](const Client& c) {
      return std::any_of(c.heard_.begin(), c.heard_.end(), [&](const Message& m) { return m.payload == payload; });
    });
  }
  std::vector<Message> heard() {
    const std::lock_guard lock(mutex_);
    return heard_;
  }
  std::size_t failures() {
    const std::lock_guard lock(mutex_);
    return reasons_.size();
  }
  std::string last_reason() {
    const std::lock_guard lock(mutex_);
    return reasons_.empty() ? "" : reasons_.back();
  }
  // Polled: statistics have no event.
  bool await_stats(const std::function<bool(const MqttStats&)>& good) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!good(bus_.stats())) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return true;
  }
  MqttBus& bus() { return bus_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Message> heard_;
  std::vector<std::string> reasons_;
  int connects_ = 0;
  MqttBus bus_;  // last: its threads call the others
};

MqttConfig to(const Broker& broker, const std::string& id, const std::string& filter = "") {
  MqttConfig config;
  config.url = broker.url();
  config.client_id = id;
  config.reconnect_first = milliseconds(10);
  config.reconnect_last = milliseconds(50);
  if (!filter.empty()) config.subscriptions = {{filter, 1}};
  return config;
}

TEST(MqttBus, DeliversInOrderWithAllThatBelongsToAMessage) {
  Broker broker;
  broker.begin();
  Client reader(to(broker, "reader", "t/#"));
  ASSERT_TRUE(reader.await_connects(1));
  Client writer(to(broker, "writer"));
  const std::string bytes("\0\xff\n", 3);
  (void)writer.bus().publish({.topic = "t/a", .payload = bytes, .response_topic = "reply/x", .correlation = bytes});
  for (int i = 0; i < 3000; ++i) (void)writer.bus().publish({.topic = "t/n", .payload = std::to_string(i)});
  ASSERT_TRUE(reader.await_heard(3001));
  const auto heard = reader.heard();
  EXPECT_EQ(heard[0].topic, "t/a");
  EXPECT_EQ(heard[0].payload, bytes);
  EXPECT_EQ(heard[0].response_topic, "reply/x");
  EXPECT_EQ(heard[0].correlation, bytes);
  for (int i = 0; i < 3000; ++i) ASSERT_EQ(heard[static_cast<std::size_t>(i) + 1].payload, std::to_string(i));
  EXPECT_TRUE(writer.await_stats([](const auto& s) { return s.acknowledged == 3001; }));
  EXPECT_TRUE(writer.bus().idle());
  EXPECT_EQ(writer.bus().stats().published, 3001U);
  EXPECT_EQ(reader.bus().stats().received, 3001U);
  EXPECT_GT(writer.bus().stats().round_trip_ms, 0);
}

TEST(MqttBus, DevicesSpeakTheOlderVersion) {
  Broker broker;
  broker.begin();
  auto config = to(broker, "device", "down/#");
  config.mqtt5 = false;
  Client device(config);
  ASSERT_TRUE(device.await_connects(1));
  Client service(to(broker, "service", "up/#"));
  ASSERT_TRUE(service.await_connects(1));
  (void)service.bus().publish({.topic = "down/a", .payload = "1", .response_topic = "reply/x"});
  ASSERT_TRUE(device.await_heard(1));
  EXPECT_EQ(device.heard()[0].payload, "1");
  (void)device.bus().publish({.topic = "up/a", .payload = "2", .response_topic = "not in 3.1.1"});
  ASSERT_TRUE(service.await_heard(1));
  EXPECT_EQ(service.heard()[0].payload, "2");
  EXPECT_EQ(service.heard()[0].response_topic, "");
}

// Mosquitto ends the connection of who has more in flight than it allows.
TEST(MqttBus, StaysBelowTheBrokersWindow) {
  Broker broker("max_inflight_messages 4\n");
  broker.begin();
  Client reader(to(broker, "reader", "t"));
  ASSERT_TRUE(reader.await_connects(1));
  Client writer(to(broker, "writer"));
  for (int i = 0; i < 2000; ++i) (void)writer.bus().publish({.topic = "t", .payload = std::to_string(i)});
  ASSERT_TRUE(writer.await_stats([](const auto& s) { return s.acknowledged == 2000; }));
  ASSERT_TRUE(reader.await_heard(2000));
  EXPECT_EQ(writer.bus().stats().connects, 1U);
}

TEST(MqttBus, WhatWaitsIsBounded) {
  Broker broker;  // does not run yet
  auto config = to(broker, "writer");
  config.lanes.waiting_max = 10;
  config.lanes.waiting_bytes_max = 1000;
  config.packet_bytes_max = 500;
  Client writer(config);
  ASSERT_TRUE(writer.await_failures(1));
  const auto large = writer.bus().publish({.topic = "t", .payload = std::string(500, 'x')});
  ASSERT_FALSE(large.ok());
  EXPECT_EQ(large.error().code, Code::invalid);
  EXPECT_EQ(writer.bus().stats().too_large, 1U);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(writer.bus().publish({.topic = "t", .payload = std::to_string(i)}).ok());
  }
  const auto full = writer.bus().publish({.topic = "t", .payload = "10"});
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().code, Code::unavailable);
  EXPECT_TRUE(writer.bus().publish({.topic = "t", .payload = "x", .lane = Lane::bulk}).ok()) << "a room of its own";
  EXPECT_EQ(writer.bus().stats().dropped, 1U);
  broker.begin();
  Client reader(to(broker, "reader", "t"));
  EXPECT_TRUE(writer.await_stats([](const auto& s) { return s.acknowledged == 11; })) << "what waited was kept";
  for (int i = 0; i < 2; ++i) (void)writer.bus().publish({.topic = "t", .payload = std::string(400, 'x')});
  EXPECT_TRUE(writer.await_stats([](const auto& s) { return s.acknowledged == 13; })) << "there is room again";
  EXPECT_EQ(writer.bus().stats().dropped, 1U);
}

// Whoever publishes to a filter is cut off by the broker; the topic may come from a stranger's response topic.
TEST(MqttBus, RefusesTopicsThatEndTheConnection) {
  Broker broker;
  broker.begin();
  Client client(to(broker, "client"));
  ASSERT_TRUE(client.await_connects(1));
  const std::string nul("a\0b", 3);
  const std::string lengthy(65'536, 'x');
  for (const auto& topic : {std::string(), std::string("reply/+/x"), std::string("a/#"), nul, lengthy}) {
    const auto said = client.bus().publish({.topic = topic, .payload = "x"});
    ASSERT_FALSE(said.ok()) << topic.substr(0, 20);
    EXPECT_EQ(said.error().code, Code::invalid);
    if (topic.empty()) continue;
    EXPECT_FALSE(client.bus().publish({.topic = "t", .payload = "x", .response_topic = topic}).ok());
  }
  EXPECT_FALSE(client.bus().publish({.topic = "t", .payload = "x", .correlation = lengthy}).ok());
  EXPECT_TRUE(client.bus().publish({.topic = "t", .payload = "x"}).ok());
  EXPECT_TRUE(client.await_stats([](const auto& s) { return s.acknowledged == 1; }));
  EXPECT_EQ(client.bus().stats().connects, 1U);
}

TEST(MqttBus, ComesBackAfterTheBrokersDeath) {
  Broker broker;
  broker.begin();
  auto config = to(broker, "worker", "t/#");
  config.birth = Message{.topic = "birth", .payload = "here", .retain = true};
  Client worker(config);
  ASSERT_TRUE(worker.await_connects(1));
  for (int life = 2; life <= 4; ++life) {
    const auto failures = worker.failures();
    broker.end();
    ASSERT_TRUE(worker.await_failures(failures + 1));
    (void)worker.bus().publish({.topic = "t/away", .payload = std::to_string(life)});
    broker.begin();
    ASSERT_TRUE(worker.await_connects(life));
    ASSERT_TRUE(worker.await_payload(std::to_string(life))) << "subscribed again, and what waited was said";
  }
  Client late(to(broker, "late", "birth"));
  ASSERT_TRUE(late.await_heard(1));
  EXPECT_EQ(late.heard()[0].payload, "here") << "the new broker knows nothing of the first birth";
  EXPECT_EQ(worker.bus().stats().connects, 4U);
}

TEST(MqttBus, SaysWhyItCannotConnectAndTriesAgain) {
  Broker broker;
  Client client(to(broker, "early"));
  ASSERT_TRUE(client.await_failures(3));
  EXPECT_NE(client.last_reason(), "");
  EXPECT_FALSE(client.bus().connected());
  broker.begin();
  EXPECT_TRUE(client.await_connects(1));
  EXPECT_TRUE(client.bus().connected());
}

TEST(MqttBus, TheWillIsSaidOnAPlannedStopToo) {
  Broker broker;
  broker.begin();
  Client reader(to(broker, "reader", "will"));
  ASSERT_TRUE(reader.await_connects(1));
  auto config = to(broker, "mortal");
  config.will = Message{.topic = "will", .payload = "gone"};
  {
    Client mortal(config);
    ASSERT_TRUE(mortal.await_connects(1));
  }
  ASSERT_TRUE(reader.await_heard(1));
  EXPECT_EQ(reader.heard()[0].payload, "gone");
}

TEST(MqttBus, WhatTheBrokerDeniesIsCountedAndEndsNothing) {
  Broker broker("", "topic readwrite open/#\n");
  broker.begin();
  Client client(to(broker, "client", "open/#"));
  ASSERT_TRUE(client.await_connects(1));
  (void)client.bus().publish({.topic = "closed/a", .payload = "1"});
  (void)client.bus().publish({.topic = "open/a", .payload = "2"});
  ASSERT_TRUE(client.await_heard(1));
  EXPECT_EQ(client.heard()[0].payload, "2");
  EXPECT_TRUE(client.await_stats([](const auto& s) { return s.denied == 1; }));
  EXPECT_EQ(client.bus().stats().connects, 1U);
}

// Without it each small message after another waits for a delayed acknowledgement: 40 ms.
TEST(MqttBus, ItsSocketSendsAtOnce) {
  Broker broker;
  broker.begin();
  Client client(to(broker, "client"));
  ASSERT_TRUE(client.await_connects(1));
  int ours = 0;
  for (int fd = 0; fd < 1024; ++fd) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || peer.sin_family != AF_INET) continue;
    if (ntohs(peer.sin_port) != broker.port()) continue;
    int value = 0;
    size = sizeof value;
    ASSERT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
    EXPECT_NE(value, 0);
    ++ours;
  }
  EXPECT_EQ(ours, 1);
}

}  // namespace
}  // namespace fieldwork::bus
