// A small fleet in one world: the real services and real agents, between which packages really travel, and a client
// with wishes. Programs alone do not run: SimHands ends them after a random time.
#pragma once

#include <set>

#include "agent/shell/outputs.hpp"
#include "agent/shell/service.hpp"
#include "alerts.hpp"
#include "checks.hpp"
#include "client.hpp"
#include "policy/policy.hpp"
#include "supplies.hpp"
#include "transfer_checks.hpp"
#include "world.hpp"

namespace fieldwork::sim {

class Fleet;

// The device's real packages and outputs, and programs that take a random time, at the end of which they have succeeded
// and left what the job names as outputs.
class SimHands : public agent::Hands {
 public:
  // `kept`: where outputs wait.
  SimHands(World& world, Fleet& fleet, Party& party, agent::Packages packages, agent::Outputs outputs,
           std::filesystem::path kept);
  void run(const Assign& assign) override;
  void kill(const AttemptKey& key) override;
  void fetch(const agent::Fetch& what, Time now) override { packages_.fetch(what, now); }
  void unfetch(const std::string& digest) override { packages_.unfetch(digest); }
  Result<void> offer(std::string_view payload, Time now) override { return packages_.offer(payload, now); }
  Result<void> frame(std::string_view payload, Time now) override { return packages_.frame(payload, now); }
  Result<void> output(std::string_view channel, std::string_view payload, Time now) override;
  void connected(Time now) override;
  std::vector<bus::Subscription> subscriptions() override { return packages_.subscriptions(); }
  std::vector<bus::Message> due(Time now) override;
  std::vector<agent::PackageNews> news() override { return packages_.news(); }
  [[nodiscard]] std::size_t waiting() const { return outputs_.size(); }  // outputs, to be delivered

 private:
  void kill_device_soon(const AttemptKey& key);
  void end_later(Duration wait, agent::RunEnded ended, const std::vector<std::string>& outputs = {});
  [[nodiscard]] OutputFile keep(const std::string& path, const AttemptKey& key) const;
  World& world_;
  Fleet& fleet_;
  Party& party_;
  agent::Packages packages_;
  agent::Outputs outputs_;
  std::filesystem::path kept_;
  std::set<AttemptKey> running_;
};

class Fleet {
 public:
  Fleet(World& world, const Supplies& supplies, int devices);

  std::vector<Wish> wishes;
  std::vector<Fetch> fetches;                   // what the operator wants from the transfer service
  std::vector<policy::Rule> rules;              // beside those of deploy/policies; set before the start
  std::map<std::string, std::string> refusals;  // by device: why it can start no program
  [[nodiscard]] const Supplies& supplies() const { return supplies_; }
  [[nodiscard]] Checks& checks() { return checks_; }
  // All wishes are fulfilled, and no party has open work.
  [[nodiscard]] bool quiet() const;
  [[nodiscard]] std::string open() const;
  void check_at_the_end() const;
  // `archive`: the package of the job, if the job has one.
  void runs(const Party& party, const Assign& assign, const std::filesystem::path& archive);
  // This job's program takes its device down.
  [[nodiscard]] static bool kills(const Assign& assign) { return assign.command.front() == "./kill"; }
  // The job's program writes more than one message holds.
  [[nodiscard]] static bool is_wordy(const Assign& assign) { return assign.command.front() == "./print"; }
  // The job's program runs for 90 s.
  [[nodiscard]] static bool is_long(const Assign& assign) { return assign.command.front() == "./watch"; }

  [[nodiscard]] Party& party(const std::string& name);
  [[nodiscard]] std::vector<Party*> devices();  // without the twin
  // Adds a second party with the disk and the identity of `device`.
  Party& add_twin(Party& device);
  [[nodiscard]] Party* twin() { return twin_; }
  void set_clock(const std::string& device, Duration ahead) { clocks_[device] = ahead; }
  void press(const std::string& device, Duration lasts) { pressed_until_[device] = world_.now() + lasts; }
  // The disk of `party` is now an older copy. The operator asks again for what a scheduler that forgot had promised.
  void went_back(const Party& party, Checks::Disk copy);

 private:
  void add_operator();
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
  std::map<std::string, Duration> clocks_;                  // by device: how far its clock is ahead of the world's
  std::map<std::string, Time> pressed_until_;               // by device
  Alerts alerts_;
  bool push_again_ = false;  // the operator must push all packages again
  Party* twin_ = nullptr;
};

}  // namespace fieldwork::sim
