// The service's directory: content/<hex> and content/<hex>.zst, both verified and never changed; incoming/ for what is
// on its way (exchange/inbound.hpp).
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>

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

  /// Deletes files of contents and transfers that nobody knows any more; of other files it keeps its hands off.
  void sweep(const std::set<std::string>& digests, const std::set<TransferId>& transfers) const;
  void discard(const TransferId& transfer) const;

 private:
  explicit ContentStore(std::filesystem::path directory) : directory_(std::move(directory)) {}
  std::filesystem::path directory_;
};

/// Puts the content of a complete transfer at `path`, and its encoding beside it. Without `inbound` the content is
/// there already: of an earlier life, which ended before it had saved that. May run on any thread. When no room is left
/// for an encoding, the content is its own.
[[nodiscard]] Result<exchange::Encoded> keep(exchange::Inbound* inbound, const Offer& offer,
                                             const std::filesystem::path& path);

/// One thread for what would block the engine. Its end waits for the present job; jobs that wait are forgotten.
class Worker {
 public:
  Worker();
  ~Worker();
  void run(std::function<void()> job);

 private:
  void turn();
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fieldwork::transfer
