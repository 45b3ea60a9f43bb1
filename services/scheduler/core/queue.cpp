#include "scheduler/core/queue.hpp"

namespace fieldwork::scheduler {

void Queue::add(const Lane& lane, QueueEntry entry) {
  if (lanes_[lane].insert(std::move(entry)).second) ++size_;
}

void Queue::remove(const Lane& lane, const QueueEntry& entry) {
  const auto it = lanes_.find(lane);
  if (it == lanes_.end()) return;
  size_ -= it->second.erase(entry);
  if (it->second.empty()) lanes_.erase(it);
}

Queue::Pass::Pass(const Queue& queue) : queue_(queue) {
  for (const auto& [lane, entries] : queue.lanes_) heads_.emplace(*entries.begin(), lane);
}

std::optional<QueueEntry> Queue::Pass::next() {
  if (!closed_) {
    // The last one was taken from its lane: its successor comes up.
    const auto it = queue_.lanes_.find(last_);
    if (it != queue_.lanes_.end()) {
      const auto successor = it->second.upper_bound(*tried_);
      if (successor != it->second.end()) heads_.emplace(*successor, last_);
    }
  }
  if (heads_.empty()) return std::nullopt;
  auto head = heads_.extract(heads_.begin());
  tried_ = head.key();
  last_ = head.mapped();
  closed_ = false;
  return tried_;
}

void Queue::Pass::skip() { closed_ = true; }

Queue::Lane lane_of(const Job& job, const Execution& execution) {
  const auto& need = job.spec.requirements;
  std::string lane = std::to_string(need.cpu_millis) + ' ' + std::to_string(need.memory_bytes) + ' ' +
                     std::to_string(need.disk_bytes) + ' ' + job.spec.package + ' ' + execution.target.value;
  // Replicas exclude each other's devices, so what stops one of them stops nobody else.
  if (job.executions.size() > 1 && execution.target.empty()) lane += ' ' + job.id.value;
  for (const auto& [key, value] : need.labels) lane.append(1, '\n').append(key).append(1, '=').append(value);
  return lane;
}

}  // namespace fieldwork::scheduler
