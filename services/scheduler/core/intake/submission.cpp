// Jobs: submission, answers to their clients, cancellation.
#include <algorithm>

#include "base/timestamp.hpp"
#include "scheduler/core/scheduler.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {

Error changed_since(std::string_view state, std::int64_t changed_ms) {
  return {Code::conflict,
          "the job has changed: it is " + std::string(state) + ", changed_ms " + std::to_string(changed_ms),
          "/expects"};
}

std::optional<Error> Scheduler::refuse(const JobSpec& spec, Time now) const {
  if (live_ >= limits_.jobs_live_max) {
    return Error{Code::unavailable, "there are " + std::to_string(live_) + " live jobs already; try again later"};
  }
  const auto contract = contract_of(spec, spec.targets.has_value(), limits_.lease_s);
  if (contract.stop_after_s && contract.lost_after_s && *contract.stop_after_s >= *contract.lost_after_s) {
    return Error{Code::invalid,
                 "must be below lost_after_s, which is " + std::to_string(*contract.lost_after_s) + " here",
                 "/offline/stop_after_s"};
  }
  if (spec.start_at_ms) {
    const auto start = from_ms(*spec.start_at_ms);
    if (start > now + start_ahead_max) return Error{Code::invalid, "must be within a year", "/start_at"};
    if (spec.deadline_s && start >= now + seconds(*spec.deadline_s))
      return Error{Code::invalid, "is not before the deadline, " + timestamp(now + seconds(*spec.deadline_s)),
                   "/start_at"};
  }
  if (!spec.package.empty() && !packages_.contains(spec.package)) {
    return Error{Code::unknown, "no such package: push it first (fieldwork package push)", "/package"};
  }
  // What is not enforced on the devices is not promised.
  if (const auto& rung = spec.requirements.sandbox_min; !rung.empty() && rung != "rlimits" && rung != "pid_namespace")
    return Error{Code::invalid, "no device enforces " + rung + "; there are rlimits and pid_namespace",
                 "/requirements/sandbox_min"};
  if (spec.requirements.privacy != PrivacyLevel::none)
    return Error{Code::invalid, "no device enforces a privacy level yet", "/requirements/privacy"};
  const auto largest = fleet_.largest();
  if (largest == Capacity{}) return std::nullopt;  // no device is known to compare with: the job waits
  const auto* content = fleet_.content(spec.package);
  const auto packages = content != nullptr ? content->needs_most : Capacity{};
  const auto impossible = [&](std::int64_t need, std::int64_t of_package, std::int64_t most,
                              const std::string& what) -> std::optional<Error> {
    if (need <= most) return std::nullopt;
    const auto has = "no device has more than " + std::to_string(most);
    if (need != of_package) return Error{Code::invalid, has, "/requirements/" + what};
    return Error{Code::invalid, "it needs " + std::to_string(need) + " of " + what + ", " + has, "/package"};
  };
  const auto& need = spec.requirements;
  if (auto e = impossible(need.cpu_millis, packages.cpu_millis, largest.cpu_millis, "cpu_millis")) return e;
  if (auto e = impossible(need.memory_bytes, packages.memory_bytes, largest.memory_bytes, "memory_bytes")) return e;
  return impossible(need.storage_bytes, packages.storage_bytes, largest.storage_bytes, "storage_bytes");
}

// What the package needs is required at least.
JobSpec Scheduler::with_needs(JobSpec spec) const {
  const auto* content = fleet_.content(spec.package);
  if (content == nullptr) return spec;
  auto& required = spec.requirements;
  required.cpu_millis = std::max(required.cpu_millis, content->needs_most.cpu_millis);
  required.memory_bytes = std::max(required.memory_bytes, content->needs_most.memory_bytes);
  required.storage_bytes = std::max(required.storage_bytes, content->needs_most.storage_bytes);
  return spec;
}

void Scheduler::wait(const JobId& job, Reply reply, Output& out) {
  if (replies_.count(job) >= replies_per_job_max) {
    const auto oldest = replies_.find(job);
    out.answers.emplace_back(NoAnswer{oldest->second});
    replies_.erase(oldest);
  }
  replies_.emplace(job, reply);
}

