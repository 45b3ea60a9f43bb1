#include "scheduler/core/queue.hpp"

namespace fieldwork::scheduler {
namespace {

// The length comes first, so that no text can look like two others.
void append(std::string& out, const std::string& text) {
  out.append(std::to_string(text.size())).append(1, ':').append(text);
}

std::string label_group(const std::string& key, const std::string& value) {
  std::string out = "label ";
  append(out, key);
  append(out, value);
  return out;
}

std::string target_group(const DeviceId& device) { return "device " + device.value; }

}  // namespace

void Queue::list(Lane number, const LaneState& lane) {
  if (!lane.entries.empty()) heads_of(lane).emplace(*lane.entries.begin(), number);
}

void Queue::unlist(Lane number, const LaneState& lane) {
  if (lane.entries.empty()) return;
  heads_of(lane).erase({*lane.entries.begin(), number});
  if (lane.awake) return;
  if (const auto it = asleep_.find(lane.shape.group); it != asleep_.end() && it->second.empty()) asleep_.erase(it);
}

Queue::Lane Queue::add(const Shape& shape, QueueEntry entry) {
  const auto [it, fresh] = by_text_.emplace(shape.text, next_lane_);
  if (fresh) {
    lanes_[next_lane_] = LaneState{shape, {}, true};
    expressions_ += shape.where ? 1 : 0;
    ++next_lane_;
  }
  const auto number = it->second;
  auto& lane = lanes_.at(number);
  unlist(number, lane);
  if (lane.entries.insert(std::move(entry)).second) ++size_;
  list(number, lane);
  return number;
}

void Queue::remove(Lane number, const QueueEntry& entry) {
  const auto it = lanes_.find(number);
  if (it == lanes_.end()) return;
  auto& lane = it->second;
  unlist(number, lane);
  size_ -= lane.entries.erase(entry);
  if (!lane.entries.empty()) return list(number, lane);
  expressions_ -= lane.shape.where ? 1 : 0;
  by_text_.erase(lane.shape.text);
  lanes_.erase(it);
}

std::optional<Queue::Head> Queue::next() const {
  if (awake_.empty()) return std::nullopt;
  return Head{awake_.begin()->first, awake_.begin()->second};
}

void Queue::sleep(Lane number) {
  auto& lane = lanes_.at(number);
  unlist(number, lane);
  lane.awake = false;
  list(number, lane);
}

bool Queue::wake(const std::vector<std::string>& groups, const std::function<bool(const Shape& shape)>& fits) {
  std::vector<Lane> woken;
  for (const auto& group : groups) {
    const auto it = asleep_.find(group);
    if (it == asleep_.end()) continue;
    for (const auto& [entry, lane] : it->second) {
      if (fits(lanes_.at(lane).shape)) woken.push_back(lane);
    }
  }
  for (const auto number : woken) {
    auto& lane = lanes_.at(number);
    unlist(number, lane);
    lane.awake = true;
    list(number, lane);
  }
  return !woken.empty();
}

void Queue::wake_all() {
  for (auto& [number, lane] : lanes_) {
    if (lane.awake) continue;
    lane.awake = true;
    awake_.emplace(*lane.entries.begin(), number);
  }
  asleep_.clear();
}

std::vector<Queue::Head> Queue::sleeping(std::size_t count) const {
  Heads best;
  for (const auto& [group, heads] : asleep_) {
    std::size_t taken = 0;
    for (auto it = heads.begin(); it != heads.end() && taken < count; ++it, ++taken) best.insert(*it);
    while (best.size() > count) best.erase(std::prev(best.end()));
  }
  std::vector<Head> out;
  for (const auto& [entry, lane] : best) out.push_back({entry, lane});
  return out;
}

Queue::Shape shape_of(const Job& job, const Execution& execution) {
  const auto& need = job.spec->requirements;
  Queue::Shape out{.need = need, .where = job.where};
  out.text = std::to_string(need.cpu_millis) + ' ' + std::to_string(need.memory_bytes) + ' ' +
             std::to_string(need.storage_bytes) + ' ' + job.spec->package + ' ' + execution.target.value + ' ';
  // Executions of one job share lanes only with each other: replicas exclude each other's devices. An execution that
  // some devices refused, failed or lost stands alone: other executions still take those devices.
  const bool own_past = !execution.excluded.empty() || !execution.avoid.empty();
  if (own_past) out.text += std::to_string(execution.index) + ' ';
  if (own_past || job.spec->targets || job.executions.size() > 1) out.text += job.id.value;
  append(out.text, need.expression);
  for (const auto& [key, value] : need.labels) {
    append(out.text, key);
    append(out.text, value);
  }
  if (!execution.target.empty()) {
    out.group = target_group(execution.target);
  } else if (!need.labels.empty()) {
    out.group = label_group(need.labels.begin()->first, need.labels.begin()->second);
  }
  return out;
}

std::vector<std::string> groups_of(const DeviceView& view) {
  std::vector<std::string> out{"", target_group(view.device.id)};
  for (const auto& [key, value] : view.device.labels) out.push_back(label_group(key, value));
  return out;
}

}  // namespace fieldwork::scheduler
