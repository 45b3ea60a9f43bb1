// The receiving side of one transfer over files: opens frames, writes their bytes, answers, and at the end makes the
// verified content. Used by the transfer service, the device agent and the CLI.
//
//   auto inbound = Inbound::open(offer, key, fingerprint, directory, size_max);       also to go on after a restart
//   inbound->frame(payload, now);                                                     for every frame that comes
//   if (auto answer = inbound->ack_due(now)) publish(codec::encode(*answer));         after frame(), and at next_due()
//   if (inbound->complete()) inbound->finish(final_path);                             may run on another thread
//
// Files, all in `directory`: <transfer>.part holds the encoded bytes; <transfer>.ranges says which of them were on disk
// when it was written (a checkpoint); <transfer>.plain is what is decoded, or the room for it. After a kill at any
// moment only the bytes that came after the last checkpoint are received again, and no byte is claimed that is not on
// disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"
#include "content/receiver.hpp"
#include "exchange/sealing.hpp"
#include "model/package.hpp"

namespace fieldwork::exchange {

class Inbound {
 public:
  static constexpr std::uint64_t checkpoint_bytes = 16 * 1024 * 1024;
  static constexpr Duration checkpoint_after = seconds(2);  // after the first byte that is in no checkpoint

  /// check_offer(), then goes on from the files in `directory` if they belong to the same digest and encoded bytes.
  /// `base`: for a zstd-patch, the file of the content that offer.base names. Unavailable: the disk failed. Afterwards
  /// an answer is due at once: it tells the sender which bytes are here already. `before`: the one that this one
  /// replaces; what it has received of the same transfer and content counts, though a full disk has no checkpoint of
  /// it.
  [[nodiscard]] static Result<Inbound> open(const Offer& offer, const crypto::PrivateKey& own_key,
                                            std::string_view own_certificate_fingerprint_hex,
                                            const std::filesystem::path& directory, std::int64_t size_max,
                                            const std::filesystem::path& base = {}, const Inbound* before = nullptr);
  Inbound(Inbound&&) noexcept;
  Inbound& operator=(Inbound&&) noexcept;
  ~Inbound();  // closes; the files stay

  /// True where the frame held bytes that were not here. An Error changes nothing: invalid or denied for a frame that
  /// is not of this transfer or was tampered with, unavailable where the disk fails (the sender will repeat the frame).
  [[nodiscard]] Result<bool> frame(std::string_view bytes, Time now);

  /// The answer to send now, if one is due; it counts as sent.
  [[nodiscard]] std::optional<Received> ack_due(Time now);
  /// When to ask ack_due() again, where an answer is waiting.
  [[nodiscard]] std::optional<Time> next_due() const;
  /// The bytes that are here. The state is always `receiving`: the caller of finish() says `complete`.
  [[nodiscard]] Received received() const;

  /// All encoded bytes are here.
  [[nodiscard]] bool complete() const;
  [[nodiscard]] const Offer& offer() const;
  [[nodiscard]] std::uint64_t received_bytes() const;
  /// Of the bytes that came by frames, per second; none before they came over some time.
  [[nodiscard]] std::optional<std::int64_t> goodput_bit_per_s() const;
  /// Of the frames, 0 to 1: see content::Receiver::loss().
  [[nodiscard]] std::optional<double> loss() const;

  /// Makes the received bytes durable. frame() does it by itself each checkpoint_bytes or checkpoint_after; call it
  /// before a planned stop.
  [[nodiscard]] Result<void> checkpoint();

  /// From now on frame() makes no checkpoint; the caller runs what checkpoint_due() gives, on any one thread.
  void checkpoint_elsewhere();
  /// The checkpoint that is due, as a function to run, or an empty function. Run these functions in the order they were
  /// given, and before finish() and discard(); frame() may go on meanwhile.
  [[nodiscard]] std::function<Result<void>()> checkpoint_due(Time now);

  /// The next part of a zstd that can be decoded already, as a function to run, or an empty function. Run it as
  /// checkpoint_due()'s, but only one at a time: ask again when it is done. What it finds wrong, finish() says.
  [[nodiscard]] std::function<void()> decode_due();

  /// What has come by frames since this was asked last.
  struct Came {
    std::int64_t bytes = 0, again_bytes = 0;  // again: of these, what was here already
    std::int64_t frames = 0, again_frames = 0;
  };
  [[nodiscard]] Came take_came();
  /// Frames of this transfer that could not be opened, also before a restart. The answers tell the sender.
  [[nodiscard]] std::int64_t bad_frames() const;

  /// Reserves the disk space for all encoded bytes now, and for the decoded content. Unavailable: the disk has not as
  /// much. A file system that cannot reserve is no error.
  [[nodiscard]] Result<void> reserve();

  /// Decodes, compares size and digest with the offer, and puts the content at `final_path` (on the file system of
  /// `directory`) with fsync and rename. The part is gone afterwards; the answer is `final_path`. A mismatch deletes
  /// the part as well: the transfer has failed. It is `denied` where the encoded bytes are what the offer promised, so
  /// that any other transfer of it would end in the same way, and `conflict` where they are not: they were changed on
  /// their way or on this disk. Unavailable: the disk failed; finish() may be tried again. `check`: looks at the
  /// verified content before it is put there; its Error is the caller's, and the part stays.
  using Check = std::function<Result<void>(const std::filesystem::path& content)>;
  [[nodiscard]] Result<std::string> finish(const std::filesystem::path& final_path, const Check& check = {});

  /// Deletes the files of this transfer.
  void discard();
  /// The same for a transfer that is not open; its id is 32 hex digits.
  static void discard(const std::filesystem::path& directory, const TransferId& transfer);

 private:
  struct Impl;
  explicit Inbound(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwork::exchange
