// AES-256-GCM. Private to this library.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace fieldwork::crypto {

inline constexpr std::size_t gcm_tag_bytes = 16;

/// Appends ciphertext and 16 bytes of tag to `out`. The key has 32 bytes, the nonce 12.
void gcm_seal(std::string_view key, std::string_view nonce, std::string_view additional, std::string_view plain,
              std::string& out);

/// The plaintext of `sealed` (ciphertext and tag), or nullopt where the tag does not match.
[[nodiscard]] std::optional<std::string> gcm_open(std::string_view key, std::string_view nonce,
                                                  std::string_view additional, std::string_view sealed);

}  // namespace fieldwork::crypto
