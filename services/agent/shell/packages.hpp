// The device's packages: what is here, and the transfers that bring what is missing. A package counts only when its
// bytes match its digest and its release is signed by someone this device trusts.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "bus/bus.hpp"
#include "crypto/jws.hpp"
#include "crypto/key.hpp"
#include "exchange/inbound.hpp"
#include "topic/topic.hpp"

namespace fieldwork::agent {

struct Identity {
  std::string device;
  std::string certificate_pem;
  std::string fingerprint;
  std::shared_ptr<const crypto::PrivateKey> key;
};

struct PackageNews {
  std::string digest;
  std::optional<std::string> refused;  // why; else it is here
  bool work_fault = false;             // refused: it is not what was signed, so every device will refuse it
};

class Packages {
 public:
  Packages(std::filesystem::path directory, Identity identity, crypto::TrustStore releases, Topics topics,
           std::int64_t size_max);

  [[nodiscard]] std::filesystem::path archive(const std::string& digest) const;
  // Here already: the news come at once. Else it is asked for until it is here or refused.
  void fetch(const std::string& digest, Time now);
  Result<void> offer(std::string_view payload, Time now);
  Result<void> frame(std::string_view payload, Time now);
  void connected(Time now);  // ask again at once
  // Questions and acknowledgements to publish now.
  [[nodiscard]] std::vector<bus::Message> due(Time now);
  [[nodiscard]] std::vector<PackageNews> news();

 private:
  struct Fetching {
    Time ask_due{};
    std::optional<exchange::Inbound> inbound;
    Time heard{};
  };
  void accept(Fetching& fetching, const Offer& offer, Time now);
  void decline(const Offer& offer);
  void finish(const std::string& digest, Fetching& fetching);
  void refuse(const std::string& digest, std::string reason);
  [[nodiscard]] std::optional<std::string> bad_release(const Offer& offer) const;

  std::filesystem::path directory_;
  Identity identity_;
  crypto::TrustStore releases_;
  Topics topics_;
  std::int64_t size_max_;
  std::map<std::string, Fetching> fetching_;  // by digest; as many as there are attempts that wait
  std::vector<PackageNews> news_;
  std::vector<Offer> unasked_;  // of this batch
  std::vector<bus::Message> last_words_;
};

}  // namespace fieldwork::agent
