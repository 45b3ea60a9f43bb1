// Outputs too large for a report, on their way to the transfer service (exchange/deliver.hpp). Each is announced until
// the service wants it, then sent as a package is, with the roles swapped. Every output in the directory is still to be
// delivered, also after a restart.
//
// All of them together, with their compressed copies, take at most Options::bytes_max of the disk. Beyond it refused
// ones are deleted, then those are dropped that wait: the oldest first, but none that is being sent. An output that
// does not fit beside those that are being sent is dropped itself. An output is as old as the attempt that wrote it
// last. What is dropped is logged, counted, and told to the service (drop_notices.hpp).
//
// Files: <hex> is the output. <hex>.of names its attempt. <hex>.zst is the output compressed, while it is being sent.
// <hex>.refused says why the service will never take the output: the output is then announced no more, and stays for
// refused_kept_max, so that a person can look at it. <hex>.dropped: see drop_notices.hpp.
#pragma once

#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/limits.hpp"
#include "agent/shell/drop_notices.hpp"
#include "agent/shell/output_files.hpp"
#include "agent/shell/output_room.hpp"
#include "agent/shell/packages.hpp"
#include "crypto/certificate.hpp"
#include "exchange/deliver.hpp"
#include "exchange/outbound.hpp"
#include "exchange/worker.hpp"
#include "model/job.hpp"

namespace fieldwork::agent {

class Outputs {
 public:
  static constexpr std::chrono::hours refused_kept_max{24 * 7};
  static constexpr std::chrono::hours waiting_kept_max{24 * 30};  // an output that is not delivered by then is dropped

  struct Options {
    bool thread = false;  // compress on a thread of its own; false: on the engine's
    std::int64_t bytes_max = outputs_bytes;
  };

  // `transfer_ca`: the authority that issued the transfer service's certificate, to which content keys are wrapped. A
  // directory that cannot be read counts as empty, without an error.
  Outputs(std::filesystem::path directory, Identity identity, crypto::CertificateAuthority transfer_ca, Topics topics);
  Outputs(std::filesystem::path directory, Identity identity, crypto::CertificateAuthority transfer_ca, Topics topics,
          Options options);

  // Takes an output that keep_output() has moved.
  void add(const std::filesystem::path& kept, const AttemptKey& key, Time now);
  Result<void> want(std::string_view payload, Time now);      // down/want: the service wants the output now
  Result<void> stored(std::string_view payload, Time now);    // down/output: the output is stored, or refused for good
  Result<void> received(std::string_view payload, Time now);  // down/received: what of a transfer has arrived
  void connected(Time now);
  [[nodiscard]] std::vector<bus::Message> due(Time now);
  [[nodiscard]] std::size_t size() const { return outputs_.size(); }
  [[nodiscard]] std::int64_t waiting_bytes() const { return waiting_.bytes(); }

 private:
  struct Output {
    AttemptKey key;
    std::int64_t size_bytes = 0;
    std::optional<crypto::Certificate> receiver{};  // the certificate of the service that wants it
    TransferId under_way{};                         // the transfer of which the service has a part; empty: none
    // Of the offer that stands:
    std::optional<Offer> offer{};
    exchange::Sealing sealing{};
    std::filesystem::path encoded{};
    content::Ranges acked{};  // what had arrived when the transfer was closed
    std::optional<exchange::Outbound> outbound{};
  };
  struct Compressed {
    std::string digest;
    Result<exchange::Encoded> encoded;
  };
  using Inputs = std::deque<exchange::deliver::Input>;

  // Steps the core, and feeds back the inputs that follow at once.
  void step(exchange::deliver::Input input);
  void act(const exchange::deliver::Make& work, Inputs& then);
  void act(const exchange::deliver::Resume& work, Inputs& then);
  void act(const exchange::deliver::Close& work, Inputs& then);
  void load();
  void keep(const std::filesystem::path& kept, const AttemptKey& key);
  // Makes the offer, keeps it in `output`, and publishes it.
  Result<void> make_offer(const std::string& digest, Output& output, const exchange::Encoded& encoded);
  Result<void> open(Output& output);
  // `strategy`: it is being sent, and so.
  void announce(const std::string& digest, const Output& output, std::optional<SaidStrategy> strategy);
  void hear_compressed(Inputs& then);
  void refused(const std::string& digest, const std::string& reason);
  void finish(const std::string& digest);
  void sweep();
  // `fresh` has just been kept.
  void make_room(const std::string& fresh);
  [[nodiscard]] bool fits(std::int64_t more_bytes) const;
  // Deletes an output that waits, and says so.
  void give_up(const std::string& digest, const std::string& reason);
  [[nodiscard]] std::filesystem::path file(const std::string& digest) const { return directory_ / digest.substr(7); }

  std::filesystem::path directory_;
  Identity identity_;
  crypto::CertificateAuthority transfer_ca_;
  Topics topics_;
  exchange::deliver::Deliveries core_{exchange::deliver::Limits{}};
  std::map<std::string, Output> outputs_;  // by digest
  OutputRoom waiting_;                     // of outputs_
  OutputRoom refused_;
  std::int64_t bytes_max_;
  Time now_{};
  DropNotices notices_;
  Time sweep_at_{};
  std::vector<bus::Message> to_say_;
  std::shared_ptr<exchange::Mailbox<Compressed>> compressed_ = std::make_shared<exchange::Mailbox<Compressed>>();
  std::unique_ptr<exchange::Worker> worker_;  // last: its jobs end before the other members are destroyed
};

}  // namespace fieldwork::agent
