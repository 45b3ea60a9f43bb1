// An MQTT message, and the interface (the port) through which messages are published.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwork::bus {

// The queues of publishes of a process. A waiting control message leaves before any waiting bulk message. Bulk
// bytes in flight are limited, so that a control message waits behind them for a moment only, also on a slow link.
// Messages of one lane keep their order; between the lanes there is none.
//   control  small or urgent messages: presence, commands, acknowledgements, states;
//            and frames, whose sender paces itself by acknowledgements of its own
//   bulk     large messages that may take their time: reports above 8 KiB. Always sent with QoS 1: the
//            broker's acknowledgement sets the pace. A message should be 64 KiB or less: MQTT cannot interrupt it
//   newest   heartbeats: after control, before bulk, with QoS 1. One is in flight, and the newest one waits:
//            it replaces the one that waited.
//            What waits when the connection ends is dropped
enum class Lane { control, bulk, newest };

struct Message {
  std::string topic;
  std::string payload;
  int qos = 1;
  bool retain = false;
  std::string response_topic{};  // MQTT 5; empty: none
  std::string correlation{};     // MQTT 5; bytes
  Time arrived{};                // set by the receiver, on the clock of its core's steps; zero: not known
  Lane lane = Lane::control;
};

// The largest size of this message's PUBLISH packet, in bytes: topic, payload, properties and the framing of MQTT 5.
// The broker compares this size with its maximum packet size.
[[nodiscard]] std::size_t packet_bytes(const Message& message);

// An Error for a message that no broker takes: an empty topic, a topic or response topic above 65,535 bytes or with a
// wildcard or a NUL (the broker disconnects a client that publishes to one), correlation data above 65,535 bytes.
[[nodiscard]] Result<void> check(const Message& message);

// A topic, or filter, that is heard from now on, or no more.
struct Subscription {
  std::string filter;
  int qos = 0;
  bool on = true;
  bool operator==(const Subscription&) const = default;
};

class Bus {
 public:
  virtual ~Bus() = default;
  // Never blocks. Also holds for later connections. What a broker refuses is not heard.
  virtual void subscribe(const Subscription& /*change*/) {}
  // Never blocks. Ok promises no delivery: a caller that needs an effect repeats the message until it is answered.
  // Errors:
  //   invalid      check() fails, or the packet is larger than the broker takes; repeating it is in vain
  //   unavailable  too many messages wait already; later there may be room
  virtual Result<void> publish(Message message) = 0;
  // The bytes of a lane (as packet_bytes() counts) that wait or that the broker has not yet acknowledged. A caller that
  // repeats unanswered messages does so only when this is 0, so that no second copy follows one that has not left.
  // Messages in flight when the connection ended are lost and no longer counted.
  [[nodiscard]] virtual std::size_t backlog(Lane /*lane*/) const { return 0; }
};

}  // namespace fieldwork::bus
