#include "content/receiver.hpp"

#include <algorithm>

namespace fieldwork::content {

Result<bool> Receiver::accept(std::uint64_t offset, std::uint64_t length, Time now) {
  if (length == 0 || length > config_.piece_bytes_max) return Error{Code::invalid, "the piece is empty or too long"};
  if (length > config_.encoded_bytes || offset > config_.encoded_bytes - length) {
    return Error{Code::invalid, "the piece ends after the content"};
  }
  if (!waiting_since_) waiting_since_ = now;
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
  ++waiting_frames_;
  at_once_ = at_once_ || complete();
  return true;
}

bool Receiver::ack_due(Time now) const {
  if (!waiting_since_) return false;
  return at_once_ || waiting_frames_ >= config_.ack_every_frames || now >= *waiting_since_ + config_.ack_after;
}

std::optional<double> Receiver::loss() const {
  if (came_ + lost_ < loss_pieces_min) return std::nullopt;
  return static_cast<double>(lost_) / static_cast<double>(came_ + lost_);
}

void Receiver::ack_sent() {
  waiting_frames_ = 0;
  at_once_ = false;
  waiting_since_.reset();
}

std::optional<Receiver::Time> Receiver::next_due() const {
  if (!waiting_since_) return std::nullopt;
  return ack_due(*waiting_since_) ? *waiting_since_ : *waiting_since_ + config_.ack_after;
}

}  // namespace fieldwork::content
