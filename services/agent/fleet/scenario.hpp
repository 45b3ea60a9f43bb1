// What a simulated fleet is like: groups of devices with their links, jobs and failures, from a TOML file (README.md).
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/device.hpp"

namespace fieldwork::agent {

// A group takes the devices whose names match, of those that no earlier group took.
struct FleetGroup {
  std::string devices = "*";  // as in file names: * and ?
  Labels labels;
  Capacity capacity{.cpu_millis = 1'000'000, .memory_bytes = 1 << 30, .disk_bytes = 1 << 30};
  double cpu_load = 0.1;       // of all cores, 0 to 1
  int delay_ms = 0;            // of each message, each way
  double cut_every_s = 0;      // mean time between breaks of the link; 0: none
  double cut_s = 0;            // how long it is gone
  double restart_every_s = 0;  // mean time between starts of the agent, which keeps its journal; 0: none
  double job_s_min = 0;        // how long a job runs; both 0: it is over at once
  double job_s_max = 0;
  double job_fails = 0;  // share of jobs that end with exit code 1, 0 to 1
};

struct Scenario {
  double connects_per_s = 500;  // at the start
  std::vector<FleetGroup> groups;
};

// An error names file, line and key.
[[nodiscard]] Result<Scenario> read_scenario(const std::string& file);
// The first group that takes this name, or null.
[[nodiscard]] const FleetGroup* group_of(const Scenario& scenario, const std::string& device);

}  // namespace fieldwork::agent
