// Outputs too large for a report, on their way to the transfer service: announced until it wants them, then sent like a
// package, with the roles swapped. What is in the directory is still to be delivered, also after a restart.
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
#include "exchange/outbound.hpp"
#include "exchange/worker.hpp"
#include "model/job.hpp"

namespace fieldwork::agent {

class Outputs {
 public:
  static constexpr std::size_t sending_max = 4;  // at once: announced or sent; the others have their turn later
  static constexpr int failures_max = 4;         // of sendings of one output, then it is taken for refused
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

  // `kept`: a file in the directory that is named by its digest (64 hex digits). When this returns, file and note are
  // on the disk, or the log says why not and due() tries again.
  void add(const std::filesystem::path& kept, const AttemptKey& key);
  Result<void> want(std::string_view payload, Time now);      // down/want: send it now
  Result<void> stored(std::string_view payload);              // down/output: it is there, or never will be
  Result<void> received(std::string_view payload, Time now);  // down/received
  void connected(Time now);
  [[nodiscard]] std::vector<bus::Message> due(Time now);
  [[nodiscard]] std::size_t size() const { return outputs_.size(); }

 private:
  struct Output {
    AttemptKey key;
    std::int64_t size_bytes = 0;
    bool noted = false;  // file and note are on the disk
    Time announce_due{};
    Duration announce_wait{};     // grows while nobody answers
    std::optional<Time> asked{};  // announced, and counted as being sent until then
    bool encoding = false;
    int failures = 0;
    std::optional<exchange::Outbound> outbound{};
  };
  struct Compressed {
    std::string digest;
    crypto::Certificate receiver;
    Result<exchange::Encoded> encoded;
  };

  void load();
  Output& keep(const std::filesystem::path& kept, const AttemptKey& key);
  bool note(const std::string& digest, Output& output) const;
  void send(const Compressed& compressed, Time now);
  void take_compressed(Time now);
  void failed(const std::string& digest, Output& output, const std::string& reason, Time now);
  void refused(const std::string& digest, const std::string& reason);
  void finish(const std::string& digest);
  void sweep(Time now);
  void announce(Time now, std::vector<bus::Message>& out);
  [[nodiscard]] std::filesystem::path file(const std::string& digest) const { return directory_ / digest.substr(7); }

  std::filesystem::path directory_;
  Identity identity_;
  crypto::CertificateAuthority transfer_ca_;
  Topics topics_;
  std::map<std::string, Output> outputs_;  // by digest
  std::deque<std::string> turns_;          // digests; may hold some that are over
  Time sweep_at_{};
  std::vector<bus::Message> offers_;
  std::shared_ptr<exchange::Mailbox<Compressed>> compressed_ = std::make_shared<exchange::Mailbox<Compressed>>();
  std::unique_ptr<exchange::Worker> worker_;  // last: its jobs are over before the rest goes
};

}  // namespace fieldwork::agent