void Scheduler::on(const JobSubmitted& input, Time now, Output& out) {
  const auto conflict = [&](const std::string& digest) {
    if (digest == input.spec_digest) return false;
    out.answers.emplace_back(
        ErrorAnswer{input.reply, {Code::conflict, "this request id was used for another job", "/request"}});
    return true;
  };
  if (const auto it = jobs_.find(input.job); it != jobs_.end()) {
    if (conflict(it->second.spec_digest)) return;
    wait(input.job, input.reply, out);
    const bool nobody_yet = it->second.executions.empty();  // nothing is asked: the first request was answered at once
    if (it->second.state != JobState::submitted || nobody_yet) answer(it->second, out);
    return;
  }
  if (input.known) {
    if (!conflict(input.known->spec_digest)) {
      out.answers.emplace_back(SubmissionAnswer{input.reply, input.job, input.known->state, input.known->reason});
    }
    return;
  }
  auto job = job_if(input, now);
  if (!job) {
    out.answers.emplace_back(ErrorAnswer{input.reply, job.error()});
    return;
  }
  accept(std::move(*job), input.reply, now, out);
}

namespace {

// Whether it is one of the targets. `where`: their expression.
bool is_target(const Targets& targets, const std::optional<fleet::Expression>& where, const Device& device) {
  const bool labels = std::all_of(targets.labels.begin(), targets.labels.end(), [&](const auto& label) {
    const auto it = device.labels.find(label.first);
    return it != device.labels.end() && it->second == label.second;
  });
  const auto& groups = device.groups;
  const bool grouped = targets.group.empty() || std::find(groups.begin(), groups.end(), targets.group) != groups.end();
  return !barred(device.lifecycle) && labels && grouped && (!where || fleet::matches(*where, device));
}

}  // namespace

void Scheduler::remember_continuous(const Job& job) {
  if (is_continuous(*job.spec)) continuous_[job.id] = {job.targets.begin(), job.targets.end()};
}

// A device that was seen joins the continuous jobs of which it is a target and has no execution yet.
void Scheduler::join(const Device& device, Time now, Output& out) {
  for (auto& [id, joined] : continuous_) {
    auto& job = jobs_.at(id);
    if (joined.contains(device.id) || !is_target(*job.spec->targets, job.chooses, device)) continue;
    joined.insert(device.id);  // also where it cannot: it is told once
    const auto most =
        job.spec->limits.messages_per_s > 0 ? limits::executions_with_messages_max : limits::executions_max;
    if (job.executions.size() >= static_cast<std::size_t>(most) || live_executions_ >= limits_.executions_live_max) {
      out.notices.push_back(
          {"a device cannot join a continuous job: it has as many executions as there may be", device.id, id});
      continue;
    }
    auto& execution = job.executions.emplace_back();
    execution.index = static_cast<int>(job.executions.size()) - 1;
    execution.target = device.id;
    execution.changed_ms = to_ms(now);
    execution.joined = now;
    job.targets.push_back(device.id);
    ++job.counts[static_cast<std::size_t>(ExecutionState::queued)];
    ++live_executions_;
    enqueue(job, execution, now);
    unsaved_jobs_.insert(id);
    refresh(job, now, out);
  }
}

