#include "runtime/runner.hpp"

#include <algorithm>
#include <thread>

#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

namespace fieldwork::runtime {
namespace {

std::int64_t steady_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

bus::MqttConfig with_subscriptions(bus::MqttConfig config, const Service& service) {
  config.subscriptions = service.subscriptions();
  return config;
}

}  // namespace

Runner::Runner(Service& service, store::Store& store, bus::MqttConfig mqtt, RunnerLimits limits,
               store::Outbox::Limits outbox)
    : store_(store),
      limits_(limits),
      bus_(with_subscriptions(std::move(mqtt), service), events()),
      engine_(service, store, bus_, outbox),
      turned_us_(steady_us()) {}

bus::MqttEvents Runner::events() {
  return {
      .message =
          [this](bus::Message&& message) {
            const auto bytes = message.topic.size() + message.payload.size();
            message.arrived = now();
            push(std::move(message), bytes);
          },
      .connected =
          [this] {
            ready_ = true;
            push(Connected{}, 0);
            log::info("connected to the broker");
          },
      .disconnected =
          [this](const std::string& reason) {
            if (ready_.exchange(false)) push(Disconnected{}, 0);
            log::warn("not connected to the broker", {{"reason", reason}});
          },
      .trouble = [](const std::string& what) { log::warn(what); },
  };
}

Time Runner::now() const { return Time{Duration{steady_us() + anchor_us_}}; }

bool Runner::healthy() const { return steady_us() - turned_us_ < 30'000'000; }

void Runner::push(Input input, std::size_t bytes) {
  {
    std::lock_guard lock(mutex_);
    const bool droppable = std::holds_alternative<bus::Message>(input);
    if (droppable && (queue_.size() >= limits_.queue_max || queue_bytes_ + bytes > limits_.queue_bytes_max)) {
      metrics::count("fieldwork_inputs_dropped_total");
      return;
    }
    queue_bytes_ += bytes;
    queue_.emplace_back(std::move(input), bytes);
  }
  wake_.notify_one();
}

void Runner::post(Task task) { push(std::move(task), 0); }

void Runner::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
}

std::vector<Input> Runner::take() {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, limits_.tick, [&] { return stopping_ || !queue_.empty(); });
  std::vector<Input> batch;
  while (!queue_.empty() && batch.size() < limits_.batch_max) {
    queue_bytes_ -= queue_.front().second;
    batch.push_back(std::move(queue_.front().first));
    queue_.pop_front();
  }
  return batch;
}

// Runs the batch at one moment, which is also the one that is compared with the step before: a process may be frozen
// between any two lines.
Result<void> Runner::step(std::vector<Input>& batch) {
  const auto moment = steady_us();
  if (const Duration lasted{moment - stepped_us_}; lasted > limits_.stalled_after) {
    metrics::count("fieldwork_stalls_total");
    log::warn("stood still", {{"lasted_ms", std::to_string(lasted.count() / 1000)}});
    batch.insert(batch.begin(), Stalled{lasted});
  }
  stepped_us_ = moment;
  return engine_.run(batch, Time{Duration{moment + anchor_us_}});
}

// Until the batch is committed, or it makes no sense to go on.
bool Runner::settle(Result<void> done, std::vector<Input>& batch) {
  const auto deadline = std::chrono::steady_clock::now() + limits_.store_patience;
  auto wait = milliseconds(50);
  while (!done) {
    metrics::count("fieldwork_store_errors_total");
    log::error("the store did not take a batch", {{"reason", describe(done.error())}});
    if (done.error().code == Code::conflict) return exit_code_ = 75, false;
    if (done.error().code != Code::unavailable || stopping_ || std::chrono::steady_clock::now() > deadline) {
      return exit_code_ = 1, false;
    }
    std::this_thread::sleep_for(wait);
    wait = std::min(wait * 2, milliseconds(2000));
    turned_us_ = steady_us();
    done = engine_.waits() ? engine_.commit(now()) : step(batch);
  }
  return true;
}

void Runner::say_bus_metrics() const {
  const auto stats = bus_.stats();
  metrics::gauge("fieldwork_bus_published", static_cast<double>(stats.published));
  metrics::gauge("fieldwork_bus_received", static_cast<double>(stats.received));
  metrics::gauge("fieldwork_bus_dropped", static_cast<double>(stats.dropped));
  metrics::gauge("fieldwork_bus_denied", static_cast<double>(stats.denied));
  metrics::gauge("fieldwork_bus_too_large_total", static_cast<double>(stats.too_large));
  metrics::gauge("fieldwork_bus_round_trip_seconds", stats.round_trip_ms / 1e3);
  metrics::gauge("fieldwork_outbox_commands", static_cast<double>(engine_.outbox_size()));
}

int Runner::run() {
  const auto clock = store_.now_us();
  if (!clock) {
    log::error("cannot read the store's clock", {{"reason", describe(clock.error())}});
    return 1;
  }
  anchor_us_ = *clock - steady_us();
  if (auto loaded = engine_.load(now()); !loaded) {
    log::error("cannot load from the store", {{"reason", describe(loaded.error())}});
    return 1;
  }
  bus_.start();
  log::info("started");
  auto counted = std::chrono::steady_clock::now();
  stepped_us_ = steady_us();
  while (!stopping_) {
    auto batch = take();
    const auto began = steady_us();
    if (!settle(step(batch), batch)) break;
    turned_us_ = steady_us();
    if (!batch.empty()) {
      metrics::count("fieldwork_inputs_total", {}, static_cast<double>(batch.size()));
      metrics::observe("fieldwork_batch_seconds", static_cast<double>(turned_us_ - began) / 1e6);
    }
    if (std::chrono::steady_clock::now() - counted > milliseconds(200)) {
      counted = std::chrono::steady_clock::now();
      say_bus_metrics();
    }
  }
  ready_ = false;
  bus_.stop();
  log::info("stopped");
  return exit_code_;
}

}  // namespace fieldwork::runtime
