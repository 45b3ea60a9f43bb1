// FRAME and WRAPPED of docs/formats.md: the sealed pieces of a transfer, and its content key wrapped for one receiver.
//
// One content key belongs to one transfer id and to one encoded content, for ever. The nonce of a frame is its offset
// and length, so sealing other bytes, or the same bytes for another transfer, under the same key would break the
// encryption. In particular: encode once, keep the encoded file, and cut resumed transfers from that file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "crypto/key.hpp"
#include "crypto/limits.hpp"

namespace fieldwork::crypto {

inline constexpr std::size_t content_key_bytes = 32;
inline constexpr std::size_t frame_header_bytes = 32;
inline constexpr std::size_t frame_tag_bytes = 16;

struct FrameHeader {
  std::string transfer_id_hex;  // 32 lower-case hex digits
  std::uint64_t offset = 0;     // in the encoded content
  std::uint32_t length = 0;     // of the piece; offset + length does not overflow
  bool operator==(const FrameHeader&) const = default;
};

struct Frame {
  std::string transfer_id_hex;
  std::uint64_t offset = 0;
  std::string piece;
  bool operator==(const Frame&) const = default;
};

/// 32 random bytes.
[[nodiscard]] std::string generate_content_key();

/// The sealed frame. Arguments that the format does not allow (a key that is not 32 bytes, a transfer id that is not 32
/// lower-case hex digits, an empty or too long piece) are our own bug and abort: the codec has checked the id before,
/// and wrap_key or unwrap_key refuses a bad id or key.
[[nodiscard]] std::string seal_frame(std::string_view key, std::string_view transfer_id_hex, std::uint64_t offset,
                                     std::string_view piece);

/// Invalid where the bytes are not a FRAME, denied where the tag does not match. The caller must compare
/// transfer_id_hex.
[[nodiscard]] Result<Frame> open_frame(std::string_view key, std::string_view bytes);

/// The header of a frame, not yet authenticated: enough to find the transfer whose key opens the frame. The length is
/// checked against the size of `bytes`.
[[nodiscard]] Result<FrameHeader> frame_header(std::string_view bytes);

/// WRAPPED; each member is the JSON member of that name, as text.
struct WrappedKey {
  std::string alg;
  std::string ephemeral;  // base64url
  std::string wrapped;    // base64url
  bool operator==(const WrappedKey&) const = default;
};

/// `receiver` is the key of the certificate whose fingerprint() is `receiver_fingerprint_hex`; the caller has verified
/// that certificate. Invalid where a key, fingerprint or id has the wrong form.
[[nodiscard]] Result<WrappedKey> wrap_key(std::string_view content_key, const PublicKey& receiver,
                                          std::string_view receiver_fingerprint_hex, std::string_view transfer_id_hex);

/// The 32 bytes of the content key; denied where the key was wrapped for another receiver or transfer, or where
/// `wrapped` was changed.
[[nodiscard]] Result<std::string> unwrap_key(const WrappedKey& wrapped, const PrivateKey& receiver,
                                             std::string_view receiver_fingerprint_hex,
                                             std::string_view transfer_id_hex);

}  // namespace fieldwork::crypto
