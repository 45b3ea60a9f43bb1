// The sending half of a transfer, without clock, file or network: which pieces of the encoded content to send when.
// The same core serves both directions. The shell reads the bytes of a piece, seals them, publishes them, and gives the
// receiver's answers back:
//
//   for (Piece piece : sender.due(now)) publish(seal(read(piece)));    on start, after acknowledged(), at next_due()
//   sender.acknowledged(ranges_of_the_answer, now);                    for every acknowledgement
//
// It is made of three parts: pieces.hpp knows what is on its way, lost and acknowledged; pace.hpp how much may be on
// its way and how fast it may leave; strategy.hpp how long a frame is and how a silence is met.
//
// Silence: nothing was acknowledged for `wait` since the last answer, or since sending began again. Then the oldest
// piece is sent once more, and its answer shows what became of all others.
//   wait = max(round trip + 4 deviations (RFC 6298), factor^attempt s with jitter)
// After the last retry the sender is suspended: it sends nothing, and forgets nothing, until it hears the receiver
// (acknowledged() or resume()); what was on its way then counts as lost. While the link is down, no time passes for it.
//
// Restart: construct a Sender with the ranges that the receiver says it holds. A receiver that lost bytes which it had
// acknowledged needs a new Sender as well: an acknowledgement that names less than an earlier one takes nothing back.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "content/pace.hpp"
#include "content/pieces.hpp"
#include "content/ranges.hpp"
#include "content/strategy.hpp"

namespace fieldwork::content {

struct SenderConfig {
  std::uint64_t encoded_bytes = 0;
  std::uint32_t align = 1;  // pieces begin and end at multiples of it
  Measured link{};          // what is known of the link before the first answer
  bool goes_on = false;     // `link` was measured a moment ago: begin with what it takes
  Retry retry{};
  PaceConfig pace{};
  std::uint32_t frame_bytes_max = 256 * 1024;  // whatever the strategy says
  std::uint64_t seed = 0;                      // of the jitter
};

class Sender {
 public:
  using Time = Pieces::Time;  // since a fixed origin, not negative; a step back counts as standing

  explicit Sender(const SenderConfig& config, Ranges acknowledged = {});
  /// With a pace, and frames of a size, that stay.
  Sender(const SenderConfig& config, Ranges acknowledged, std::unique_ptr<Pace> pace, std::uint32_t frame_bytes);

  /// The pieces to send now, in order: lost ones first; at most so many. They count as sent.
  [[nodiscard]] std::vector<Piece> due(Time now, std::size_t pieces_max = SIZE_MAX);

  /// The receiver holds these bytes (all that it holds, or a part). What lies outside of the content is ignored.
  void acknowledged(const Ranges& ranges, Time now);

  /// When to call due() next if no acknowledgement comes before: a time of the past where there is room to send at
  /// once, nullopt when finished, suspended or without a link.
  [[nodiscard]] std::optional<Time> next_due() const;

  /// Whether there is a link to the receiver. Its return counts as resume().
  void link(bool up, Time now);
  /// The receiver was heard: retries begin anew.
  void resume(Time now);
  /// At most so fast; 0: as fast as the link takes it.
  void limit(std::uint64_t bytes_per_s_max) { limit_ = bytes_per_s_max; }

  [[nodiscard]] bool finished() const { return pieces_.finished(); }
  [[nodiscard]] bool suspended() const { return suspended_; }  // out of retries
  [[nodiscard]] int attempt() const { return attempt_; }       // retries since the receiver was heard
  [[nodiscard]] const Pieces& pieces() const { return pieces_; }
  [[nodiscard]] std::uint64_t window_bytes() const { return pace_->window_bytes(); }
  [[nodiscard]] const Strategy& strategy() const { return strategy_; }
  /// What is known of the link: before the first answer as in the config.
  [[nodiscard]] const Measured& measured() const { return measured_; }

 private:
  [[nodiscard]] std::uint32_t frame_bytes() const;
  void measure();
  void sample(Time round_trip);
  [[nodiscard]] bool fits() const;
  [[nodiscard]] std::optional<double> rate() const;
  [[nodiscard]] Time silent_at() const;
  [[nodiscard]] double chance() const;

  SenderConfig config_;
  Pieces pieces_;
  std::unique_ptr<Pace> pace_;
  bool adapts_ = true;
  Measured measured_;
  Strategy strategy_;
  std::uint64_t limit_ = 0;
  Time now_{0};
  Time heard_{0};  // the last answer, or when sending began again
  Time paced_until_{0};
  std::optional<Time> srtt_;
  Time rttvar_{0};
  bool up_ = true, suspended_ = false;
  int attempt_ = 0;
};

}  // namespace fieldwork::content
