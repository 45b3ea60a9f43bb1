// The sender's book of one content: which bytes are on their way, which were lost, which are acknowledged. Without
// clock, file or network.
//
// Messages keep their order: a piece that was sent before another one which has arrived, and is not among what has
// arrived, is lost. Nothing else makes a piece lost, so a slow link is never taken for a lossy one.
//
// Delivery rate (draft-cardwell-iccrg-bbr-congestion-control-02, section 3.1, "delivery rate estimation"): of the piece
// sent last among those that an answer acknowledges, with D the bytes delivered until it was sent:
//   rate = (delivered - D) / max(now - time of the newest delivery before it was sent, the time it took to send these)
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "content/ranges.hpp"

namespace fieldwork::content {

struct Piece {
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
  bool operator==(const Piece&) const = default;
};

/// What one answer of the receiver showed.
struct Answered {
  using Time = std::chrono::microseconds;
  std::uint64_t bytes = 0;       // of pieces that were on their way and are acknowledged by it
  std::uint64_t lost_bytes = 0;  // found lost by it
  // Of pieces that were sent once (Karn); the longest has the receiver's wait before it answers in it.
  std::optional<Time> round_trip_shortest, round_trip_longest;
  double bytes_per_s = 0;              // delivery rate; 0: not known
  bool limited = false;                // the rate is of a time in which there was less to send than the link takes
  std::uint64_t delivered_before = 0;  // delivered() when the newest of these pieces was sent
};

class Pieces {
 public:
  using Time = Answered::Time;  // since a fixed origin

  /// Pieces begin and end at multiples of `align` bytes (and at the content's end), where the receiver's ranges do.
  Pieces(std::uint64_t total, std::uint32_t align, Ranges acknowledged);

  /// The piece to send next, at most `length_max` bytes (at least one `align`): lost bytes before new ones. None:
  /// everything is on its way or acknowledged.
  [[nodiscard]] std::optional<Piece> next(std::uint32_t length_max);
  /// next() has something.
  [[nodiscard]] bool unsent() const;
  /// next() was sent. `limited`: less is sent now than the link would take.
  void sent(const Piece& piece, Time now, bool limited);
  /// The piece that has been on its way for longest counts as sent now, once more: its answer shows what became of the
  /// others. None: nothing is on its way.
  [[nodiscard]] std::optional<Piece> probe(Time now);

  /// The receiver holds these bytes. `round_trip_min`: an answer sooner than that after a piece was sent again is to
  /// its first sending.
  Answered acknowledged(const Ranges& ranges, Time now, Time round_trip_min);

  /// Everything on its way is lost: the connection that carried it is gone.
  void lose_all();

  [[nodiscard]] bool finished() const { return acked_.complete(total_); }
  [[nodiscard]] const Ranges& acked() const { return acked_; }
  [[nodiscard]] std::uint64_t in_flight_bytes() const { return in_flight_bytes_; }
  [[nodiscard]] std::uint64_t delivered() const { return delivered_; }  // bytes, by pieces that were on their way
  [[nodiscard]] std::uint64_t bytes_sent() const { return bytes_sent_; }
  [[nodiscard]] std::uint64_t bytes_resent() const { return bytes_resent_; }
  [[nodiscard]] std::uint64_t pieces_sent() const { return pieces_sent_; }
  [[nodiscard]] std::uint64_t pieces_resent() const { return pieces_resent_; }
  // How often bytes were sent at most, of all pieces; 0: nothing was.
  [[nodiscard]] std::uint32_t tries_most() const { return tries_most_; }

 private:
  struct Sent {
    Piece piece;
    Time at{};
    Time first_at{};  // when the first of the pieces was sent that are in its rate
    Time delivered_at{};
    std::uint64_t delivered = 0;
    std::uint32_t tries = 1;  // how often bytes of it were sent, with this
    bool limited = false;
    [[nodiscard]] bool again() const { return tries > 1; }
  };
  struct Lost {
    Range range;
    std::uint32_t tries = 1;
  };

  void merge(const Ranges& ranges);
  [[nodiscard]] std::optional<Piece> cut(std::uint64_t from, std::uint64_t end, std::uint32_t length_max) const;
  void count(const Sent& sent);
  void lose(const Sent& sent);

  std::uint64_t total_;
  std::uint32_t align_;
  Ranges acked_;
  std::deque<Sent> in_flight_;  // in order of sending
  std::deque<Lost> lost_;       // to be sent again
  std::uint64_t cursor_ = 0;    // every byte before it was sent at least once, or acknowledged
  std::uint64_t in_flight_bytes_ = 0;
  std::uint64_t delivered_ = 0;
  Time delivered_at_{}, first_at_{};
  std::uint64_t bytes_sent_ = 0, bytes_resent_ = 0, pieces_sent_ = 0, pieces_resent_ = 0;
  std::uint32_t tries_most_ = 0;
};

}  // namespace fieldwork::content
