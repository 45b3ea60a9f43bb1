// One scheduler's core, its time, its output of the last step, and the rows that a database would have kept of it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/core/scheduler.hpp"

namespace fieldwork::scheduler {

inline constexpr std::int64_t mib = 1 << 20;

inline DeviceId dev(const std::string& id) { return DeviceId(id); }

inline Device ready(const std::string& id, Labels labels = {}, std::int64_t cpu_millis = 4000) {
  return {.id = dev(id),
          .lifecycle = Lifecycle::active,
          .presence = Presence::online,
          .about = {.capacity = {.cpu_millis = cpu_millis, .memory_bytes = 1024 * mib, .storage_bytes = 1024 * mib}},
          .labels = std::move(labels)};
}

inline Device in_presence(Device device, Presence presence) {
  device.presence = presence;
  return device;
}
inline Device in_lifecycle(Device device, Lifecycle lifecycle) {
  device.lifecycle = lifecycle;
  return device;
}

inline AttemptKey key(const std::string& job, std::int64_t fence = 1, int execution = 0) {
  return {JobId(job), execution, fence};
}

// Rows as the shell stores them: a restart knows these and nothing else.
class Rows {
 public:
  void keep(const Output& out) {
    // A job or attempt marked as stored must be in the rows, and a job in the rows must be marked so.
    for (const auto& one : out.jobs) EXPECT_EQ(one.stored, jobs_.contains(one.id)) << one.id.value;
    for (const auto& one : out.attempts)
      EXPECT_TRUE(!one.stored || attempts_.contains(one.key) || batch_has(out, one.key)) << one.key.job.value;
    for (const auto& one : out.jobs) {
      if (!jobs_.contains(one.id)) order_.push_back(one.id);
      jobs_[one.id] = one;
    }
    for (const auto& one : out.executions) executions_[{one.job, one.execution.index}] = one.execution;
    for (const auto& one : out.attempts) attempts_[one.key] = one;
    for (const auto& one : out.streams) {
      streams_[one.device] = one.stream;
      if (one.remove) streams_.erase(one.device);
    }
    for (const auto& one : out.placeable) {
      placeable_[one.device] = one;
      if (one.placeable) placeable_.erase(one.device);
    }
    for (const auto& one : out.failures) {
      failures_[one.work] = one;
      if (one.remove) failures_.erase(one.work);
    }
    for (const auto& one : out.shown) {
      shown_[{one.job, one.execution}] = one;
      if (one.remove) shown_.erase({one.job, one.execution});
    }
  }

  void keep(const PackageSeen& package) { packages_[package.digest] = package; }

  [[nodiscard]] Saved load() const {
    Saved saved{.streams = streams_};
    for (const auto& [digest, one] : packages_) saved.packages.push_back(one);
    for (const auto& id : order_) saved.jobs.push_back(job_of(jobs_.at(id)));
    for (const auto& [device, one] : placeable_) saved.placeable.push_back(one);
    for (const auto& [at, one] : shown_) saved.shown.push_back(one);
    for (const auto& [work, one] : failures_) saved.failures.push_back(one);
    return saved;
  }
  [[nodiscard]] const std::map<AttemptKey, Attempt>& attempts() const { return attempts_; }
  [[nodiscard]] const JobRecord& job(const std::string& id) const { return jobs_.at(JobId(id)); }

