// Executions that wait for a device. Executions of one submitter and priority with equal wants stand in one lane: when
// the head of a lane fits no device, nobody behind it does. Then the lane sleeps until a device changes that could
// serve it.
//
// A lane's rank follows from its head: twice the levels that its level is below 9, and one more if it is of a bulk
// submission that security-policy has not allowed yet. The level is the priority, and one more for each age_every since
// the job came (docs/decisions/0019).
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "scheduler/core/fleet/measures.hpp"
#include "scheduler/core/model/state.hpp"

namespace fieldwork::scheduler {

struct QueueEntry {
  Time since{};             // when its job came
  std::uint64_t order = 0;  // of its job
  JobId job;
  int execution = 0;
  auto operator<=>(const QueueEntry&) const = default;
};

class Queue {
 public:
  using Lane = std::uint64_t;
  // What all executions of a lane share.
  struct Shape {
    std::string text;   // of the lane
    std::string fit;    // executions with equal texts fit on the same devices
    std::string group;  // a target device, one wanted label, or nothing: a device wakes only lanes of its groups
    Requirements need{};
    std::optional<fleet::Expression> where{};  // of the requirements
    std::string submitter{};
    int priority = 5;
    bool apart = false;  // from other jobs
    bool later = false;  // decided after the others of its level
  };
  struct LaneState {
    Shape shape;
    std::set<QueueEntry> entries;
    bool awake = true;
    int rank = 0;
    std::optional<Time> ages_at;
  };
  using Heads = std::set<std::pair<QueueEntry, Lane>>;
  struct Head {
    QueueEntry entry;
    Lane lane = 0;
  };

  explicit Queue(Duration age_every = seconds(600), Lane first = 1) : age_every_(age_every), next_lane_(first) {}

  // An entry waits like the rest of its lane, before or behind the head: adding it does not wake a lane that sleeps.
  Lane add(const Shape& shape, QueueEntry entry);
  void remove(Lane lane, const QueueEntry& entry);
  // Brings ranks up to date; time only grows.
  void age(Time now);

  // Heads of the lanes that are awake, by rank and submitter.
  [[nodiscard]] const std::map<int, std::map<std::string, Heads>>& awake() const { return awake_; }
  [[nodiscard]] const LaneState& lane(Lane number) const { return lanes_.at(number); }
  // Null: it is gone with its last entry.
  [[nodiscard]] const LaneState* find(Lane number) const {
    const auto it = lanes_.find(number);
    return it == lanes_.end() ? nullptr : &it->second;
  }
  [[nodiscard]] int rank_of(const Shape& shape, const QueueEntry& entry) const;

  void sleep(Lane lane);
  // Wakes each sleeping lane of these groups that `fits` accepts; it is asked once about lanes with the same `fit`.
  // Returns whether there was one.
  bool wake(const std::vector<std::string>& groups, const std::function<bool(const Shape& shape)>& fits);
  // Whether a lane has an expression: then it matters what devices measure.
  [[nodiscard]] bool has_expressions() const { return expressions_ > 0; }
  // Whether a lane stays apart from other jobs.
  [[nodiscard]] bool has_apart() const { return apart_ > 0; }
  [[nodiscard]] const Thresholds& thresholds() const { return thresholds_; }
  void wake(Lane lane);
  // Heads of sleeping lanes, by rank, then who waits longest; at most `count`.
  [[nodiscard]] std::vector<Head> sleeping(std::size_t count) const;

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t lanes() const { return lanes_.size(); }

 private:
  struct Place {  // of a sleeping lane
    int rank = 0;
    QueueEntry entry;
    Lane lane = 0;
    bool operator<(const Place& other) const;
  };
  void unlist(Lane number, LaneState& lane);
  void list(Lane number, LaneState& lane);
  [[nodiscard]] std::int64_t steps(const QueueEntry& entry) const;

  Duration age_every_;
  Time now_{};
  std::unordered_map<std::string, Lane> by_text_;
  std::unordered_map<Lane, LaneState> lanes_;
  std::map<int, std::map<std::string, Heads>> awake_;
  std::unordered_map<std::string, std::set<Place>> asleep_;  // by group
  std::set<std::pair<Time, Lane>> ageing_;                   // when a lane's rank changes next
  Lane next_lane_;
  std::size_t size_ = 0;
  std::size_t expressions_ = 0;  // lanes that have one
  std::size_t apart_ = 0;        // lanes that stay apart from other jobs
  Thresholds thresholds_;        // of all lanes
};

[[nodiscard]] Queue::Shape shape_of(const Job& job, const Execution& execution);
[[nodiscard]] QueueEntry entry_of(const Job& job, const Execution& execution);
// The groups that a device can serve.
[[nodiscard]] std::vector<std::string> groups_of(const DeviceView& view);

}  // namespace fieldwork::scheduler
