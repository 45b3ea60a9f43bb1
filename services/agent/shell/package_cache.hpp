// The packages that are on this device, <hex>.tar each, and the room for more: within a budget, and never the last of
// the disk, which the journal needs. What was used longest ago goes first; what an attempt may need stays.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "base/result.hpp"
#include "base/time.hpp"
#include "exchange/durable.hpp"

namespace fieldwork::agent {

class PackageCache {
 public:
  static constexpr std::int64_t reserved_bytes_max = 64 << 20;      // of the disk, or a tenth of it if that is less
  static constexpr Duration needed_for = std::chrono::minutes(10);  // after its last use, if nobody says otherwise

  using MeasureDisk = std::function<Result<exchange::Disk>(const std::filesystem::path&)>;

  // `bytes_max`: the budget; 0: half of the disk. Never fails: a directory that cannot be read is an empty one.
  PackageCache(std::filesystem::path directory, std::int64_t bytes_max, MeasureDisk measure = exchange::disk_of);

  // Before anything else is opened on that disk: deletes what died half made, and, where the disk is as good as full,
  // also half received packages and then whole ones, until the journal has its room. Never fails.
  static void prepare(const std::filesystem::path& directory, const MeasureDisk& measure = exchange::disk_of);

  [[nodiscard]] std::filesystem::path path(const std::string& digest) const;
  [[nodiscard]] bool has(const std::string& digest) const;

  void added(const std::string& digest, Time now);
  void used(const std::string& digest, Time now);  // and needed until unneeded(), or for needed_for
  void unneeded(const std::string& digest);

  // Room for a package of `size_bytes`, for which `disk_bytes` more of the disk are wanted. Unavailable, with the
  // numbers, where there is not as much however much is evicted.
  [[nodiscard]] Result<void> make_room(std::int64_t size_bytes, std::int64_t disk_bytes, Time now);

 private:
  struct Entry {
    std::int64_t size_bytes = 0;
    std::int64_t order = 0;  // of the last use
    Time needed_until{};
  };
  // The one that was used longest ago and is not needed; end() for none.
  std::map<std::string, Entry>::iterator oldest(Time now);
  bool evict_one(Time now);

  std::filesystem::path directory_;
  std::int64_t bytes_max_;
  MeasureDisk measure_;
  std::map<std::string, Entry> entries_;  // by digest
  std::int64_t bytes_ = 0;
  std::int64_t order_ = 0;
};

}  // namespace fieldwork::agent
