// The device's packages: those that are here, and the transfers that bring those that are missing (exchange/fetch.hpp).
// A package counts only when its bytes match its digest, and its release is signed with a key that this device trusts.
//
// If Options say so, decoding, hashing and syncing run on a thread of their own: the engine's thread goes on with
// heartbeats, and hears of the outcome in due() or news().
#pragma once

#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/core/agent.hpp"
#include "agent/shell/package_cache.hpp"
#include "base/time.hpp"
#include "bus/bus.hpp"
#include "codec/transfer.hpp"
#include "crypto/certificate.hpp"
#include "crypto/jws.hpp"
#include "crypto/key.hpp"
#include "exchange/fetch.hpp"
#include "exchange/inbound.hpp"
#include "exchange/worker.hpp"
#include "model/device.hpp"
#include "topic/topic.hpp"

namespace fieldwork::agent {

struct Identity {
  std::string device;
  std::string certificate_pem;
  std::string fingerprint;
  std::shared_ptr<const crypto::PrivateKey> key;
  std::optional<crypto::CertificateAuthority> transfer_ca{};  // of the transfer service's certificate
};

struct PackageNews {
  std::string digest;
  std::optional<std::string> refused;  // why ("disk: …" where the disk is the reason); none: the package is here
  bool work_fault = false;             // refused because it is not what was signed: every device will refuse it
};

class Packages {
 public:
  struct Options {
    std::int64_t cache_bytes_max = 0;  // PackageCache's bytes_max
    bool thread = false;               // false: everything is done at once, on the engine's thread
    PackageCache::MeasureDisk measure = exchange::disk_of;
  };

  // `size_max`: bytes of one package.
  Packages(std::filesystem::path directory, Identity identity, crypto::TrustStore releases, Topics topics,
           std::int64_t size_max);
  Packages(std::filesystem::path directory, Identity identity, crypto::TrustStore releases, Topics topics,
           std::int64_t size_max, Options options);

  // The archive of a package that is about to be unpacked; this counts as a use.
  [[nodiscard]] std::filesystem::path archive(const std::string& digest);
  [[nodiscard]] bool has(const std::string& digest) const { return cache_.has(digest); }
  // The news of a package that is here already come at once. Any other package is asked for until it is here or
  // refused.
  void cache_bytes(std::int64_t bytes_max) { cache_.budget(bytes_max); }
  void ran(const std::string& digest, Time now) { cache_.ran(digest, now); }
  void prune(Time now) { cache_.prune(now); }
  [[nodiscard]] std::int64_t prunable_bytes() const { return cache_.prunable_bytes(now_); }
  void fetch(const Fetch& what, Time now);
  void fetch(const std::string& digest, Time now) { fetch(Fetch{digest}, now); }
  void round_trip(std::optional<double> ms) { round_trip_ms_ = ms; }  // of the link, as it was measured last
  // Goodput and loss of the newest transfer, for a while: else one bad transfer would be held against the device until
  // the next one.
  [[nodiscard]] Link figures() const { return now_ - figures_at_ < figures_good_for ? figures_ : Link{}; }
  // No attempt needs the package any more: unless it is staged, it is not asked for, and may be evicted.
  void unfetch(const std::string& digest);
  // As fetch(), of a package that is kept until unstage(), whether an attempt needs it or not.
  void stage(const Fetch& what, Time now);
  void unstage(const std::string& digest);
  Result<void> offer(std::string_view payload, Time now);
  Result<void> frame(std::string_view payload, Time now);
  void connected(Time now);  // asks again at once
  // Topics of shared frames to hear from now on, and no more, since the last call.
  [[nodiscard]] std::vector<bus::Subscription> subscriptions();
  // Questions and acknowledgements to publish now.
  [[nodiscard]] std::vector<bus::Message> due(Time now);
  [[nodiscard]] std::vector<PackageNews> news();

 private:
  struct Incoming {  // by transfer
    Offer offer;
    std::optional<exchange::Inbound> inbound{};    // none while the package is being finished
    bool checkpointing = false, decoding = false;  // a job runs
    bool decodes = false;                          // while it comes
  };
  struct Outcome {  // of a job on the worker's thread
    enum class Of { checkpoint, decode, finish } of = Of::checkpoint;
    std::string digest;
    TransferId transfer;
    Result<void> done;
    std::shared_ptr<exchange::Inbound> inbound{};  // of a finish
  };
  using Inputs = std::deque<exchange::fetch::Input>;

  void want(const Fetch& what, Time now);
  // Steps the core, and feeds back the inputs that follow at once.
  void step(exchange::fetch::Input input);
  void act(const exchange::fetch::Open& work, Inputs& then);
  void act(const exchange::fetch::Finish& work, Inputs& then);
  void act(const exchange::fetch::Discard& work, Inputs& then);
  void say(const exchange::fetch::Ask& ask);
  void say(const exchange::fetch::Word& word);
  struct NotOpened {
    std::string reason;
    TransferFailure failure = TransferFailure::verification_failed;
  };
  // Makes ready to take frames; else says why not.
  [[nodiscard]] std::optional<NotOpened> open(Incoming& incoming);
  void run(std::function<void()> job);
  void hear_outcomes();
  void finished(const Outcome& outcome);
  void checkpoint(const TransferId& transfer, Incoming& incoming);
  void decode(const TransferId& transfer, Incoming& incoming);
  // Why there is no room for the package; nullopt: there is.
  std::optional<std::string> no_room(const Offer& offer);
  [[nodiscard]] Accepts accepts() const;
  void discard(const TransferId& transfer);
  void sweep();
  // What a trusted releaser signed of the package that is offered; an Error's reason is whole.
  [[nodiscard]] Result<codec::Release> release_of(const Offer& offer) const;

  std::filesystem::path directory_;
  Identity identity_;
  crypto::TrustStore releases_;
  Topics topics_;
  std::int64_t size_max_;
  PackageCache cache_;
  exchange::fetch::Fetches core_{exchange::fetch::Limits{}};
  std::map<TransferId, Incoming> incoming_;  // at most one for each attempt that waits
  std::map<TransferId, Offer> offers_;       // offers that arrived in this batch
  std::set<std::string> bad_bases_;          // a patch of them gave other bytes: they are named in no want
  std::set<TransferId> leftovers_;           // parts from before this start that no offer has taken up yet
  std::optional<Time> started_;
  Time now_{};
  static constexpr Duration figures_good_for = std::chrono::minutes(10);
  Link figures_;
  Time figures_at_{};  // when the newest frame came
  std::optional<double> round_trip_ms_;
  std::map<std::string, Fetch> fetching_;  // by digest
  std::set<std::string> for_work_;         // digests that attempts wait for
  std::set<std::string> staged_;           // digests
  std::set<std::string> shared_;           // topics that are heard
  std::vector<PackageNews> news_;
  std::vector<bus::Message> to_say_;
  std::shared_ptr<exchange::Mailbox<Outcome>> outcomes_ = std::make_shared<exchange::Mailbox<Outcome>>();
  std::unique_ptr<exchange::Worker> worker_;  // last: its jobs end before the other members are destroyed
};

}  // namespace fieldwork::agent
