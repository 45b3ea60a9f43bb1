// The sending side of one transfer over files: what to offer, and which sealed frames to publish when. Used by the
// transfer service, the device agent and the CLI.
//
//   auto offer = make_offer(…);            publish(codec::encode(*offer));              sealing.hpp
//   auto outbound = Outbound::open(*offer, key, encoded->path, acked, config, now);
//   for (auto& frame : outbound->due(now)) publish(frame);             on start, after received(), and at next_due()
//   outbound->received(answer, now);                                   for every answer
//
// Restart: open() with the same offer and key, the same encoded file, and the ranges that the receiver last
// acknowledged.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "content/ranges.hpp"
#include "content/sender.hpp"
#include "model/package.hpp"

namespace fieldwork::exchange {

/// True: the receiver cannot store more of the content now; `answer.reason` says why.
[[nodiscard]] bool is_held(const Received& answer);

class Outbound {
 public:
  /// Takes encoded_bytes and align of `config` from the offer. Unavailable where the file cannot be read, invalid where
  /// it is not as long as the offer says.
  [[nodiscard]] static Result<Outbound> open(const Offer& offer, std::string content_key,
                                             const std::filesystem::path& encoded_path, content::Ranges acked,
                                             content::SenderConfig config, Time now);
  Outbound(Outbound&&) noexcept;
  Outbound& operator=(Outbound&&) noexcept;
  ~Outbound();

  /// The sealed frames to publish now. While all bytes are acknowledged and the receiver has not yet said `complete` or
  /// `failed`, the first piece is due again now and then (1 s to 60 s apart): it makes the receiver say so.
  [[nodiscard]] std::vector<std::string> due(Time now);
  /// When to ask due() again; nothing once the transfer has ended.
  [[nodiscard]] std::optional<Time> next_due() const;

  /// Takes the receiver's answer; ignores an answer to another transfer. A receiver that came back with less than it
  /// had acknowledged is sent the missing bytes again. A receiver that is held (is_held) gets nothing for 10 s.
  void received(const Received& answer, Time now);

  /// The receiver asked anew: send at once, without the waits that have built up, and believe its next answer even
  /// where it names less than before.
  void asked_again(Time now);

  /// Sends at most at this rate from now on; 0: as fast as the link takes it.
  void limit(std::int64_t bit_per_s_max);
  /// Whether there is a link to the receiver: without one nothing is sent, and no time passes.
  void link(bool up, Time now);
  [[nodiscard]] bool linked() const;

  [[nodiscard]] bool finished() const;  // the receiver has the verified content
  [[nodiscard]] bool failed() const;    // the receiver gave the transfer up, or our file cannot be read
  [[nodiscard]] const std::string& reason() const;

  [[nodiscard]] std::uint64_t sent_bytes() const;  // encoded bytes since open(), with repetitions
  [[nodiscard]] std::uint64_t acked_bytes() const;
  [[nodiscard]] std::uint64_t total_bytes() const;
  [[nodiscard]] std::uint64_t resent_bytes() const;
  [[nodiscard]] std::uint64_t sent_frames() const;  // as sent_bytes()
  [[nodiscard]] std::uint64_t resent_frames() const;
  [[nodiscard]] std::uint32_t tries_most() const;       // of one frame, without those that ask for the last word
  [[nodiscard]] std::uint64_t in_flight_bytes() const;  // sent, neither acknowledged nor taken for lost
  [[nodiscard]] const content::Sender& sender() const;
  /// What it does on this link, once the link is measured and each time that this has changed; it counts as said.
  [[nodiscard]] std::optional<SaidStrategy> new_strategy();
  [[nodiscard]] const content::Ranges& acked() const;
  [[nodiscard]] const Offer& offer() const;
  [[nodiscard]] Time heard() const;  // the receiver's last sign of life, or open()

 private:
  struct Impl;
  explicit Outbound(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwork::exchange
