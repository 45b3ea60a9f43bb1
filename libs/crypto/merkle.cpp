#include "merkle.hpp"

#include "crypto/digest.hpp"

namespace fieldwork::crypto {
namespace {

std::string leaf_of(std::string_view payload) { return sha256(std::string(1, '\0').append(payload)); }

std::string node_of(std::string_view left, std::string_view right) {
  return sha256(std::string(1, '\1').append(left).append(right));
}

}  // namespace

MerkleTree merkle_tree(const std::vector<std::string>& payloads) {
  MerkleTree out;
  out.paths.resize(payloads.size());
  std::vector<std::string> level;
  level.reserve(payloads.size());
  for (const auto& payload : payloads) level.push_back(leaf_of(payload));
  for (std::size_t width = 1; level.size() > 1; width *= 2) {
    for (std::size_t i = 0; i < payloads.size(); ++i) {
      const auto neighbour = (i / width) ^ 1U;
      if (neighbour < level.size()) out.paths[i] += level[neighbour];
    }
    std::vector<std::string> above;
    for (std::size_t i = 0; i < level.size(); i += 2)
      above.push_back(i + 1 < level.size() ? node_of(level[i], level[i + 1]) : std::move(level[i]));
    level = std::move(above);
  }
  out.root = std::move(level.front());
  return out;
}

std::string merkle_root(std::string_view payload, std::size_t index, std::size_t count, std::string_view path) {
  if (index >= count) return {};
  auto hash = leaf_of(payload);
  for (; count > 1; index /= 2, count = (count + 1) / 2) {
    if ((index ^ 1U) >= count) continue;
    if (path.size() < hash_bytes) return {};
    const auto neighbour = path.substr(0, hash_bytes);
    path.remove_prefix(hash_bytes);
    hash = index % 2 == 0 ? node_of(hash, neighbour) : node_of(neighbour, hash);
  }
  return path.empty() ? hash : std::string();
}

}  // namespace fieldwork::crypto
