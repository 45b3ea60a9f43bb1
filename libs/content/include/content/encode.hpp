// Encoded content: one zstd stream of the whole plain content, with its checksum.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/result.hpp"
#include "content/limits.hpp"

namespace fieldwork::content {

/// The history that a stream may refer to: bounds the memory of whoever decodes it.

/// Writes `encoded_path` anew. `level` 1 (fast) to 19 (small); others are cut to these. Another version of zstd may
/// encode the same content otherwise: keep the file as long as a transfer of it lives (see crypto/seal.hpp).
[[nodiscard]] Result<void> compress_file(const std::filesystem::path& plain_path,
                                         const std::filesystem::path& encoded_path, int level = 3);

/// Writes `plain_path` anew, at most `size_max` bytes of it. Invalid where the file is not exactly one zstd stream, or
/// holds more than that. After an Error `plain_path` is removed, if it was ours to write.
[[nodiscard]] Result<void> decompress_file(const std::filesystem::path& encoded_path,
                                           const std::filesystem::path& plain_path, std::uint64_t size_max);

}  // namespace fieldwork::content
