// ECDH-ES+HKDF-SHA256+A256GCM of WRAPPED (docs/formats.md): a key of 32 bytes, wrapped for a key of P-256. Private to
// this library.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "crypto/content_key.hpp"
#include "crypto/key.hpp"

namespace fieldwork::crypto {

inline constexpr std::string_view ecdh_algorithm = "ECDH-ES+HKDF-SHA256+A256GCM";

/// `info` of WRAPPED: label, 0x00, id, fingerprint. Invalid where an argument has the wrong form.
[[nodiscard]] Result<std::string> wrap_info(std::string_view label, std::string_view id_hex,
                                            std::string_view fingerprint_hex);

/// Invalid where the receiver's key cannot be used. `content_key` has 32 bytes.
[[nodiscard]] Result<WrappedKey> ecdh_wrap(std::string_view content_key, const PublicKey& receiver,
                                           const std::string& info);

/// Invalid where a member has the wrong form, denied where the tag does not match. `wrapped.alg` is the caller's to
/// check.
[[nodiscard]] Result<std::string> ecdh_unwrap(const WrappedKey& wrapped, const PrivateKey& own,
                                              const std::string& info);

}  // namespace fieldwork::crypto
