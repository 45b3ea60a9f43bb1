// A store that fails when told to and a bus that records what is published: one journal tells what came before what.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bus/bus.hpp"
#include "runtime/service.hpp"
#include "store/memory.hpp"

namespace fieldwork::fakes {

using Journal = std::vector<std::string>;

class FlakyStore : public store::Store {
 public:
  explicit FlakyStore(Journal& journal) : journal_(journal) {}

  // The next commits fail with these errors, one each; later commits succeed.
  std::deque<Error> failures;
  Result<void> load_answer;
  bool is_contested = false;
  std::function<Result<void>()> on_check = [] { return Result<void>(); };
  std::vector<std::vector<store::Change>> batches;  // what was committed

  Result<void> commit(const std::vector<store::Change>& changes) override {
    if (!failures.empty()) {
      const Error error = failures.front();
      failures.pop_front();
      journal_.push_back(std::string("refused: ") + name(error.code));
      return error;
    }
    journal_.emplace_back("committed");
    batches.push_back(changes);
    return inner_.commit(changes);
  }
  Result<std::vector<std::string>> select(const store::Query& query) override {
    if (!load_answer) return load_answer.error();
    return inner_.select(query);
  }
  Result<std::vector<std::string>> find(const std::string& table, const std::string& column,
                                        const std::vector<std::string>& keys) override {
    return inner_.find(table, column, keys);
  }
  [[nodiscard]] bool contested() const override { return is_contested; }
  Result<void> check() override { return on_check(); }
  Result<store::Page> range(const store::Range& range) override { return inner_.range(range); }
  Result<std::int64_t> prune(const store::Prune& prune) override { return inner_.prune(prune); }
  Result<std::int64_t> now_us() override { return inner_.now_us(); }

 private:
  Journal& journal_;
  store::MemoryStore inner_;
};

class FakeBus : public bus::Bus {
 public:
  explicit FakeBus(Journal& journal) : journal_(journal) {}
  std::vector<bus::Message> said;
  std::size_t bytes_max = 1U << 20;

  Result<void> publish(bus::Message message) override {
    if (message.payload.size() > bytes_max) return Error{Code::invalid, "it is too large"};
    journal_.push_back(message.topic + " " + message.payload);
    said.push_back(std::move(message));
    return {};
  }

 private:
  Journal& journal_;
};

// Records the calls that it gets, and does what the test says when a message comes.
class FakeService : public runtime::Service {
 public:
  explicit FakeService(Journal& journal) : journal_(journal) {}

  std::function<void(const bus::Message&, Time, runtime::Output&)> on_message = [](auto&&...) {};
  std::function<void(runtime::Output&)> on_flush = [](auto&&...) {};
  std::vector<std::pair<std::string, int>> topics;  // filter, QoS
  std::deque<Error> prefetch_failures;
  std::vector<std::size_t> fetched;  // messages per prefetch

  [[nodiscard]] std::string name() const override { return "fake"; }
  [[nodiscard]] std::vector<std::pair<std::string, int>> subscriptions() const override { return topics; }
  Result<void> load(store::Store& /*store*/, Time /*now*/) override { return {}; }
  Result<void> prefetch(store::Store& /*store*/, const std::vector<const bus::Message*>& batch) override {
    fetched.push_back(batch.size());
    if (prefetch_failures.empty()) return {};
    const Error error = prefetch_failures.front();
    prefetch_failures.pop_front();
    return error;
  }
  void message(const bus::Message& message, Time now, runtime::Output& out) override {
    journal_.push_back("got " + message.topic);
    on_message(message, now, out);
  }
  void tick(Time /*now*/, runtime::Output& /*out*/) override { ++ticks; }
  void connected(Time /*now*/, runtime::Output& /*out*/) override { journal_.emplace_back("got connected"); }
  void disconnected(Time /*now*/, runtime::Output& /*out*/) override { journal_.emplace_back("got disconnected"); }
  void stalled(Duration /*lasted*/, Time /*now*/, runtime::Output& /*out*/) override {
    journal_.emplace_back("got stalled");
  }
  void flush(Time /*now*/, runtime::Output& out) override { on_flush(out); }

  int ticks = 0;

 private:
  Journal& journal_;
};

}  // namespace fieldwork::fakes
