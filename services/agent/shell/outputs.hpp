// Outputs too large for a report, on their way to the transfer service: announced until it wants them, then sent like a
// package, with the roles swapped. What is in the directory is still to be delivered, also after a restart.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/shell/packages.hpp"
#include "crypto/certificate.hpp"
#include "exchange/outbound.hpp"
#include "model/job.hpp"

namespace fieldwork::agent {

class Outputs {
 public:
  static constexpr std::size_t sending_max = 4;  // at once; the others wait

  // `transfer_ca`: who vouches for the transfer service's certificate, to which the content keys are wrapped.
  Outputs(std::filesystem::path directory, Identity identity, crypto::CertificateAuthority transfer_ca, Topics topics);

  // `kept`: a file in the directory that is named by its digest (64 hex digits).
  void add(const std::filesystem::path& kept, const AttemptKey& key);
  Result<void> want(std::string_view payload, Time now);      // down/want: send it now
  Result<void> stored(std::string_view payload);              // down/output: it is there
  Result<void> received(std::string_view payload, Time now);  // down/received
  void connected(Time now);
  [[nodiscard]] std::vector<bus::Message> due(Time now);
  [[nodiscard]] std::size_t size() const { return outputs_.size(); }

 private:
  struct Output {
    AttemptKey key;
    std::int64_t size_bytes = 0;
    Time announce_due{};
    std::optional<exchange::Outbound> outbound;
  };
  void send(const std::string& digest, Output& output, const crypto::Certificate& receiver, Time now);
  void finish(const std::string& digest);
  [[nodiscard]] std::filesystem::path file(const std::string& digest) const { return directory_ / digest.substr(7); }

  std::filesystem::path directory_;
  Identity identity_;
  crypto::CertificateAuthority transfer_ca_;
  Topics topics_;
  std::map<std::string, Output> outputs_;  // by digest
  std::vector<bus::Message> offers_;
};

}  // namespace fieldwork::agent
