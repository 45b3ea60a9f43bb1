#include "content/group.hpp"

#include <algorithm>
#include <utility>

namespace fieldwork::content {

void Group::join(const std::string& member, Ranges has, Time now) {
  auto& one = members_[member];
  one = Member{.had = has, .has = {}, .passed = 0, .heard = now};
  one.has = std::move(has);
  // It is where the others are: what was sent before is its own matter.
  for (const auto& [name, other] : members_) {
    if (name != member) one.passed = std::max(one.passed, place_of(other));
  }
}

void Group::leave(const std::string& member) { members_.erase(member); }

void Group::acknowledged(const std::string& member, const Ranges& ranges, Time now) {
  const auto it = members_.find(member);
  if (it == members_.end()) return;
  auto& one = it->second;
  // It hears the frames now: what was sent before is its own matter.
  if (!std::exchange(one.answered, true)) one.passed = std::max(one.passed, foremost());
  one.has = ranges;
  one.heard = now;
  one.passed = std::max(one.passed, passed_by(one));
  judge_ = true;  // in due(): many answer at once
}

void Group::give_time(Time now) {
  last_sent_ = std::max(last_sent_, now);
  for (auto& [name, member] : members_) member.heard = std::max(member.heard, now);
}

// What it holds beyond the place it has passed, it need not get.
std::uint64_t Group::place_of(const Member& member) const {
  const auto gap = member.has.first_missing(member.passed, config_.encoded_bytes);
  return std::max(member.passed, std::min(gap ? gap->first : config_.encoded_bytes, cursor_));
}

// The end of the last byte that arrived in this pass.
std::uint64_t Group::passed_by(const Member& member) const {
  const auto& ranges = member.has.as_pairs();
  for (auto it = ranges.rbegin(); it != ranges.rend(); ++it) {
    if (it->first >= cursor_) continue;
    const auto end = std::min(it->second, cursor_);
    const auto fresh = member.had.missing(end);  // gaps of what it had, up to here
    if (!fresh.empty() && fresh.back().second > it->first) return fresh.back().second;
  }
  return 0;
}

std::uint64_t Group::foremost() const {
  std::uint64_t out = 0;  // what a member held before it came is not its place: it may still be on its way to there
  for (const auto& [name, member] : members_) out = std::max(out, member.passed);
  return out;
}

// What all who hear the frames have or have passed. The slowest is given credit for a window, as far as the foremost
// is: so it can fall behind by two, and then it is released.
void Group::tell_sender(Time now) {
  std::uint64_t passed = config_.encoded_bytes;
  std::optional<Ranges> all;
  for (const auto& [name, member] : members_) {
    if (!member.answered) continue;
    passed = std::min(passed, place_of(member));
    if (!all) all = member.has;
  }
  if (!all || !started_) return;
  const auto ahead = foremost();
  const auto credit = sent_up_to(passed) + window_;
  for (auto it = trail_.upper_bound(passed); it != trail_.end() && it->second <= credit && it->first <= ahead; ++it)
    passed = it->first;
  for (const auto& [name, member] : members_) {
    if (member.answered) all = all->common(member.has, passed);
  }
  (void)all->add(0, passed);
  sender_.acknowledged(*all, now);
}

std::uint64_t Group::sent_up_to(std::uint64_t offset) const {
  const auto it = trail_.upper_bound(offset);
  return it == trail_.begin() ? 0 : std::prev(it)->second;
}

// The sender's own window is small now and then, to see the round trip: the one before it counts a while longer.
void Group::see_window(Time now) {
  const auto window =
      std::max<std::uint64_t>(sender_.window_bytes(), 4 * std::uint64_t{sender_.strategy().frame_bytes});
  if (window < window_ && now - window_at_ < window_kept) return;
  window_ = window;
  window_at_ = now;
}

void Group::limit(std::uint64_t bytes_per_s_max) {
  limit_ = bytes_per_s_max;
  sender_.limit(limit_);
}

std::vector<Piece> Group::due(Time now) {
  see_window(now);
  if (std::exchange(judge_, false)) tell_sender(now);
  release_late(now);
  if (members_.size() < 2) {
    if (last_may_go()) release(std::string(members_.begin()->first));
    return {};
  }
  if (!std::exchange(started_, true)) {
    auto all = members_.begin()->second.has;
    for (const auto& [name, member] : members_) all = all.common(member.has);
    sender_ = Sender(config_, std::move(all));
    sender_.limit(limit_);
  }
  auto pieces = sender_.due(now);
  // A piece behind the furthest one is a probe of the sender: here the silent ones are released instead.
  std::erase_if(pieces, [&](const Piece& piece) { return piece.offset + piece.length <= cursor_; });
  for (const auto& piece : pieces) {
    cursor_ = piece.offset + piece.length;
    sent_bytes_ += piece.length;
    trail_[cursor_] = sent_bytes_;
  }
  if (!pieces.empty()) last_sent_ = now;
  return pieces;
}

std::optional<Group::Time> Group::next_due() const {
  if (members_.empty()) return std::nullopt;
  if (judge_) return Time::zero();
  std::optional<Time> due = sender_.next_due();
  if (sender_.pieces().in_flight_bytes() > 0 || members_.size() < 2 || !due) {
    for (const auto& [name, member] : members_) {
      const Time at = last_may_go() ? Time::zero() : std::max(member.heard, last_sent_) + silence_max;
      due = std::min(due.value_or(at), at);
    }
  }
  return due;
}

// What is on its way to the last member need not be sent to it again.
bool Group::last_may_go() const {
  return members_.size() == 1 && (!started_ || place_of(members_.begin()->second) >= cursor_);
}

void Group::release_late(Time now) {
  if (!started_) return;
  const auto ahead = sent_up_to(foremost());
  const bool over = !sender_.pieces().unsent();
  const auto behind = windows_behind_max * window_;
  std::vector<std::string> late;
  for (const auto& [name, member] : members_) {
    const bool at_the_end =
        over && member.answered && (place_of(member) >= cursor_ || member.has.complete(config_.encoded_bytes));
    const bool far_behind = member.answered && sent_up_to(place_of(member)) + behind <= ahead;
    const bool waits = cursor_ > place_of(member);
    const bool silent = (waits || over) && now - std::max(member.heard, last_sent_) >= silence_max;
    if (at_the_end || far_behind || silent) late.push_back(name);
  }
  for (const auto& name : late) release(name);
  if (!late.empty() && !members_.empty()) tell_sender(now);
}

void Group::release(const std::string& member) {
  if (members_.erase(member) > 0) released_.push_back(member);
}

void Group::release_all() {
  while (!members_.empty()) release(std::string(members_.begin()->first));
}

std::vector<std::string> Group::take_released() { return std::exchange(released_, {}); }

}  // namespace fieldwork::content
