// The receiving half of a transfer, without clock, file or network: which bytes are here, and when to acknowledge them.
// The shell opens a frame (crypto/sealed.hpp) and gives its offset and length to accept(). Where accept() returns true,
// the shell writes the piece at its offset. Whenever ack_due(now) is true, the shell sends ranges() and calls
// ack_sent(). Restart: construct a Receiver with the ranges whose bytes are safely stored.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "content/ranges.hpp"
#include "crypto/limits.hpp"

namespace fieldwork::content {

struct ReceiverConfig {
  std::uint64_t encoded_bytes = 0;
  std::uint64_t piece_bytes_max = crypto::frame_piece_bytes_max;
  std::uint64_t ack_every_bytes = 64 * 1024;
  std::chrono::microseconds ack_pause = std::chrono::milliseconds(25);
};

class Receiver {
 public:
  using Time = std::chrono::microseconds;  // as in Sender

  explicit Receiver(const ReceiverConfig& config, Ranges have = {}) : config_(config), have_(std::move(have)) {}

  /// True where the piece holds a byte that was not here: write the whole piece (bytes that were here are the same).
  /// False for a repetition. Errors: invalid for an empty or too long piece, or one that ends after the content;
  /// unavailable where the set would need more than ranges_max ranges: drop the piece, the sender repeats it.
  [[nodiscard]] Result<bool> accept(std::uint64_t offset, std::uint64_t length);

  /// True once ack_every_bytes of new pieces are not yet acknowledged, or the last acknowledgement was ack_pause ago: a
  /// slow link has each piece acknowledged when it comes, a fast one many at once. And at once when a piece completed
  /// the content, was a repetition (the sender missed our answer) or was dropped for its gap.
  [[nodiscard]] bool ack_due(Time now) const;
  void ack_sent(Time now);

  /// When to ask ack_due() again; nullopt where no piece waits for an acknowledgement.
  [[nodiscard]] std::optional<Time> next_due() const;

  /// The share of the pieces that were not here when a later one was; none before there were loss_pieces_min. Messages
  /// keep their order, so those were dropped on their way.
  [[nodiscard]] std::optional<double> loss() const;
  static constexpr std::uint64_t loss_pieces_min = 20;

  [[nodiscard]] const Ranges& ranges() const { return have_; }
  [[nodiscard]] bool complete() const { return have_.complete(config_.encoded_bytes); }

 private:
  ReceiverConfig config_;
  Ranges have_;
  std::uint64_t waiting_bytes_ = 0;
  bool at_once_ = false;
  std::uint64_t longest_ = 0;          // piece
  std::uint64_t reached_ = 0;          // the end of the piece that is furthest on
  std::uint64_t came_ = 0, lost_ = 0;  // pieces beyond the furthest: that came, that were left out
  bool waiting_ = false;               // a piece waits for an acknowledgement
  std::optional<Time> acked_at_;
};

}  // namespace fieldwork::content
