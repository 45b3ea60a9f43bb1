// An engine over the real broker and the real store: one queue, one thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "bus/mqtt.hpp"
#include "runtime/engine.hpp"

namespace fieldwork::runtime {

struct RunnerLimits {
  std::size_t batch_max = 500;
  std::size_t batch_bytes_max = 16U << 20;  // bytes of topics and payloads: a batch is one statement per table
  std::size_t queue_max = 100'000;          // inputs; beyond it messages are dropped and counted (the asker repeats)
  std::size_t queue_bytes_max = 256U << 20;
  milliseconds tick{20};
  Duration look_each = seconds{1};       // how often the store is asked whether this is still the active instance
  Duration store_good_for = seconds{3};  // without such an answer for so long, nothing is published
  Duration stalled_after = seconds{2};   // between two steps; after more the service gets Stalled
  seconds store_patience{120};           // the store may be away this long before the process gives up and is restarted
};

class Runner {
 public:
  Runner(Service& service, store::Store& store, bus::MqttConfig mqtt, RunnerLimits limits = {},
         store::Outbox::Limits outbox = {});

  // Loads, connects and turns until stop(). Returns the exit code: 0 stopped, 1 the store failed or we have a bug, 75
  // another instance took over.
  int run();
  void stop();           // from any thread, also before run()
  void post(Task task);  // from any thread; the service's own threads report through it
  // Loaded, connected to the broker, and the store's answer that this is the active instance is at most 5 s old.
  [[nodiscard]] bool ready() const;
  [[nodiscard]] bool healthy() const;  // the loop turned within the last 30 s
  [[nodiscard]] bus::MqttStats bus_stats() const { return bus_.stats(); }
  [[nodiscard]] bus::MqttBus& bus() { return bus_; }
  // On the clock of the core's steps, and of Message::arrived.
  [[nodiscard]] Time now() const;

 private:
  void push(Input input, std::size_t bytes);
  std::vector<Input> take();
  [[nodiscard]] bool may_speak() const;
  Result<void> look();
  Result<void> look_and_step(std::vector<Input>& batch);
  Result<void> step(std::vector<Input>& batch);
  bool committed(Result<void> done, std::vector<Input>& batch);
  void say_bus_metrics();
  bus::MqttEvents events();

  store::Store& store_;
  RunnerLimits limits_;
  bus::MqttBus bus_;
  Engine engine_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::pair<Input, std::size_t>> queue_;
  std::size_t queue_bytes_ = 0;
  bool look_ = false;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> replaced_{false};
  std::atomic<std::int64_t> good_us_{0};    // when the store last said that this is the active instance
  std::atomic<std::int64_t> broken_us_{0};  // when the broker's connection last ended
  std::atomic<bool> ready_{false};
  std::atomic<std::int64_t> turned_us_{0};
  std::int64_t stepped_us_ = 0;
  std::int64_t anchor_us_ = 0;  // the store's clock minus boot_us()
  bus::MqttStats said_;         // as counted in the metrics
  int exit_code_ = 0;
};

}  // namespace fieldwork::runtime
