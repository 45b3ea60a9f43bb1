// A simulated fleet: groups of devices with their links, jobs and failures, from a TOML file (README.md).
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/device.hpp"

namespace fieldwork::agent {

// A group takes the devices whose names match, except those that an earlier group took.
struct FleetGroup {
  std::string devices = "*";  // a pattern of names, as for files: * and ?
  Labels labels;
  std::string site;
  Capacity capacity{.cpu_millis = 1'000'000, .memory_bytes = 1 << 30, .storage_bytes = 1 << 30};
  double cpu_load = 0.1;       // share of all cores, 0 to 1
  int delay_ms = 0;            // of each message in each direction
  double cut_every_s = 0;      // mean time between breaks of the link; 0: none
  double cut_s = 0;            // how long the link is gone
  double restart_every_s = 0;  // mean time between restarts of the agent, which keeps its journal; 0: none
  double job_s_min = 0;        // how long a job runs; both 0: it ends at once
  double job_s_max = 0;
  double job_fails = 0;  // share of jobs that end with exit code 1, 0 to 1
};

struct Scenario {
  double connects_per_s = 500;  // devices that connect per second at the start
  std::vector<FleetGroup> groups;
};

// The Error names file, line and key.
[[nodiscard]] Result<Scenario> read_scenario(const std::string& file);
// The first group whose pattern matches this name; null: none.
[[nodiscard]] const FleetGroup* group_of(const Scenario& scenario, const std::string& device);

}  // namespace fieldwork::agent
