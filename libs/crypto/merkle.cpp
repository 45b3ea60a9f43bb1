#include "merkle.hpp"

#include "crypto/digest.hpp"

namespace fieldwork::crypto {
namespace {

std::string leaf_of(Sha256& sha, std::string_view payload) {
  sha.update(std::string_view("\0", 1));
  sha.update(payload);
  return sha.finish();
}

std::string node_of(Sha256& sha, std::string_view left, std::string_view right) {
  sha.update("\1");
  sha.update(left);
  sha.update(right);
  return sha.finish();
}

}  // namespace

MerkleTree merkle_tree(const std::vector<std::string>& payloads) {
  MerkleTree out;
  Sha256 sha;
  out.paths.resize(payloads.size());
  std::vector<std::string> level;
  level.reserve(payloads.size());
  for (const auto& payload : payloads) level.push_back(leaf_of(sha, payload));
  for (std::size_t width = 1; level.size() > 1; width *= 2) {
    for (std::size_t i = 0; i < payloads.size(); ++i) {
      const auto neighbour = (i / width) ^ 1U;
      if (neighbour < level.size()) out.paths[i] += level[neighbour];
    }
    std::vector<std::string> above;
    for (std::size_t i = 0; i < level.size(); i += 2)
      above.push_back(i + 1 < level.size() ? node_of(sha, level[i], level[i + 1]) : std::move(level[i]));
    level = std::move(above);
  }
  out.root = std::move(level.front());
  return out;
}

std::string merkle_root(std::string_view payload, std::size_t index, std::size_t count, std::string_view path) {
  if (index >= count) return {};
  Sha256 sha;
  auto hash = leaf_of(sha, payload);
  for (; count > 1; index /= 2, count = (count + 1) / 2) {
    if ((index ^ 1U) >= count) continue;
    if (path.size() < hash_bytes) return {};
    const auto neighbour = path.substr(0, hash_bytes);
    path.remove_prefix(hash_bytes);
    hash = index % 2 == 0 ? node_of(sha, hash, neighbour) : node_of(sha, neighbour, hash);
  }
  return path.empty() ? hash : std::string();
}

void MerkleRoot::add(std::string_view payload) {
  auto hash = leaf_of(sha_, payload);
  std::size_t level = 0;
  for (; level < whole_.size() && !whole_[level].empty(); ++level) {
    hash = node_of(sha_, whole_[level], hash);
    whole_[level].clear();
  }
  if (level == whole_.size()) whole_.emplace_back();
  whole_[level] = std::move(hash);
}

// What is left over at a level rises until there is something on its left.
std::string MerkleRoot::finish() {
  std::string hash;
  for (auto& left : whole_) {
    if (left.empty()) continue;
    hash = hash.empty() ? std::move(left) : node_of(sha_, left, hash);
  }
  whole_.clear();
  return hash;
}

}  // namespace fieldwork::crypto
