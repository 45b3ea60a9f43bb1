// Outputs too large for a report, on their way to the transfer service (exchange/deliver.hpp): announced until it wants
// them, then sent like a package, with the roles swapped. What is in the directory is still to be delivered, also after
// a restart.
//
// Files: <hex> the output; <hex>.of says of which attempt; <hex>.zst while it is being sent; <hex>.refused says why the
// service will never take it: then it is not announced any more, and stays here for refused_kept, for who wants to see.
#pragma once

#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/shell/packages.hpp"
#include "crypto/certificate.hpp"
#include "exchange/deliver.hpp"
#include "exchange/outbound.hpp"
#include "exchange/worker.hpp"
#include "model/job.hpp"

namespace fieldwork::agent {

/// Moves an output to `kept` (in the directory, named by its digest) and notes whose it is; both are on the disk when
/// this returns: before that no report may name it. Unavailable: the disk. On any thread.
[[nodiscard]] Result<void> keep_output(const std::filesystem::path& from, const std::filesystem::path& kept,
                                       const AttemptKey& key);

class Outputs {
 public:
  static constexpr std::chrono::hours refused_kept{24 * 7};
  static constexpr std::chrono::hours waiting_kept{24 * 30};  // what was not delivered by then is given up

  struct Options {
    bool thread = false;  // to compress on; else on the engine's
  };

  // `transfer_ca`: who vouches for the transfer service's certificate, to which the content keys are wrapped. Never
  // fails: a directory that cannot be read holds nothing.
  Outputs(std::filesystem::path directory, Identity identity, crypto::CertificateAuthority transfer_ca, Topics topics);
  Outputs(std::filesystem::path directory, Identity identity, crypto::CertificateAuthority transfer_ca, Topics topics,
          Options options);

  // After keep_output().
  void add(const std::filesystem::path& kept, const AttemptKey& key, Time now);
  Result<void> want(std::string_view payload, Time now);      // down/want: send it now
  Result<void> stored(std::string_view payload, Time now);    // down/output: it is there, or never will be
  Result<void> received(std::string_view payload, Time now);  // down/received
  void connected(Time now);
  [[nodiscard]] std::vector<bus::Message> due(Time now);
  [[nodiscard]] std::size_t size() const { return outputs_.size(); }

 private:
  struct Output {
    AttemptKey key;
    std::int64_t size_bytes = 0;
    std::optional<crypto::Certificate> receiver{};  // who wants it
    TransferId under_way{};                         // a part of it is there; empty: none
    // Of the standing offer:
    std::optional<Offer> offer{};
    std::string content_key{};
    std::filesystem::path encoded{};
    content::Ranges acked{};  // when it was closed
    std::optional<exchange::Outbound> outbound{};
  };
  struct Compressed {
    std::string digest;
    Result<exchange::Encoded> encoded;
  };
  using Inputs = std::deque<exchange::deliver::Input>;

  // Steps it, and what comes at once of what must follow.
  void step(exchange::deliver::Input input);
  void act(const exchange::deliver::Make& work, Inputs& then);
  void act(const exchange::deliver::Resume& work, Inputs& then);
  void act(const exchange::deliver::Close& work, Inputs& then);
  void load();
  void keep(const std::filesystem::path& kept, const AttemptKey& key);
  // The offer is made, saved in `output`, and opened.
  Result<void> make_offer(const std::string& digest, Output& output, const exchange::Encoded& encoded);
  Result<void> open(Output& output);
  void hear_compressed(Inputs& then);
  void refused(const std::string& digest, const std::string& reason);
  void finish(const std::string& digest);
  void sweep();
  [[nodiscard]] std::filesystem::path file(const std::string& digest) const { return directory_ / digest.substr(7); }

  std::filesystem::path directory_;
  Identity identity_;
  crypto::CertificateAuthority transfer_ca_;
  Topics topics_;
  exchange::deliver::Deliveries core_{exchange::deliver::Limits{}};
  std::map<std::string, Output> outputs_;  // by digest
  Time now_{};
  Time sweep_at_{};
  std::vector<bus::Message> to_say_;
  std::shared_ptr<exchange::Mailbox<Compressed>> compressed_ = std::make_shared<exchange::Mailbox<Compressed>>();
  std::unique_ptr<exchange::Worker> worker_;  // last: its jobs are over before the rest goes
};

}  // namespace fieldwork::agent