 private:
  // The same batch adds the attempt.
  static bool batch_has(const Output& out, const AttemptKey& key) {
    return std::any_of(out.attempts.begin(), out.attempts.end(),
                       [&](const auto& one) { return one.key == key && !one.stored; });
  }
  [[nodiscard]] Job job_of(const JobRecord& record) const {
    Job job{record, {}, {}, 0};
    job.stored = true;
    if (settled(job.state)) return job;
    job.executions.resize(job.spec->targets ? job.targets.size() : static_cast<std::size_t>(job.spec->replicas));
    job.counts = {};
    for (std::size_t i = 0; i < job.executions.size(); ++i) {
      auto& execution = job.executions[i];
      const auto index = static_cast<int>(i);
      if (const auto row = executions_.find({job.id, index}); row != executions_.end()) execution = row->second;
      execution.index = index;
      execution.timer.reset();
      execution.attempt.reset();
      execution.claimed = {};  // has no column
      if (!job.targets.empty()) execution.target = job.targets[i];
      for (auto it = attempts_.lower_bound({job.id, index, 0}); it != attempts_.end(); ++it) {
        if (it->first.job != job.id || it->first.execution != index) break;
        const bool over = execution.attempt && execution.attempt->state == AttemptState::succeeded;
        if (!over) execution.attempt = it->second;
        execution.attempt->stored = true;
        execution.fence = std::max(execution.fence, it->first.fence);
      }
      if (execution.attempt && !execution.stored) follow_attempt(execution);
      if (settled(execution.state)) {
        execution.phase = Settled{};
      } else if (execution.state == ExecutionState::queued) {
        execution.phase = Queued{};
      } else if (execution.state != ExecutionState::waiting) {
        EXPECT_TRUE(execution.attempt && !settled(execution.attempt->state)) << job.id.value << " has no live attempt";
        execution.phase = Live{};
      }
      ++job.counts[static_cast<std::size_t>(execution.state)];
    }
    return job;
  }

  std::vector<JobId> order_;
  std::map<JobId, JobRecord> jobs_;
  std::map<std::pair<JobId, int>, Execution> executions_;
  std::map<AttemptKey, Attempt> attempts_;
  std::map<DeviceId, Stream> streams_;
  std::map<DeviceId, PlaceableRecord> placeable_;
  std::map<std::pair<JobId, int>, ShownRecord> shown_;
  std::map<std::string, FailureRecord> failures_;
  std::map<std::string, PackageSeen> packages_;
};

// True: the output is empty.
inline bool silent(const Output& out) {
  return out.jobs.empty() && out.executions.empty() && out.attempts.empty() && out.parts.empty() &&
         out.streams.empty() && out.shown.empty() && out.placeable.empty() && out.outbox.empty() &&
         out.questions.empty() && out.answers.empty() && out.stale.empty() && out.acknowledgements.empty() &&
         out.job_states.empty() && out.execution_states.empty() && out.forgotten_jobs.empty() &&
         out.forgotten_executions.empty() && out.notices.empty() && out.moved.empty();
}

struct World {
  Limits limits = still({});
  Scheduler core{still({})};
  Time now = from_ms(1'000'000);
  Output said;
  Rows rows;
  std::map<DeviceId, std::int64_t> seqs;

  World() = default;
  // Nothing by chance, unless a test says so.
  static Limits still(Limits some) {
    if (some.backoff_spread == Limits{}.backoff_spread) some.backoff_spread = 0;
    return some;
  }
  explicit World(const std::vector<Device>& devices, const Limits& some = {}) : limits(still(some)), core(limits) {
    for (const auto& device : devices) step(DeviceSeen{device});
  }

  const Output& step(const Input& input) {
    said = {};
    core.step(input, now, said);
    core.step(BatchEnded{}, now, said);
    rows.keep(said);
    if (const auto* package = std::get_if<PackageSeen>(&input)) rows.keep(*package);
    return said;
  }
  const Output& pass(Duration time) {
    now += time;
    return step(TimePassed{});
  }
  // Lets `time` pass second by second, as the engine does, with heartbeats of these devices each second.
  void live_through(Duration time, const std::map<std::string, std::vector<AttemptKey>>& heartbeats = {}) {
    for (const auto end = now + time; now < end;) {
      pass(seconds(1));
      for (const auto& [device, keys] : heartbeats) step(HeartbeatArrived{dev(device), 0, keys, now});
    }
  }
  // Makes a new core from the stored rows. `hears`: the core waits to hear what the devices have before it places.
  void restart(const std::vector<Device>& devices = {}, bool hears = false) {
    auto of_start = limits;
    if (!hears) of_start.hear_first = {};
    core = Scheduler(of_start, rows.load(), now);
    for (const auto& device : devices) step(DeviceSeen{device});
  }

