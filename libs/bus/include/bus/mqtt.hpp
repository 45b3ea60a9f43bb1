// The bus over a real broker, with Paho inside. One client, clean start on every connect: the broker keeps nothing for
// us but retained messages. Reconnects by itself with full jitter; sets TCP_NODELAY on its own socket (Paho does not);
// keeps its window below what the broker allows; bounds what waits.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "bus/bus.hpp"
#include "bus/lanes.hpp"

namespace fieldwork::bus {

struct MqttConfig {
  std::string url;  // ssl://host:port, or tcp://host:port in tests
  std::string client_id;
  std::string user_name{};  // said in CONNECT, without a password; empty: none is
  std::string ca;           // PEM file; who may be the broker
  std::string certificate;  // PEM file; who we are
  std::string key;
  bool mqtt5 = true;  // devices speak 3.1.1
  int keep_alive_s = 15;
  int connect_timeout_s = 5;                       // the first; doubles up to 30 s when a broker answers late
  std::chrono::milliseconds reconnect_first{200};  // upper end of the first random wait; doubles
  std::chrono::milliseconds reconnect_last{10'000};
  LaneLimits lanes{};
  // The largest packet that the broker takes, in bytes as packet_bytes() counts; a larger publish is refused. An MQTT 5
  // broker says its own limit in CONNACK: the smaller counts.
  std::size_t packet_bytes_max = 2U << 20;
  std::vector<std::pair<std::string, int>> subscriptions;  // filter, QoS
  std::optional<Message> will;                             // also said on a planned stop
  std::optional<Message> birth;                            // said first on every connect
};

// Called on Paho's threads and on those that publish: they must copy, queue and return. They must not throw.
struct MqttEvents {
  std::function<void(Message&&)> message;
  std::function<void()> connected;  // subscriptions are made
  // Also each failed attempt to connect. One sentence: the cause, and what to do.
  std::function<void(const std::string& reason)> disconnected;
  // What nobody else would be told: a message was too large or was refused. Once a minute for each kind of topic.
  std::function<void(const std::string& what)> trouble{};
  // Asked before each attempt to connect and each publish that leaves; no: it waits. Absent: always yes. It must be
  // quick. After a no, wake() says that the answer may be another.
  std::function<bool()> may_speak = nullptr;
};

struct MqttStats {
  std::uint64_t published = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t received = 0;
  std::uint64_t dropped = 0;  // no room to wait, or what check() refuses
  std::uint64_t denied = 0;   // publishes (MQTT 5 only) and subscriptions that the broker refused, whatever the reason
  std::uint64_t connects = 0;
  std::uint64_t too_large = 0;  // above packet_bytes_max()
  double round_trip_ms = 0;     // smoothed: a QoS 1 publish to the broker's acknowledgement
};

class MqttBus : public Bus {
 public:
  MqttBus(MqttConfig config, MqttEvents events);
  ~MqttBus() override;  // stops

  void start();  // returns at once; connected() follows
  void stop();   // sends what is in the window if it can within a second, says goodbye, joins
  Result<void> publish(Message message) override;
  [[nodiscard]] std::size_t backlog(Lane lane) const override;
  // The largest packet that is taken now: the setting, or less if the broker said so.
  [[nodiscard]] std::size_t packet_bytes_max() const;
  void leave();  // says the will and breaks the connection; a new one is made when may_speak allows it
  void wake();   // may_speak may have changed
  [[nodiscard]] bool connected() const;
  [[nodiscard]] MqttStats stats() const;
  // Nothing waits and everything sent is acknowledged.
  [[nodiscard]] bool idle() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwork::bus
