#pragma once

#include <chrono>
#include <string>

#include "bus/mqtt.hpp"

namespace fieldwork::bus {

// Why the broker cannot be reached, in one sentence with the next step. Checks name, network, port and TLS on a
// connection of its own, without sending CONNECT; takes at most a few times `patience`. Empty: every one of these
// checks passed.
[[nodiscard]] std::string cause_of_failure(const MqttConfig& config, std::chrono::milliseconds patience);

// The words for a reason code of MQTT 5 (CONNACK, DISCONNECT, PUBACK, SUBACK) or a return code of 3.1.1's CONNACK.
[[nodiscard]] std::string reason_words(int code, const std::string& client_id);

}  // namespace fieldwork::bus
