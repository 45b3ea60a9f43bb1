// Which jobs may be in the store although the core does not know them: jobs that settled long ago. A submission whose
// job is not among them needs no look into the store, which would cost each submission a round trip.
//
// A Bloom filter of a fixed size (Bloom, Space/Time Trade-offs in Hash Coding, 1970). It never forgets an id. It takes
// a share of the unknown ids for stored: (1 - e^(-hashes n / bits))^hashes, which is 0.5 % with n = 5,000,000 ids, as
// many as are kept. It is filled from the store in the background, page by page; until then every id may be stored.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/id.hpp"

namespace fieldwork::scheduler {

class StoredIds {
 public:
  static constexpr std::size_t bits = std::size_t{1} << 26;  // 8 MiB
  static constexpr int hashes = 4;
  static constexpr std::size_t added_max = 5'000'000;

  void add(const JobId& job);
  [[nodiscard]] bool may_hold(const JobId& job) const;

  // Every id that was stored when this process began has been added.
  void filled() {
    filled_ = true;
    added_ = 0;
  }
  // So many ids were added since then that it has to be filled anew: those that were removed from the store are in it.
  [[nodiscard]] bool is_worn() const { return filled_ && added_ >= added_max; }
  [[nodiscard]] bool is_filled() const { return filled_; }

 private:
  std::vector<std::uint64_t> words_ = std::vector<std::uint64_t>(bits / 64);
  std::size_t added_ = 0;  // since it was filled
  bool filled_ = false;
};

}  // namespace fieldwork::scheduler
