// Messages over MQTT: the port, and what goes through it.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwork::bus {

// Two ways out of a process. All control that waits goes before any bulk that waits, and only so much bulk is on its
// way at a time that control never stands behind more than a moment of it, also on a slow link. The order within a
// lane is kept; between lanes there is none.
//   control  what is small, or must be heard soon: presence, heartbeats, commands, acknowledgements, states
//   bulk     what is large and may take its time: frames, reports above some kB. Always sent with QoS 1: the broker's
//            acknowledgement sets the pace. One message should be 64 KiB or less: MQTT cannot interrupt it
enum class Lane { control, bulk };

struct Message {
  std::string topic;
  std::string payload;
  int qos = 1;
  bool retain = false;
  std::string response_topic{};  // MQTT 5; empty: none
  std::string correlation{};     // MQTT 5; bytes
  Time arrived{};                // set by who received it, on the clock that its steps are given; zero: not known
  Lane lane = Lane::control;
};

// The most that a publish of this message takes on the wire, in bytes: topic, payload, properties and all that MQTT 5
// puts around them. What a broker compares with its largest packet.
[[nodiscard]] std::size_t packet_bytes(const Message& message);

// Ok, or what no broker would take: an empty or too long topic or response topic, a wildcard or a NUL in one of them
// (the broker ends the connection of who says that), correlation data above 65,535 bytes.
[[nodiscard]] Result<void> check(const Message& message);

class Bus {
 public:
  virtual ~Bus() = default;
  // Never blocks. Ok promises nothing: who needs an effect repeats until it is answered. Errors:
  //   invalid      what check() says, or the packet is larger than the broker takes; to say it again is in vain
  //   unavailable  too much waits already; later there may be room
  virtual Result<void> publish(Message message) = 0;
  // Bytes of a lane (as packet_bytes() counts) that wait or are not yet acknowledged by the broker: who repeats what
  // is not answered repeats when this is 0, and does not send a second copy after one that has not left. What was on
  // its way when the connection ended counts no more: it is lost.
  [[nodiscard]] virtual std::size_t backlog(Lane /*lane*/) const { return 0; }
};

}  // namespace fieldwork::bus
