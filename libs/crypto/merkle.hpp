// The tree over a batch of payloads: its root, and the way from each payload to it (docs/formats.md, "Batches").
//
//   leaf = SHA-256(0x00 || payload)    node = SHA-256(0x01 || left || right)    an odd last one rises as it is
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fieldwork::crypto {

inline constexpr std::size_t hash_bytes = 32;

struct MerkleTree {
  std::string root;                // 32 bytes
  std::vector<std::string> paths;  // per payload: the neighbours on its way up, 32 bytes each, the lowest first
};
// At least one payload.
[[nodiscard]] MerkleTree merkle_tree(const std::vector<std::string>& payloads);

// The root that this payload at `index` of `count` and this path lead to; empty if the path does not have the length
// that these have.
[[nodiscard]] std::string merkle_root(std::string_view payload, std::size_t index, std::size_t count,
                                      std::string_view path);

}  // namespace fieldwork::crypto
