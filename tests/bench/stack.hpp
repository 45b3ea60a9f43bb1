// What a benchmark needs of a stack that scripts/stack made: addresses, certificates, processes, counters.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bus/mqtt.hpp"

namespace fieldwork::bench {

class Stack {
 public:
  explicit Stack(std::string directory);

  // who: operators/operator, services/scheduler, devices/edge-1; listener: operators, services, devices
  [[nodiscard]] bus::MqttConfig mqtt(const std::string& listener, const std::string& who,
                                     const std::string& client_id) const;
  [[nodiscard]] std::string path(const std::string& relative) const { return directory_ + "/" + relative; }
  [[nodiscard]] std::vector<std::string> devices() const;
  // CPU time so far in microseconds, by process name; that of postgres with its children.
  // `client`: the pid of a process that counts as clients, as this one does; 0: none.
  [[nodiscard]] std::map<std::string, double> cpu_us(int client = 0) const;
  // The sum of a metric over all services.
  [[nodiscard]] double sum_of(const std::string& metric) const;

 private:
  std::string directory_;
  std::map<std::string, int> ports_, http_;
};

}  // namespace fieldwork::bench
