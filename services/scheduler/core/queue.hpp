// Executions that want a device, by priority, then by order of submission. Those that want the same thing stand in one
// lane: when the head of a lane does not fit, nobody behind it does.
#pragma once

#include <compare>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "scheduler/core/state.hpp"

namespace fieldwork::scheduler {

struct QueueEntry {
  int priority_down = 0;  // 9 - priority: smaller first
  std::uint64_t order = 0;
  JobId job;
  int execution = 0;
  auto operator<=>(const QueueEntry&) const = default;
};

class Queue {
 public:
  using Lane = std::string;
  void add(const Lane& lane, QueueEntry entry);
  void remove(const Lane& lane, const QueueEntry& entry);

  // One pass over the lanes: next() gives the best head not yet tried; skip() closes the lane of the last one for this
  // pass.
  class Pass {
   public:
    explicit Pass(const Queue& queue);
    [[nodiscard]] std::optional<QueueEntry> next();
    void skip();

   private:
    const Queue& queue_;
    std::map<QueueEntry, Lane> heads_;
    Lane last_;
    std::optional<QueueEntry> tried_;
    bool closed_ = true;
  };

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

 private:
  std::map<Lane, std::set<QueueEntry>> lanes_;
  std::size_t size_ = 0;
};

// What an execution wants, as a text: equal texts fit on the same devices.
[[nodiscard]] Queue::Lane lane_of(const Job& job, const Execution& execution);

}  // namespace fieldwork::scheduler
