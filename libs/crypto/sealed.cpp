#include "crypto/sealed.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "big_endian.hpp"
#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "crypto/bytes.hpp"
#include "crypto/content_key.hpp"
#include "crypto/digest.hpp"
#include "openssl.hpp"

namespace fieldwork::crypto {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view content_start = "FWS\x01"sv;   // magic and version of HEADER
constexpr std::string_view frame_start = "FW\x02\x00"sv;  // magic, version and flags of FRAME

bool is_chunk_size(std::uint64_t bytes) {
  return std::has_single_bit(bytes) && bytes >= chunk_bytes_min && bytes <= chunk_bytes_max;
}

std::uint64_t chunks_of(std::uint64_t length, std::uint64_t chunk_bytes) {
  return length / chunk_bytes + (length % chunk_bytes == 0 ? 0 : 1);
}

std::string additional_of(const SealedHeader& header) {
  std::string out(content_start);
  out += from_hex(header.content_id_hex).value();
  put_big_endian(out, header.cipher == Cipher::aes_256_gcm ? 1 : 2, 1);
  put_big_endian(out, 0, 3);
  put_big_endian(out, header.chunk_bytes, 4);
  put_big_endian(out, header.encoded_bytes, 8);
  return out + from_hex(std::string_view(header.digest).substr("sha256:"sv.size())).value();
}

/// Why no frame of this content holds these bytes; null: one may.
const char* wrong_piece(const SealedHeader& header, std::uint64_t offset, std::uint64_t length) {
  if (length == 0 || length > frame_piece_bytes_max) return "its piece is empty or too long";
  if (offset % header.chunk_bytes != 0) return "it does not begin with a chunk";
  if (offset >= header.encoded_bytes || length > header.encoded_bytes - offset) return "it goes beyond the end";
  const bool to_the_end = offset + length == header.encoded_bytes;
  return to_the_end || length % header.chunk_bytes == 0 ? nullptr : "it does not end with a chunk";
}

Error not_a_frame(const std::string& why) { return Error{Code::invalid, "is not a frame of sealed content: " + why}; }

/// Whether a frame of some content with chunks of this size has this offset, length and size.
bool fits_chunks(std::uint64_t chunk_bytes, const SealedFrameHeader& frame, std::size_t bytes) {
  const auto chunks = chunks_of(frame.length, chunk_bytes);
  return frame.offset % chunk_bytes == 0 && frame.offset / chunk_bytes + chunks <= chunks_max &&
         bytes == sealed_frame_header_bytes + frame.length + chunks * chunk_tag_bytes;
}

/// Fetched once, kept for ever.
const EVP_CIPHER* method_of(Cipher cipher) {
  static const EVP_CIPHER* const aes = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  static const EVP_CIPHER* const chacha = EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr);
  const auto* const method = cipher == Cipher::aes_256_gcm ? aes : chacha;
  must(method != nullptr, "Sealed: a cipher is not available");
  return method;
}

evp_cipher_ctx_st* keyed(Cipher cipher, std::string_view key, bool seals) {
  auto* const context = EVP_CIPHER_CTX_new();
  must(context != nullptr &&
           EVP_CipherInit_ex2(context, method_of(cipher), bytes_of(key), nullptr, seals ? 1 : 0, nullptr) == 1,
       "Sealed: a cipher cannot start");
  return context;
}

}  // namespace

std::string_view name_of(Cipher cipher) {
  return cipher == Cipher::aes_256_gcm ? "aes-256-gcm"sv : "chacha20-poly1305"sv;
}

bool has_aes() {
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_cpu_supports("aes") != 0;
#elif defined(__aarch64__)
  return (getauxval(AT_HWCAP) & HWCAP_AES) != 0;
#else
  return false;
#endif
}

Result<Cipher> cipher_named(std::string_view name) {
  for (const auto cipher : {Cipher::aes_256_gcm, Cipher::chacha20_poly1305}) {
    if (name == name_of(cipher)) return cipher;
  }
  return Error{Code::invalid, "is neither aes-256-gcm nor chacha20-poly1305", "/encryption_algorithm"};
}

Result<void> check(const SealedHeader& header) {
  if (!is_hex(header.content_id_hex, 32)) return Error{Code::invalid, "is not 32 hex digits", "/content"};
  if (header.cipher != Cipher::aes_256_gcm && header.cipher != Cipher::chacha20_poly1305)
    return Error{Code::invalid, "is no cipher", "/encryption_algorithm"};
  if (!is_chunk_size(header.chunk_bytes))
    return Error{Code::invalid, "is not a power of two from 1024 to 65536", "/chunk_bytes"};
  if (header.encoded_bytes == 0 || chunk_count(header) > chunks_max)
    return Error{Code::invalid, "is not the size of 1 to 2^32 chunks", "/encoded_bytes"};
  if (!is_digest(header.digest)) return Error{Code::invalid, "is not a digest", "/digest"};
  return {};
}

std::uint64_t chunk_count(const SealedHeader& header) { return chunks_of(header.encoded_bytes, header.chunk_bytes); }

std::size_t frame_bytes(const SealedHeader& header, std::uint32_t length) {
  return sealed_frame_header_bytes + length + chunks_of(length, header.chunk_bytes) * chunk_tag_bytes;
}

