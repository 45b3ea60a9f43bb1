#include "runtime/retention.hpp"

#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

namespace fieldwork::runtime {

Retention::Retention(std::unique_ptr<store::Pruner> pruner, std::vector<RetentionRule> rules, RetentionPace pace)
    : pruner_(std::move(pruner)), rules_(std::move(rules)), pace_(pace), thread_([this] { run(); }) {}

Retention::~Retention() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

// False: the thread is told to end.
bool Retention::wait(Duration duration) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, duration, [&] { return stopping_; });
}

void Retention::run() {
  if (rules_.empty() || !wait(pace_.first)) return;
  int rounds = 0;
  do {
    round(rounds++ % pace_.keep_each == 0);
  } while (wait(pace_.each));
}

// A rule that fails is tried again in the next round.
void Retention::round(bool keep) {
  for (const auto& rule : rules_) {
    auto prune = rule.prune;
    if (!keep) prune.keep = 0;
    const auto now = pruner_->now_us();
    if (now && rule.kept_for > Duration::zero()) prune.before = std::to_string((*now - rule.kept_for.count()) / 1000);
    Result<std::int64_t> removed = now ? Result<std::int64_t>(0) : Result<std::int64_t>(now.error());
    while (removed) {
      removed = pruner_->prune(prune);
      if (removed) {
        metrics::count("fieldwork_pruned_rows_total", {{"table", prune.table}}, static_cast<double>(*removed));
        if (*removed < prune.limit) break;
      }
      if (!wait(pace_.pause)) return;
    }
    if (!removed) {
      metrics::count("fieldwork_prune_errors_total", {{"table", prune.table}});
      log::warn("old rows could not be removed; tried again in a minute",
                {{"table", prune.table}, {"reason", describe(removed.error())}});
    }
  }
}

}  // namespace fieldwork::runtime
