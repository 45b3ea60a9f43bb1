// A fleet of simulated devices on one thread.
#pragma once

#include <atomic>
#include <map>

#include "agent/fleet/device.hpp"

namespace fieldwork::agent {

struct FleetConfig {
  std::string root = "fieldwork/v1";
  std::string host;
  int port = 0;
  std::string ca;       // PEM file: who issues the broker's certificate
  std::string devices;  // directory of NAME.crt and NAME.key
  std::string grants;   // PEM file: the keys whose grants count
  int count_max = 0;    // devices, by name; 0: all
  std::uint64_t seed = 1;
};

class Fleet : private FleetLoop {
 public:
  // The Error names the file or the limit.
  static Result<std::unique_ptr<Fleet>> make(const FleetConfig& config, Scenario scenario);
  ~Fleet() override;

  // Runs the loop for `time`.
  void turn(Duration time);
  [[nodiscard]] const FleetCounts& counts() const { return counts_; }
  [[nodiscard]] std::size_t size() const { return devices_.size(); }

 private:
  explicit Fleet(Scenario scenario) : scenario_(std::move(scenario)) {}
  [[nodiscard]] Time now() const override;
  void at(Time when, std::function<void()> then) override;

  Scenario scenario_;
  FleetCounts counts_;
  std::multimap<Time, std::function<void()>> timeline_;
  std::unique_ptr<bus::Sessions> sessions_;
  std::vector<std::unique_ptr<FleetDevice>> devices_;
};

}  // namespace fieldwork::agent
