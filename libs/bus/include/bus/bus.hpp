// Messages over MQTT: the port, and what goes through it.
#pragma once

#include <string>

#include "base/time.hpp"

namespace fieldwork::bus {

struct Message {
  std::string topic;
  std::string payload;
  int qos = 1;
  bool retain = false;
  std::string response_topic{};  // MQTT 5; empty: none
  std::string correlation{};     // MQTT 5; bytes
  Time arrived{};                // set by who received it, on the clock that its steps are given; zero: not known
};

class Bus {
 public:
  virtual ~Bus() = default;
  // Never blocks and promises nothing: who needs an effect repeats until it is answered.
  virtual void publish(Message message) = 0;
};

}  // namespace fieldwork::bus
