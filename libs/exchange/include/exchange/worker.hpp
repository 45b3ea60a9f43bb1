// One thread for work that would block the engine: decoding, hashing, syncing. Jobs run one after the other, in the
// order of the calls of run().
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace fieldwork::exchange {

class Worker {
 public:
  Worker();
  /// Waits for the present job; jobs that wait are forgotten.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// May be called from any thread. A job itself says how it ended, e.g. through a Mailbox or the engine's queue.
  void run(std::function<void()> job);

 private:
  void turn();
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

/// The outcomes that a worker's jobs leave for the thread that called run(). It must outlive both: hold it by
/// shared_ptr.
template <class Outcome>
class Mailbox {
 public:
  void put(Outcome outcome) {
    const std::lock_guard lock(mutex_);
    outcomes_.push_back(std::move(outcome));
  }
  [[nodiscard]] std::deque<Outcome> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(outcomes_, {});
  }

 private:
  std::mutex mutex_;
  std::deque<Outcome> outcomes_;
};

}  // namespace fieldwork::exchange
