// RSA-OAEP with SHA-256, for the digest and for MGF1 (RFC 8017, 7.1). Private to this library.
#pragma once

#include <openssl/evp.h>

#include <optional>
#include <string>
#include <string_view>

namespace fieldwork::crypto {

/// The ciphertext, as long as the modulus; nullopt where the key cannot encrypt.
[[nodiscard]] std::optional<std::string> oaep_wrap(EVP_PKEY* receiver, std::string_view label, std::string_view plain);

/// nullopt where `wrapped` was not made for this key and this label.
[[nodiscard]] std::optional<std::string> oaep_unwrap(EVP_PKEY* own, std::string_view label, std::string_view wrapped);

}  // namespace fieldwork::crypto
