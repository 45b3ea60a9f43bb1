// A small fleet in one world: the real scheduler and real agents, stand-ins for the rest, and a client with wishes.
//
// The bytes of packages do not travel here: SimHands::fetch() ends after a random time, and is forgotten when the agent
// dies. tests/unit/transfer_test.cpp storms the transfer itself.
#pragma once

#include <set>

#include "agent/shell/service.hpp"
#include "checks.hpp"
#include "stand_ins.hpp"
#include "world.hpp"

namespace fieldwork::sim {

// Hands that run nothing: each run takes a random time, at the end of which it has succeeded.
class SimHands : public agent::Hands {
 public:
  // `packages`: what is on the device's disk.
  SimHands(World& world, Checks& checks, Party& party, std::set<std::string>& packages);
  void run(const Assign& assign) override;
  void kill(const AttemptKey& key) override;
  void fetch(const std::string& digest, Time now) override;
  std::vector<agent::PackageNews> news() override { return std::exchange(news_, {}); }

 private:
  void end_later(Duration wait, agent::RunEnded ended);
  World& world_;
  Checks& checks_;
  Party& party_;
  std::set<std::string>& packages_;
  std::set<AttemptKey> running_;
  std::set<std::string> fetching_;
  std::vector<agent::PackageNews> news_;
};

class Fleet {
 public:
  Fleet(World& world, int devices);

  std::vector<Wish> wishes;
  [[nodiscard]] const std::vector<Package>& packages() const { return packages_; }
  [[nodiscard]] Checks& checks() { return checks_; }
  // All wishes are fulfilled, and nobody owes anybody anything.
  [[nodiscard]] bool quiet() const;
  [[nodiscard]] std::string open() const;

 private:
  void add_device(const Device& device);
  World& world_;
  crypto::TrustStore grants_;
  Checks checks_;
  std::vector<Package> packages_;
  std::map<std::string, std::unique_ptr<SimHands>> hands_;
  std::map<std::string, std::set<std::string>> on_devices_;  // packages
};

}  // namespace fieldwork::sim
