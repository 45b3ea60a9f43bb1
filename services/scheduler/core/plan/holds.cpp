// Devices that are held: room for who waits too long, and room that is being made.
#include <algorithm>

#include "scheduler/core/scheduler.hpp"

namespace fieldwork::scheduler {

// Who was asleep because the device was held for another may use it.
void Scheduler::keep_free(Fleet::Number number, const Waiter& who) {
  const Fleet::Hold hold{who.lane, who.job, who.execution};
  holds_[number] = hold;
  fleet_.set_hold(number, hold);
  queue_.wake(who.lane);
  place_ = true;
}

// Lanes that the device could serve are tried again.
void Scheduler::wake_all_of(const DeviceView& view) {
  place_ = queue_.wake(groups_of(view), [](const Queue::Shape&) { return true; }) || place_;
}

void Scheduler::stop_holding(Fleet::Number number) {
  holds_.erase(number);
  fleet_.set_hold(number, std::nullopt);
  wake_all_of(fleet_.view(number));
}

// `who` gets what is held there. Where that was held for another of its lane, that one has from now on what was held
// for `who`.
void Scheduler::release(Fleet::Number number, const Waiter& who) {
  const auto it = holds_.find(number);
  if (it == holds_.end()) return;
  const auto owner = it->second;
  stop_holding(number);
  if (owner.lane != who.lane) return;
  for (auto& [other, hold] : holds_) {
    if (hold.lane != who.lane || hold.job != who.job || hold.execution != who.execution) continue;
    hold = owner;
    return fleet_.set_hold(other, hold);
  }
}

// Room that is being made is for the first of the lane for whom there is none yet, where its waiter has left it.
void Scheduler::pass_on(Fleet::Number number) {
  const auto* lane = queue_.find(holds_.at(number).lane);
  if (lane == nullptr || !is_ending(snapshot(), number)) return stop_holding(number);
  for (const auto& entry : lane->entries) {
    const bool has_one = std::any_of(holds_.begin(), holds_.end(), [&](const auto& one) {
      return one.second.job == entry.job && one.second.execution == entry.execution;
    });
    if (has_one) continue;
    auto& hold = holds_.at(number);
    hold = {hold.lane, entry.job, entry.execution};
    return fleet_.set_hold(number, hold);
  }
  stop_holding(number);
}

// Large executions must not wait for ever while small ones take each piece of room that becomes free; and an end that
// frees too little for a lane to be woken may be enough together with a preemption.
void Scheduler::hold_for_the_starving(Time now, Output& out) {
  if (now - held_at_ < seconds(1)) return;
  held_at_ = now;
  queue_.age(now);
  std::vector<Fleet::Number> idle;
  for (const auto& [number, hold] : holds_) {
    if (is_idle(snapshot(), number, hold, now)) idle.push_back(number);
  }
  for (const auto number : idle) stop_holding(number);
  if (queue_.size() == 0) return;
  for (const auto& one : preempt_for_sleepers(snapshot(), now)) apply(one, now, out);
  for (const auto& one : scheduler::reserve(snapshot(), now)) keep_free(one.number, one.who);
}

}  // namespace fieldwork::scheduler
