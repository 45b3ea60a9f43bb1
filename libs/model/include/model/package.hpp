// A package: immutable content named by its digest, released by someone's signature; and the messages that move it.
#pragma once

#include <compare>
#include <cstdint>
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

struct WrappedContentKey {
  std::string alg;
  std::string ephemeral;
  std::string wrapped;
  bool operator==(const WrappedContentKey&) const = default;
};

// What the sender promises to send.
struct Offer {
  TransferId transfer;
  std::string digest;
  std::int64_t size_bytes = 0;
  std::string encoding;  // zstd or identity
  std::int64_t encoded_bytes = 0;
  std::int64_t frame_bytes = 0;
  WrappedContentKey key;
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