Result<SealedFrameHeader> sealed_frame_header(std::string_view bytes) {
  if (bytes.size() < sealed_frame_header_bytes) return not_a_frame("it is too short");
  if (!bytes.starts_with(frame_start)) return not_a_frame("magic, version or flags are unknown");
  SealedFrameHeader out{.content_id_hex = to_hex(bytes.substr(4, 16)),
                        .offset = big_endian(bytes.substr(20, 8)),
                        .length = static_cast<std::uint32_t>(big_endian(bytes.substr(28, 4)))};
  if (out.length == 0 || out.length > frame_piece_bytes_max) return not_a_frame("its piece is empty or too long");
  for (std::uint64_t size = chunk_bytes_min; size <= chunk_bytes_max; size *= 2) {
    if (fits_chunks(size, out, bytes.size())) return out;
  }
  return not_a_frame("its size fits no chunks");
}

void Sealed::Free::operator()(evp_cipher_ctx_st* context) const { EVP_CIPHER_CTX_free(context); }

Sealed::Sealed(SealedHeader header, std::string_view key)
    : header_(std::move(header)),
      additional_(additional_of(header_)),
      sealing_(keyed(header_.cipher, key, true)),
      opening_(keyed(header_.cipher, key, false)) {}

Result<Sealed> Sealed::make(SealedHeader header, std::string_view key) {
  if (auto good = check(header); !good) return good.error();
  if (key.size() != content_key_bytes) return Error{Code::invalid, "a content key has 32 bytes"};
  return Sealed(std::move(header), key);
}

void Sealed::start_chunk(evp_cipher_ctx_st* context, std::uint64_t number) const {
  std::array<unsigned char, 12> nonce{};
  for (std::size_t i = 0; i < 4; ++i) nonce[7 + i] = static_cast<unsigned char>(number >> (8 * (3 - i)));
  nonce[11] = number + 1 == chunk_count(header_) ? 1 : 0;
  int written = 0;
  must(EVP_CipherInit_ex2(context, nullptr, nullptr, nonce.data(), -1, nullptr) == 1 &&
           EVP_CipherUpdate(context, nullptr, &written, bytes_of(additional_), static_cast<int>(additional_.size())) ==
               1,
       "Sealed: a chunk cannot start");
}

void Sealed::seal_chunk(std::uint64_t number, std::string_view plain, unsigned char* out) const {
  auto* const context = sealing_.get();
  start_chunk(context, number);
  int written = 0;
  must(EVP_CipherUpdate(context, out, &written, bytes_of(plain), static_cast<int>(plain.size())) == 1 &&
           EVP_CipherFinal_ex(context, out + plain.size(), &written) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, chunk_tag_bytes, out + plain.size()) == 1,
       "Sealed: a chunk cannot be sealed");
}

bool Sealed::open_chunk(std::uint64_t number, std::string_view sealed, unsigned char* out) const {
  auto* const context = opening_.get();
  std::array<char, chunk_tag_bytes> tag{};
  sealed.copy(tag.data(), tag.size(), sealed.size() - tag.size());
  sealed.remove_suffix(tag.size());
  start_chunk(context, number);
  int written = 0;
  must(EVP_CipherUpdate(context, out, &written, bytes_of(sealed), static_cast<int>(sealed.size())) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, chunk_tag_bytes, tag.data()) == 1,
       "Sealed: a chunk cannot be opened");
  return EVP_CipherFinal_ex(context, out + sealed.size(), &written) == 1;
}

std::string Sealed::frame(std::uint64_t offset, std::string_view piece) {
  std::string out;
  frame_into(offset, piece, out);
  return out;
}

void Sealed::frame_into(std::uint64_t offset, std::string_view piece, std::string& out) {
  must(wrong_piece(header_, offset, piece.size()) == nullptr, "Sealed: a piece that no frame holds");
  const auto size = frame_bytes(header_, static_cast<std::uint32_t>(piece.size()));
  std::string head(frame_start);
  head.append(additional_, content_start.size(), 16);
  put_big_endian(head, offset, 8);
  put_big_endian(head, piece.size(), 4);
  out.resize(size);
  auto* at = std::copy(head.begin(), head.end(), bytes_of(out));
  for (auto number = offset / header_.chunk_bytes; !piece.empty(); ++number) {
    const auto plain = piece.substr(0, header_.chunk_bytes);
    seal_chunk(number, plain, at);
    at += plain.size() + chunk_tag_bytes;
    piece.remove_prefix(plain.size());
  }
}

Result<OpenedFrame> Sealed::open(std::string_view bytes) {
  OpenedFrame out;
  const auto offset = open_into(bytes, out.piece);
  if (!offset) return offset.error();
  out.offset = *offset;
  return out;
}

Result<std::uint64_t> Sealed::open_into(std::string_view bytes, std::string& piece) {
  const ErrorScope scope;
  const auto fail = [&piece](Error error) {
    piece.clear();
    return error;
  };
  const auto frame = sealed_frame_header(bytes);
  if (!frame) return fail(frame.error());
  if (frame->content_id_hex != header_.content_id_hex) return fail(not_a_frame("it is of another content"));
  if (const auto* wrong = wrong_piece(header_, frame->offset, frame->length)) return fail(not_a_frame(wrong));
  if (bytes.size() != frame_bytes(header_, frame->length)) return fail(not_a_frame("its size is wrong"));
  piece.resize(frame->length);
  bytes.remove_prefix(sealed_frame_header_bytes);
  for (std::size_t at = 0; at < piece.size(); at += header_.chunk_bytes) {
    const auto number = (frame->offset + at) / header_.chunk_bytes;
    const auto chunk = bytes.substr(0, header_.chunk_bytes + chunk_tag_bytes);
    if (!open_chunk(number, chunk, bytes_of(piece) + at)) {
      return fail({Code::denied, "chunk " + std::to_string(number) + " at offset " +
                                     std::to_string(frame->offset + at) +
                                     " was not sealed with this content's key, or was changed"});
    }
    bytes.remove_prefix(chunk.size());
  }
  return frame->offset;
}

}  // namespace fieldwork::crypto
