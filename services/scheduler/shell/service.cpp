#include "scheduler/shell/service.hpp"

#include <nlohmann/json.hpp>

#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "scheduler/core/fleet/balance.hpp"
#include "scheduler/limits.hpp"
#include "scheduler/shell/rows.hpp"
#include "scheduler/shell/stored_job.hpp"

namespace fieldwork::scheduler {

SchedulerService::SchedulerService(std::string root, Limits limits, std::shared_ptr<runtime::Reads> reads,
                                   Scenarios scenarios)
    : Shell(std::move(root)), limits_(limits), reads_(std::move(reads)), scenarios_(std::move(scenarios)) {}

// Settled jobs, with all rows that belong to them.
std::vector<runtime::RetentionRule> SchedulerService::retention() const {
  return {{.prune = {.table = "job",
                     .column = "changed_ms",
                     .where = {{"live", "false"}},
                     .keep = limits_.jobs_kept_max,
                     .limit = 500,
                     .key = "job",
                     .along = {"execution", "attempt", "part", "shown"}},
           .kept_for = limits_.jobs_kept}};
}

Result<void> SchedulerService::load(store::Store& store, Time now) {
  if (auto read = templates_.load(store); !read) return read.error();
  auto saved = scheduler::load(store, limits_);
  if (!saved) return saved.error();
  log::info("loaded", {{"jobs", std::to_string(saved->jobs.size())}});
  core_.emplace(limits_, std::move(*saved), now);
  stored_ids_ = {};
  stored_after_.clear();
  forecast_.reset();
  waits_said_.clear();
  loaded_ = true;
  return {};
}

void SchedulerService::connected(Time now, runtime::Output& out) {
  Shell::connected(now, out);
  if (std::exchange(loaded_, false)) {
    for (const auto& one : core_->open_commands()) put(one, out);
  }
  again_.clear();
  for (const auto& [id, job] : core_->jobs()) again_.emplace_back(id, 0);
  ended_again_ = core_->shown_of_the_settled();
  say_placement(out);
}

// The broker may have lost every retained state: each is published again as it is by then, again_at_once_max in a
// batch.
void SchedulerService::say_again(runtime::Output& out) {
  Output some;
  std::size_t states = 0;
  while (!again_.empty() && states < again_at_once_max) {
    auto& [id, next] = again_.front();
    const Job* job = core_->find(id);
    if (job != nullptr && next == 0) some.job_states.push_back(*job), ++states;
    for (; job != nullptr && next < job->executions.size() && states < again_at_once_max; ++next) {
      const auto& execution = job->executions[next];
      if (!execution.shown) continue;
      some.execution_states.push_back({id, job->spec, job->traceparent, job->bulk, execution});
      ++states;
    }
    if (job == nullptr || next >= job->executions.size()) again_.pop_front();
  }
  say_states(some, out);
}

// The same of executions that are in the store alone, some jobs at a time.
void SchedulerService::say_ended_again(Time now) {
  if (!reads_ || ended_asked_ || ended_again_.empty() || now < ended_ask_at_) return;
  std::vector<JobId> some;
  for (auto it = ended_again_.begin(); it != ended_again_.end() && some.size() < ended_again_at_once_max; ++it)
    some.push_back(it->first);
  ended_asked_ = reads_->ask("", [this, some = std::move(some)](store::Reader& reader) -> runtime::Task {
    std::vector<Job> jobs;
    bool away = false;
    for (const auto& id : some) {
      auto job = stored_job(reader, id);
      away = away || (!job && job.error().code == Code::unavailable);
      if (job) jobs.push_back(std::move(*job));
    }
    return [this, some, jobs = std::move(jobs), away](Time answered, runtime::Output& out) {
      ended_asked_ = false;
      if (away) return void(ended_ask_at_ = answered + seconds{1});
      Output said;
      for (const auto& job : jobs) {
        for (const auto index : ended_again_[job.id]) {
          const auto at = static_cast<std::size_t>(index);
          if (at >= job.executions.size() || !settled(job.executions[at].state)) continue;
          said.execution_states.push_back({job.id, job.spec, job.traceparent, job.bulk, job.executions[at]});
        }
      }
      for (const auto& id : some) ended_again_.erase(id);
      say_states(said, out);
    };
  });
}

void SchedulerService::say_placement(runtime::Output& out) {
  Output all;
  for (const auto& [id, number] : core_->fleet().all()) {
    const auto& view = core_->fleet().view(number);
    if (view.unplaceable_times > 0) {
      all.placeable.push_back({id, false, view.unplaceable_reason, view.unplaceable_times, view.unplaceable_since_ms,
                               to_ms(view.unplaceable_until)});
    }
  }
  say_states(all, out);
}

bool SchedulerService::may_be_stored(const JobId& job) const {
  return core_->find(job) == nullptr && stored_ids_.may_hold(job);
}

void SchedulerService::fill_stored_ids(Time now) {
  if (!reads_ || stored_asked_ || now < stored_ask_at_) return;
  if (stored_ids_.is_worn()) stored_ids_ = {};  // and what is stored is read from the first page on
  if (stored_ids_.is_filled()) return;
  store::Range page{.table = "job", .column = "submitted_ms", .after = stored_after_, .limit = ids_page_max};
  page.key_only = true;
  stored_asked_ = reads_->ask("", [this, page = std::move(page)](store::Reader& reader) -> runtime::Task {
    auto found = reader.range(page);
    std::vector<JobId> ids;
    if (found) {
      for (const auto& text : found->rows) ids.emplace_back(codec::Json::parse(text).at("job").get<std::string>());
    }
    return [this, found = std::move(found), ids = std::move(ids)](Time answered, runtime::Output&) {
      stored_asked_ = false;
      if (!found) return void(stored_ask_at_ = answered + seconds{1});
      for (const auto& id : ids) stored_ids_.add(id);
      stored_after_ = found->next;
      if (stored_after_.empty()) stored_ids_.filled();
    };
  });
}

void SchedulerService::flush(Time now, runtime::Output& out) {
  Shell::flush(now, out);
  fill_stored_ids(now);
  say_ended_again(now);
  refresh_waits(now, out);
  submissions_.clear();
  known_.clear();
  success_.reset();
  tried_ = tried_width_ = 0;
  metrics::gauge("fieldwork_jobs_live", static_cast<double>(core_->live()));
  metrics::gauge("fieldwork_executions_queued", static_cast<double>(core_->queued()));
  metrics::gauge("fieldwork_questions_open", static_cast<double>(core_->asking()));
  if (now < balance_at_) return;
  balance_at_ = now + balance_every;
  const auto balance = balance_of(core_->fleet());
  metrics::gauge("fieldwork_load_mean", balance.mean());
  metrics::gauge("fieldwork_load_variation", balance.variation());
}

}  // namespace fieldwork::scheduler
