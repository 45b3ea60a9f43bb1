// On which devices a command has failed in its newest tries there.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/id.hpp"

namespace fieldwork::scheduler {

// How much of it fails there, above 0 to 1: each try counts failure_step, and so much less with each one after it.
using Failing = std::map<DeviceId, double>;

// As it is stored.
struct FailureRecord {
  std::string work;
  Failing failing;
  bool remove = false;
};

class Failures {
 public:
  using Work = std::uint64_t;  // the first of its DurationKeys; 0: none

  Failures() = default;
  // Rows that say nothing, and those above works_failing_max, are given out to be removed.
  explicit Failures(std::vector<FailureRecord> saved);

  // The end of a try that says something of the device or the work. A success without a failure before it says nothing.
  void add(Work work, const DeviceId& device, bool failed);
  void forget(const DeviceId& device);
  [[nodiscard]] double failing(Work work, const DeviceId& device) const;
  [[nodiscard]] std::size_t size() const { return by_work_.size(); }

  // What is to be stored since the last call, at most `most`.
  [[nodiscard]] std::vector<FailureRecord> changed(std::size_t most);

 private:
  struct Known {
    Failing failing;
    std::list<Work>::iterator place;
  };
  void forget_work(Work work);

  std::unordered_map<Work, Known> by_work_;
  std::list<Work> order_;  // that of which an end counted last at the end
  std::unordered_set<Work> dirty_;
};

}  // namespace fieldwork::scheduler
