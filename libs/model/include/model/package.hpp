// A package: immutable content named by its digest, released by someone's signature; and the messages that move it.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/id.hpp"

namespace fieldwork {

// NAME@VERSION of a package. A name means one content, for ever; a content may have several names.
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
  bool operator==(const Package&) const = default;
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
  std::string release;  // JWS, empty for outputs
  bool operator==(const Offer&) const = default;
};

using ByteRanges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;  // half open

enum class ReceivedState { receiving, complete, failed, unwanted };

// What the receiver has; the newest message wins.
struct Received {
  TransferId transfer;
  ReceivedState state = ReceivedState::receiving;
  ByteRanges ranges;
  std::string reason;  // failed: why; receiving: why the receiver can keep no more now
  bool operator==(const Received&) const = default;
};

}  // namespace fieldwork
