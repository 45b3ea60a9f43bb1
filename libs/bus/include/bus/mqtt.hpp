// The bus over a real broker: one Paho client. Every connect is a clean start: the broker keeps no session for us, only
// retained messages. Reconnects by itself with full jitter; sets TCP_NODELAY on its own socket (Paho does not); keeps
// the publishes in flight below the broker's Receive Maximum; bounds the publishes that wait.
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
  std::string user_name{};  // sent in CONNECT, without a password; empty: not sent
  std::string ca;           // PEM file of the CA that issued the broker's certificate
  std::string certificate;  // PEM file of our own certificate
  std::string key;
  bool mqtt5 = true;  // devices speak 3.1.1
  int keep_alive_s = 15;
  int connect_timeout_s = 5;  // of the first three attempts; doubles up to 30 s if a broker answers late
  std::chrono::milliseconds reconnect_first{200};  // upper bound of the first random wait; doubles
  std::chrono::milliseconds reconnect_last{10'000};
  LaneLimits lanes{};
  // The largest packet that the broker takes, in bytes as packet_bytes() counts; a larger publish is refused. An MQTT 5
  // broker may give its own limit in CONNACK: the smaller of the two counts.
  std::size_t packet_bytes_max = 2U << 20;
  std::vector<std::pair<std::string, int>> subscriptions;  // filter, QoS
  std::optional<Message> will;                             // published by the broker when the connection breaks
  std::optional<Message> goodbye;                          // published on a planned stop; none: the will
  std::optional<Message> birth;                            // published first on every connect
};

// These functions are called on Paho's threads and on threads that call publish(): they must copy, queue and return.
// They must not throw.
struct MqttEvents {
  std::function<void(Message&&)> message;
  std::function<void()> connected;  // subscriptions are made
  // The connection ended, or an attempt to connect failed. `reason` is one sentence: the cause, and what to do.
  std::function<void(const std::string& reason)> disconnected;
  // A message was too large or the broker refused it, which its publisher is not told. Once a minute for each kind of
  // topic.
  std::function<void(const std::string& what)> trouble{};
  // Whether this process may speak; asked before each attempt to connect and before each publish leaves. False: the
  // attempt or the publish waits. Absent: always true. It must be quick. After a false, wake() tells the bus that the
  // answer may have changed.
  std::function<bool()> may_speak = nullptr;
};

struct MqttStats {
  std::uint64_t published = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t received = 0;
  std::uint64_t dropped = 0;  // publishes that found no room to wait or that check() refuses
  std::uint64_t denied = 0;   // publishes (MQTT 5 only) and subscriptions that the broker refused, whatever the reason
  std::uint64_t connects = 0;
  std::uint64_t too_large = 0;  // publishes above packet_bytes_max()
  double round_trip_ms = 0;     // smoothed; from a QoS 1 publish to the broker's acknowledgement
};

class MqttBus : public Bus {
 public:
  MqttBus(MqttConfig config, MqttEvents events);
  ~MqttBus() override;  // stops

  void start();  // returns at once; MqttEvents::connected follows
  void stop();   // waits up to 1 s until all publishes are acknowledged, sends DISCONNECT, joins
  Result<void> publish(Message message) override;
  [[nodiscard]] std::size_t backlog(Lane lane) const override;
  // The largest packet that publish() takes now, in bytes: the setting, or the broker's limit where that is smaller.
  [[nodiscard]] std::size_t packet_bytes_max() const;
  void leave();  // publishes the will and disconnects; connects again when may_speak allows it
  void subscribe(const Subscription& change) override;
  void hear_again();  // subscribes anew: the broker says its retained messages again
  void wake();        // the answer of may_speak may have changed
  [[nodiscard]] bool connected() const;
  [[nodiscard]] MqttStats stats() const;
  // No publish waits, and every publish that was sent is acknowledged.
  [[nodiscard]] bool idle() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwork::bus
