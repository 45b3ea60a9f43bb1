#pragma once

#include <chrono>
#include <string>

#include "bus/mqtt.hpp"

namespace fieldwork::bus {

// Why the broker cannot be reached, in one sentence with the next step: the name, the network, the port, TLS. Asks the
// network itself, on a connection of its own without an MQTT greeting, and takes a few times `patience` at most.
// Empty: a connection can be made as far as here.
[[nodiscard]] std::string cause_of_failure(const MqttConfig& config, std::chrono::milliseconds patience);

// The words for a reason code of MQTT 5 (CONNACK, DISCONNECT, PUBACK, SUBACK) or a return code of 3.1.1's CONNACK.
[[nodiscard]] std::string reason_words(int code, const std::string& client_id);

}  // namespace fieldwork::bus
