// The bounds of what is signed, sealed and read here. A longer input is refused unread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fieldwork::crypto {

inline constexpr std::size_t jws_bytes_max = 64 * 1024;
inline constexpr std::size_t jws_payload_bytes_max = 47 * 1024;  // always fits into a JWS
inline constexpr std::size_t jws_batch_max = 4096;               // payloads under one signature
inline constexpr std::size_t jws_type_bytes_max = 64;
inline constexpr std::size_t frame_piece_bytes_max = 1024 * 1024;  // plaintext of one frame
inline constexpr std::size_t chunk_bytes_min = 1024;               // plaintext of one chunk; powers of two
inline constexpr std::size_t chunk_bytes_max = 64 * 1024;
inline constexpr std::uint64_t chunks_max = 1ULL << 32;  // of one content: the number of a chunk has 4 bytes
inline constexpr int rsa_bits_min = 2048;
inline constexpr int rsa_bits_max = 8192;
inline constexpr std::size_t pem_bytes_max = 64 * 1024;        // a key, a certificate or a chain
inline constexpr std::size_t crl_bytes_max = 8 * 1024 * 1024;  // a revocation list

}  // namespace fieldwork::crypto
