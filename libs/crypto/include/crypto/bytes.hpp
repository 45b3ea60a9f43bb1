// Bytes as text and back. A std::string holds bytes; every value has exactly one accepted spelling, so that texts
// can be compared in place of the bytes: hex is lower case, base64 has zero spare bits and its exact padding.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fieldwork::crypto {

[[nodiscard]] std::string to_hex(std::string_view bytes);
[[nodiscard]] Result<std::string> from_hex(std::string_view text);

/// True for exactly `digits` lower-case hex digits.
[[nodiscard]] bool is_hex(std::string_view text, std::size_t digits);

/// RFC 4648 section 4, padded.
[[nodiscard]] std::string base64_encode(std::string_view bytes);
[[nodiscard]] Result<std::string> base64_decode(std::string_view text);

/// RFC 4648 section 5, never padded.
[[nodiscard]] std::string base64url_encode(std::string_view bytes);
[[nodiscard]] Result<std::string> base64url_decode(std::string_view text);

/// `count` bytes from the operating system's random generator, through OpenSSL. If the generator fails, the process
/// ends.
[[nodiscard]] std::string random_bytes(std::size_t count);

}  // namespace fieldwork::crypto
