// The service's directory. content/<hex> are verified contents and content/<hex>.<encoding> what is made of them (.zst
// is zstd at level 3); both never change. incoming/ has the receivings that are not complete (exchange/inbound.hpp).
#pragma once

#include <atomic>
#include <filesystem>
#include <set>
#include <string>

#include "base/id.hpp"
#include "base/result.hpp"
#include "exchange/inbound.hpp"
#include "exchange/outbound.hpp"
#include "transfer/core/output.hpp"

namespace fieldwork::transfer {

class ContentStore {
 public:
  // Opens the store, makes its directories.
  [[nodiscard]] static Result<ContentStore> open(const std::filesystem::path& directory);

  [[nodiscard]] std::filesystem::path plain(const std::string& digest) const;
  [[nodiscard]] std::filesystem::path encoded(const std::string& digest, const content::Encoding& encoding) const;
  [[nodiscard]] std::filesystem::path incoming() const { return directory_ / "incoming"; }

  // Whether the content is there, of that size.
  [[nodiscard]] bool holds(const Content& content) const;
  // Makes the encoding if its file is not there. May run on any thread.
  [[nodiscard]] Result<content::Encoded> make(const MakeEncoding& work, int threads,
                                              const std::atomic<bool>& stop) const;
  void remove(const std::string& digest, const content::Encoding& encoding) const;
  // Deletes files of contents and transfers that are not among the given ones; leaves files with other names alone.
  void sweep(const std::set<std::string>& digests, const std::set<TransferId>& transfers,
             const std::set<std::filesystem::path>& encoded) const;
  void discard(const TransferId& transfer) const;
  void remove(const std::string& digest) const;

 private:
  explicit ContentStore(std::filesystem::path directory) : directory_(std::move(directory)) {}
  std::filesystem::path directory_;
};

// Puts the content of a complete transfer at `path`, and its encoding beside it. Without `inbound` the content is at
// `path` already: an earlier process put it there and ended before it had saved that. Without room for an encoding the
// content is sent as it is. May run on any thread.
[[nodiscard]] Result<exchange::Encoded> keep(exchange::Inbound* inbound, const Offer& offer,
                                             const std::filesystem::path& path);

}  // namespace fieldwork::transfer
