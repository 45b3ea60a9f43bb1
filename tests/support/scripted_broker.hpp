// An MQTT broker that says what a test tells it to: limits in CONNACK, refusals of subscriptions and publishes, which
// Mosquitto 2.0.11 never sends. One connection at a time; it delivers nothing.
#pragma once

#include <poll.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "child.hpp"

namespace fieldwork::support {

struct BrokerScript {
  std::optional<std::uint32_t> packet_bytes_max;  // in CONNACK (MQTT 5)
  // The reason codes for a filter (SUBACK) and for a topic (PUBACK). MQTT 3.1.1 has none for a topic.
  std::function<std::uint8_t(const std::string&)> on_subscribe = [](const std::string&) { return std::uint8_t{1}; };
  std::function<std::uint8_t(const std::string&)> on_publish = [](const std::string&) { return std::uint8_t{0}; };
};

class ScriptedBroker {
 public:
  explicit ScriptedBroker(BrokerScript script) : script_(std::move(script)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto address = loopback(0);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_, any, size) != 0 || listen(listener_, 10) != 0 || getsockname(listener_, any, &size) != 0) {
      throw std::runtime_error("no port for a broker");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ScriptedBroker(const ScriptedBroker&) = delete;
  ScriptedBroker& operator=(const ScriptedBroker&) = delete;
  ~ScriptedBroker() {
    stopping_ = true;
    thread_.join();
    close(listener_);
  }

  [[nodiscard]] std::string url() const { return "tcp://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::vector<std::string> published() const {
    const std::lock_guard lock(mutex_);
    return published_;
  }
  [[nodiscard]] std::string connect() const {  // the last CONNECT packet, without its fixed header
    const std::lock_guard lock(mutex_);
    return connect_;
  }
  [[nodiscard]] int goodbyes() const { return goodbyes_; }  // DISCONNECT packets

 private:
  static bool ready(int number) {
    pollfd waits{number, POLLIN, 0};
    return poll(&waits, 1, 20) > 0;
  }

  void run() {
    while (!stopping_) {
      if (!ready(listener_)) continue;
      const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      std::string heard;
      while (!stopping_) {
        if (!ready(client)) continue;
        char bytes[65'536];
        const auto got = recv(client, bytes, sizeof bytes, 0);
        if (got <= 0) break;
        heard.append(bytes, static_cast<std::size_t>(got));
        while (hear(client, heard)) {
        }
      }
      close(client);
    }
  }

  // Takes one packet from the front of `heard`; false: the packet is not complete.
  bool hear(int client, std::string& heard) {
    std::size_t length = 0, at = 1;
    for (int shift = 0;; shift += 7) {
      if (at >= heard.size()) return false;
      const auto byte = static_cast<std::uint8_t>(heard[at++]);
      length |= std::size_t{byte & 0x7FU} << shift;
      if ((byte & 0x80U) == 0) break;
    }
    if (heard.size() < at + length) return false;
    const auto type = static_cast<std::uint8_t>(heard[0]);
    answer(client, type, heard.substr(at, length));
    heard.erase(0, at + length);
    return true;
  }

  static std::size_t number(const std::string& body, std::size_t at) {
    return std::size_t{static_cast<std::uint8_t>(body[at])} << 8U | static_cast<std::uint8_t>(body[at + 1]);
  }
  static void say(int client, char type, const std::string& body) {
    const std::string packet = std::string{type, static_cast<char>(body.size())} + body;
    (void)!::send(client, packet.data(), packet.size(), MSG_NOSIGNAL);
  }

  void answer(int client, std::uint8_t type, const std::string& body) {
    const std::string none = five_ ? std::string(1, '\0') : std::string();
    switch (type >> 4U) {
      case 1: {  // CONNECT
        five_ = body[6] == 5;
        {
          const std::lock_guard lock(mutex_);
          connect_ = body;
        }
        std::string properties;
        if (script_.packet_bytes_max) {
          properties = "\x27";
          for (int shift = 24; shift >= 0; shift -= 8) {
            properties += static_cast<char>(*script_.packet_bytes_max >> static_cast<unsigned>(shift));
          }
        }
        const std::string more = five_ ? static_cast<char>(properties.size()) + properties : std::string();
        say(client, 0x20, std::string(2, '\0') + more);
        break;
      }
      case 3: {  // PUBLISH
        const auto size = number(body, 0);
        const auto topic = body.substr(2, size);
        {
          const std::lock_guard lock(mutex_);
          published_.push_back(topic);
        }
        if ((type & 6U) == 0) break;
        const auto code = static_cast<char>(script_.on_publish(topic));
        say(client, 0x40, body.substr(2 + size, 2) + (five_ ? std::string(1, code) : std::string()));
        break;
      }
      case 8: {  // SUBSCRIBE, of one filter
        const std::size_t at = five_ ? 3 : 2;
        const auto filter = body.substr(at + 2, number(body, at));
        say(client, static_cast<char>(0x90),
            body.substr(0, 2) + none + static_cast<char>(script_.on_subscribe(filter)));
        break;
      }
      case 12: say(client, static_cast<char>(0xD0), ""); break;  // PINGREQ
      case 14: ++goodbyes_; break;                               // DISCONNECT
      default: break;
    }
  }

  BrokerScript script_;
  int listener_ = -1;
  int port_ = 0;
  bool five_ = false;  // used by thread_ alone
  mutable std::mutex mutex_;
  std::vector<std::string> published_;
  std::string connect_;
  std::atomic<int> goodbyes_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;  // the last member: the thread uses the others
};

}  // namespace fieldwork::support
