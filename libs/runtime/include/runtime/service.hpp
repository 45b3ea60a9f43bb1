// What the runtime drives: the shell around one core. One thread, batches of inputs, one transaction per batch, then
// the messages. The same shells run over the real broker and database (runner.hpp) and over those of the simulation
// (tests/sim).
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "bus/bus.hpp"
#include "runtime/retention.hpp"
#include "store/outbox.hpp"
#include "store/store.hpp"

namespace fieldwork::runtime {

// What a batch wants done, collected until the batch ends. Then `early` leaves; then `changes` and the outbox are
// committed; then the rest happens.
struct Output {
  std::vector<store::Change> changes;
  std::vector<bus::Message> early;               // questions: they promise nothing, so they leave before the commit
  std::vector<bus::Message> messages;            // published once, after the commit
  std::vector<bus::Subscription> subscriptions;  // changes, after the commit, before the messages
  std::vector<store::OutboxChange> outbox;       // commands are kept and repeated until they are closed; in order
  std::vector<std::function<void()>> acts;       // the shell's own side effects, after the commit, in order

  void put(store::Command command) { outbox.emplace_back(std::move(command)); }
  void close(std::string key) { outbox.emplace_back(store::Close{std::move(key)}); }
  void hasten(std::string topic) { outbox.emplace_back(store::Hasten{std::move(topic)}); }
  void upsert(std::string table, std::string key, store::Row row) {
    changes.push_back({std::move(table), std::move(key), std::move(row), store::Change::Kind::upsert});
  }
  void insert(std::string table, std::string key, store::Row row) {
    changes.push_back({std::move(table), std::move(key), std::move(row), store::Change::Kind::insert});
  }
  void update(std::string table, std::string key, store::Row row) {
    changes.push_back({std::move(table), std::move(key), std::move(row), store::Change::Kind::update});
  }
  void remove(std::string table, std::string key, store::Row row) {
    changes.push_back({std::move(table), std::move(key), std::move(row), store::Change::Kind::remove});
  }
};

class Service {
 public:
  virtual ~Service() = default;

  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual std::vector<std::pair<std::string, int>> subscriptions() const = 0;

  // The rules by which old rows are removed.
  [[nodiscard]] virtual std::vector<RetentionRule> retention() const { return {}; }

  // Loads the stored state: the only recovery path.
  virtual Result<void> load(store::Store& store, Time now) = 0;

  // Called before the steps of a batch: loads the rows that the core needs to decide and does not keep in memory.
  virtual Result<void> prefetch(store::Store& /*store*/, const std::vector<const bus::Message*>& /*batch*/) {
    return {};
  }

  virtual void message(const bus::Message& message, Time now, Output& out) = 0;
  virtual void tick(Time now, Output& out) = 0;
  // The broker is (again) there and may have lost everything: publish the retained messages.
  virtual void connected(Time now, Output& out) = 0;
  virtual void disconnected(Time /*now*/, Output& /*out*/) {}
  // This process stood still for `lasted` (frozen, starved, or waiting for the store) and now goes on; messages of that
  // time may still wait behind this input. Devices that were silent meanwhile are given that time again.
  virtual void stalled(Duration /*lasted*/, Time /*now*/, Output& /*out*/) {}
  // The batch is over: flush what was gathered over several messages (questions, acknowledgements, state).
  virtual void flush(Time /*now*/, Output& /*out*/) {}
};

}  // namespace fieldwork::runtime
