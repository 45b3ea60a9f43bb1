#include <limits>

#include "crypto/bytes.hpp"
#include "crypto/seal.hpp"
#include "gcm.hpp"
#include "openssl.hpp"

namespace fieldwork::crypto {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view start = "FW\x01\x00"sv;  // magic, version, flags
constexpr std::size_t id_at = 4, offset_at = 20, length_at = 28;
constexpr std::size_t nonce_bytes = 12;  // the last 12 bytes of the header: offset and length
static_assert(offset_at + nonce_bytes == frame_header_bytes);

void put_big_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xff);
}

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = (value << 8) | static_cast<std::uint8_t>(c);
  return value;
}

Error malformed(const char* why) { return Error{Code::invalid, std::string("is not a transfer frame: ") + why}; }

}  // namespace

std::string generate_content_key() { return random_bytes(content_key_bytes); }

std::string seal_frame(std::string_view key, std::string_view transfer_id_hex, std::uint64_t offset,
                       std::string_view piece) {
  must(is_hex(transfer_id_hex, 32), "seal_frame: not a transfer id");
  must(!piece.empty() && piece.size() <= frame_piece_bytes_max, "seal_frame: a piece of the wrong size");
  must(offset <= std::numeric_limits<std::uint64_t>::max() - piece.size(), "seal_frame: an offset out of range");
  std::string out;
  out.reserve(frame_header_bytes + piece.size() + frame_tag_bytes);
  out.append(start).append(from_hex(transfer_id_hex).value());
  put_big_endian(out, offset, 8);
  put_big_endian(out, piece.size(), 4);
  const std::string header = out;
  gcm_seal(key, std::string_view(header).substr(offset_at), header, piece, out);
  return out;
}

Result<FrameHeader> frame_header(std::string_view bytes) {
  if (bytes.size() < frame_header_bytes + 1 + frame_tag_bytes) return malformed("it is too short");
  if (!bytes.starts_with(start)) return malformed("magic, version or flags are unknown");
  FrameHeader header;
  header.transfer_id_hex = to_hex(bytes.substr(id_at, 16));
  header.offset = big_endian(bytes.substr(offset_at, 8));
  header.length = static_cast<std::uint32_t>(big_endian(bytes.substr(length_at, 4)));
  if (header.length > frame_piece_bytes_max) return malformed("its piece is too long");
  if (bytes.size() != frame_header_bytes + header.length + frame_tag_bytes) return malformed("its length is wrong");
  if (header.offset > std::numeric_limits<std::uint64_t>::max() - header.length) {
    return malformed("its offset is out of range");
  }
  return header;
}

Result<Frame> open_frame(std::string_view key, std::string_view bytes) {
  auto header = frame_header(bytes);
  if (!header) return header.error();
  if (key.size() != content_key_bytes) return Error{Code::invalid, "a content key has 32 bytes"};
  const std::string_view head = bytes.substr(0, frame_header_bytes);
  auto piece = gcm_open(key, head.substr(offset_at), head, bytes.substr(frame_header_bytes));
  if (!piece) return Error{Code::denied, "the frame was not sealed with this transfer's key, or was changed"};
  return Frame{std::move(header->transfer_id_hex), header->offset, std::move(*piece)};
}

}  // namespace fieldwork::crypto
