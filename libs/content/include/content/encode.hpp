// Encoded content: one zstd stream of the whole plain content, with its checksum.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/result.hpp"
#include "content/limits.hpp"

namespace fieldwork::content {

/// zstd_window_log_max (content/limits.hpp) bounds the window of a stream, and so the memory of whoever decodes it.

/// Encodes `plain_path` and writes `encoded_path` anew. `level`: 1 (fast) to 19 (small); others are clamped. Another
/// version of zstd may encode the same content otherwise: keep the file as long as a transfer of the content lives (see
/// crypto/seal.hpp).
[[nodiscard]] Result<void> compress_file(const std::filesystem::path& plain_path,
                                         const std::filesystem::path& encoded_path, int level = 3);

/// Decodes `encoded_path` and writes `plain_path` anew, at most `size_max` bytes. Invalid where the file is not exactly
/// one zstd stream, or where its content is larger than `size_max`. After an Error `plain_path` is removed, if this
/// call had created it.
[[nodiscard]] Result<void> decompress_file(const std::filesystem::path& encoded_path,
                                           const std::filesystem::path& plain_path, std::uint64_t size_max);

}  // namespace fieldwork::content
