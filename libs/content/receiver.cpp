#include "content/receiver.hpp"

namespace fieldwork::content {

Result<bool> Receiver::accept(std::uint64_t offset, std::uint64_t length, Time now) {
  if (length == 0 || length > config_.piece_bytes_max) return Error{Code::invalid, "the piece is empty or too long"};
  if (length > config_.encoded_bytes || offset > config_.encoded_bytes - length) {
    return Error{Code::invalid, "the piece ends after the content"};
  }
  if (!waiting_since_) waiting_since_ = now;
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
