// What is known of packages, and which of them stand for one another.
#include <algorithm>

#include "scheduler/core/fleet/fleet.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {
namespace {

Capacity larger(const Capacity& a, const Capacity& b) {
  return {std::max(a.cpu_millis, b.cpu_millis), std::max(a.memory_bytes, b.memory_bytes),
          std::max(a.storage_bytes, b.storage_bytes)};
}

}  // namespace

Architecture Fleet::number_of_architecture(std::string_view word) {
  const auto name = architecture_named(word);
  if (name.empty()) return 0;
  const auto it = architectures_.find(name);
  if (it != architectures_.end()) return it->second;
  const auto number = static_cast<Architecture>(architectures_.size() + 1);
  return architectures_.emplace(name, number).first->second;
}

bool Fleet::released(const std::string& digest, Content content) {
  auto [it, fresh] = contents_.try_emplace(digest);
  auto& known = it->second;
  const bool back = known.removed;
  if (back) {  // maybe under other names
    unname(digest);
    known.removed = false;
    removed_.erase(digest);
  }
  if (known.name.empty()) {
    known.name = content.name;
    auto& versions = versions_[content.name];
    versions.push_back(digest);
    if (versions.size() > versions_max) versions.erase(versions.begin());
  }
  if (!fresh && !back && known.names == content.names && known.architecture == content.architecture &&
      known.needs == content.needs && known.size_bytes == content.size_bytes) {
    return false;  // it is said again from time to time
  }
  known.size_bytes = content.size_bytes;
  known.names = std::move(content.names);
  known.architecture = std::move(content.architecture);
  known.needs = content.needs;
  for (const auto& name : known.names) {
    auto& digests = named_[name];
    if (std::find(digests.begin(), digests.end(), digest) == digests.end()) digests.push_back(digest);
  }
  bool others = find_variants(digest) && !fresh;
  for (const auto& name : known.names) {
    for (const auto& one : named_.at(name)) others = (one != digest && find_variants(one)) || others;
  }
  return others;
}

void Fleet::removed(const std::string& digest) {
  const auto it = contents_.find(digest);
  if (it == contents_.end() || !removed_.insert(digest).second) return;
  it->second.removed = true;
  for (const auto& name : it->second.names) {
    for (const auto& one : named_.at(name)) find_variants(one);
  }
}

void Fleet::forget_removed(const std::set<const Content*>& named) {
  for (auto it = removed_.begin(); it != removed_.end();) {
    const auto content = contents_.find(*it);
    if (named.contains(&content->second)) {
      ++it;
      continue;
    }
    unname(*it);
    contents_.erase(content);
    it = removed_.erase(it);
  }
}

void Fleet::unname(const std::string& digest) {
  auto& content = contents_.at(digest);
  const auto leave = [&](auto& lists, const auto& name) {
    const auto it = lists.find(name);
    if (it == lists.end()) return;
    std::erase(it->second, digest);
    if (it->second.empty()) lists.erase(it);
  };
  leave(versions_, content.name);
  for (const auto& name : content.names) leave(named_, name);
  content.name.clear();
}

// True: they are others than before.
bool Fleet::find_variants(const std::string& digest) {
  auto& content = contents_.at(digest);
  std::vector<Variant> variants{{number_of_architecture(content.architecture), digest}};
  content.needs_most = content.needs;
  for (const auto& name : content.names) {
    if (content.architecture.empty()) break;
    for (const auto& other : named_.at(name)) {
      const auto& one = contents_.at(other);
      const auto architecture = number_of_architecture(one.architecture);
      const bool has_one = std::any_of(variants.begin(), variants.end(),
                                       [&](const auto& variant) { return variant.architecture == architecture; });
      if (architecture == 0 || has_one || one.removed) continue;
      variants.push_back({architecture, other});
      content.needs_most = larger(content.needs_most, one.needs);
    }
  }
  if (variants == content.variants) return false;
  content.variants = std::move(variants);
  return true;
}

const Content* Fleet::content(const std::string& digest) const {
  const auto it = contents_.find(digest);
  return it == contents_.end() ? nullptr : &it->second;
}

std::set<std::string> Fleet::named_alike(const std::string& digest) const {
  std::set<std::string> out{digest};
  const auto* one = content(digest);
  if (one == nullptr) return out;
  for (const auto& name : one->names) {
    const auto& digests = named_.at(name);
    out.insert(digests.begin(), digests.end());
  }
  return out;
}

const std::vector<std::string>& Fleet::versions_of(const Content& content) const {
  static const std::vector<std::string> none;  // newer ones pushed it out, and were removed
  const auto it = versions_.find(content.name);
  return it == versions_.end() ? none : it->second;
}

}  // namespace fieldwork::scheduler
