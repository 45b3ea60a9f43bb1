// Removes old rows, in small batches, beside the engine: on a thread and a session of its own.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/time.hpp"
#include "store/store.hpp"

namespace fieldwork::runtime {

struct RetentionRule {
  store::Prune prune;    // column: milliseconds since the Unix epoch; `before` is set from kept_for
  Duration kept_for{0};  // 0: rows of any age stay
};

struct RetentionPace {
  Duration first = seconds{60};       // after the start: by then the service has published what it forgets
  Duration each = seconds{60};        // from one round, which removes rows by age, to the next
  int keep_each = 10;                 // each so-many-th round also removes rows beyond prune.keep, which counts rows
  Duration pause = milliseconds{50};  // between two batches of one round: others want the database, too
};

class Retention {
 public:
  Retention(std::unique_ptr<store::Pruner> pruner, std::vector<RetentionRule> rules, RetentionPace pace = {});
  ~Retention();
  Retention(const Retention&) = delete;
  Retention& operator=(const Retention&) = delete;

 private:
  void run();
  void round(bool keep);
  bool wait(Duration duration);

  std::unique_ptr<store::Pruner> pruner_;
  std::vector<RetentionRule> rules_;
  RetentionPace pace_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fieldwork::runtime
