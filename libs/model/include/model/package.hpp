// A package: immutable content named by its digest, released by someone's signature; and the messages that move it.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/id.hpp"
#include "model/device.hpp"

namespace fieldwork {

// What a package says of itself: in its manifest, and again in its release.
struct PackageAbout {
  std::string architecture;        // as `uname -m` says; empty: any
  std::vector<std::string> entry;  // the command of a job that names none; empty: there is none
  Capacity needs;                  // what a device must have at least; 0: nothing of it
  bool operator==(const PackageAbout&) const = default;
};

// What `uname -m` says for this word: there are other words for some.
[[nodiscard]] constexpr std::string_view architecture_named(std::string_view word) {
  if (word == "arm64") return "aarch64";
  if (word == "amd64") return "x86_64";
  if (word == "armhf") return "armv7l";
  return word;
}

// NAME@VERSION of a package. A name means one content for each architecture, or one for all, for ever; a content may
// have several names.
struct PackageName {
  std::string name;
  std::string version;
  auto operator<=>(const PackageName&) const = default;
};

struct Package {
  std::string digest;
  std::string name;  // the oldest of its names
  std::string version;
  std::int64_t size_bytes = 0;
  std::string release;  // JWS, of the oldest name
  std::string released_by;
  std::vector<PackageName> names{};  // all, the oldest first
  PackageAbout about{};
  bool operator==(const Package&) const = default;
};

// Who needs a package: jobs that have not ended, and templates.
struct PackageUse {
  std::string digest;
  std::vector<std::string> users{};  // as an operator would call them, at most package_users_max; empty: nobody
  bool operator==(const PackageUse&) const = default;
};

// What a receiver can take, and what it has measured of its link. The defaults are those of one that says nothing.
struct Accepts {
  std::vector<std::string> decoders{"identity", "zstd"};
  std::vector<std::string> ciphers{"aes-256-gcm", "chacha20-poly1305"};  // the one it is fastest with first
  std::vector<std::string> bases{};  // digests of contents that are there, the most useful first
  int window_log_max = 23;           // of zstd: 2^23 bytes of memory
  std::optional<double> round_trip_ms{};
  std::optional<std::int64_t> goodput_bit_per_s{};
  bool operator==(const Accepts&) const = default;
};

// How an encoded content is sealed, and its key for one receiver (docs/formats.md, SEALED and WRAPPED).
struct Envelope {
  std::string content;  // id: 32 hex digits; frames name it
  std::int64_t epoch = 1;
  std::string encryption_algorithm;  // aes-256-gcm or chacha20-poly1305
  std::int64_t chunk_bytes = 4096;
  std::string key_encryption_algorithm;  // of WRAPPED
  std::string ephemeral;                 // only of ECDH
  std::string wrapped;
  // Of what others hold the key to as well: JWS of a ContentHeader, and the certificate (PEM) of who signed it. Else
  // empty.
  std::string header, certificate;
  bool operator==(const Envelope&) const = default;
};

// What the sender promises to send.
struct Offer {
  TransferId transfer;
  std::string digest;
  std::int64_t size_bytes = 0;
  std::string encoding;  // identity, zstd or zstd-patch
  std::string base;      // of a zstd-patch: the digest of the content against which it is made
  std::int64_t encoded_bytes = 0;
  std::string encoded_digest;
  Envelope envelope;
  bool shared = false;  // frames also come on content/{id}/frame
  std::string release;  // JWS, empty for outputs
  bool operator==(const Offer&) const = default;
};

using ByteRanges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;  // half open

// What a sender does on its link (content/strategy.hpp), as it says.
struct SaidStrategy {
  std::string name;    // far, narrow, near or unknown
  std::string reason;  // one line
  std::int64_t frame_bytes = 0;
  bool operator==(const SaidStrategy&) const = default;
};

// Why a transfer failed.
enum class TransferFailure {
  verification_failed,  // what came is not what was promised: a digest, a signature, a size
  unavailable,          // a disk cannot keep or read it
  denied,               // one of the two is barred, or the name is another content's
  silent,               // the other end was not heard
  cancelled,            // by an operator
  gone,                 // the content, or its encoding, is not there any more
};
inline constexpr std::array<std::string_view, 6> transfer_failure_names{
    "verification_failed", "unavailable", "denied", "silent", "cancelled", "gone"};
[[nodiscard]] inline std::string_view name(TransferFailure failure) {
  return transfer_failure_names.at(static_cast<std::size_t>(failure));
}
[[nodiscard]] inline std::optional<TransferFailure> transfer_failure(std::string_view word) {
  for (std::size_t i = 0; i < transfer_failure_names.size(); ++i) {
    if (transfer_failure_names.at(i) == word) return static_cast<TransferFailure>(i);
  }
  return std::nullopt;
}

enum class ReceivedState { receiving, complete, failed, unwanted };

// What the receiver has; the newest message wins.
struct Received {
  TransferId transfer;
  ReceivedState state = ReceivedState::receiving;
  ByteRanges ranges;
  std::string reason;                        // failed: why; receiving: why the receiver can keep no more now
  std::optional<TransferFailure> failure{};  // only of failed
  std::int64_t bad_frames = 0;               // that came and could not be opened: they are asked for again
  bool operator==(const Received&) const = default;
};

}  // namespace fieldwork
