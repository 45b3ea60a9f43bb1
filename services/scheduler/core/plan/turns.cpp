#include "scheduler/core/plan/turns.hpp"

#include <algorithm>

#include "base/fnv.hpp"

namespace fieldwork::scheduler {

double Shares::of(const Use& use) const {
  return std::max({share_of(use.cpu_millis, total.cpu_millis), share_of(use.memory_bytes, total.memory_bytes),
                   share_of(use.storage_bytes, total.storage_bytes), share_of(use.attempts, attempts)});
}

double Turns::share(const std::string& submitter) const {
  if (const auto now = given_.find(submitter); now != given_.end()) return shares_.of(now->second);
  const auto before = shares_.given.find(submitter);
  return before == shares_.given.end() ? 0.0 : shares_.of(before->second);
}

void Turns::list(std::size_t number) {
  const auto& line = lines_[number];
  const QueueEntry* head = line.next != line.end ? &line.next->first : nullptr;
  if (!line.running.empty() && (head == nullptr || *line.running.begin()->entry < *head))
    head = &*line.running.begin()->entry;
  if (head != nullptr) keys_.emplace(share(*line.submitter), head->since, head->order, number);
}

// By what stands in the queue alone: the order in which lanes were made says nothing.
std::uint64_t Turns::tie_of(const QueueEntry& entry) const {
  if (order_ == 0 || entry.since < fresh_from_) return 0;
  auto mixed = fnv1a_64(entry.job.value + '.' + std::to_string(entry.execution));
  mixed = (mixed + order_ * 0x9E37'79B9'7F4A'7C15U) * 0xBF58'476D'1CE4'E5B9U;  // as SplitMix64 does
  mixed = (mixed ^ mixed >> 27U) * 0x94D0'49BB'1331'11EBU;
  return mixed ^ mixed >> 31U;
}

// Lanes of which entries went before in a better rank.
void Turns::go_on(const std::vector<Running>& lanes) {
  static const Queue::Heads none;
  std::unordered_map<std::string_view, std::size_t> by_name;
  for (std::size_t i = 0; i < lines_.size(); ++i) by_name.emplace(*lines_[i].submitter, i);
  for (const auto& one : lanes) {
    const auto& submitter = queue_.lane(one.lane).shape.submitter;
    const auto [line, fresh] = by_name.emplace(submitter, lines_.size());
    if (fresh) lines_.push_back({&submitter, none.end(), none.end(), {}});
    lines_[line->second].running.insert(one);
  }
}

// The next rank in which a lane is awake, or into which one went on.
bool Turns::begin_rank() {
  const auto& awake = queue_.awake();
  const auto level = rank_ ? awake.upper_bound(*rank_) : awake.begin();
  if (level == awake.end() && later_.empty()) return false;
  if (level == awake.end() || (!later_.empty() && later_.begin()->first < level->first)) {
    rank_ = later_.begin()->first;
  } else {
    rank_ = level->first;
  }
  lines_.clear();
  if (level != awake.end() && level->first == *rank_) {
    for (const auto& [submitter, heads] : level->second) {
      auto& line = lines_.emplace_back(Line{&submitter, heads.begin(), heads.end(), {}});
      for (; order_ != 0 && line.next != line.end; ++line.next) {
        const auto lane = line.next->second;
        const auto entry = queue_.lane(lane).entries.begin();
        line.running.insert({lane, entry, tie_of(*entry)});
      }
    }
  }
  if (const auto went = later_.extract(*rank_)) go_on(went.mapped());
  for (std::size_t i = 0; i < lines_.size(); ++i) list(i);
  return true;
}

std::optional<Turns::Turn> Turns::next() {
  if (has_turn_) return turn_;
  while (keys_.empty()) {
    if (!begin_rank()) return std::nullopt;
  }
  const auto& line = lines_[std::get<3>(*keys_.begin())];
  const bool fresh = line.next != line.end && (line.running.empty() || line.next->first < *line.running.begin()->entry);
  const auto lane = fresh ? line.next->second : line.running.begin()->lane;
  const auto& state = queue_.lane(lane);
  turn_ = {lane, &state, fresh ? state.entries.begin() : line.running.begin()->entry};
  has_turn_ = true;
  return turn_;
}

// Takes the head whose turn it was out of its line.
void Turns::unhead() {
  auto& line = lines_[std::get<3>(*keys_.begin())];
  if (!line.running.empty() && line.running.begin()->lane == turn_.lane) {
    line.running.erase(line.running.begin());
  } else {
    ++line.next;
  }
  has_turn_ = false;
}

void Turns::leave_out() {
  const auto number = std::get<3>(*keys_.begin());
  unhead();
  keys_.erase(keys_.begin());
  list(number);
}

void Turns::got(const Requirements* need) {
  const auto number = std::get<3>(*keys_.begin());
  unhead();
  keys_.erase(keys_.begin());
  auto& line = lines_[number];
  if (need != nullptr) {
    const auto before = shares_.given.find(*line.submitter);
    const auto had = before == shares_.given.end() ? Use{} : before->second;
    given_.try_emplace(*line.submitter, had).first->second.add(*need);
  }
  if (const auto behind = std::next(turn_.entry); behind != turn_.state->entries.end()) {
    const auto rank = queue_.rank_of(turn_.state->shape, *behind);
    if (rank > *rank_) {
      later_[rank].push_back({turn_.lane, behind, tie_of(*behind)});
    } else {
      line.running.insert({turn_.lane, behind, tie_of(*behind)});
    }
  }
  list(number);
}

}  // namespace fieldwork::scheduler
