// SEALED and FRAME of docs/formats.md: encoded content that is sealed in chunks, and the frames that carry them.
//
// One content key belongs to one content id and to one encoded content, for ever: the nonce of a chunk is its number,
// so sealing other bytes under the same key would break the encryption. In particular: encode once, and cut all frames
// from that file. Other bytes, or a new epoch of the same, get a new id and a new key.
//
// Sealing is deterministic: whoever has the key and the encoded content can make each frame, and the root, again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "crypto/limits.hpp"

struct evp_cipher_ctx_st;

namespace fieldwork::crypto {

enum class Cipher { aes_256_gcm, chacha20_poly1305 };

/// "aes-256-gcm" or "chacha20-poly1305".
[[nodiscard]] std::string_view name_of(Cipher cipher);
[[nodiscard]] Result<Cipher> cipher_named(std::string_view name);

/// Whether this processor has instructions for AES; and the cipher that is faster on it.
[[nodiscard]] bool has_aes();
[[nodiscard]] inline Cipher fast_cipher() { return has_aes() ? Cipher::aes_256_gcm : Cipher::chacha20_poly1305; }

inline constexpr std::uint32_t chunk_bytes_default = 4096;
inline constexpr std::uint32_t chunk_tag_bytes = 16;
inline constexpr std::size_t sealed_frame_header_bytes = 32;

/// What is sealed, and how. All of it is bound into each chunk.
struct SealedHeader {
  std::string content_id_hex;  // 32 lower-case hex digits
  Cipher cipher = Cipher::aes_256_gcm;
  std::uint32_t chunk_bytes = chunk_bytes_default;  // plaintext; a power of two, chunk_bytes_min to chunk_bytes_max
  std::uint64_t encoded_bytes = 0;                  // at least 1, at most chunks_max chunks
  std::string digest;                               // "sha256:<hex>" of the plain content
  bool operator==(const SealedHeader&) const = default;
};

/// Invalid where a field is not as above; the path is "/content", "/encryption_algorithm", "/chunk_bytes",
/// "/encoded_bytes" or "/digest".
[[nodiscard]] Result<void> check(const SealedHeader& header);

/// The sizes below are of a header that check() finds good.
[[nodiscard]] std::uint64_t chunk_count(const SealedHeader& header);

/// The size of a frame with `length` bytes of encoded content.
[[nodiscard]] std::size_t frame_bytes(const SealedHeader& header, std::uint32_t length);

struct SealedFrameHeader {
  std::string content_id_hex;  // 32 lower-case hex digits
  std::uint64_t offset = 0;    // in the encoded content
  std::uint32_t length = 0;    // bytes of encoded content, 1 to frame_piece_bytes_max
  bool operator==(const SealedFrameHeader&) const = default;
};

/// The header of a frame, not yet authenticated: enough to find whose content it is. Invalid where the bytes are no
/// FRAME, whatever the content: magic, version and flags are checked, and that offset, length and the size of `bytes`
/// fit one of the chunk sizes.
[[nodiscard]] Result<SealedFrameHeader> sealed_frame_header(std::string_view bytes);

struct OpenedFrame {
  std::uint64_t offset = 0;  // in the encoded content
  std::string piece;
  bool operator==(const OpenedFrame&) const = default;
};

/// Seals and opens the frames of one encoded content. Frames may have any size that the format allows, in any order,
/// and be made and opened again. Not for several threads at once.
class Sealed {
 public:
  /// Invalid where check() refuses the header, or the key has not 32 bytes.
  [[nodiscard]] static Result<Sealed> make(SealedHeader header, std::string_view key);

  [[nodiscard]] const SealedHeader& header() const { return header_; }

  /// The frame that holds `piece`, the encoded bytes from `offset` on. `offset` is a multiple of the chunk size;
  /// `piece` has 1 to frame_piece_bytes_max bytes, a multiple of the chunk size or up to the end of the content.
  /// Anything else is our own bug and aborts.
  [[nodiscard]] std::string frame(std::uint64_t offset, std::string_view piece);

  /// The same, into `out`, whose buffer is used again.
  void frame_into(std::uint64_t offset, std::string_view piece, std::string& out);

  /// Invalid where the bytes are not a FRAME of this content; denied where the tag of a chunk does not match: the
  /// reason names its number and offset.
  [[nodiscard]] Result<OpenedFrame> open(std::string_view bytes);

  /// The same, with the piece in `piece`, whose buffer is used again; it is empty after an Error. Returns the offset.
  [[nodiscard]] Result<std::uint64_t> open_into(std::string_view bytes, std::string& piece);

 private:
  struct Free {
    void operator()(evp_cipher_ctx_st* context) const;
  };
  using Context = std::unique_ptr<evp_cipher_ctx_st, Free>;

  Sealed(SealedHeader header, std::string_view key);
  void start_chunk(evp_cipher_ctx_st* context, std::uint64_t number) const;
  void seal_chunk(std::uint64_t number, std::string_view plain, unsigned char* out) const;
  [[nodiscard]] bool open_chunk(std::uint64_t number, std::string_view sealed, unsigned char* out) const;

  SealedHeader header_;
  std::string additional_;  // HEADER as bytes
  Context sealing_, opening_;
};

/// Reads `length` bytes of the encoded content from `offset` on.
using ReadEncoded = std::function<Result<std::string>(std::uint64_t offset, std::size_t length)>;

/// The Merkle root over the sealed chunks, as 64 hex digits. Reads the encoded content once, in order and in pieces of
/// at most 64 KiB. The Error of make() or of `read`; unavailable where `read` returns another number of bytes.
[[nodiscard]] Result<std::string> sealed_root_hex(const SealedHeader& header, std::string_view key,
                                                  const ReadEncoded& read);

}  // namespace fieldwork::crypto
