// Which encoding of a content one device gets: the one that is there first. Pure: the same question has the same
// answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "content/encoding.hpp"

namespace fieldwork::content {

/// What is known of the link to the device.
struct LinkView {
  std::optional<std::int64_t> bit_per_s{};  // unknown or not positive: counts as 10 Mbit/s
  std::optional<double> round_trip_ms{};
};

/// What the device can decode.
struct DeviceView {
  std::vector<EncodingKind> decoders{};      // identity need not be named
  int window_log_max = zstd_window_log_max;  // of zstd
  std::vector<std::string> bases{};          // "sha256:…" of plain contents that are there, the most useful first
};

/// An encoding that was made before.
struct Made {
  Encoded encoded;
  bool is_there = true;  // false: its file is gone, but its size is known
};

/// How much time may be spent to make a content small. What is there already may be used whatever this says.
enum class Compression { none, fast, high, maximum };  // identity; zstd up to level 3, 9, 19; patches from `fast` on
/// The level of zstd: 3, 9 and 19; 0 of none.
[[nodiscard]] int level_of(Compression compression);

/// What the service has.
struct ContentView {
  Profile profile;
  Compression compression = Compression::fast;
  std::vector<Made> made{};
  std::vector<std::string> bases{};  // "sha256:…" of plain contents that are there, in any order
};

struct Choice {
  Encoding encoding;          // identity: the plain file itself
  bool must_be_made = false;  // first, by make()
  std::int64_t encoded_bytes = 0;
  double make_s = 0;      // 0: need not be made
  double transfer_s = 0;  // at the link's rate, and one round trip
  double decode_s = 0;
  std::string reason;  // "zstd 19: 22 MB in 180 s, made in 40 s; identity would take 800 s"
};

/// The encoding with the least make_s + transfer_s + decode_s, in whole milliseconds; of equal ones the smallest.
///
/// Looked at: identity; what was made, is there and can be decoded; zstd at levels 3, 9 and 19 and a patch (level 3)
/// against each of the first patch_bases_max bases that both sides have, as far as `compression` goes. Sizes are those
/// of `made` where it has them, else estimates of cost(); one of a patch is 5 % of the content.
[[nodiscard]] Choice choose(const ContentView& content, const LinkView& link, const DeviceView& device);

}  // namespace fieldwork::content
