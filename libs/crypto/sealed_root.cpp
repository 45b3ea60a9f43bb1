#include <algorithm>

#include "crypto/bytes.hpp"
#include "crypto/sealed.hpp"
#include "merkle.hpp"

namespace fieldwork::crypto {
namespace {

constexpr std::uint64_t read_at_once = 64 * 1024;
static_assert(read_at_once % chunk_bytes_max == 0);

}  // namespace

Result<std::string> sealed_root_hex(const SealedHeader& header, std::string_view key, const ReadEncoded& read) {
  auto sealed = Sealed::make(header, key);
  if (!sealed) return sealed.error();
  MerkleRoot tree;
  std::string frame;
  for (std::uint64_t offset = 0; offset < header.encoded_bytes; offset += read_at_once) {
    const auto length = std::min(read_at_once, header.encoded_bytes - offset);
    const auto piece = read(offset, length);
    if (!piece) return piece.error();
    if (piece->size() != length) return Error{Code::unavailable, "the content is shorter than it was"};
    sealed->frame_into(offset, *piece, frame);
    std::string_view chunks(frame);
    for (chunks.remove_prefix(sealed_frame_header_bytes); !chunks.empty();) {
      const auto chunk = chunks.substr(0, header.chunk_bytes + chunk_tag_bytes);
      tree.add(chunk);
      chunks.remove_prefix(chunk.size());
    }
  }
  return to_hex(tree.finish());
}

}  // namespace fieldwork::crypto