  [[nodiscard]] Question question() const {
    EXPECT_EQ(said.questions.size(), 1U);
    return said.questions.empty() ? Question{} : said.questions.front();
  }
  template <class T>
  [[nodiscard]] std::vector<T> answers() const {
    std::vector<T> out;
    for (const auto& answer : said.answers) {
      if (const auto* one = std::get_if<T>(&answer)) out.push_back(*one);
    }
    return out;
  }
  [[nodiscard]] SubmissionAnswer answer() const {
    EXPECT_EQ(said.answers.size(), 1U);
    const auto all = answers<SubmissionAnswer>();
    return all.empty() ? SubmissionAnswer{} : all.front();
  }
  [[nodiscard]] Error error() const {
    EXPECT_EQ(said.answers.size(), 1U);
    const auto all = answers<ErrorAnswer>();
    return all.empty() ? Error{} : all.front().error;
  }
  template <class T>
  [[nodiscard]] static std::vector<PutCommand> commands_of(const Output& out) {
    std::vector<PutCommand> found;
    for (const auto& change : out.outbox) {
      const auto* put = std::get_if<PutCommand>(&change);
      if (put != nullptr && std::holds_alternative<T>(put->command)) found.push_back(*put);
    }
    return found;
  }
  template <class T>
  [[nodiscard]] std::vector<PutCommand> commands() const {
    return commands_of<T>(said);
  }
  [[nodiscard]] std::vector<std::string> closed_keys() const {
    std::vector<std::string> out;
    for (const auto& change : said.outbox) {
      if (const auto* close = std::get_if<CloseCommand>(&change)) out.push_back(close->key);
    }
    return out;
  }
  [[nodiscard]] bool closes(const std::string& command) const {
    const auto keys = closed_keys();
    return std::find(keys.begin(), keys.end(), command) != keys.end();
  }

  static JobSubmitted submission(const std::string& id, JobSpec spec = {}, Reply reply = 1) {
    if (spec.command.empty()) spec.command = {"run", id};
    return {.reply = reply,
            .job = JobId(id),
            .submitter = "ops",
            .request = id,
            .spec = std::move(spec),
            .spec_digest = "d-" + id};
  }
  static DecisionMade allow(const Question& question) {
    return {{.key = question.key, .device = question.device, .allow = true, .reason = "rule 1", .grant = "grant"}};
  }
  static DecisionMade deny(const Question& question, bool about_device, const std::string& reason = "rule 7") {
    return {{.key = question.key, .device = question.device, .about_device = about_device, .reason = reason}};
  }
  const Output& submit(const std::string& id, JobSpec spec = {}) { return step(submission(id, std::move(spec))); }
  // Allows all that is asked, until nothing more is asked; returns the assignments.
  std::vector<PutCommand> allow_all() {
    std::vector<PutCommand> out;
    auto open = said.questions;
    while (!open.empty()) {
      std::vector<Question> more;
      for (const auto& one : open) {
        step(allow(one));
        for (auto& command : commands<Assign>()) out.push_back(std::move(command));
        more.insert(more.end(), said.questions.begin(), said.questions.end());
      }
      open = std::move(more);
    }
    return out;
  }
  std::vector<PutCommand> run(const std::string& id, JobSpec spec = {}) {
    submit(id, std::move(spec));
    return allow_all();
  }
  // Steps the next item of the device's report stream.
  const Output& report(const std::string& device, AttemptReport report) {
    const auto seq = ++seqs[dev(device)];
    return step(ReportArrived{.device = dev(device),
                              .epoch = 1,
                              .first = seq,
                              .seq = seq,
                              .after = seq - 1,
                              .items = {{.tag = seq, .report = std::move(report)}},
                              .at = now});
  }
  const Output& report(const std::string& device, const AttemptKey& attempt, AttemptState state,
                       const std::string& reason = "") {
    return report(device, AttemptReport{.key = attempt, .state = state, .reason = reason});
  }
  const Output& heartbeat(const std::string& device, const std::vector<AttemptKey>& attempts, std::int64_t beat = 0) {
    return step(HeartbeatArrived{dev(device), beat, attempts, now});
  }

  [[nodiscard]] const Job& job(const std::string& id) const { return *core.find(JobId(id)); }
  [[nodiscard]] JobState state(const std::string& id) const { return job(id).state; }
  [[nodiscard]] const Execution& execution(const std::string& id, std::size_t index = 0) const {
    return job(id).executions.at(index);
  }
  [[nodiscard]] const Attempt& attempt(const std::string& id, std::size_t index = 0) const {
    return *execution(id, index).attempt;
  }
  [[nodiscard]] const DeviceView& view(const std::string& device) const { return *core.fleet().find(dev(device)); }
};

}  // namespace fieldwork::scheduler
