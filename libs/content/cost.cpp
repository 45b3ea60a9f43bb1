#include <algorithm>
#include <cmath>

#include "content/encoding.hpp"
#include "frame_header.hpp"

namespace fieldwork::content {
namespace {

// Measured on one core, with tar archives of text: bytes of plain content in a second, and plain to encoded bytes. A
// patch was made at the same rates, so they hold for both.
struct Level {
  int level;
  double make_byte_per_s;
  double ratio;
  int window_log;
};
constexpr Level levels[] = {{1, 470e6, 3.0, 19}, {3, 300e6, 3.4, 21}, {9, 66e6, 3.9, 22}, {19, 2.4e6, 4.5, 23}};
constexpr double ratio_at_3 = 3.4;
constexpr double ratio_unknown = 2.0;  // at level 3: half of what a package of text has
constexpr double patch_share = 0.05;   // of the content that a patch carries

constexpr double identity_byte_per_s = 800e6;  // to write and hash
constexpr double zstd_byte_per_s = 600e6;      // to decode, write and hash
constexpr std::int64_t decoder_bytes = 512 * 1024;

const Level& level_of(int level) {
  const auto* above =
      std::find_if(std::begin(levels), std::end(levels), [&](const Level& l) { return l.level > level; });
  return above == std::begin(levels) ? levels[0] : *(above - 1);
}

/// A content that is known at level 3 is scaled: what the others gain or lose there is proportional to what it gains.
double ratio_of(const Level& level, double known) {
  return 1 + (std::max(known, 1.0) - 1) * (level.ratio - 1) / (ratio_at_3 - 1);
}

}  // namespace

Cost cost(const Encoding& encoding, const Profile& profile) {
  const auto plain = static_cast<double>(profile.plain_bytes);
  if (encoding.kind == EncodingKind::identity) {
    return {.encoded_bytes = profile.plain_bytes,
            .decode_s = plain / identity_byte_per_s,
            .decode_memory_bytes = decoder_bytes};
  }
  const Level& level = level_of(encoding.level);
  const bool patch = encoding.kind == EncodingKind::patch;
  const double share = patch ? patch_share : 1 / ratio_of(level, profile.ratio.value_or(ratio_unknown));
  const int window = encoding.window_log > 0 ? encoding.window_log : level.window_log;
  const int needed = std::min(window, log2_of(static_cast<std::uint64_t>(profile.plain_bytes)));
  return {.make_s = plain / level.make_byte_per_s,
          .encoded_bytes =
              static_cast<std::int64_t>(std::ceil(plain * share)) + static_cast<std::int64_t>(frame_header_bytes),
          .decode_s = plain / zstd_byte_per_s,
          .decode_memory_bytes = decoder_bytes + (patch ? 0 : std::int64_t{1} << needed)};
}

}  // namespace fieldwork::content
