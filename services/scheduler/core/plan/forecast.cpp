#include "scheduler/core/plan/forecast.hpp"

#include <queue>
#include <set>

#include "model/limits.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {

class Forecasting {
 public:
  Forecasting(const Snapshot& from, const Durations& durations, Time now, const Extra* extra)
      : from_(from), durations_(durations), now_(now), extra_(extra), overlay_(from.fleet.numbers()) {}

  Forecast run() {
    list();
    running();
    bool awake = false;
    for (const auto& line : lines_) awake = awake || (line.state != nullptr && line.state->awake);
    if (awake && from_.fleet.size() <= forecast_devices_max) {  // some may find room that is free now
      for (const auto& [id, number] : from_.fleet.all()) ends_.push({now_, number, nullptr});
    }
    while (!ends_.empty() && open_ > 0 && looks_ < forecast_looks_max) {
      const auto end = ends_.top();
      ends_.pop();
      if (end.need != nullptr) used(end.number).add(*end.need, -1);
      fill(end.number, std::max(end.at, now_));
    }
    for (const auto& line : lines_) {
      if (line.state == nullptr && line.next < line.waiting.size()) out_.extra_.at.reset();
    }
    return std::move(out_);
  }

 private:
  // Those of a lane that still wait, in their order.
  struct Line {
    Queue::Lane lane = 0;
    const Queue::LaneState* state = nullptr;  // null: of Extra
    int rank = 0;
    std::vector<std::pair<QueueEntry, Forecast::Start*>> waiting;
    std::size_t next = 0;
    std::unordered_map<Fleet::Number, bool> fits{};
  };
  // Whose turn it is: the head of each lane.
  struct Turn {
    int rank = 0;
    QueueEntry entry;
    std::size_t line = 0;
    auto operator<=>(const Turn&) const = default;
  };
  struct End {
    Time at{};
    Fleet::Number number = 0;
    const Requirements* need = nullptr;
    bool operator<(const End& other) const { return at != other.at ? at > other.at : number > other.number; }
  };

