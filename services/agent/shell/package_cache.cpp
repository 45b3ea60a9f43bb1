#include "agent/shell/package_cache.hpp"

#include <algorithm>
#include <vector>

#include "crypto/bytes.hpp"
#include "runtime/log.hpp"

namespace fieldwork::agent {
namespace fs = std::filesystem;

std::int64_t reserved_of(const exchange::Disk& disk) {
  return std::min(PackageCache::reserved_bytes_max, disk.total_bytes / 10);
}

namespace {

struct Found {
  fs::path path;
  std::string digest;
  std::int64_t size_bytes = 0;
  fs::file_time_type used;
};

// The packages of the directory, the longest unused first.
std::vector<Found> packages_in(const fs::path& directory) {
  std::vector<Found> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const auto stem = entry.path().stem().string();
    if (entry.path().extension() != ".tar" || !crypto::is_hex(stem, 64)) continue;
    const auto size = entry.file_size(error);
    if (error) continue;
    out.push_back({entry.path(), "sha256:" + stem, static_cast<std::int64_t>(size), entry.last_write_time(error)});
  }
  std::sort(out.begin(), out.end(), [](const Found& a, const Found& b) { return a.used < b.used; });
  return out;
}

}  // namespace

PackageCache::PackageCache(fs::path directory, std::int64_t bytes_max, MeasureDisk measure)
    : directory_(std::move(directory)), bytes_max_(bytes_max), measure_(std::move(measure)) {
  for (const auto& found : packages_in(directory_)) {
    entries_[found.digest] = {found.size_bytes, ++order_, {}};
    bytes_ += found.size_bytes;
  }
}

void PackageCache::prepare(const fs::path& directory, const MeasureDisk& measure) {
  std::error_code ignored;
  fs::create_directories(directory, ignored);
  std::vector<fs::path> parts, plains;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const auto& path = entry.path();
    const auto ending = path.extension();
    if (ending == ".new") fs::remove(path, ignored);
    const auto twin = fs::path(path).replace_extension(ending == ".part" ? ".ranges" : ".part");
    if ((ending == ".part" || ending == ".ranges") && !fs::exists(twin, ignored)) fs::remove(path, ignored);
    if (ending == ".plain") plains.push_back(path);
    if (ending == ".part") parts.push_back(path);
  }
  for (const auto& plain : plains) {
    if (!fs::exists(fs::path(plain).replace_extension(".part"), ignored)) fs::remove(plain, ignored);
  }
  const auto full = [&] {
    const auto disk = measure(directory);
    return disk && disk->free_bytes < reserved_of(*disk);
  };
  for (auto& part : parts) {
    if (!full()) return;
    log::warn("the disk is full: a half received package is deleted", {{"file", part.string()}});
    fs::remove(part, ignored);
    for (const char* twin : {".ranges", ".plain"}) fs::remove(part.replace_extension(twin), ignored);
  }
  for (const auto& found : packages_in(directory)) {
    if (!full()) return;
    log::warn("the disk is full: a package is deleted", {{"package", found.digest}});
    fs::remove(found.path, ignored);
  }
}

fs::path PackageCache::path(const std::string& digest) const { return directory_ / (digest.substr(7) + ".tar"); }

bool PackageCache::has(const std::string& digest) const {
  std::error_code ignored;
  return fs::exists(path(digest), ignored);
}

std::vector<std::string> PackageCache::newest(std::size_t count_max) const {
  std::vector<std::pair<std::int64_t, std::string>> order;
  for (const auto& [digest, entry] : entries_) order.emplace_back(-entry.order, digest);
  std::sort(order.begin(), order.end());
  std::vector<std::string> out;
  for (auto& [used, digest] : order) {
    if (out.size() == count_max) break;
    out.push_back(std::move(digest));
  }
  return out;
}

void PackageCache::added(const std::string& digest, Time now) {
  std::error_code error;
  const auto size = fs::file_size(path(digest), error);
  if (error) return;
  auto& entry = entries_[digest];
  bytes_ += static_cast<std::int64_t>(size) - entry.size_bytes;
  entry.size_bytes = static_cast<std::int64_t>(size);
  used(digest, now);
}

void PackageCache::used(const std::string& digest, Time now) {
  const auto it = entries_.find(digest);
  if (it == entries_.end()) return;
  it->second.order = ++order_;
  it->second.needed_until = now + needed_for;
  std::error_code ignored;  // the times of last use are only needed for the sequence after a restart
  fs::last_write_time(path(digest), fs::file_time_type::clock::now(), ignored);
}

void PackageCache::unneeded(const std::string& digest) {
  if (const auto it = entries_.find(digest); it != entries_.end()) it->second.needed_until = {};
}

void PackageCache::ran(const std::string& digest, Time now) {
  if (const auto it = entries_.find(digest); it != entries_.end())
    it->second.needed_until = std::min(it->second.needed_until, now + rests_for);
}

std::map<std::string, PackageCache::Entry>::iterator PackageCache::oldest(Time now) {
  auto out = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    if (now < it->second.needed_until || pinned_.contains(it->first)) continue;
    if (out == entries_.end() || it->second.order < out->second.order) out = it;
  }
  return out;
}

bool PackageCache::evict_one(Time now) {
  const auto it = oldest(now);
  if (it == entries_.end()) return false;
  log::info("package evicted", {{"package", it->first}, {"bytes", std::to_string(it->second.size_bytes)}});
  std::error_code ignored;
  fs::remove(path(it->first), ignored);
  bytes_ -= it->second.size_bytes;
  entries_.erase(it);
  return true;
}

void PackageCache::prune(Time now) {
  while (evict_one(now)) continue;
}

std::int64_t PackageCache::prunable_bytes(Time now) const {
  std::int64_t out = 0;
  for (const auto& [digest, entry] : entries_)
    out += now < entry.needed_until || pinned_.contains(digest) ? 0 : entry.size_bytes;
  return out;
}

std::int64_t PackageCache::pinned_bytes() const {
  std::int64_t out = 0;
  for (const auto& [digest, entry] : entries_) out += pinned_.contains(digest) ? entry.size_bytes : 0;
  return out;
}

Result<void> PackageCache::make_room(std::int64_t size_bytes, std::int64_t storage_bytes, Time now) {
  auto disk = measure_(directory_);
  if (!disk) return Error{Code::unavailable, "disk: " + describe(disk.error())};
  const auto budget = bytes_max_ > 0 ? bytes_max_ : disk->total_bytes / 2;
  const auto reserved = reserved_of(*disk);
  while (bytes_ + size_bytes > budget || disk->free_bytes < storage_bytes + reserved) {
    const bool never = size_bytes > budget;
    if (never || !evict_one(now)) {
      const auto pinned = pinned_bytes();
      return Error{Code::unavailable, "disk: the package has " + std::to_string(size_bytes) + " bytes and needs " +
                                          std::to_string(storage_bytes) + " more of the disk, where " +
                                          std::to_string(disk->free_bytes) + " are free and " +
                                          std::to_string(reserved) + " are kept for the journal; packages may have " +
                                          std::to_string(budget) + " bytes and have " + std::to_string(bytes_) +
                                          (pinned > 0 ? ", of these " + std::to_string(pinned) + " staged" : "")};
    }
    disk = measure_(directory_);
    if (!disk) return Error{Code::unavailable, "disk: " + describe(disk.error())};
  }
  return {};
}

}  // namespace fieldwork::agent
