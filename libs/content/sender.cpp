#include "content/sender.hpp"

#include <algorithm>

namespace fieldwork::content {

Sender::Sender(const SenderConfig& config, Ranges acknowledged) : config_(config) {
  config_.frame_bytes = std::max(config_.frame_bytes, 1U);
  window_max_ = std::max<std::uint64_t>(config_.window_bytes, config_.frame_bytes);
  window_ = std::min(window_max_, window_start_frames * config_.frame_bytes);
  slow_start_until_ = window_max_;
  merge(acknowledged);
}

std::vector<Piece> Sender::due(Time now, std::size_t pieces_max) {
  now_ = std::max(now_, now);
  find_lost();
  forget_answered_losses();
  std::vector<Piece> out;
  while (out.size() < pieces_max && !lost_.empty() && fits(lost_.front())) {
    const Piece piece = lost_.front();
    lost_.pop_front();
    send(piece, true, out);
  }
  if (!lost_.empty()) return out;
  for (auto piece = next_new(); out.size() < pieces_max && piece && fits(*piece); piece = next_new()) {
    cursor_ = piece->offset + piece->length;
    send(*piece, false, out);
  }
  return out;
}

void Sender::acknowledged(const Ranges& ranges, Time now) {
  now_ = std::max(now_, now);
  merge(ranges);
  std::uint64_t answered = 0;
  std::optional<Time> longest;
  std::erase_if(in_flight_, [&](const Sent& sent) {
    if (!acked_.contains(sent.piece.offset, sent.piece.offset + sent.piece.length)) return false;
    answered += sent.piece.length;
    if (!sent.again) longest = std::max(longest.value_or(Time::zero()), now_ - sent.at);
    return true;
  });
  in_flight_bytes_ -= answered;
  forget_answered_losses();
  if (longest) sample(*longest);
  grow(answered);
}

std::optional<Sender::Time> Sender::next_due() const {
  if (finished()) return std::nullopt;
  const std::optional<Piece> next = lost_.empty() ? next_new() : lost_.front();
  if ((next && fits(*next)) || in_flight_.empty()) return now_;
  return in_flight_.front().at + retransmit_wait();
}

Sender::Time Sender::retransmit_wait() const {
  Time wait = srtt_ ? std::max(config_.retransmit_min, *srtt_ + 4 * rttvar_) : config_.retransmit_after;
  for (int i = 0; i < backoffs_ && wait < config_.retransmit_max; ++i) wait *= 2;
  return std::min(wait, config_.retransmit_max);
}

void Sender::find_lost() {
  const Time wait = retransmit_wait();
  bool event = false;
  while (!in_flight_.empty() && in_flight_.front().at + wait <= now_) {
    const Sent& sent = in_flight_.front();
    event = event || sent.at >= last_event_;
    in_flight_bytes_ -= sent.piece.length;
    lost_.push_back(sent.piece);
    in_flight_.pop_front();
  }
  if (!event) return;
  last_event_ = now_;
  backoffs_ = std::min(backoffs_ + 1, 32);
  window_ = std::max<std::uint64_t>(window_ / 2, config_.frame_bytes);
  slow_start_until_ = window_;
  growth_ = 0;
}

void Sender::forget_answered_losses() {
  std::erase_if(lost_, [&](const Piece& piece) { return acked_.contains(piece.offset, piece.offset + piece.length); });
}

std::optional<Piece> Sender::next_new() const {
  const auto gap = acked_.first_missing(cursor_, config_.encoded_bytes);
  if (!gap) return std::nullopt;
  const std::uint64_t length = std::min<std::uint64_t>(gap->second - gap->first, config_.frame_bytes);
  return Piece{gap->first, static_cast<std::uint32_t>(length)};
}

void Sender::send(Piece piece, bool again, std::vector<Piece>& out) {
  in_flight_.push_back({piece, now_, again});
  in_flight_bytes_ += piece.length;
  bytes_sent_ += piece.length;
  if (again) bytes_resent_ += piece.length;
  out.push_back(piece);
}

// Where both sets together need too many ranges, the newer one replaces the older: bytes that it lacks are sent once
// more.
void Sender::merge(const Ranges& ranges) {
  Ranges merged = acked_;
  Ranges alone;
  bool whole = true;
  for (const auto& [begin, end] : ranges.as_pairs()) {
    const std::uint64_t last = std::min(end, config_.encoded_bytes);
    whole = merged.add(begin, last) && whole;
    if (begin < last) (void)alone.add(begin, last);
  }
  if (!whole) {
    cursor_ = 0;
    lost_.clear();
  }
  acked_ = whole ? std::move(merged) : std::move(alone);
}

void Sender::sample(Time round_trip) {
  if (srtt_) {
    const Time error = *srtt_ > round_trip ? *srtt_ - round_trip : round_trip - *srtt_;
    rttvar_ = (3 * rttvar_ + error) / 4;
    srtt_ = (7 * *srtt_ + round_trip) / 8;
  } else {
    srtt_ = round_trip;
    rttvar_ = round_trip / 2;
  }
  backoffs_ = 0;
}

void Sender::grow(std::uint64_t answered_bytes) {
  if (window_ < slow_start_until_) {
    window_ = std::min(slow_start_until_, window_ + answered_bytes);
    return;
  }
  growth_ += answered_bytes;
  while (growth_ >= window_) {
    growth_ -= window_;
    window_ = std::min(window_max_, window_ + config_.frame_bytes);
  }
}

bool Sender::fits(Piece piece) const { return in_flight_bytes_ + piece.length <= window_; }

}  // namespace fieldwork::content
