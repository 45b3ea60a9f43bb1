// The sending half of a transfer, without clock, file or network: which pieces of the encoded content to send when.
// The same core serves both directions. The shell reads the bytes of a piece, seals them (crypto/seal.hpp), publishes
// them, and gives the receiver's answers back:
//
//   for (Piece piece : sender.due(now)) publish(seal(read(piece)));    on start, after acknowledged(), at next_due()
//   sender.acknowledged(ranges_of_the_answer, now);                    for every acknowledgement
//
// Restart: construct a Sender with the ranges that the receiver says it holds. A receiver that lost bytes which it had
// acknowledged needs a new Sender as well: an acknowledgement that names less than an earlier one takes nothing back.
//
// Round trip (RFC 6298). A sample R comes from an acknowledged piece that was sent once (Karn). Each acknowledgement
// gives its longest R, so that the receiver's wait before it answers is part of the estimate:
//   first:  srtt = R                    rttvar = R/2
//   later:  rttvar = 3/4 rttvar + 1/4 |srtt - R|,  then  srtt = 7/8 srtt + 1/8 R
//   wait  = min(retransmit_max, max(retransmit_min, srtt + 4 rttvar) * 2^backoffs)
//           before the first sample, retransmit_after stands in place of max(…)
//
// A piece not acknowledged within `wait` is lost: it leaves the window and is sent again, same offset, same length,
// before new pieces. A loss event is the first loss among pieces sent since the last loss event: it adds 1 to backoffs
// and halves the window (at least one frame). A sample sets backoffs to 0.
//
// Window (bytes sent and neither acknowledged nor lost): starts at window_start_frames frames; grows by the
// acknowledged bytes until the first loss event or window_bytes (slow start), then by one frame for each window of
// acknowledged bytes; never more than window_bytes, or one frame if that is more.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "content/ranges.hpp"

namespace fieldwork::content {

struct Piece {
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
  bool operator==(const Piece&) const = default;
};

struct SenderConfig {
  std::uint64_t encoded_bytes = 0;
  std::uint32_t frame_bytes = 64 * 1024;                                 // the longest piece; 0 is taken as 1
  std::uint64_t window_bytes = 1024 * 1024;                              // the largest window
  std::chrono::microseconds retransmit_after = std::chrono::seconds(1);  // until the round trip is known
  std::chrono::microseconds retransmit_min = std::chrono::milliseconds(200);
  std::chrono::microseconds retransmit_max = std::chrono::seconds(60);
};

class Sender {
 public:
  using Time = std::chrono::microseconds;  // since a fixed origin, not negative; a step back counts as standing

  static constexpr std::uint64_t window_start_frames = 4;

  explicit Sender(const SenderConfig& config, Ranges acknowledged = {});

  /// The pieces to send now, in order: lost ones first; at most so many. They count as sent.
  [[nodiscard]] std::vector<Piece> due(Time now, std::size_t pieces_max = SIZE_MAX);

  /// The receiver holds these bytes (all that it holds, or a part). What lies outside of the content is ignored.
  void acknowledged(const Ranges& ranges, Time now);

  /// When to call due() next if no acknowledgement comes before: a time of the past where there is room to send at
  /// once, nullopt when finished.
  [[nodiscard]] std::optional<Time> next_due() const;

  [[nodiscard]] bool finished() const { return acked_.complete(config_.encoded_bytes); }
  [[nodiscard]] std::uint64_t acked_bytes() const { return acked_.covered_bytes(); }
  [[nodiscard]] const Ranges& acked() const { return acked_; }

  /// Bytes since construction, with repetitions.
  [[nodiscard]] std::uint64_t bytes_sent() const { return bytes_sent_; }
  [[nodiscard]] std::uint64_t bytes_resent() const { return bytes_resent_; }
  [[nodiscard]] std::uint64_t in_flight_bytes() const { return in_flight_bytes_; }
  [[nodiscard]] std::uint64_t window_bytes() const { return window_; }

  /// The smoothed round trip, once there is a sample; and the present `wait`.
  [[nodiscard]] std::optional<Time> round_trip() const { return srtt_; }
  [[nodiscard]] Time retransmit_wait() const;

 private:
  struct Sent {
    Piece piece;
    Time at;
    bool again;  // the piece was sent before
  };

  void find_lost();
  void forget_answered_losses();
  [[nodiscard]] std::optional<Piece> next_new() const;
  void send(Piece piece, bool again, std::vector<Piece>& out);
  void merge(const Ranges& ranges);
  void sample(Time round_trip);
  void grow(std::uint64_t answered_bytes);
  [[nodiscard]] bool fits(Piece piece) const;

  SenderConfig config_;
  Ranges acked_;
  std::deque<Sent> in_flight_;  // in order of sending
  std::deque<Piece> lost_;      // to be sent again
  std::uint64_t cursor_ = 0;    // every byte before it was sent at least once, or acknowledged
  std::uint64_t in_flight_bytes_ = 0;
  std::uint64_t window_max_;
  std::uint64_t window_;
  std::uint64_t slow_start_until_;
  std::uint64_t growth_ = 0;  // acknowledged bytes that have not yet grown the window
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_resent_ = 0;
  Time now_{0};
  Time last_event_ = Time::min();
  std::optional<Time> srtt_;
  Time rttvar_{0};
  int backoffs_ = 0;
};

}  // namespace fieldwork::content
