// What the runtime drives: the shell around one core. One thread, batches of inputs, one transaction per batch, then
// the messages. The same shells run over the real broker and database (runner.hpp) and over the simulation's
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

// What a batch wants done. All of it is collected first; then `changes` and the outbox are committed; then the rest
// happens.
struct Output {
  std::vector<store::Change> changes;
  std::vector<bus::Message> early;          // questions: they promise nothing, so they leave before the commit
  std::vector<bus::Message> messages;       // said once, after the commit
  std::vector<store::OutboxChange> outbox;  // commands are kept and repeated until they are closed; in order
  std::vector<std::function<void()>> acts;  // the shell's own side effects, after the commit, in order

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

  // Which rows go when they are old.
  [[nodiscard]] virtual std::vector<RetentionRule> retention() const { return {}; }

  // From what is stored: the only recovery path.
  virtual Result<void> load(store::Store& store, Time now) = 0;

  // Before the steps of a batch, for what the core needs from the store to decide (rows it does not keep in memory).
  virtual Result<void> prefetch(store::Store& /*store*/, const std::vector<const bus::Message*>& /*batch*/) {
    return {};
  }

  virtual void message(const bus::Message& message, Time now, Output& out) = 0;
  virtual void tick(Time now, Output& out) = 0;
  // The broker is (again) there and may have lost everything: say what is retained.
  virtual void connected(Time now, Output& out) = 0;
  virtual void disconnected(Time /*now*/, Output& /*out*/) {}
  // This process stood still for `lasted` (frozen, starved, or waiting for the store) and now goes on; messages of that
  // time may still wait behind this. Whoever was silent meanwhile is given that time again.
  virtual void stalled(Duration /*lasted*/, Time /*now*/, Output& /*out*/) {}
  // The batch is over: flush what was gathered over several messages (questions, acknowledgements, state).
  virtual void flush(Time /*now*/, Output& /*out*/) {}
};

}  // namespace fieldwork::runtime
