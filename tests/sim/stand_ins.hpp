// What stands in for the parties that are not the subject here: security-policy that allows and signs, a registry that
// believes, a transfer service that only says what there is, a client that asks until it is answered.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <set>

#include "codec/json.hpp"
#include "crypto/key.hpp"
#include "model/device.hpp"
#include "model/job.hpp"
#include "model/package.hpp"
#include "runtime/service.hpp"
#include "topic/topic.hpp"

namespace fieldwork::sim {

inline constexpr const char* root = "fieldwork/v1";

class StandIn : public runtime::Service {
 public:
  explicit StandIn(std::string name) : name_(std::move(name)) {}
  [[nodiscard]] std::string name() const override { return name_; }
  Result<void> load(store::Store& /*store*/, Time /*now*/) override { return {}; }
  void tick(Time /*now*/, runtime::Output& /*out*/) override {}
  void connected(Time /*now*/, runtime::Output& /*out*/) override {}

 protected:
  Topics topics_{root};

 private:
  std::string name_;
};

// Allows everything and signs a real grant for each device that is asked about.
class PolicyStandIn : public StandIn {
 public:
  explicit PolicyStandIn(const crypto::PrivateKey& key) : StandIn("security-policy"), key_(key) {}
  [[nodiscard]] std::vector<std::pair<std::string, int>> subscriptions() const override;
  void message(const bus::Message& message, Time now, runtime::Output& out) override;

 private:
  const crypto::PrivateKey& key_;
};

// Believes every heartbeat and enrolment. Silence makes suspect, long silence lost. It has no memory of its own.
class RegistryStandIn : public StandIn {
 public:
  explicit RegistryStandIn(std::vector<Device> devices);
  [[nodiscard]] std::vector<std::pair<std::string, int>> subscriptions() const override;
  void message(const bus::Message& message, Time now, runtime::Output& out) override;
  void tick(Time now, runtime::Output& out) override;
  void connected(Time now, runtime::Output& out) override;

 private:
  struct Seen {
    Device device;
    std::optional<Time> heard;
  };
  void say(const Device& device, runtime::Output& out) const;
  std::map<std::string, Seen> devices_;
  Time say_again_{};
};

// Says which packages there are. Their bytes travel by SimHands.
class PackagesStandIn : public StandIn {
 public:
  explicit PackagesStandIn(std::vector<Package> packages) : StandIn("transfer"), packages_(std::move(packages)) {}
  [[nodiscard]] std::vector<std::pair<std::string, int>> subscriptions() const override { return {}; }
  void message(const bus::Message& /*message*/, Time /*now*/, runtime::Output& /*out*/) override {}
  void tick(Time now, runtime::Output& out) override;
  void connected(Time now, runtime::Output& out) override;

 private:
  std::vector<Package> packages_;
  Time say_again_{};
};

// One thing a client wants, and what it was answered.
struct Wish {
  std::string request;
  JobSpec spec;
  Time submit_at{};
  std::optional<Time> cancel_at;
  std::string job;         // answered with this id; empty: not yet
  bool cancelled = false;  // answered
};

// Submits and cancels, again and again until answered. Its wishes outlive it.
class Client : public StandIn {
 public:
  explicit Client(std::vector<Wish>& wishes) : StandIn("cli"), wishes_(wishes) {}
  [[nodiscard]] std::vector<std::pair<std::string, int>> subscriptions() const override;
  void message(const bus::Message& message, Time now, runtime::Output& out) override;
  void tick(Time now, runtime::Output& out) override;

 private:
  void ask(const char* operation, const codec::Json& payload, const std::string& correlation,
           runtime::Output& out) const;
  std::vector<Wish>& wishes_;
  std::map<std::string, Time> ask_again_;
};

}  // namespace fieldwork::sim
