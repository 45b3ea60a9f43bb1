// The Merkle tree over a batch of payloads (docs/formats.md, "Batches") or over the chunks of a sealed content: its
// root, and the path from each payload to the root.
//
//   leaf = SHA-256(0x00 || payload)    node = SHA-256(0x01 || left || right)    an odd last node rises unchanged
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/digest.hpp"

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

// The root alone, of payloads that come one after another. Keeps one hash for each level of the tree.
class MerkleRoot {
 public:
  void add(std::string_view payload);

  // The 32 bytes of the root of what was added, which is at least one payload; afterwards the object is as new.
  [[nodiscard]] std::string finish();

 private:
  Sha256 sha_;
  std::vector<std::string>
      whole_;  // by level: the root of the last 2^level payloads that no higher one covers, or empty
};

}  // namespace fieldwork::crypto
