// Many MQTT sessions on one thread: libmosquitto under one epoll loop. For simulated fleets, where a thread per device
// (MqttBus has several) would be the limit. MQTT 3.1.1, clean sessions. Each session has its own certificate; all trust
// one CA.
//
// All functions and events run on the thread that calls turn(). A session whose connection broke stays broken until its
// owner calls connect() again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "bus/bus.hpp"

namespace fieldwork::bus {

struct SessionConfig {
  std::string client_id;
  std::string certificate;  // PEM files
  std::string key;
  std::vector<std::pair<std::string, int>> subscriptions;  // filter, QoS
  std::optional<Message> will;
  std::optional<Message> birth;  // published first on every connect
  int keep_alive_s = 60;
  std::size_t window = 100;  // publishes in flight at a time
};

// These functions may publish. They must not connect or destroy a session.
struct SessionEvents {
  std::function<void(Message&&)> message;
  std::function<void()> connected;  // subscriptions are made
  std::function<void(const std::string& reason)> disconnected;
};

class Sessions;

class Session : public Bus {
 public:
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Begins to connect; `connected` or `disconnected` follows. Publishes in flight on an earlier connection are lost.
  void connect();
  // Breaks the link without DISCONNECT: the broker publishes the will once it notices.
  void cut();
  void set_presence(Message will, Message birth);  // from the next connect on
  [[nodiscard]] bool connected() const;

  Result<void> publish(Message message) override;
  [[nodiscard]] std::size_t backlog(Lane lane) const override;

  struct Impl;

 private:
  friend class Sessions;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

class Sessions {
 public:
  // `ca`: PEM file of the CA that issued the broker's certificate, which must be for `host`.
  static Result<std::unique_ptr<Sessions>> open(const std::string& host, int port, const std::string& ca);
  ~Sessions();

  // An error names the file that cannot be read. Every Session must end before its Sessions.
  Result<std::unique_ptr<Session>> add(SessionConfig config, SessionEvents events);
  // Waits for traffic for at most `patience`, and handles the traffic that is there.
  void turn(milliseconds patience);

  struct Impl;

 private:
  explicit Sessions(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwork::bus
