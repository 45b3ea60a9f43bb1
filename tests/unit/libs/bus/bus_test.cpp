// links: bus GTest::gtest_main
// The bus over a real Mosquitto: delivery, windows and bounds, and what a broker's death and return do.
#include <gtest/gtest.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "bus/mqtt.hpp"
#include "support/broker.hpp"
#include "support/scripted_broker.hpp"
#include "support/slow_link.hpp"
#include "support/tls_files.hpp"

namespace fieldwork::bus {
namespace {

using std::chrono::milliseconds;
using support::Broker;

// A client, and what it has heard.
class Client {
 public:
  explicit Client(MqttConfig config) : bus_(std::move(config), events()) { bus_.start(); }

  // Waits until `good()` of what was heard; false after 30 s.
  template <typename Good>
  bool await(Good good) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return good(*this); });
  }
  bool await_connects(int n) {
    return await([n](const Client& c) { return c.lives_.size() >= static_cast<std::size_t>(n); });
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
  std::vector<std::string> reasons() {
    const std::lock_guard lock(mutex_);
    return reasons_;
  }
  std::vector<std::string> troubles() {
    const std::lock_guard lock(mutex_);
    return troubles_;
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
    return poll([&] { return good(bus_.stats()); });
  }
  bool await_idle() {
    return poll([&] { return bus_.idle(); });
  }
  static bool poll(const std::function<bool()>& good) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!good()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return true;
  }
  MqttBus& bus() { return bus_; }

  // For what await() is given; the lock is held there.
  std::vector<Message> heard_;
  std::vector<std::string> reasons_, troubles_;
  std::vector<bool> lives_;

 private:
  MqttEvents events() {
    return {.message = [this](Message&& message) { note(heard_, std::move(message)); },
            .connected = [this] { note(lives_, true); },
            .disconnected = [this](const std::string& reason) { note(reasons_, reason); },
            .trouble = [this](const std::string& what) { note(troubles_, what); }};
  }
  template <class List, class One>
  void note(List& list, One&& one) {
    const std::lock_guard lock(mutex_);
    list.push_back(std::forward<One>(one));
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
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

// Bytes that the link takes in some time stand before whatever comes after them, so few may be on their way at a time.
TEST(MqttBus, ControlOvertakesBulkOnASlowLink) {
  Broker broker;
  broker.begin();
  Client reader(to(broker, "reader", "t/#"));
  ASSERT_TRUE(reader.await_connects(1));
  support::SlowLink link(broker.port(), {.up_bytes_per_s = 100'000, .down_bytes_per_s = 100'000});
  auto config = to(broker, "device");
  config.url = link.url();
  config.mqtt5 = false;
  Client device(config);
  ASSERT_TRUE(device.await_connects(1));
  for (int i = 0; i < 20; ++i) {
    const Message piece{.topic = "t/bulk", .payload = std::string(15'000, 'x'), .qos = 0, .lane = Lane::bulk};
    EXPECT_TRUE(device.bus().publish(piece).ok());
  }
  EXPECT_TRUE(device.bus().publish({.topic = "t/heartbeat", .payload = "x", .qos = 0}).ok());
  EXPECT_GT(device.bus().backlog(Lane::bulk), 250'000U);
  ASSERT_TRUE(reader.await_heard(21));
  const auto heard = reader.heard();
  const auto at = std::find_if(heard.begin(), heard.end(), [](const auto& m) { return m.topic == "t/heartbeat"; });
  EXPECT_LE(at - heard.begin(), 3) << "two pieces fill the first window";
  EXPECT_TRUE(device.await_stats([](const auto& s) { return s.published == 21; }));
  EXPECT_TRUE(device.await([](auto&) { return true; }));
  EXPECT_TRUE(device.await_idle());
  EXPECT_EQ(device.bus().backlog(Lane::bulk), 0U);
  EXPECT_EQ(device.bus().stats().connects, 1U);
}

// More bulk than the link takes in many keep-alives is not the end of the connection: the answers come in between.
TEST(MqttBus, AConnectionInWhichBytesFlowIsNotCut) {
  Broker broker;
  broker.begin();
  support::SlowLink link(broker.port(), {.up_bytes_per_s = 40'000, .down_bytes_per_s = 40'000});
  auto config = to(broker, "device");
  config.url = link.url();
  config.mqtt5 = false;
  config.keep_alive_s = 1;
  Client device(config);
  ASSERT_TRUE(device.await_connects(1));
  for (int i = 0; i < 25; ++i) {
    EXPECT_TRUE(device.bus().publish({.topic = "t", .payload = std::string(8000, 'x'), .lane = Lane::bulk}).ok());
  }
  EXPECT_TRUE(device.await_stats([](const auto& s) { return s.acknowledged == 25; }));
  EXPECT_EQ(device.bus().stats().connects, 1U) << device.last_reason();
}

TEST(MqttBus, TheRoundTripIsThatOfAcknowledgements) {
  Broker broker;
  broker.begin();
  Client client(to(broker, "client", "t"));
  ASSERT_TRUE(client.await_connects(1));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(client.bus().publish({.topic = "t", .payload = "x", .qos = 0}).ok());
  ASSERT_TRUE(client.await_heard(10));
  EXPECT_TRUE(client.await_idle());
  EXPECT_EQ(client.bus().stats().round_trip_ms, 0) << "writing is no round trip";
  EXPECT_EQ(client.bus().stats().acknowledged, 0U);
  EXPECT_TRUE(client.bus().publish({.topic = "t", .payload = "x"}).ok());
  EXPECT_TRUE(client.await_stats([](const auto& s) { return s.acknowledged == 1 && s.round_trip_ms > 0; }));
}

TEST(MqttBus, ObeysTheLargestPacketOfTheBroker) {
  support::ScriptedBroker broker({.packet_bytes_max = 1000});
  auto config = MqttConfig{.url = broker.url(), .client_id = "client"};
  Client client(config);
  EXPECT_TRUE(client.bus().publish({.topic = "early", .payload = std::string(2000, 'x')}).ok());
  ASSERT_TRUE(client.await_connects(1));
  EXPECT_EQ(client.bus().packet_bytes_max(), 1000U);
  Message edge{.topic = "t", .payload = std::string(1000, 'x')};
  while (packet_bytes(edge) > 1000) edge.payload.pop_back();
  EXPECT_TRUE(client.bus().publish(edge).ok());
  edge.payload += 'x';
  for (int i = 0; i < 3; ++i) {
    const auto said = client.bus().publish(edge);
    ASSERT_FALSE(said.ok());
    EXPECT_EQ(said.error().code, Code::invalid);
  }
  EXPECT_TRUE(client.await_stats([](const auto& s) { return s.acknowledged == 1; }));
  EXPECT_EQ(broker.published(), std::vector<std::string>{"t"});
  EXPECT_EQ(client.bus().stats().too_large, 4U) << "also what waited when the limit became known";
  EXPECT_EQ(client.troubles().size(), 1U) << "once per kind of topic";
}

// Some brokers want the certificate's name there, too.
TEST(MqttBus, SaysAUserNameOnlyIfThereIsOne) {
  for (const bool five : {true, false}) {
    for (const std::string name : {"", "operator"}) {
      support::ScriptedBroker broker({});
      Client client({.url = broker.url(), .client_id = "client", .user_name = name, .mqtt5 = five});
      ASSERT_TRUE(client.await_connects(1));
      const auto said = broker.connect();
      EXPECT_EQ(static_cast<unsigned char>(said[7]) & 0xC0U, name.empty() ? 0U : 0x80U) << "no password";
      EXPECT_TRUE(
          said.ends_with(std::string("\x06") + "client" + (name.empty() ? "" : std::string("\0\x08", 2) + name)))
          << five << name;
    }
  }
}

TEST(MqttBus, EveryRefusedPublishIsCountedAndNamed) {
  support::ScriptedBroker broker({.on_publish = [](const std::string& topic) {
    return static_cast<std::uint8_t>(topic == "r/state/job/a" ? 144 : topic == "r/state/job/b" ? 151 : 16);
  }});
  auto config = MqttConfig{.url = broker.url(), .client_id = "client"};
  Client client(config);
  ASSERT_TRUE(client.await_connects(1));
  for (const auto* id : {"a", "b", "c"}) {
    EXPECT_TRUE(client.bus().publish({.topic = std::string("r/state/job/") + id, .payload = "x"}).ok());
  }
  EXPECT_TRUE(client.await_stats([](const auto& s) { return s.denied == 2 && s.acknowledged == 1; }));
  ASSERT_TRUE(client.await([](Client& c) { return !c.troubles_.empty(); }));
  EXPECT_EQ(client.troubles().size(), 1U);
  EXPECT_NE(client.troubles()[0].find("state/job/+"), std::string::npos) << client.troubles()[0];
}

TEST(MqttBus, ARefusedSubscriptionIsNamedAndEndsTheConnection) {
  for (const bool five : {true, false}) {
    std::atomic<bool> open = false;
    support::ScriptedBroker broker({.on_subscribe = [&](const std::string& filter) {
      return static_cast<std::uint8_t>(filter == "closed/+" && !open ? (five ? 135 : 128) : 1);
    }});
    auto config = MqttConfig{.url = broker.url(), .client_id = "client", .mqtt5 = five};
    config.reconnect_first = config.reconnect_last = milliseconds(10);
    config.subscriptions = {{"open/+", 1}, {"closed/+", 1}};
    Client client(config);
    ASSERT_TRUE(client.await_failures(4));
    for (const auto& reason : client.reasons()) {
      EXPECT_NE(reason.find("closed/+"), std::string::npos) << reason;
    }
    EXPECT_GE(broker.goodbyes(), 3);
    EXPECT_GE(client.bus().stats().denied, 4U);
    open = true;
    EXPECT_TRUE(client.await_connects(1));
  }
}

// One sentence that names the cause, for each of the causes that look alike from inside the MQTT library.
TEST(MqttBus, SaysWhatIsWrongWithTheConnection) {
  const auto directory = support::certificates();
  const auto file = [&](const char* name) { return (directory / name).string(); };
  Broker broker("cafile " + file("ca.crt") + "\ncertfile " + file("localhost.crt") + "\nkeyfile " +
                file("localhost.key") + "\nrequire_certificate true\n");
  broker.begin();
  Broker expired("cafile " + file("ca.crt") + "\ncertfile " + file("expired.crt") + "\nkeyfile " +
                 file("localhost.key") + "\n");
  expired.begin();
  Broker plain;
  plain.begin();
  const auto port = [](const Broker& one) { return std::to_string(one.port()); };
  struct Case {
    std::string url, ca, certificate, key, words;
  };
  const auto localhost = "ssl://localhost:";
  const Case cases[] = {
      {localhost + port(broker), "other-ca.crt", "client.crt", "client.key", "is not issued by broker.ca"},
      {"ssl://127.0.0.1:" + port(broker), "ca.crt", "client.crt", "client.key",
       "is for DNS:localhost and not for 127.0.0.1"},
      {localhost + port(expired), "ca.crt", "client.crt", "client.key", "was valid until"},
      {localhost + port(broker), "ca.crt", "client.crt", "localhost.key", "does not belong to the certificate"},
      {localhost + port(broker), "ca.crt", "expired.crt", "localhost.key", "our certificate"},
      {localhost + port(broker), "ca.crt", "foreign.crt", "client.key",
       "does not take the CA that issued our certificate"},
      {localhost + port(broker), "ca.crt", "", "", "asks for a certificate"},
      {localhost + port(broker), "client.key", "client.crt", "client.key", "holds no certificate"},
      {localhost + port(plain), "ca.crt", "client.crt", "client.key", "does that port speak TLS"},
      {localhost + std::to_string(support::free_port()), "ca.crt", "client.crt", "client.key",
       "nothing listens at localhost"},
      {"ssl://no-such-host.invalid:1", "ca.crt", "client.crt", "client.key", "the name no-such-host.invalid"},
  };
  for (const auto& c : cases) {
    MqttConfig config{.url = c.url, .client_id = "client", .ca = file(c.ca.c_str())};
    if (!c.certificate.empty()) {
      config.certificate = file(c.certificate.c_str());
      config.key = file(c.key.c_str());
    }
    Client client(config);
    ASSERT_TRUE(client.await_failures(1)) << c.words;
    EXPECT_NE(client.last_reason().find(c.words), std::string::npos) << c.words << ": " << client.last_reason();
  }
  Client good({.url = localhost + port(broker),
               .client_id = "client",
               .ca = file("ca.crt"),
               .certificate = file("client.crt"),
               .key = file("client.key")});
  EXPECT_TRUE(good.await_connects(1));
  std::filesystem::remove_all(directory);
}

TEST(MqttBus, SaysThatOneNameIsUsedTwice) {
  Broker broker;
  broker.begin();
  auto config = to(broker, "twin");
  config.mqtt5 = false;
  Client one(config);
  Client two(config);
  const auto said = [](Client& c) {
    return std::any_of(c.reasons_.begin(), c.reasons_.end(),
                       [](const auto& r) { return r.find("use the name 'twin'") != std::string::npos; });
  };
  EXPECT_TRUE(one.await(said));
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
