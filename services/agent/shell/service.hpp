// The shell around the agent's core: MQTT and the journal on one side, packages and processes on the other.
#pragma once

#include <functional>
#include <memory>

#include "agent/core/agent.hpp"
#include "agent/shell/packages.hpp"
#include "codec/device.hpp"
#include "crypto/jws.hpp"
#include "runtime/reject.hpp"
#include "runtime/service.hpp"
#include "topic/topic.hpp"

namespace fieldwork::agent {

// What the core's Run, Kill and Fetch commands are carried out by: the device's own, or in
// simulations ones that run nothing.
class Hands {
 public:
  virtual ~Hands() = default;
  virtual void run(const Assign& assign) = 0;
  virtual void kill(const AttemptKey& key) = 0;
  // Of a run whose contract has a stop_after_s, again and again. It is ended then, also when the agent stands still.
  virtual void contract_ends(const AttemptKey& /*key*/, Duration /*left*/) {}
  virtual void fetch(const std::string& digest, Time now) = 0;
  virtual void unfetch(const std::string& /*digest*/) {}  // nobody here needs it any more
  // These three fail only with what is wrong with the message.
  virtual Result<void> offer(std::string_view /*payload*/, Time /*now*/) { return {}; }
  virtual Result<void> frame(std::string_view /*payload*/, Time /*now*/) { return {}; }
  // The other channels of down/ that concern outputs: want, output, received.
  virtual Result<void> output(std::string_view /*channel*/, std::string_view /*payload*/, Time /*now*/) { return {}; }
  virtual void connected(Time /*now*/) {}
  virtual std::vector<bus::Message> due(Time /*now*/) { return {}; }
  virtual std::vector<PackageNews> news() { return {}; }
  // Only for what has no effect outside of the process (simulated devices): run() is called within the batch, and
  // ended() tells at once what is over. Everything else runs after the commit: nothing runs that is not in the journal.
  [[nodiscard]] virtual bool in_batch() const { return false; }
  virtual std::vector<RunEnded> ended() { return {}; }
};

struct AgentConfig {
  std::string root = "fieldwork/v1";
  std::string device;
  std::string certificate_pem;
  Capacity capacity;
  Labels labels;
  crypto::TrustStore grants;
  Limits limits;
  std::function<Resources()> resources = [] { return Resources{}; };
  std::function<Link()> link = [] { return Link{}; };
  std::function<std::int64_t()> wall_ms = [] { return std::int64_t{0}; };
  std::function<std::uint64_t()> random = [] { return std::uint64_t{0}; };  // 64 fresh bits
  // Whether every report that was handed to the bus has left the device.
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

  // Retained: said on every connect, and the last will.
  [[nodiscard]] static bus::Message presence(const Topics& topics, const std::string& device, bool online,
                                             std::int64_t session, std::int64_t boot = 0);
  // The session of the next start, from the journal.
  [[nodiscard]] static Result<std::int64_t> next_session(store::Store& store);
  [[nodiscard]] const Agent& core() const { return *core_; }

 private:
  void save(const Output& done, runtime::Output& out) const;
  void say(const Output& done, runtime::Output& out) const;
  void act(const Output& done, Time now, runtime::Output& out);
  Result<void> hear(std::string_view channel, std::string_view payload, Time now);
  Result<void> commands(std::string_view payload, Time now);
  void assign(Assign assign, Time now);

  AgentConfig config_;
  Hands& hands_;
  Topics topics_;
  std::unique_ptr<Agent> core_;
  runtime::Rejections rejections_;
  Output done_;  // of the steps of this batch
};

}  // namespace fieldwork::agent
