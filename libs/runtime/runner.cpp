#include "runtime/runner.hpp"

#include <algorithm>
#include <thread>

#include "base/boot_clock.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

namespace fieldwork::runtime {
namespace {

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
      turned_us_(boot_us()) {}

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
            broken_us_ = boot_us();  // another instance may have broken it: look before the next attempt
            {
              std::lock_guard lock(mutex_);
              look_ = true;
            }
            wake_.notify_one();
            if (ready_.exchange(false)) push(Disconnected{}, 0);
            log::warn("not connected to the broker", {{"reason", reason}});
          },
      .trouble = [](const std::string& what) { log::warn(what); },
      .may_speak = [this] { return may_speak(); },
  };
}

Time Runner::now() const { return Time{Duration{boot_us() + anchor_us_}}; }

// Only the active instance may speak, and the store's answer that this is the active instance holds only for
// store_good_for. See 0012-one-active-instance.md.
bool Runner::may_speak() const {
  if (!store_.contested()) return true;
  const std::int64_t good = good_us_;
  return !replaced_ && good > broken_us_ && Duration{boot_us() - good} < limits_.store_good_for;
}

bool Runner::ready() const { return ready_ && !replaced_ && (!store_.contested() || boot_us() - good_us_ < 5'000'000); }

// Asks the store whether this is still the active instance, if the last answer is a second old or the broker's
// connection has ended since: also when nothing happens, and before the first step after a pause.
Result<void> Runner::look() {
  if (!store_.contested()) return {};
  const auto began = boot_us();
  if (good_us_ > broken_us_ && Duration{began - good_us_} < limits_.look_each) return {};
  auto good = store_.check();
  if (!good) return good;
  good_us_ = began;
  bus_.wake();
  return {};
}

bool Runner::healthy() const { return boot_us() - turned_us_ < 30'000'000; }

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
  wake_.wait_for(lock, limits_.tick, [&] { return stopping_ || look_ || !queue_.empty(); });
  look_ = false;
  std::vector<Input> batch;
  std::size_t bytes = 0;
  while (!queue_.empty() && batch.size() < limits_.batch_max &&
         (batch.empty() || bytes + queue_.front().second <= limits_.batch_bytes_max)) {
    bytes += queue_.front().second;
    queue_bytes_ -= queue_.front().second;
    batch.push_back(std::move(queue_.front().first));
    queue_.pop_front();
  }
  return batch;
}

Result<void> Runner::look_and_step(std::vector<Input>& batch) {
  if (auto good = look(); !good) return good;
  return step(batch);
}

// Runs the batch at one time, which is also compared with the time of the step before: a process may be frozen between
// any two lines.
Result<void> Runner::step(std::vector<Input>& batch) {
  const auto moment = boot_us();
  if (const Duration lasted{moment - stepped_us_}; lasted > limits_.stalled_after) {
    metrics::count("fieldwork_stalls_total");
    log::warn("stood still", {{"lasted_ms", std::to_string(lasted.count() / 1000)}});
    batch.insert(batch.begin(), Stalled{lasted});
  }
  stepped_us_ = moment;
  return engine_.run(batch, Time{Duration{moment + anchor_us_}});
}

// Repeats until the batch is committed (true) or the process must end (false).
bool Runner::committed(Result<void> done, std::vector<Input>& batch) {
  const auto deadline = std::chrono::steady_clock::now() + limits_.store_patience;
  auto wait = milliseconds(50);
  while (!done) {
    metrics::count("fieldwork_store_errors_total");
    log::error("the store did not take a batch", {{"reason", describe(done.error())}});
    if (done.error().code == Code::conflict) return replaced_ = true, exit_code_ = 75, false;
    if (done.error().code != Code::unavailable || stopping_ || std::chrono::steady_clock::now() > deadline) {
      return exit_code_ = 1, false;
    }
    if (bus_.connected() && !may_speak()) bus_.leave();  // an instance without a store is of no use at the broker
    std::this_thread::sleep_for(wait);
    wait = std::min(wait * 2, milliseconds(500));  // well below PostgresConfig::round, which standbys leave to us
    turned_us_ = boot_us();
    done = engine_.waits() ? engine_.commit(now()) : look_and_step(batch);
  }
  return true;
}

void Runner::say_bus_metrics() {
  const auto stats = bus_.stats();
  metrics::count("fieldwork_bus_published_total", {}, static_cast<double>(stats.published - said_.published));
  metrics::count("fieldwork_bus_received_total", {}, static_cast<double>(stats.received - said_.received));
  metrics::count("fieldwork_bus_dropped_total", {}, static_cast<double>(stats.dropped - said_.dropped));
  metrics::count("fieldwork_bus_denied_total", {}, static_cast<double>(stats.denied - said_.denied));
  metrics::count("fieldwork_bus_too_large_total", {}, static_cast<double>(stats.too_large - said_.too_large));
  said_ = stats;
  metrics::gauge("fieldwork_bus_round_trip_seconds", stats.round_trip_ms / 1e3);
  metrics::gauge("fieldwork_outbox_commands", static_cast<double>(engine_.outbox_size()));
}

int Runner::run() {
  const auto clock = store_.now_us();
  if (!clock) {
    log::error("cannot read the store's clock", {{"reason", describe(clock.error())}});
    return 1;
  }
  anchor_us_ = *clock - boot_us();
  if (auto loaded = engine_.load(now()); !loaded) {
    log::error("cannot load from the store", {{"reason", describe(loaded.error())}});
    return 1;
  }
  if (auto good = look(); !good) {
    log::error("the store is not to be had", {{"reason", describe(good.error())}});
    return good.error().code == Code::conflict ? 75 : 1;
  }
  bus_.start();
  log::info("started");
  auto counted = std::chrono::steady_clock::now();
  stepped_us_ = boot_us();
  while (!stopping_) {
    auto batch = take();
    const auto began = boot_us();
    if (!committed(look_and_step(batch), batch)) break;
    turned_us_ = boot_us();
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
