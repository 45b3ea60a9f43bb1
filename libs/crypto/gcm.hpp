// AES-256-GCM. Private to this library.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fieldwork::crypto {

/// Appends ciphertext and 16 bytes of tag to `out`. The key has 32 bytes, the nonce 12.
void gcm_seal(std::string_view key, std::string_view nonce, std::string_view additional, std::string_view plain,
              std::string& out);

/// The plaintext of `sealed` (ciphertext and tag), or nullopt where the tag does not match.
[[nodiscard]] std::optional<std::string> gcm_open(std::string_view key, std::string_view nonce,
                                                  std::string_view additional, std::string_view sealed);

}  // namespace fieldwork::crypto
