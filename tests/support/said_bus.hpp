// A bus that only records what is published.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "bus/bus.hpp"

namespace fieldwork::support {

struct SaidBus : bus::Bus {
  std::vector<bus::Message> said;

  Result<void> publish(bus::Message message) override {
    said.push_back(std::move(message));
    return {};
  }
  // The newest message on this topic below fieldwork/v1, or none.
  [[nodiscard]] const bus::Message* find(const std::string& topic) const {
    for (auto it = said.rbegin(); it != said.rend(); ++it) {
      if (it->topic == "fieldwork/v1/" + topic) return &*it;
    }
    return nullptr;
  }
  [[nodiscard]] nlohmann::json last(const std::string& topic) const {
    const auto* message = find(topic);
    return message == nullptr ? nlohmann::json() : nlohmann::json::parse(message->payload);
  }
};

}  // namespace fieldwork::support
