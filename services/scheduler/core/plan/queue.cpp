#include "scheduler/core/plan/queue.hpp"

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "model/limits.hpp"

namespace fieldwork::scheduler {
namespace {

// The length comes first, so that no text can look like two others.
void append(std::string& out, const std::string& text) {
  out.append(std::to_string(text.size())).append(1, ':').append(text);
}

std::string exact(double value) {
  char out[32];
  return {out, static_cast<std::size_t>(std::snprintf(out, sizeof out, "%.17g", value))};
}

std::string label_group(const std::string& key, const std::string& value) {
  std::string out = "label ";
  append(out, key);
  append(out, value);
  return out;
}

std::string target_group(const DeviceId& device) { return "device " + device.value; }

}  // namespace

bool Queue::Place::operator<(const Place& other) const {
  if (rank != other.rank) return rank < other.rank;
  if (entry != other.entry) return entry < other.entry;
  return lane < other.lane;
}

std::int64_t Queue::steps(const QueueEntry& entry) const {
  return now_ <= entry.since ? 0 : (now_ - entry.since) / age_every_;
}

int Queue::rank_of(const Shape& shape, const QueueEntry& entry) const {
  const auto level = std::min<std::int64_t>(limits::priority_max, shape.priority + steps(entry));
  return 2 * static_cast<int>(limits::priority_max - level) + (shape.later ? 1 : 0);
}

void Queue::list(Lane number, LaneState& lane) {
  if (lane.entries.empty()) return;
  const auto& head = *lane.entries.begin();
  lane.rank = rank_of(lane.shape, head);
  if (lane.shape.priority + steps(head) < limits::priority_max) {
    lane.ages_at = head.since + (steps(head) + 1) * age_every_;
    ageing_.emplace(*lane.ages_at, number);
  }
  if (lane.awake) {
    awake_[lane.rank][lane.shape.submitter].emplace(head, number);
  } else {
    asleep_[lane.shape.group].insert({lane.rank, head, number});
  }
}

void Queue::unlist(Lane number, LaneState& lane) {
  if (lane.entries.empty()) return;
  const auto& head = *lane.entries.begin();
  if (lane.ages_at) ageing_.erase({*lane.ages_at, number});
  lane.ages_at.reset();
  if (!lane.awake) {
    const auto it = asleep_.find(lane.shape.group);
    it->second.erase({lane.rank, head, number});
    if (it->second.empty()) asleep_.erase(it);
    return;
  }
  const auto level = awake_.find(lane.rank);
  const auto line = level->second.find(lane.shape.submitter);
  line->second.erase({head, number});
  if (!line->second.empty()) return;
  level->second.erase(line);
  if (level->second.empty()) awake_.erase(level);
}

Queue::Lane Queue::add(const Shape& shape, QueueEntry entry) {
  const auto [it, fresh] = by_text_.emplace(shape.text, next_lane_);
  if (fresh) {
    lanes_[next_lane_] = LaneState{.shape = shape};
    expressions_ += shape.where ? 1 : 0;
    apart_ += shape.apart ? 1 : 0;
    thresholds_.add(shape.need);
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
  apart_ -= lane.shape.apart ? 1 : 0;
  thresholds_.remove(lane.shape.need);
  by_text_.erase(lane.shape.text);
  lanes_.erase(it);
}

void Queue::age(Time now) {
  now_ = std::max(now_, now);
  while (!ageing_.empty() && ageing_.begin()->first <= now_) {
    const auto number = ageing_.begin()->second;
    auto& lane = lanes_.at(number);
    unlist(number, lane);
    list(number, lane);
  }
}

void Queue::sleep(Lane number) {
  auto& lane = lanes_.at(number);
  unlist(number, lane);
  lane.awake = false;
  list(number, lane);
}

bool Queue::wake(const std::vector<std::string>& groups, const std::function<bool(const Shape& shape)>& fits) {
  std::vector<Lane> woken;
  std::unordered_map<std::string_view, bool> asked;
  for (const auto& group : groups) {
    const auto it = asleep_.find(group);
    if (it == asleep_.end()) continue;
    for (const auto& place : it->second) {
      const auto& shape = lanes_.at(place.lane).shape;
      const auto [known, fresh] = asked.emplace(shape.fit, false);
      if (fresh) known->second = fits(shape);
      if (known->second) woken.push_back(place.lane);
    }
  }
  for (const auto number : woken) wake(number);
  return !woken.empty();
}

void Queue::wake(Lane number) {
  auto& lane = lanes_.at(number);
  if (lane.awake) return;
  unlist(number, lane);
  lane.awake = true;
  list(number, lane);
}

std::vector<Queue::Head> Queue::sleeping(std::size_t count) const {
  std::set<Place> best;
  for (const auto& [group, places] : asleep_) {
    std::size_t taken = 0;
    for (auto it = places.begin(); it != places.end() && taken < count; ++it, ++taken) best.insert(*it);
    while (best.size() > count) best.erase(std::prev(best.end()));
  }
  std::vector<Head> out;
  for (const auto& place : best) out.push_back({place.entry, place.lane});
  return out;
}

QueueEntry entry_of(const Job& job, const Execution& execution) {
  return {std::max({from_ms(job.submitted_ms), placed_from(job), execution.joined}), job.order, job.id,
          execution.index};
}

Queue::Shape shape_of(const Job& job, const Execution& execution) {
  const auto& need = job.spec->requirements;
  Queue::Shape out{.need = need,
                   .where = job.where,
                   .submitter = job.submitter,
                   .priority = job.spec->priority,
                   .apart = !job.spec->placement.apart_from.empty(),
                   .later = job.bulk && !job.authorised};
  out.fit = std::to_string(need.cpu_millis) + ' ' + std::to_string(need.memory_bytes) + ' ' +
            std::to_string(need.storage_bytes) + ' ' + job.spec->package + ' ' + execution.target.value + ' ';
  if (job.spec->metered) out.fit += "metered ";
  if (!job.spec->outputs.empty() || job.spec->limits.log_bytes > 0) out.fit += "files ";
  if (job.estimated.cpu_millis > 0) out.fit += "about cpu ";
  if (job.estimated.memory_bytes > 0) out.fit += "about memory ";
  // Executions of one job share lanes only with each other: replicas exclude each other's devices. An execution that
  // some devices refused, failed or lost stands alone: other executions still take those devices.
  const bool own_past = !execution.excluded.empty() || !execution.avoid.empty();
  if (own_past) out.fit += std::to_string(execution.index) + ' ';
  if (own_past || job.spec->targets || job.executions.size() > 1) out.fit += job.id.value;
  append(out.fit, need.expression);
  for (const auto& value : {need.latency_ms_max, need.bandwidth_mbit_min, need.loss_max, need.health_min})
    append(out.fit, value ? exact(*value) : "");
  append(out.fit, need.sandbox_min);
  const auto& rules = job.spec->placement;
  if (rules.spread) out.fit += "spread ";
  append(out.fit, rules.spread_by);
  out.fit += std::to_string(rules.affinity.size()) + ' ' + std::to_string(rules.apart_from.size()) + ' ';
  for (const auto& one : rules.affinity) {
    append(out.fit, one.expression);
    append(out.fit, one.job);
    out.fit += std::to_string(one.weight) + ' ';
  }
  for (const auto& name : rules.apart_from) append(out.fit, name);
  for (const auto& [key, value] : need.labels) {
    append(out.fit, key);
    append(out.fit, value);
  }
  out.text = std::to_string(out.priority) + ' ';
  append(out.text, out.submitter);
  if (!job.authorised) append(out.text, job.id.value);  // its question decides for the whole job
  out.text += out.fit;
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
