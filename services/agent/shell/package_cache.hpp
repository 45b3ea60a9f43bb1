// The packages on this device, each as <hex>.tar, and the room for more: within a budget, and without the last part of
// the disk, which the journal needs. The package that was used longest ago is evicted first; a package that an attempt
// may need is not, nor one that is pinned.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "exchange/durable.hpp"

namespace fieldwork::agent {

// What nothing but the journal and the outputs may use of a disk.
[[nodiscard]] std::int64_t reserved_of(const exchange::Disk& disk);

class PackageCache {
 public:
  static constexpr std::int64_t reserved_bytes_max = 64 << 20;      // of the disk; a tenth of the disk if that is less
  static constexpr Duration needed_for = std::chrono::minutes(10);  // after its last use, unless unneeded() is called

  static constexpr Duration rests_for = std::chrono::seconds(10);  // after a run of it has ended

  using MeasureDisk = std::function<Result<exchange::Disk>(const std::filesystem::path&)>;

  // `bytes_max`: the budget; 0: half of the disk. A directory that cannot be read counts as empty, without an error.
  PackageCache(std::filesystem::path directory, std::int64_t bytes_max, MeasureDisk measure = exchange::disk_of);

  // Called before anything else is opened on that disk: deletes files that were left half made. Where less of the disk
  // is free than is reserved, also deletes half received packages, then whole ones, until enough is free. Never fails.
  static void prepare(const std::filesystem::path& directory, const MeasureDisk& measure = exchange::disk_of);

  // A new budget; 0: half of the disk. What is too much goes with the next make_room().
  void budget(std::int64_t bytes_max) { bytes_max_ = bytes_max; }

  [[nodiscard]] std::filesystem::path path(const std::string& digest) const;
  [[nodiscard]] bool has(const std::string& digest) const;

  // Digests of packages that are here, the one that was used last first.
  [[nodiscard]] std::vector<std::string> newest(std::size_t count_max) const;

  void added(const std::string& digest, Time now);
  void used(const std::string& digest, Time now);  // then needed until unneeded(), or for needed_for
  void unneeded(const std::string& digest);
  void ran(const std::string& digest, Time now);  // then needed for rests_for

  // A pinned package is not evicted, whether it is here already or comes later.
  void pin(const std::string& digest) { pinned_.insert(digest); }
  void unpin(const std::string& digest) { pinned_.erase(digest); }

  // Deletes all packages that are not needed; and how many bytes those have.
  void prune(Time now);
  [[nodiscard]] std::int64_t prunable_bytes(Time now) const;

  // Makes room for a package of `size_bytes`, which takes `storage_bytes` more of the disk. Unavailable, with the
  // numbers: evicting all packages that are not needed does not make enough.
  [[nodiscard]] Result<void> make_room(std::int64_t size_bytes, std::int64_t storage_bytes, Time now);

 private:
  struct Entry {
    std::int64_t size_bytes = 0;
    std::int64_t order = 0;  // of the last use, in sequence
    Time needed_until{};
  };
  // The package that was used longest ago and is not needed; end(): none.
  std::map<std::string, Entry>::iterator oldest(Time now);
  bool evict_one(Time now);
  [[nodiscard]] std::int64_t pinned_bytes() const;

  std::filesystem::path directory_;
  std::int64_t bytes_max_;
  MeasureDisk measure_;
  std::map<std::string, Entry> entries_;  // by digest
  std::set<std::string> pinned_;
  std::int64_t bytes_ = 0;
  std::int64_t order_ = 0;
};

}  // namespace fieldwork::agent