// The devices of a job with targets, by id, as they are now.
Result<std::vector<DeviceId>> Scheduler::devices_of(const Targets& targets) const {
  std::vector<DeviceId> out;
  for (const auto& id : targets.devices) {
    const auto* view = fleet_.find(id);
    if (view == nullptr || barred(view->device.lifecycle))
      return Error{Code::unknown, "there is no device " + id.value, "/targets/devices"};
    out.push_back(id);
  }
  const auto where = expression_of(targets.expression);
  if (targets.devices.empty()) {
    for (const auto& [id, number] : fleet_.all())
      if (is_target(targets, where, fleet_.view(number).device)) out.push_back(id);
  }
  const char* path = !targets.expression.empty() ? "/targets/expression"
                     : !targets.group.empty()    ? "/targets/group"
                                                 : "/targets/labels";
  const bool labels = path == std::string_view("/targets/labels");
  if (out.empty() && !targets.continuous)
    return Error{Code::unknown, labels ? "no device has these labels" : "no device is one of them", path};
  if (out.size() > static_cast<std::size_t>(limits::executions_max))
    return Error{Code::invalid,
                 std::to_string(out.size()) + (labels ? " devices have these labels" : " devices are") +
                     ", a job has at most " + std::to_string(limits::executions_max) + "; narrow them",
                 path};
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Result<Job> Scheduler::job_if(const JobSubmitted& input, Time now) const {
  auto spec = with_needs(input.spec);
  if (auto error = refuse(spec, now)) return *error;
  Job job;
  job.id = input.job;
  job.request = input.request;
  job.submitter = input.submitter;
  job.spec = std::make_shared<JobSpec>(std::move(spec));
  job.content = fleet_.content(job.spec->package);
  job.made_of = input.made_of;
  job.retry_of = input.retry_of;
  job.spec_digest = input.spec_digest;
  job.traceparent = input.traceparent;
  job.bulk = input.bulk;
  job.submitted_ms = job.changed_ms = to_ms(now);
  job.order = order_ + 1;
  read_expressions(job);
  job.durations = duration_keys(job);
  if (job.spec->targets) {
    auto targets = devices_of(*job.spec->targets);
    if (!targets) return targets.error();
    job.targets = std::move(*targets);
  }
  const auto wanted = job.spec->targets ? job.targets.size() : static_cast<std::size_t>(job.spec->replicas);
  if (live_executions_ + wanted > limits_.executions_live_max)
    return Error{Code::unavailable,
                 "there are " + std::to_string(live_executions_) + " live executions already; try again later"};
  const auto most = static_cast<std::size_t>(limits::executions_with_messages_max);
  if (job.spec->limits.messages_per_s > 0 && job.targets.size() > most)
    return Error{Code::invalid,
                 "is for at most " + std::to_string(most) + " devices, these are " + std::to_string(job.targets.size()),
                 "/limits/messages_per_s"};
  const auto heard = static_cast<std::int64_t>(wanted == 0 ? 0 : wanted * (wanted - 1));  // each hears all others
  if (heard * job.spec->limits.messages_per_s > lines_of_job_per_s_max)
    return Error{
        Code::invalid,
        "is for " + std::to_string(wanted) + " executions at most " + std::to_string(lines_of_job_per_s_max / heard),
        "/limits/messages_per_s"};
  job.executions.resize(wanted);
  for (std::size_t i = 0; i < job.executions.size(); ++i) {
    auto& execution = job.executions[i];
    execution.index = static_cast<int>(i);
    if (!job.targets.empty()) execution.target = job.targets[i];
    execution.changed_ms = job.submitted_ms;
  }
  job.counts[static_cast<std::size_t>(ExecutionState::queued)] = job.executions.size();
  estimate(job);
  return job;
}

void Scheduler::accept(Job job, Reply reply, Time now, Output& out) {
  ++order_;
  ++live_;
  live_executions_ += job.executions.size();
  wait(job.id, reply, out);
  if (job.spec->deadline_s) timers_.set(deadline_of(job), DeadlineDue{job.id});
  auto& stored = jobs_.emplace(job.id, std::move(job)).first->second;
  list(stored);
  remember_continuous(stored);
  if (stored.executions.empty()) {  // until a device joins nothing is asked
    stored.reason = no_target_yet;
    touched_jobs_.insert(stored.id);
    answer(stored, out);
  }
  for (auto& execution : stored.executions) {
    if (auto there = ended_there_.extract({stored.id, execution.index})) execution.claimed = there.mapped().first;
    enqueue(stored, execution, now);
  }
  unsaved_jobs_.insert(stored.id);
}

void Scheduler::answer(const Job& job, Output& out) {
  const auto [begin, end] = replies_.equal_range(job.id);
  for (auto reply = begin; reply != end; ++reply) {
    out.answers.emplace_back(SubmissionAnswer{reply->second, job.id, std::string(name(job.state)), job.reason});
  }
  replies_.erase(begin, end);
}

void Scheduler::on(const CancelRequested& input, Time now, Output& out) {
  const auto it = jobs_.find(input.job);
  if (it == jobs_.end()) {
    out.answers.emplace_back(ErrorAnswer{input.reply, {Code::unknown, "no such live job", "/job"}});
    return;
  }
  auto& job = it->second;
  if (input.expects && *input.expects != job.changed_ms) {
    out.answers.emplace_back(ErrorAnswer{input.reply, changed_since(name(job.state), job.changed_ms)});
    return;
  }
  if (!settled(job.state)) end_job(job, JobState::cancelled, "cancelled on request", now, out);
  out.answers.emplace_back(SubmissionAnswer{input.reply, job.id, std::string(name(job.state)), job.reason});
}

// The job is settled at once; its devices are told.
void Scheduler::end_job(Job& job, JobState state, const std::string& reason, Time now, Output& out) {
  job.reason = reason;
  const auto end = state == JobState::denied        ? ExecutionState::denied
                   : state == JobState::expired     ? ExecutionState::expired
                   : state == JobState::quarantined ? ExecutionState::quarantined
                                                    : ExecutionState::cancelled;
  for (auto& execution : job.executions) {
    if (settled(execution.state)) continue;
    const bool live = execution.is<Live>();
    if (live) cancel_attempt(job, execution, reason, now, out);
    settle(job, execution, end, reason, now);
    if (live && execution.shown)
      cancelled_.at(execution.attempt->key).shown = {job.id, job.spec, job.traceparent, job.bulk, execution};
  }
  settle(job, state, now, out);
}

}  // namespace fieldwork::scheduler
