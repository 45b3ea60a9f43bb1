#include "content/pieces.hpp"

#include <algorithm>

namespace fieldwork::content {

Pieces::Pieces(std::uint64_t total, std::uint32_t align, Ranges acknowledged)
    : total_(total), align_(std::max(align, 1U)) {
  merge(acknowledged);
}

// [from, end) cut to its first bytes that are not acknowledged.
std::optional<Piece> Pieces::cut(std::uint64_t from, std::uint64_t end, std::uint32_t length_max) const {
  const auto gap = acked_.first_missing(from, end);
  if (!gap) return std::nullopt;
  const std::uint64_t begin = gap->first / align_ * align_;
  const std::uint64_t longest = std::max(length_max / align_ * align_, align_);
  const std::uint64_t last = std::min((gap->second + align_ - 1) / align_ * align_, end);
  return Piece{begin, static_cast<std::uint32_t>(std::min(last - begin, longest))};
}

std::optional<Piece> Pieces::next(std::uint32_t length_max) {
  while (!lost_.empty()) {
    const auto& range = lost_.front().range;
    if (auto piece = cut(range.first, range.second, length_max)) return piece;
    lost_.pop_front();  // acknowledged meanwhile
  }
  return cut(cursor_, total_, length_max);
}

bool Pieces::unsent() const {
  const auto open = [&](const Lost& lost) { return !acked_.contains(lost.range.first, lost.range.second); };
  return std::any_of(lost_.begin(), lost_.end(), open) || acked_.first_missing(cursor_, total_).has_value();
}

void Pieces::sent(const Piece& piece, Time now, bool limited) {
  const std::uint64_t end = piece.offset + piece.length;
  std::uint32_t tries = 1;
  if (!lost_.empty()) {
    auto& [range, before] = lost_.front();
    tries = before + 1;
    range.first = end;
    if (range.first >= range.second) lost_.pop_front();
  } else {
    cursor_ = end;
  }
  if (in_flight_.empty()) first_at_ = delivered_at_ = now;
  in_flight_.push_back({piece, now, first_at_, delivered_at_, delivered_, tries, limited});
  in_flight_bytes_ += piece.length;
  count(in_flight_.back());
}

void Pieces::count(const Sent& sent) {
  ++pieces_sent_;
  bytes_sent_ += sent.piece.length;
  tries_most_ = std::max(tries_most_, sent.tries);
  if (!sent.again()) return;
  ++pieces_resent_;
  bytes_resent_ += sent.piece.length;
}

std::optional<Piece> Pieces::probe(Time now) {
  if (in_flight_.empty()) return std::nullopt;
  Sent oldest = in_flight_.front();
  in_flight_.pop_front();
  oldest.at = now;
  ++oldest.tries;
  oldest.limited = true;
  count(oldest);
  in_flight_.push_back(oldest);
  return oldest.piece;
}

Answered Pieces::acknowledged(const Ranges& ranges, Time now, Time round_trip_min) {
  Answered out;
  merge(ranges);
  std::optional<Sent> newest;
  const auto arrived = [&](const Sent& sent) {
    return acked_.contains(sent.piece.offset, sent.piece.offset + sent.piece.length);
  };
  auto behind = in_flight_.begin();  // the first piece behind the newest one that has certainly arrived
  for (auto it = in_flight_.begin(); it != in_flight_.end(); ++it) {
    if (!arrived(*it)) continue;
    out.bytes += it->piece.length;
    if (it->again() && now - it->at < round_trip_min) continue;
    newest = *it;
    behind = std::next(it);
    if (it->again()) continue;
    const Time took = std::max(now - it->at, Time(1));
    out.round_trip_shortest = std::min(out.round_trip_shortest.value_or(took), took);
    out.round_trip_longest = std::max(out.round_trip_longest.value_or(took), took);
  }
  in_flight_bytes_ -= out.bytes;
  delivered_ += out.bytes;
  if (newest) {
    const Time took = std::max(now - newest->delivered_at, newest->at - newest->first_at);
    if (took > Time::zero())
      out.bytes_per_s = 1e6 * static_cast<double>(delivered_ - newest->delivered) / static_cast<double>(took.count());
    out.limited = newest->limited;
    out.delivered_before = newest->delivered;
    first_at_ = newest->at;
    for (auto it = in_flight_.begin(); it != behind; ++it) {
      if (arrived(*it)) continue;
      lose(*it);
      out.lost_bytes += it->piece.length;
      it->piece.length = 0;  // is neither on its way any more
    }
    in_flight_bytes_ -= out.lost_bytes;
  }
  if (out.bytes > 0) {
    delivered_at_ = now;
    std::erase_if(in_flight_, [&](const Sent& sent) { return arrived(sent); });
  }
  return out;
}

void Pieces::lose(const Sent& sent) {
  lost_.push_back({{sent.piece.offset, sent.piece.offset + sent.piece.length}, sent.tries});
}

void Pieces::lose_all() {
  for (const auto& sent : in_flight_) lose(sent);
  in_flight_.clear();
  in_flight_bytes_ = 0;
}

// Where both sets together need too many ranges, the newer one replaces the older: bytes that it lacks are sent once
// more.
void Pieces::merge(const Ranges& ranges) {
  Ranges merged = acked_;
  Ranges alone;
  bool whole = true;
  for (const auto& [begin, end] : ranges.as_pairs()) {
    const std::uint64_t last = std::min(end, total_);
    whole = merged.add(begin, last) && whole;
    if (begin < last) (void)alone.add(begin, last);
  }
  if (!whole) {
    cursor_ = 0;
    lost_.clear();
  }
  acked_ = whole ? std::move(merged) : std::move(alone);
}

}  // namespace fieldwork::content
