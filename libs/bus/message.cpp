#include "bus/bus.hpp"

#include <string_view>

#include "limits.hpp"

namespace fieldwork::bus {
namespace {

Result<void> check_topic(const std::string& topic, const char* what) {
  if (topic.size() > mqtt_string_bytes_max)
    return Error{Code::invalid, std::string(what) + " is longer than 65535 bytes"};
  if (topic.find_first_of(std::string_view("+#\0", 3)) != std::string::npos) {
    return Error{Code::invalid, std::string(what) + " has a wildcard or a NUL in it"};
  }
  return {};
}

}  // namespace

std::size_t packet_bytes(const Message& message) {
  // Type and flags, remaining length, topic with its length, packet id, length of the properties.
  std::size_t bytes = 1 + 4 + 2 + message.topic.size() + 2 + 4 + message.payload.size();
  if (!message.response_topic.empty()) bytes += 3 + message.response_topic.size();
  if (!message.correlation.empty()) bytes += 3 + message.correlation.size();
  return bytes;
}

Result<void> check(const Message& message) {
  if (message.topic.empty()) return Error{Code::invalid, "the topic is empty"};
  if (auto good = check_topic(message.topic, "the topic"); !good) return good;
  if (auto good = check_topic(message.response_topic, "the response topic"); !good) return good;
  if (message.correlation.size() > mqtt_string_bytes_max) {
    return Error{Code::invalid, "the correlation data is longer than 65535 bytes"};
  }
  return {};
}

}  // namespace fieldwork::bus
