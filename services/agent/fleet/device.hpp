// One simulated device: the agent's core and shell, with a journal in memory and one of many broker sessions. Its jobs
// run nothing; they take as long, and fail as often, as the device's group says.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <set>

#include "agent/fleet/scenario.hpp"
#include "agent/shell/service.hpp"
#include "bus/sessions.hpp"
#include "runtime/engine.hpp"
#include "store/memory.hpp"

namespace fieldwork::agent {

// What a device needs of the loop that runs it.
class FleetLoop {
 public:
  virtual ~FleetLoop() = default;
  [[nodiscard]] virtual Time now() const = 0;
  virtual void at(Time when, std::function<void()> then) = 0;
};

struct FleetCounts {
  std::size_t connected = 0;
  std::size_t enrolled = 0;
  std::uint64_t begun = 0;  // jobs
  std::uint64_t ended = 0;
  std::uint64_t received = 0;  // messages
  std::uint64_t published = 0;
};

class FleetDevice : public bus::Bus, private Hands {
 public:
  // Of `config` the device's name, certificate, trusted grants and root are given; the group sets the rest.
  FleetDevice(AgentConfig config, const FleetGroup& group, FleetLoop& loop, FleetCounts& counts, std::uint64_t seed);
  ~FleetDevice() override;

  Result<void> open(bus::Sessions& sessions, const std::string& certificate, const std::string& key);
  void begin();  // connects, unless connect() was called before

  Result<void> publish(bus::Message message) override;
  [[nodiscard]] std::size_t backlog(bus::Lane lane) const override { return session_->backlog(lane); }

 private:
  // Hands: carries out the core's acts.
  void run(const Assign& assign) override;
  void kill(const AttemptKey& key) override;
  void fetch(const Fetch& what, Time now) override;
  std::vector<PackageNews> news() override { return std::exchange(news_, {}); }
  [[nodiscard]] bool in_batch() const override { return at_once_; }
  std::vector<RunEnded> ended() override { return std::exchange(ended_, {}); }

  void connect();
  void start();  // starts the agent from its journal
  void restart();
  void turn(runtime::Input input);
  void tick();
  void came_up();
  void went_down();
  void end(const AttemptKey& key, RunEnded ended);
  void cut_later();
  void restart_later();
  [[nodiscard]] Duration about(double mean_s);  // exponentially distributed

  AgentConfig config_;
  const FleetGroup& group_;
  FleetLoop& loop_;
  FleetCounts& counts_;
  std::mt19937_64 random_;
  const bool at_once_;  // jobs take no time
  store::MemoryStore journal_;
  std::unique_ptr<AgentService> service_;
  std::unique_ptr<runtime::Engine> engine_;
  std::unique_ptr<bus::Session> session_;
  std::uint64_t start_ = 0;  // counts starts: what was planned before a restart is void
  std::set<AttemptKey> running_;
  std::vector<PackageNews> news_;
  std::vector<RunEnded> ended_;
  bool enrolled_ = false;
  bool up_ = false;
  bool began_ = false;
  double backoff_s_ = 0.5;  // doubles with each failed try to connect
  Time cut_until_{};
};

}  // namespace fieldwork::agent
