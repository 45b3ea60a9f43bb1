// Executions that wait for a device, by priority, then by order of submission. Executions with equal wants stand in one
// lane: when the head of a lane fits no device, nobody behind it does. Then the lane sleeps until a device changes that
// could serve it.
#pragma once

#include <compare>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "scheduler/core/state.hpp"

namespace fieldwork::scheduler {

struct QueueEntry {
  int rank = 0;  // the smaller goes first
  std::uint64_t order = 0;
  JobId job;
  int execution = 0;
  auto operator<=>(const QueueEntry&) const = default;
};

class Queue {
 public:
  using Lane = std::uint64_t;
  // What all executions of a lane want.
  struct Shape {
    std::string text;   // executions with equal texts fit on the same devices
    std::string group;  // a target device, one wanted label, or nothing: a device wakes only lanes of its groups
    Requirements need;
    std::optional<fleet::Expression> where;  // of the requirements
  };
  struct Head {
    QueueEntry entry;
    Lane lane = 0;
  };

  // An entry waits like the rest of its lane, before or behind the head: adding it does not wake a lane that sleeps.
  Lane add(const Shape& shape, QueueEntry entry);
  void remove(Lane lane, const QueueEntry& entry);

  // The first of the heads of the lanes that are awake.
  [[nodiscard]] std::optional<Head> next() const;
  void sleep(Lane lane);
  // Wakes each sleeping lane of these groups that `fits` accepts. Returns whether there was one.
  bool wake(const std::vector<std::string>& groups, const std::function<bool(const Shape& shape)>& fits);
  // Whether a lane has an expression: then it matters what devices measure.
  [[nodiscard]] bool has_expressions() const { return expressions_ > 0; }
  void wake_all();
  // Heads of sleeping lanes, the first first, at most `count`.
  [[nodiscard]] std::vector<Head> sleeping(std::size_t count) const;

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t lanes() const { return lanes_.size(); }

 private:
  struct LaneState {
    Shape shape;
    std::set<QueueEntry> entries;
    bool awake = true;
  };
  using Heads = std::set<std::pair<QueueEntry, Lane>>;
  Heads& heads_of(const LaneState& lane) { return lane.awake ? awake_ : asleep_[lane.shape.group]; }
  void unlist(Lane number, const LaneState& lane);
  void list(Lane number, const LaneState& lane);

  std::unordered_map<std::string, Lane> by_text_;
  std::unordered_map<Lane, LaneState> lanes_;
  Heads awake_;
  std::unordered_map<std::string, Heads> asleep_;  // by group
  Lane next_lane_ = 1;
  std::size_t size_ = 0;
  std::size_t expressions_ = 0;  // lanes that have one
};

[[nodiscard]] Queue::Shape shape_of(const Job& job, const Execution& execution);
// The groups that a device can serve.
[[nodiscard]] std::vector<std::string> groups_of(const DeviceView& view);

}  // namespace fieldwork::scheduler
