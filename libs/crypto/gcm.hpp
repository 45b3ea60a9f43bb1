// AES-256-GCM. Private to this library.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fieldwork::crypto {

/// Appends ciphertext and 16 bytes of tag to `out`. Key of 32 bytes, nonce of 12.
void gcm_seal(std::string_view key, std::string_view nonce, std::string_view additional, std::string_view plain,
              std::string& out);

/// The plain bytes of ciphertext and tag, or nothing where the tag does not fit.
[[nodiscard]] std::optional<std::string> gcm_open(std::string_view key, std::string_view nonce,
                                                  std::string_view additional, std::string_view sealed);

}  // namespace fieldwork::crypto
