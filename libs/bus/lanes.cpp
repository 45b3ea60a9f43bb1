#include "bus/lanes.hpp"

#include <algorithm>

namespace fieldwork::bus {
namespace {
constexpr unsigned slot_bits = 20;
constexpr Lanes::Ticket slot_mask = (Lanes::Ticket{1} << slot_bits) - 1;
}  // namespace

Lanes::Lanes(LaneLimits limits)
    : limits_(limits),
      slots_(std::clamp<std::size_t>(limits.window, 1, slot_mask)),
      window_(slots_.size()),
      bulk_window_(limits.bulk_window_bytes_first) {
  for (std::size_t i = slots_.size(); i > 0; --i) free_.push_back(i - 1);
}

Result<void> Lanes::put(Message message) {
  auto& to = room(message.lane);
  const auto bytes = packet_bytes(message);
  if (message.lane == Lane::newest) {
    to.queue.clear();
    to.waiting_bytes = 0;
  }
  if (to.queue.size() >= limits_.waiting_max || to.waiting_bytes + bytes > limits_.waiting_bytes_max) {
    return Error{Code::unavailable, "too much waits for the broker already"};
  }
  to.waiting_bytes += bytes;
  to.queue.push_back(std::move(message));
  return {};
}

Lanes::Room* Lanes::pick() {
  if (in_flight_ >= window_ || free_.empty()) return nullptr;
  if (!control_.queue.empty()) return &control_;
  if (!newest_.queue.empty() && newest_.in_flight_bytes == 0) return &newest_;
  if (bulk_.queue.empty()) return nullptr;
  if (bulk_.in_flight_bytes == 0) return &bulk_;
  // One publish of the window stays free for control.
  if (in_flight_ + 1 >= window_) return nullptr;
  return bulk_.in_flight_bytes + packet_bytes(bulk_.queue.front()) <= bulk_window_ ? &bulk_ : nullptr;
}

std::optional<Lanes::Sending> Lanes::next(Clock::time_point now) {
  auto* from = pick();
  if (from == nullptr) return std::nullopt;
  Message message = std::move(from->queue.front());
  from->queue.pop_front();
  if (message.lane != Lane::control) message.qos = std::max(message.qos, 1);
  const auto bytes = packet_bytes(message);
  const auto number = free_.back();
  free_.pop_back();
  ++in_flight_;
  from->waiting_bytes -= bytes;
  from->in_flight_bytes += bytes;
  auto& slot = slots_[number];
  slot.message = {
      .topic = message.topic, .payload = {}, .qos = message.qos, .retain = message.retain, .lane = message.lane};
  slot.bytes = bytes;
  slot.sent = now;
  slot.delivered_before = delivered_;
  slot.alone = from->queue.empty();
  return Sending{std::move(message), generation_ << slot_bits | number};
}

std::optional<Lanes::Done> Lanes::done(Ticket ticket, bool delivered, Clock::time_point now) {
  if (ticket >> slot_bits != generation_) return std::nullopt;
  const auto number = ticket & slot_mask;
  auto& slot = slots_[number];
  Done out{std::move(slot.message), delivered && slot.message.qos > 0, now - slot.sent};
  room(out.message.lane).in_flight_bytes -= slot.bytes;
  free_.push_back(number);
  --in_flight_;
  if (out.acknowledged) {
    if (shortest_.count() < 0 || out.took < shortest_) shortest_ = out.took;
    if (out.message.lane == Lane::bulk) measure(slot, now);
  }
  return out;
}

void Lanes::measure(const Slot& slot, Clock::time_point now) {
  delivered_ += slot.bytes;
  const std::chrono::duration<double> took = now - slot.sent;
  if (took.count() <= 0) return;
  const double sample = static_cast<double>(delivered_ - slot.delivered_before) / took.count();
  if (sample > rate_) {
    rate_ = sample;
  } else if (!slot.alone) {
    rate_ = rate_ * 0.875 + sample * 0.125;
  }
  double takes = rate_ * (shortest_.count() + 0.5);
  // The round trip is near the shortest, so no queue grows on the link and the window may grow. With few large messages
  // the rate alone would never show that the link takes more.
  if (!slot.alone && took < shortest_ + std::chrono::milliseconds(250)) {
    takes = std::max(takes, static_cast<double>(bulk_window_ + slot.bytes));
  }
  bulk_window_ = static_cast<std::size_t>(std::clamp(takes, static_cast<double>(limits_.bulk_window_bytes_min),
                                                     static_cast<double>(limits_.bulk_window_bytes_max)));
}

void Lanes::lost() {
  ++generation_;
  in_flight_ = 0;
  free_.clear();
  for (std::size_t i = slots_.size(); i > 0; --i) free_.push_back(i - 1);
  control_.in_flight_bytes = bulk_.in_flight_bytes = 0;
  newest_ = {};
  // The next connection may take another path through the network.
  bulk_window_ = std::min(bulk_window_, limits_.bulk_window_bytes_first);
  rate_ = 0;
  delivered_ = 0;
  shortest_ = std::chrono::duration<double>(-1);
}

void Lanes::limit_window(std::size_t allowed) { window_ = std::clamp<std::size_t>(allowed, 1, slots_.size()); }

std::size_t Lanes::backlog(Lane lane) const {
  const auto& one = lane == Lane::control ? control_ : lane == Lane::bulk ? bulk_ : newest_;
  return one.waiting_bytes + one.in_flight_bytes;
}

}  // namespace fieldwork::bus
