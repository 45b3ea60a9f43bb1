// The shell around the agent's core: on one side MQTT and the journal, on the other side packages and processes.
#pragma once

#include <functional>
#include <memory>

#include "agent/core/agent.hpp"
#include "agent/core/round_trips.hpp"
#include "agent/shell/packages.hpp"
#include "agent/shell/staging.hpp"
#include "codec/device.hpp"
#include "crypto/jws.hpp"
#include "runtime/reject.hpp"
#include "runtime/service.hpp"
#include "topic/topic.hpp"

namespace fieldwork::agent {

// Carries out the core's Run, Kill, Fetch, Unfetch and Prune: on a device for real, in simulations without running
// anything.
class Hands {
 public:
  virtual ~Hands() = default;
  virtual void run(const Assign& assign) = 0;
  virtual void kill(const AttemptKey& key) = 0;
  // When the contract ends a running program: in `left` from now. Called again in each batch, for a program with
  // stop_after_s. The program must end then, also when the agent stands still.
  virtual void contract_ends(const AttemptKey& /*key*/, Duration /*left*/) {}
  // Somebody follows what a program writes, for so long; `begin`: what it has written before is told first.
  virtual void tail(const AttemptKey& /*key*/, Duration /*left*/, bool /*begin*/) {}
  // What programs wrote for the other executions of their jobs, since the last call; and what those said, for a
  // program.
  virtual std::vector<Mail> mail(Time /*now*/) { return {}; }
  virtual void deliver(const Mail& /*mail*/) {}
  virtual void fetch(const Fetch& what, Time now) = 0;
  virtual void unfetch(const std::string& /*digest*/) {}  // no attempt needs the package any more
  [[nodiscard]] virtual bool has(const std::string& /*digest*/) const { return true; }  // the package is here
  // As fetch(), of a package that is kept until unstage().
  virtual void stage(const Fetch& what, Time now) { fetch(what, now); }
  virtual void unstage(const std::string& /*digest*/) {}
  // Puts the only file of a package that is here into its place; placed() says what has been done since the last call.
  virtual void place(const staging::Place& /*what*/) {}
  virtual std::vector<staging::Placed> placed() { return {}; }
  virtual void prune(Time /*now*/) {}  // deletes the packages that nothing needs
  // offer, frame and output fail only with what is wrong with the message.
  virtual Result<void> offer(std::string_view /*payload*/, Time /*now*/) { return {}; }
  virtual Result<void> frame(std::string_view /*payload*/, Time /*now*/) { return {}; }
  // The other channels of down/ about outputs: want, output, received.
  virtual Result<void> output(std::string_view /*channel*/, std::string_view /*payload*/, Time /*now*/) { return {}; }
  virtual void connected(Time /*now*/) {}
  virtual void round_trip(std::optional<double> /*ms*/) {}  // of the link, as it was measured last
  virtual std::vector<bus::Message> due(Time /*now*/) { return {}; }
  // Topics to hear from now on, and no more, since the last call.
  virtual std::vector<bus::Subscription> subscriptions() { return {}; }
  virtual std::vector<PackageNews> news() { return {}; }
  // True only where a run has no effect outside of the process (simulated devices): then run() is called within the
  // batch, and ended() says at once which runs have ended. Otherwise run() is called after the commit: no program runs
  // that is not in the journal.
  [[nodiscard]] virtual bool in_batch() const { return false; }
  virtual std::vector<RunEnded> ended() { return {}; }
};

struct AgentConfig {
  std::string root = "fieldwork/v1";
  std::string device;
  std::string certificate_pem;
  Description about;
  std::string boot_id;  // of the machine's boot; empty: not known
  crypto::TrustStore grants;
  Limits limits;
  std::function<Resources()> resources = [] { return Resources{}; };
  std::function<void(const Configuration&)> configure = [](const Configuration&) {};  // applies it; also at the start
  // For how many seconds the device will sleep, once after that was announced; 0: it will not. `boot` as in its
  // presence.
  std::function<std::int64_t()> sleeps = [] { return 0; };
  std::int64_t boot = 0;
  bool places = false;                                                // it has a directory for files
  std::function<Link()> link = [] { return Link{}; };                 // without its round trip
  std::function<Time(Time)> moment = [](Time step) { return step; };  // the time now, in a step that began at `step`
  std::function<std::int64_t()> wall_ms = [] { return std::int64_t{0}; };
  std::function<std::uint64_t()> random = [] { return std::uint64_t{0}; };  // 64 fresh bits
  // Whether every report that was published has left the device.
  std::function<bool()> beat_idle = [] { return true; };  // the heartbeat that was published has left, too
  std::function<bool()> reports_idle = [] { return true; };
};

class AgentService : public runtime::Service {
 public:
  AgentService(AgentConfig config, Hands& hands);
  ~AgentService() override;

  [[nodiscard]] std::string name() const override { return config_.device; }
  [[nodiscard]] std::vector<std::pair<std::string, int>> subscriptions() const override;
  Result<void> load(store::Store& store, Time now) override;
  void message(const bus::Message& message, Time now, runtime::Output& out) override;
  void tick(Time now, runtime::Output& out) override;
  void connected(Time now, runtime::Output& out) override;
  void disconnected(Time now, runtime::Output& out) override;
  void flush(Time now, runtime::Output& out) override;
  void step(const Input& input, Time now);

  // Retained: published on every connect, and as the last will.
  [[nodiscard]] static bus::Message presence(const Topics& topics, const std::string& device, PresenceSaid said);
  // Counts the session of this start in the journal.
  [[nodiscard]] static Result<std::int64_t> next_session(store::Store& store);
  [[nodiscard]] const Agent& core() const { return *core_; }

 private:
  void save(const Output& done, runtime::Output& out) const;
  void say(const Output& done, Time now, runtime::Output& out);
  void say_heartbeat(const SendHeartbeat& heartbeat, Time now, runtime::Output& out);
  void act(const Output& done, Time now, runtime::Output& out);
  Result<void> hear(std::string_view channel, const bus::Message& message, Time now);
  Result<void> commands(std::string_view payload, Time now);
  void assign(Assign assign, Time now);

  AgentConfig config_;
  Hands& hands_;
  Topics topics_;
  std::unique_ptr<Agent> core_;
  Staging staging_;
  RoundTrips trips_;
  runtime::Rejections rejections_;
  std::set<std::string> shared_;  // topics of frames for many, heard now
  Output done_;                   // of the steps of this batch
};

}  // namespace fieldwork::agent
