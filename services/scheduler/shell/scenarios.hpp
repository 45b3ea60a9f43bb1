// Scenarios: needs in words, and the fields of a job that they become (docs/decisions/0022, docs/scenarios.md).
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "codec/template.hpp"
#include "model/device.hpp"

namespace fieldwork::scheduler {

struct Needs {
  std::optional<double> latency_ms;    // below it
  bool on_device = false;              // the latency is that of the program itself, on the device that has the sensor
  std::string bandwidth = "low";       // low, medium, high
  double reliability = 0.95;           // probability that the job succeeds, 0.5 to 0.999999
  std::string privacy = "none";        // none, strict, highest
  std::string criticality = "normal";  // normal, critical, mission_critical
  bool large = false;                  // many sites
  bool mobile = false;
};

struct Scenario {
  std::string name;
  std::string title;
  std::string description;
  Needs needs;
  codec::Json words;  // the needs as they are written
  std::vector<codec::Template> jobs;
};

class Scenarios {
 public:
  // Reads DIRECTORY/NAME/scenario.json and DIRECTORY/NAME/JOB/template.json. A directory that is not there holds none.
  static Result<Scenarios> load(const std::filesystem::path& directory);

  // An error names those that there are.
  [[nodiscard]] Result<const Scenario*> find(const std::string& name) const;
  // Null: no template of this name comes with a scenario.
  struct Job {
    const Scenario* of = nullptr;
    const codec::Template* is = nullptr;
  };
  [[nodiscard]] std::optional<Job> job(const std::string& name) const;
  [[nodiscard]] const std::map<std::string, Scenario>& all() const { return all_; }

 private:
  std::map<std::string, Scenario> all_;
};

// That an attempt succeeds, by what devices have reported.
[[nodiscard]] double success_of(const Outcomes& outcomes);
// The fields of a job document. `success`: probability that an attempt succeeds.
[[nodiscard]] codec::Json document_of(const Needs& needs, double success);

}  // namespace fieldwork::scheduler
