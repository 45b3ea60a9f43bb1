// The Merkle tree over a batch of payloads: its root, and the path from each payload to the root (docs/formats.md,
// "Batches").
//
//   leaf = SHA-256(0x00 || payload)    node = SHA-256(0x01 || left || right)    an odd last node rises unchanged
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fieldwork::crypto {

inline constexpr std::size_t hash_bytes = 32;

struct MerkleTree {
  std::string root;                // 32 bytes
  std::vector<std::string> paths;  // per payload: the siblings on its path to the root, 32 bytes each, the lowest first
};
// `payloads` holds at least one.
[[nodiscard]] MerkleTree merkle_tree(const std::vector<std::string>& payloads);

// The root to which this payload at `index` of `count` and its path lead; empty if the length of `path` does not fit
// `index` and `count`.
[[nodiscard]] std::string merkle_root(std::string_view payload, std::size_t index, std::size_t count,
                                      std::string_view path);

}  // namespace fieldwork::crypto
