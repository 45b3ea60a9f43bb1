// Carries out one batch: steps, one transaction, then the messages. It has no thread and no clock of its own.
#pragma once

#include <functional>
#include <variant>

#include "runtime/service.hpp"

namespace fieldwork::runtime {

// A function that runs between messages, on the engine's thread (a process ended, a file was verified).
using Task = std::function<void(Time now, Output& out)>;
struct Connected {};
struct Disconnected {};
// The loop did not turn, or the store did not commit, for this long (more than 2 s, see RunnerLimits): messages missing
// from that time are no sign of silence. Stalled is the first input of the batch that follows.
struct Stalled {
  Duration lasted{};
};
using Input = std::variant<bus::Message, Task, Connected, Disconnected, Stalled>;

class Engine {
 public:
  Engine(Service& service, store::Store& store, bus::Bus& bus, store::Outbox::Limits outbox = {});

  Result<void> load(Time now);
  // Steps and commits a batch. If waits() is true after an error, nothing but questions was published and the same
  // changes wait: call commit() until it succeeds, before anything else. Code::conflict: another instance took over,
  // end at once.
  Result<void> run(const std::vector<Input>& batch, Time now);
  Result<void> commit(Time now);
  [[nodiscard]] bool waits() const { return pending_; }
  [[nodiscard]] std::size_t outbox_size() const { return outbox_.size(); }

 private:
  void release(Time now);
  void publish_due(Time now);
  void say(bus::Message message);

  Service& service_;
  store::Store& store_;
  bus::Bus& bus_;
  store::Outbox outbox_;
  Output output_;
  std::vector<store::Change> changes_;
  bool pending_ = false;
};

}  // namespace fieldwork::runtime
