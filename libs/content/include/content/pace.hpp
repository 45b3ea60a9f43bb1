// How much may be on its way, and how fast it may leave: a model of the link, made of what its answers show. Without
// clock, file or network. Kinds of pace are interchangeable; the sender knows only this port.
//
// ModelPace follows BBR (draft-cardwell-iccrg-bbr-congestion-control-02). It believes the delivery rate and the
// shortest round trip, and not loss: a link that loses a fifth of its packets and still delivers is sent what it
// delivers.
//   rate        the largest delivery rate of the last 10 rounds, and of the last second. A round ends when a piece
//               arrives that was sent after the round began: while a connection stalls, no round passes
//   round_trip  the shortest of the last 10 s; then the window is halved for a round trip, to see it again
//   extra       the most bytes that arrived beyond rate * time in the last 10 rounds, at most rate * 2 s: what a
//               stalled connection, or a receiver that collects its answers, hands over at once
//   window      2 * rate * round_trip + extra, within window_min and window_max
//   pacing      gain * rate. The gain is 2.89 until the rate has stopped growing by a quarter in three rounds, or in
//               one while the round trip doubled; then so little that the queue drains; then 1.25: the window bounds
//               the queue, and what a stalled connection did not take is made up for
//
// Where more than a fiftieth of a round was lost and the link is known, the next 10 rounds have a window of 1.25
// instead of 2: some queue on the way is full.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "content/pieces.hpp"

namespace fieldwork::content {

class Pace {
 public:
  using Time = Answered::Time;
  virtual ~Pace() = default;

  /// An answer came. `in_flight`: bytes still on their way; `delivered`: of all pieces so far.
  virtual void answered(const Answered& answer, std::uint64_t in_flight, std::uint64_t delivered, Time now) = 0;
  /// No answer came in time, or the connection was lost: begin small, and grow with the answers.
  virtual void silent() = 0;

  [[nodiscard]] virtual std::uint64_t window_bytes() const = 0;
  /// At most so fast; nothing: as fast as the window allows.
  [[nodiscard]] virtual std::optional<double> bytes_per_s() const = 0;
  /// The model: what the link delivers, and its round trip without queues; nothing before it is known.
  [[nodiscard]] virtual std::optional<double> delivers_bytes_per_s() const = 0;
  [[nodiscard]] virtual std::optional<Time> round_trip() const = 0;
};

struct PaceConfig {
  std::uint64_t window_first = 32 * 1024;
  std::uint64_t window_min = 16 * 1024;
  std::uint64_t window_max = 4 * 1024 * 1024;
};

/// A window that stays, and no pacing.
[[nodiscard]] std::unique_ptr<Pace> fixed_pace(std::uint64_t window_bytes);
/// `bytes_per_s` and `round_trip`: what this link was a moment ago, for a sender that goes on; else it begins small.
[[nodiscard]] std::unique_ptr<Pace> model_pace(const PaceConfig& config, std::optional<double> bytes_per_s = {},
                                               std::optional<Pace::Time> round_trip = {});

/// The largest value of the newest rounds and of the newest span of time: of whichever is longer.
class WindowedMax {
 public:
  using Time = Answered::Time;
  void add(double value, Time now, Time span, std::uint64_t round, std::uint64_t rounds);
  [[nodiscard]] double value() const { return values_.empty() ? 0 : values_.front().value; }

 private:
  struct One {
    Time at{};
    std::uint64_t round = 0;
    double value = 0;
  };
  std::deque<One> values_;  // falling
};

}  // namespace fieldwork::content
