// How long work takes, of each command, template and program, and what it uses, of each command and template: the
// newest attempts that succeeded.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/time.hpp"
#include "scheduler/core/model/state.hpp"

namespace fieldwork::scheduler {

// What is kept of one command, template or program, as it is stored. The newest last.
struct DurationRecord {
  std::string key;
  std::vector<std::int64_t> ms;
  std::vector<std::int64_t> cpu_millis{}, memory_bytes{};
  bool remove = false;
};

[[nodiscard]] DurationKeys duration_keys(const JobRecord& job);

class Durations {
 public:
  Durations() = default;
  explicit Durations(std::vector<DurationRecord> saved);

  // `used`: none where the device did not say it.
  void add(const DurationKeys& keys, Duration took, const std::optional<Demand>& used = {});
  // From the assignment to the end: the median. By the command, else by the template, else by the program. Nothing:
  // none of them has ever succeeded.
  [[nodiscard]] std::optional<Duration> expected(const DurationKeys& keys) const;
  // Not by the program alone.
  [[nodiscard]] std::optional<Duration> expected_of_command(const DurationKeys& keys) const {
    return expected({keys[0], keys[1], keys[1]});
  }
  // What is left of an attempt that was assigned so long ago: the median of those that took longer, less that; where
  // none did, a quarter of that.
  [[nodiscard]] std::optional<Duration> left(const DurationKeys& keys, Duration since) const;
  // 90 % of the attempts used no more, and demand_margin on top; of the processor in the mean from assignment to end.
  // Nothing: fewer than demand_known_min are known of its command and of its template.
  [[nodiscard]] std::optional<Demand> demand(const DurationKeys& keys) const;
  [[nodiscard]] std::size_t size() const { return by_key_.size(); }

  // What is to be stored since the last call, at most `most`.
  [[nodiscard]] std::vector<DurationRecord> changed(std::size_t most);

 private:
  using Key = std::uint64_t;
  struct Known {
    std::vector<std::int64_t> ms;
    std::vector<std::int64_t> cpu_millis, memory_bytes;
    std::int64_t median = 0;
    std::list<Key>::iterator place;
    bool saved = false;  // has a row
  };
  Known& add(Key key, std::int64_t ms);
  [[nodiscard]] const Known* find(const DurationKeys& keys) const;

  std::unordered_map<Key, Known> by_key_;
  std::list<Key> order_;  // the one used last at the end
  std::unordered_set<Key> dirty_, gone_;
};

}  // namespace fieldwork::scheduler
