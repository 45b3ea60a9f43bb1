// Which jobs may be in the store though the core does not know them: those that ended long ago. A submission whose job
// is not among them needs no question to the store, which would be a round trip of each submission.
//
// A Bloom filter of a fixed size (Bloom, Space/Time Trade-offs in Hash Coding, 1970): it never forgets an id, and takes
// a share of the others for stored: (1 - e^(-hashes n / bits))^hashes, which is 0.5 % with n = 5,000,000 ids, as many
// as are kept. It is filled from the store in the background, page by page; until then every id may be stored.
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

  void add(const JobId& job);
  [[nodiscard]] bool may_hold(const JobId& job) const;

  // All that was stored when this process began has been added.
  void filled() { filled_ = true; }
  [[nodiscard]] bool is_filled() const { return filled_; }

 private:
  std::vector<std::uint64_t> words_ = std::vector<std::uint64_t>(bits / 64);
  bool filled_ = false;
};

}  // namespace fieldwork::scheduler
