// Inside MqttBus: connection.cpp makes and keeps the connection, mqtt.cpp sends and receives.
#pragma once

#include <mqtt/async_client.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "bus/mqtt.hpp"

namespace fieldwork::bus {

struct MqttBus::Impl : mqtt::callback, mqtt::iaction_listener {
  using Clock = std::chrono::steady_clock;

  Impl(MqttConfig c, MqttEvents e);

  // connection.cpp
  void build_options();
  void run();
  bool watch();
  bool connect(std::string& reason);
  void if_slow(Clock::time_point began);
  void break_off();
  void leave();
  void hear_again();
  [[nodiscard]] bool may_speak() const { return !events.may_speak || events.may_speak(); }
  bool wait_for_leave_to_speak();
  void explain(std::string& reason);
  void read_limits(const mqtt::token_ptr& token);
  bool subscribe(std::string& reason);
  void change(const Subscription& change);
  void subscribe_more();
  void connection_lost(const std::string& cause) override;
  void lost(std::string cause);

  // mqtt.cpp
  void message_arrived(mqtt::const_message_ptr arrived) override;
  Result<void> publish(Message message);
  void note_too_large(const std::string& topic, std::size_t size);
  void note(const std::string& what, std::string text);
  void say_troubles();
  void pump();
  bool send(Message message, Lanes::Ticket ticket);
  void finished(const mqtt::token& token, bool good);
  void on_success(const mqtt::token& token) override { finished(token, true); }
  void on_failure(const mqtt::token& token) override { finished(token, false); }

  MqttConfig config;
  MqttEvents events;
  mqtt::connect_options options;  // must live as long as the client and never be copied: Paho keeps pointers into it
  std::unique_ptr<mqtt::async_client> client;

  mutable std::mutex mutex;  // never held while Paho is called: Paho calls back while it holds its own lock
  std::condition_variable changed;
  bool up = false;
  Clock::time_point connected_at{};
  int short_lives = 0;  // connections in a row that ended soon after they were made
  bool pumping = false;
  Lanes lanes;
  std::size_t packet_max;  // bytes; the smaller of the setting and the broker's limit
  std::uint64_t published = 0, acknowledged = 0, connects = 0;
  double round_trip_ms = 0;
  std::map<std::string, Clock::time_point> noted;
  std::map<std::string, int> more;    // subscriptions besides those of the config: filter -> QoS
  std::vector<std::string> troubles;  // not yet passed to MqttEvents::trouble
  std::atomic<std::uint64_t> received{0}, dropped{0}, denied{0}, too_large{0};
  std::atomic<bool> stopping{false};
  std::thread thread;

  // Used by `thread` alone.
  int slow_attempts = 0;
  std::chrono::seconds patience;  // for an attempt to connect; grows where connecting takes long
  struct Explained {
    std::string reported, cause;
    Clock::time_point at{};
  } explained;
};

}  // namespace fieldwork::bus
