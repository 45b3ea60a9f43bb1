#include "content/receiver.hpp"

#include <algorithm>

namespace fieldwork::content {

Result<bool> Receiver::accept(std::uint64_t offset, std::uint64_t length) {
  if (length == 0 || length > config_.piece_bytes_max) return Error{Code::invalid, "the piece is empty or too long"};
  if (length > config_.encoded_bytes || offset > config_.encoded_bytes - length) {
    return Error{Code::invalid, "the piece ends after the content"};
  }
  waiting_ = true;
  longest_ = std::max(longest_, length);
  if (offset >= reached_) {
    ++came_;
    std::uint64_t left_out = 0;
    for (auto gap = have_.first_missing(reached_, offset); gap; gap = have_.first_missing(gap->second, offset))
      left_out += std::min(gap->second, offset) - gap->first;
    lost_ += (left_out + longest_ - 1) / longest_;
    reached_ = offset + length;
  }
  if (have_.contains(offset, offset + length)) {
    at_once_ = true;
    return false;
  }
  if (!have_.add(offset, offset + length)) {
    at_once_ = true;
    return Error{Code::unavailable, "the piece would leave too many gaps"};
  }
  waiting_bytes_ += length;
  at_once_ = at_once_ || complete();
  return true;
}

bool Receiver::ack_due(Time now) const {
  const auto due = next_due();
  return due && *due <= now;
}

std::optional<double> Receiver::loss() const {
  if (came_ + lost_ < loss_pieces_min) return std::nullopt;
  return static_cast<double>(lost_) / static_cast<double>(came_ + lost_);
}

void Receiver::ack_sent(Time now) {
  waiting_bytes_ = 0;
  at_once_ = waiting_ = false;
  acked_at_ = now;
}

std::optional<Receiver::Time> Receiver::next_due() const {
  if (!waiting_) return std::nullopt;
  if (at_once_ || waiting_bytes_ >= config_.ack_every_bytes || !acked_at_) return Time::zero();
  return *acked_at_ + config_.ack_pause;
}

}  // namespace fieldwork::content
