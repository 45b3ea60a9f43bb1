// The service's directory: content/<hex> and content/<hex>.zst, both verified and never changed; incoming/ for what is
// on its way (exchange/inbound.hpp).
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "base/id.hpp"
#include "base/result.hpp"
#include "exchange/inbound.hpp"
#include "exchange/outbound.hpp"

namespace fieldwork::transfer {

class ContentStore {
 public:
  /// Makes the directories.
  [[nodiscard]] static Result<ContentStore> open(const std::filesystem::path& directory);

  [[nodiscard]] std::filesystem::path plain(const std::string& digest) const;
  [[nodiscard]] std::filesystem::path encoded(const std::string& digest, const std::string& encoding) const;
  [[nodiscard]] std::filesystem::path incoming() const { return directory_ / "incoming"; }

  /// Deletes files of contents and transfers that nobody knows any more; leaves all other files alone.
  void sweep(const std::set<std::string>& digests, const std::set<TransferId>& transfers) const;
  void discard(const TransferId& transfer) const;
  void remove(const std::string& digest) const;

 private:
  explicit ContentStore(std::filesystem::path directory) : directory_(std::move(directory)) {}
  std::filesystem::path directory_;
};

/// Puts the content of a complete transfer at `path`, and its encoding beside it. Without `inbound` the content is
/// there already: of an earlier life, which ended before it had saved that. May run on any thread. When no room is left
/// for an encoding, the content is its own.
[[nodiscard]] Result<exchange::Encoded> keep(exchange::Inbound* inbound, const Offer& offer,
                                             const std::filesystem::path& path);

}  // namespace fieldwork::transfer
