// Devices for benchmarks that start real processes: the agent's core, shell and hands over real MQTT connections with
// real certificates.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "agent/shell/service.hpp"
#include "agent/shell/workplace.hpp"
#include "runtime/runner.hpp"
#include "store/memory.hpp"

namespace fieldwork::bench {

class SpawnHands : public agent::Hands {
 public:
  SpawnHands(const std::string& directory, agent::Workplace::Done done)
      : workplace_(directory + "/work", directory + "/outputs", 1 << 20, std::move(done), {}, {}) {}
  void run(const Assign& assign) override { workplace_.run(assign, {}); }
  void kill(const AttemptKey& key) override { workplace_.kill(key); }
  void fetch(const agent::Fetch& /*what*/, Time /*now*/) override {}

 private:
  agent::Workplace workplace_;
};

// One device; runs from construction to destruction.
class Device {
 public:
  Device(agent::AgentConfig config, bus::MqttConfig mqtt, const std::string& directory) {
    const Topics topics(config.root);
    mqtt.will = agent::AgentService::presence(topics, config.device, {PresenceSaid::State::offline, 1});
    mqtt.birth = agent::AgentService::presence(topics, config.device, {PresenceSaid::State::online, 1});
    mqtt.mqtt5 = false;
    hands_ = std::make_unique<SpawnHands>(directory, [this](agent::Outcome outcome) {
      runner_->post([this, outcome = std::move(outcome)](Time now, runtime::Output&) {
        service_->step(agent::RunEnded{outcome.key, outcome.result, outcome.reason, outcome.refused, outcome.timed_out,
                                       outcome.by_contract},
                       now);
      });
    });
    config.random = [source = std::make_shared<std::random_device>()] {
      return (std::uint64_t{(*source)()} << 32U) | (*source)();
    };
    config.reports_idle = [this] {
      return runner_->bus().backlog(bus::Lane::control) + runner_->bus().backlog(bus::Lane::bulk) == 0;
    };
    (void)agent::AgentService::next_session(journal_);
    service_ = std::make_unique<agent::AgentService>(std::move(config), *hands_);
    runtime::RunnerLimits limits;
    limits.tick = milliseconds(200);
    runner_ = std::make_unique<runtime::Runner>(*service_, journal_, mqtt, limits);
    thread_ = std::thread([this] { runner_->run(); });
  }
  ~Device() {
    runner_->stop();
    thread_.join();
  }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  [[nodiscard]] bus::MqttStats stats() const { return runner_->bus_stats(); }

 private:
  store::MemoryStore journal_;
  std::unique_ptr<agent::Hands> hands_;
  std::unique_ptr<agent::AgentService> service_;
  std::unique_ptr<runtime::Runner> runner_;
  std::thread thread_;
};

}  // namespace fieldwork::bench
