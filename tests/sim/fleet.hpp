// A small fleet in one world: the real services and real agents, whose packages really travel, and a client with
// wishes. Only programs do not run: SimHands says that they end after a random time.
#pragma once

#include <set>

#include "agent/shell/service.hpp"
#include "alerts.hpp"
#include "checks.hpp"
#include "client.hpp"
#include "supplies.hpp"
#include "transfer_checks.hpp"
#include "world.hpp"

namespace fieldwork::sim {

class Fleet;

// The device's real packages, and programs that take a random time, at the end of which they have succeeded.
class SimHands : public agent::Hands {
 public:
  SimHands(World& world, Fleet& fleet, Party& party, agent::Packages packages);
  void run(const Assign& assign) override;
  void kill(const AttemptKey& key) override;
  void fetch(const std::string& digest, Time now) override { packages_.fetch(digest, now); }
  void unfetch(const std::string& digest) override { packages_.unfetch(digest); }
  Result<void> offer(std::string_view payload, Time now) override { return packages_.offer(payload, now); }
  Result<void> frame(std::string_view payload, Time now) override { return packages_.frame(payload, now); }
  void connected(Time now) override { packages_.connected(now); }
  std::vector<bus::Message> due(Time now) override { return packages_.due(now); }
  std::vector<agent::PackageNews> news() override { return packages_.news(); }

 private:
  void end_later(Duration wait, agent::RunEnded ended);
  World& world_;
  Fleet& fleet_;
  Party& party_;
  agent::Packages packages_;
  std::set<AttemptKey> running_;
};

class Fleet {
 public:
  Fleet(World& world, const Supplies& supplies, int devices);

  std::vector<Wish> wishes;
  [[nodiscard]] const Supplies& supplies() const { return supplies_; }
  [[nodiscard]] Checks& checks() { return checks_; }
  // All wishes are fulfilled, and nobody owes anybody anything.
  [[nodiscard]] bool quiet() const;
  [[nodiscard]] std::string open() const;
  void check_at_the_end() const;
  // `archive`: of the job's package, if it has one.
  void runs(const Party& party, const Assign& assign, const std::filesystem::path& archive);
  // This job's program takes its device down.
  [[nodiscard]] static bool kills(const Assign& assign) { return assign.command.front() == "./kill"; }

  [[nodiscard]] Party& party(const std::string& name);
  [[nodiscard]] std::vector<Party*> devices();  // without a twin
  // A second party with this one's disk and identity.
  Party& add_twin(Party& device);
  [[nodiscard]] Party* twin() { return twin_; }
  void set_clock(const std::string& device, Duration ahead) { clocks_[device] = ahead; }
  // Its disk is an older copy. What the operator was promised by a scheduler that forgot it, he asks for again.
  void went_back(const Party& party, Checks::Disk copy);

 private:
  void add_scheduler();
  void add_security_policy();
  void add_transfer();
  void add_alerting();
  Party& add_device(const std::string& name, const std::string& id, Labels labels);
  void watch();
  void check_audit() const;
  void check_cores() const;

  World& world_;
  const Supplies& supplies_;
  TransferBounds bounds_;
  TempDir disks_;  // files of the parties
  Checks checks_;
  TransferChecks transfer_checks_;
  std::map<std::string, std::unique_ptr<SimHands>> hands_;  // by party
  std::map<std::string, Duration> clocks_;                  // of devices, ahead of the world's
  Alerts alerts_;
  bool push_again_ = false;  // the operator is asked to
  Party* twin_ = nullptr;
};

}  // namespace fieldwork::sim
