// Encodings of a content, and three verbs for each of them: make, decode, cost.
//
//   identity    the plain bytes
//   zstd        one zstd frame of the whole content, with its size and a checksum
//   zstd-patch  the same, made against a base: another content that the receiver has, whole, as the frame's prefix
//
// A new encoding is a row of name(), of the table in cost.cpp and a branch of make() and decode().
//
// The files that are read here are mapped: nothing else may write them meanwhile. They are contents, which never
// change.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "content/limits.hpp"

namespace fieldwork::content {

enum class EncodingKind { identity, zstd, patch };
inline constexpr std::array encoding_kinds{EncodingKind::identity, EncodingKind::zstd, EncodingKind::patch};

[[nodiscard]] constexpr const char* name(EncodingKind kind) {
  switch (kind) {
    case EncodingKind::identity: return "identity";
    case EncodingKind::zstd: return "zstd";
    case EncodingKind::patch: return "zstd-patch";
  }
  return "identity";
}
[[nodiscard]] std::optional<EncodingKind> encoding_kind(std::string_view name);

/// What to make.
struct Encoding {
  EncodingKind kind = EncodingKind::identity;
  int level = 0;       // of zstd and patch: 1 (fast) to 19 (small); others are clamped
  std::string base{};  // "sha256:…" of the plain content that a patch is made against
  int window_log = 0;  // of zstd: a decoder's window is 2^window_log bytes; 0: what the level takes, at most 8 MiB
  bool operator==(const Encoding&) const = default;
};

/// What was made.
struct Encoded {
  Encoding encoding;
  std::int64_t bytes = 0;  // at least 1 for zstd and patch, also of an empty content
  std::string digest{};    // "sha256:…" of these bytes
  int window_log = 0;      // of zstd: what a decoder needs; of a patch: what it would need if it were not mapped
  bool operator==(const Encoded&) const = default;
};

/// Encodes the file `plain`, and puts the result at `encoded` so that it is there whole or not at all, also after a
/// power cut; meanwhile it is `encoded` + ".new", so one call at a time makes it. `base` is read for a patch only, and
/// is the content that encoding.base names. With `threads` > 1 a zstd frame is made by so many at a time. The same
/// content may be encoded otherwise by another version of zstd or another number of threads.
///
/// `stop` may be set by another thread: then this ends within a second with the Error unavailable. Invalid: two of the
/// files are one, or the base or the content of a patch is too large (patch_window_log_max). Unavailable: a file cannot
/// be read or written, or there is no memory. After an Error there is no new file.
///
/// Memory, besides the mapped files: zstd at level 3 takes 3 MB, 9: 14 MB, 19: 85 MB; with two threads 60, 150 and
/// 170 MB. A patch takes 10 MB more for each 100 MB of the larger of its files.
[[nodiscard]] Result<Encoded> make(const Encoding& encoding, const std::filesystem::path& plain,
                                   const std::filesystem::path& base, const std::filesystem::path& encoded,
                                   int threads = 1, const std::atomic<bool>* stop = nullptr);

/// What a receiver takes.
struct DecodeLimits {
  int window_log_max = zstd_window_log_max;                  // of zstd: this much memory is allocated
  int patch_window_log_max = content::patch_window_log_max;  // of a patch: nothing is allocated
};

/// Decodes the file `encoded` and writes `plain` anew: exactly `size` bytes, never more. Returns their digest,
/// "sha256:…". The file is not synced: whoever moves it to its place does that.
///
/// Memory: the window of a zstd frame (at most 2^window_log_max) and 0.5 MB. A patch is decoded between mapped files,
/// so it takes 0.5 MB, whatever the sizes are; the blocks of `plain` are reserved before.
///
/// Invalid: `encoded` is not exactly one frame of `size` bytes with a checksum, was made against another base, or needs
/// a larger window than is allowed. Unavailable: a file cannot be read or written: most often the disk is full. After
/// an Error there is no file `plain`.
[[nodiscard]] Result<std::string> decode(EncodingKind kind, const std::filesystem::path& encoded,
                                         const std::filesystem::path& base, const std::filesystem::path& plain,
                                         std::uint64_t size, const DecodeLimits& limits = {});

/// What is known of a content before it is encoded.
struct Profile {
  std::int64_t plain_bytes = 0;
  std::optional<double> ratio{};  // plain to encoded bytes of zstd at level 3; 1: it cannot be compressed
};

/// What an encoding takes, on one core of the machine where it was measured.
struct Cost {
  double make_s = 0;
  std::int64_t encoded_bytes = 0;
  double decode_s = 0;
  std::int64_t decode_memory_bytes = 0;
};

/// An estimate: pure. See cost.cpp for the measured figures from which it is made.
[[nodiscard]] Cost cost(const Encoding& encoding, const Profile& profile);

}  // namespace fieldwork::content
