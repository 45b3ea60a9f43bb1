// The queue to the webhook: in order, one at a time, until it is taken.
#include <algorithm>

#include "alerting/core/alerting.hpp"

namespace fieldwork::alerting {

void Alerting::notify(const Alert& alert, Time now, Effects& out) {
  if (!limits_.notify) return;
  queue_.push_back({next_number_++, alert});
  out.push_back(SaveNotification{queue_.back()});
  if (queue_.size() > limits_.notifications_max) {
    out.push_back(RemoveNotification{queue_.front().number});
    out.push_back(CountDropped{"notification"});
    queue_.pop_front();
  }
  send_next(now, out);
}

void Alerting::send_next(Time now, Effects& out) {
  if (!limits_.notify || sending_ || queue_.empty() || now < send_at_) return;
  sending_ = queue_.front().number;
  out.push_back(SendNotification{queue_.front()});
}

void Alerting::apply(const NotificationDelivered& input, Time now, Effects& out) {
  if (sending_ != input.number) return;
  sending_.reset();
  failures_ = 0;
  send_at_ = now;
  if (!queue_.empty() && queue_.front().number == input.number) {  // else it was dropped meanwhile
    queue_.pop_front();
    out.push_back(RemoveNotification{input.number});
  }
  send_next(now, out);
}

void Alerting::apply(const NotificationFailed& input, Time now, Effects&) {
  if (sending_ != input.number) return;
  sending_.reset();
  auto wait = limits_.retry_first;
  for (int i = 0; i < failures_ && wait < limits_.retry_last; ++i) wait *= 2;
  ++failures_;
  send_at_ = now + std::min(wait, limits_.retry_last);
}

}  // namespace fieldwork::alerting
