// What a session needs of the bus: a connection that is made again when it is lost. Tests put a stand-in here.
#pragma once

#include <functional>
#include <memory>

#include "bus/mqtt.hpp"

namespace fieldwork::cli {

class Line {
 public:
  virtual ~Line() = default;
  virtual void start() = 0;  // the events tell what follows
  virtual void stop() = 0;   // no event comes after it
  virtual void publish(bus::Message message) = 0;
  [[nodiscard]] virtual bool connected() const = 0;
  [[nodiscard]] virtual bus::MqttStats stats() const = 0;
};

using MakeLine = std::function<std::unique_ptr<Line>(bus::MqttConfig, bus::MqttEvents)>;

// For a program that ends after one conversation: from now on a line over MQTT that was stopped is kept, not destroyed.
// The MQTT library would sleep for 200 ms to end its threads.
void leave_lines_standing();

// Makes a line over MQTT.
[[nodiscard]] std::unique_ptr<Line> mqtt_line(bus::MqttConfig config, bus::MqttEvents events);

}  // namespace fieldwork::cli