  // The first forecast_waiters_max of the queue, in the order in which they are tried.
  void list() {
    struct Head {
      int rank = 0;
      const QueueEntry* entry = nullptr;
      std::size_t line = 0;
      bool operator<(const Head& other) const { return rank != other.rank ? rank > other.rank : *other.entry < *entry; }
    };
    std::vector<std::set<QueueEntry>::const_iterator> at;
    std::priority_queue<Head> heads;
    const auto take = [&](Queue::Lane lane) {
      const auto& state = from_.queue.lane(lane);
      lines_.push_back({.lane = lane, .state = &state, .rank = state.rank, .waiting = {}});
      at.push_back(state.entries.begin());
      heads.push({state.rank, &*at.back(), lines_.size() - 1});
    };
    for (const auto& head : from_.queue.sleeping(forecast_lanes_max)) take(head.lane);
    for (const auto& [rank, submitters] : from_.queue.awake()) {
      for (const auto& [submitter, lanes] : submitters) {
        for (auto it = lanes.begin(); it != lanes.end() && lines_.size() < 2 * forecast_lanes_max; ++it)
          take(it->second);
      }
    }
    std::size_t position = 0;
    while (!heads.empty() && position < forecast_waiters_max) {
      const auto head = heads.top();
      heads.pop();
      auto& line = lines_[head.line];
      auto& start = out_.starts_[{head.entry->job, head.entry->execution}];
      start.position = ++position;
      line.waiting.emplace_back(*head.entry, &start);
      auto& entry = at[head.line];
      if (++entry != line.state->entries.end())
        heads.push({from_.queue.rank_of(line.state->shape, *entry), &*entry, head.line});
    }
    if (extra_ != nullptr) add_extra();
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      auto& line = lines_[i];
      open_ += line.waiting.size();
      if (!line.waiting.empty()) turns_.insert(turn_of(i));
      if (line.state == nullptr) continue;
      auto& lane = out_.lanes_[line.lane];
      lane.looked = line.waiting.size();
      if (!line.waiting.empty()) lane.position = line.waiting.back().second->position;
    }
  }

  // Executions that are bound to devices stand in a line each.
  void add_extra() {
    const auto& job = extra_->job;
    const int rank = 2 * (limits::priority_max - job.spec->priority);
    std::size_t ahead = 0;
    for (const auto& one : lines_) ahead += one.rank <= rank ? one.waiting.size() : 0;
    out_.extra_.position = ahead + 1;
    const bool bound = !job.targets.empty();
    for (const auto index : extra_->left) {
      if (bound || lines_.empty() || lines_.back().state != nullptr) lines_.push_back({.rank = rank, .waiting = {}});
      lines_.back().waiting.emplace_back(QueueEntry{now_, UINT64_MAX, job.id, index}, &out_.extra_);
    }
  }

  [[nodiscard]] Turn turn_of(std::size_t index) const {
    const auto& line = lines_[index];
    const auto& entry = line.waiting[line.next].first;
    const auto rank = line.state == nullptr ? line.rank : from_.queue.rank_of(line.state->shape, entry);
    return {rank, entry, index};
  }

  [[nodiscard]] const Job& job_of(const QueueEntry& entry) const {
    return extra_ != nullptr && entry.job == extra_->job.id ? extra_->job : from_.jobs.at(entry.job);
  }

  // When what runs is expected to end; what is not known does not end.
  void running() {
    for (const auto& [device, keys] : from_.on_device) {
      for (const auto& key : keys) {
        const auto* job = from_.jobs.find(key.job);
        if (job == nullptr) continue;
        const auto& execution = job->executions[static_cast<std::size_t>(key.execution)];
        if (execution.attempt && execution.attempt->key == key)
          will_end(*job, device, now_ - from_ms(execution.attempt->created_ms));
        if (ends_.size() >= forecast_attempts_max) return;
      }
    }
    for (const auto number : extra_ != nullptr ? extra_->placed : std::vector<Fleet::Number>{}) {
      used(number).add(extra_->job.spec->requirements);
      taken_.emplace(extra_->job.id, number);
      will_end(extra_->job, from_.fleet.view(number).device.id, {});
    }
    for (const auto& [device, programs] : from_.leaving) {
      const auto number = from_.fleet.number_of(device);
      for (const auto& [key, one] : programs) {
        if (number) ends_.push({one.until, *number, &one.load.need});
      }
    }
    for (const auto& [job, index] : from_.asking) {
      const auto& of = from_.jobs.at(job);
      const auto& asking = std::get<Asking>(of.executions[static_cast<std::size_t>(index)].phase);
      if (!asking.device.empty()) will_end(of, asking.device, {});
    }
  }

  void will_end(const Job& job, const DeviceId& device, Duration since) {
    const auto left = durations_.left(job.durations, since);
    const auto number = from_.fleet.number_of(device);
    if (left && number) ends_.push({now_ + *left, *number, &job.spec->requirements});
  }

  Use& used(Fleet::Number number) {
    auto& slot = overlay_[number];
    if (!slot) slot = from_.fleet.view(number).used;
    return *slot;
  }

  // Gives the device's room to those who stand first and fit there.
  void fill(Fleet::Number number, Time at) {
    for (auto it = turns_.begin(); it != turns_.end();) {
      if (++looks_ >= forecast_looks_max) return;
      const auto index = it->line;
      auto& line = lines_[index];
      const auto& entry = it->entry;
      if (!could(line, job_of(entry), entry, number) || !start(line, number, at)) {
        ++it;
        continue;
      }
      it = turns_.erase(it);
      if (line.next == line.waiting.size()) continue;
      // The next of the lane comes later in the order: its turn comes in this loop.
      const auto next = turns_.insert(turn_of(index)).first;
      if (it == turns_.end() || *next < *it) it = next;
    }
  }

  // Whether the device would take executions of this lane if nothing ran there.
  bool could(Line& line, const Job& job, const QueueEntry& entry, Fleet::Number number) {
    const auto [it, fresh] = line.fits.try_emplace(number, false);
    if (!fresh) return it->second;
    auto want = want_of(job, job.executions[static_cast<std::size_t>(entry.execution)], now_);
    want.lane = line.lane;
    if (!want.target.empty() && want.target != from_.fleet.view(number).device.id) return false;
    return it->second = fits(want, from_.fleet, number, Use{}, from_.limits);
  }

  bool start(Line& line, Fleet::Number number, Time at) {
    const auto& [entry, known] = line.waiting[line.next];
    const auto& job = job_of(entry);
    const auto& spec = *job.spec;
    const auto want = want_of(job, job.executions[static_cast<std::size_t>(entry.execution)], now_);
    if (!has_room(want, from_.fleet.view(number), used(number), from_.limits)) return false;
    if (job.targets.empty() && job.executions.size() > 1 && !taken_.emplace(job.id, number).second) return false;
    known->at = at;
    used(number).add(spec.requirements);
    if (const auto takes = durations_.expected(job.durations)) ends_.push({at + *takes, number, &spec.requirements});
    ++line.next;
    --open_;
    if (line.state == nullptr) return true;
    auto& lane = out_.lanes_[line.lane];
    ++lane.started;
    lane.last = at;
    if (!lane.first) lane.first = at;
    return true;
  }

  const Snapshot& from_;
  const Durations& durations_;
  Time now_;
  const Extra* extra_;
  std::vector<Line> lines_;
  std::set<Turn> turns_;
  std::vector<std::optional<Use>> overlay_;
  std::set<std::pair<JobId, Fleet::Number>> taken_;
  std::priority_queue<End> ends_;
  std::size_t open_ = 0, looks_ = 0;
  Forecast out_;
};

std::optional<Forecast::Start> Forecast::of(const JobId& job, int execution, Queue::Lane lane,
                                            std::size_t in_lane) const {
  if (const auto it = starts_.find({job, execution}); it != starts_.end()) return it->second;
  const auto known = lanes_.find(lane);
  if (known == lanes_.end()) return std::nullopt;
  // Behind those that were looked at: as far behind them as they are apart.
  const auto& one = known->second;
  if (in_lane == 0) return std::nullopt;
  const auto behind = in_lane > one.looked ? in_lane - one.looked : 1;
  Start out{.position = one.position + behind};
  if (one.started > 1 && one.started == one.looked) {
    const auto each = (*one.last - *one.first) / static_cast<std::int64_t>(one.started - 1);
    out.at = *one.last + each * static_cast<std::int64_t>(behind);
  }
  return out;
}

Forecast forecast(const Snapshot& snapshot, const Durations& durations, Time now, const Extra* extra) {
  return Forecasting(snapshot, durations, now, extra).run();
}

}  // namespace fieldwork::scheduler
