// The queue of notifications to the webhook: one at a time, each with a backoff of its own.
#include <algorithm>

#include "alerting/core/alerting.hpp"

namespace fieldwork::alerting {
namespace {

bool about_a_device(const Notification& one) { return one.alert.rule.starts_with("device_"); }

Duration backoff(const Limits& limits, int failures) {
  auto wait = limits.retry_first;
  for (int i = 1; i < failures && wait < limits.retry_last; ++i) wait *= 2;
  return std::min(wait, limits.retry_last);
}

}  // namespace

void Alerting::forget(std::int64_t number, Output& out) {
  const auto found = queue_.find(number);
  const auto newest = newest_.find(found->second.notification.alert.id);
  if (newest != newest_.end() && newest->second == number) newest_.erase(newest);
  out.notifications.push_back({std::move(found->second.notification), true});
  queue_.erase(found);
}

void Alerting::notify(const Alert& alert, Time now, Output& out) {
  if (!limits_.notify) return;
  const auto before = newest_.find(alert.id);
  if (before != newest_.end() && before->second != sending_) forget(before->second, out);
  const auto number = next_number_++;
  newest_[alert.id] = number;
  queue_[number] = Waiting{{number, alert}, 0, now};
  out.notifications.push_back({queue_[number].notification});
  if (queue_.size() > limits_.notifications_max) {
    const auto waits = [&](const auto& one) { return one.first != sending_; };
    auto oldest = std::find_if(queue_.begin(), queue_.end(),
                               [&](const auto& one) { return waits(one) && !about_a_device(one.second.notification); });
    if (oldest == queue_.end()) oldest = std::find_if(queue_.begin(), queue_.end(), waits);
    forget(oldest->first, out);
    ++out.dropped;
  }
  send_next(now, out);
}

void Alerting::send_next(Time now, Output& out) {
  if (!limits_.notify || sending_ || now < send_at_) return;
  const Waiting* next = nullptr;
  for (const auto& [number, one] : queue_) {
    if (one.due > now) continue;
    if (next == nullptr) next = &one;
    if (!about_a_device(one.notification)) continue;
    next = &one;
    break;
  }
  if (next == nullptr) return;
  sending_ = next->notification.number;
  out.sends.push_back(next->notification);
}

void Alerting::apply(const NotificationDelivered& input, Time now, Output& out) {
  if (sending_ != input.number) return;
  sending_.reset();
  failures_ = 0;
  send_at_ = now;
  forget(input.number, out);
  send_next(now, out);
}

void Alerting::apply(const NotificationFailed& input, Time now, Output& out) {
  if (sending_ != input.number) return;
  sending_.reset();
  auto& one = queue_.at(input.number);
  const auto& alert = one.notification.alert;
  const bool late = now - alert.changed >= limits_.give_up_after;
  if (input.for_good || late) {
    out.dead.push_back({one.notification, input.reason});
    forget(input.number, out);
  } else if (newest_[alert.id] != input.number) {
    forget(input.number, out);  // a newer notification of this alert waits
  } else {
    one.due = now + backoff(limits_, ++one.failures);
  }
  if (input.for_good) {
    failures_ = 0;  // the target does answer
    return send_next(now, out);
  }
  send_at_ = now + std::min(backoff(limits_, ++failures_), Duration{seconds{60}});
}

}  // namespace fieldwork::alerting
