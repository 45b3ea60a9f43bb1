// Jobs come in, are answered, are stopped.
#include <algorithm>

#include "scheduler/core/scheduler.hpp"

namespace fieldwork::scheduler {

namespace {
constexpr std::size_t executions_max = 10'000;
constexpr std::size_t replies_per_job_max = 8;
}  // namespace

std::optional<Error> Scheduler::refuse(const JobSubmitted& input) const {
  const auto& spec = input.spec;
  if (live_ >= limits_.jobs_live_max) {
    return Error{Code::unavailable, "there are " + std::to_string(live_) + " unfinished jobs already; try again later"};
  }
  if (!spec.package.empty() && !packages_.contains(spec.package)) {
    return Error{Code::unknown, "no such package: push it first (fieldwork package push)", "/package"};
  }
  Capacity largest;
  for (const auto& [id, view] : devices_) {
    largest.cpu_millis = std::max(largest.cpu_millis, view.device.capacity.cpu_millis);
    largest.memory_bytes = std::max(largest.memory_bytes, view.device.capacity.memory_bytes);
    largest.disk_bytes = std::max(largest.disk_bytes, view.device.capacity.disk_bytes);
  }
  if (largest == Capacity{}) return std::nullopt;  // nothing to compare with yet: it waits
  const auto impossible = [](std::int64_t need, std::int64_t most, const char* path) -> std::optional<Error> {
    if (need <= most) return std::nullopt;
    return Error{Code::invalid, "no device has more than " + std::to_string(most), path};
  };
  const auto& need = spec.requirements;
  if (auto e = impossible(need.cpu_millis, largest.cpu_millis, "/requirements/cpu_millis")) return e;
  if (auto e = impossible(need.memory_bytes, largest.memory_bytes, "/requirements/memory_bytes")) return e;
  return impossible(need.disk_bytes, largest.disk_bytes, "/requirements/disk_bytes");
}

void Scheduler::on(const JobSubmitted& input, Time now, Effects& out) {
  const auto conflict = [&](const std::string& digest) {
    if (digest == input.spec_digest) return false;
    out.push_back(AnswerError{input.reply, {Code::conflict, "this request id was used for another job", "/request"}});
    return true;
  };
  if (const auto it = jobs_.find(input.job); it != jobs_.end()) {
    if (conflict(it->second.spec_digest)) return;
    if (replies_.count(input.job) >= replies_per_job_max) replies_.erase(replies_.find(input.job));
    replies_.emplace(input.job, input.reply);
    if (it->second.state != JobState::submitted) answer(input.job, out);
    return;
  }
  if (input.known) {
    if (!conflict(input.known->spec_digest)) {
      out.push_back(AnswerSubmission{input.reply, input.job, input.known->state, input.known->reason});
    }
    return;
  }
  if (auto error = refuse(input)) {
    out.push_back(AnswerError{input.reply, std::move(*error)});
    return;
  }
  accept(input, now, out);
}

void Scheduler::accept(const JobSubmitted& input, Time now, Effects& out) {
  Job job;
  job.id = input.job;
  job.request = input.request;
  job.submitter = input.submitter;
  job.spec = input.spec;
  job.spec_digest = input.spec_digest;
  job.traceparent = input.traceparent;
  job.bulk = input.bulk;
  job.submitted_ms = job.changed_ms = to_ms(now);
  job.order = ++order_;
  if (job.spec.targets) {
    for (const auto& [id, view] : devices_) {
      bool match = view.device.state != DeviceState::refused;
      for (const auto& [key, value] : *job.spec.targets) {
        const auto it = view.device.labels.find(key);
        match = match && it != view.device.labels.end() && it->second == value;
      }
      if (match && job.executions.size() < executions_max) job.executions.push_back({.target = id});
    }
    if (job.executions.empty()) {
      out.push_back(AnswerError{input.reply, {Code::unknown, "no device has these labels", "/targets/labels"}});
      return;
    }
    std::sort(job.executions.begin(), job.executions.end(),
              [](const auto& a, const auto& b) { return a.target < b.target; });
  } else {
    job.executions.resize(static_cast<std::size_t>(job.spec.replicas));
  }
  for (std::size_t i = 0; i < job.executions.size(); ++i) job.executions[i].index = static_cast<int>(i);

  ++live_;
  replies_.emplace(job.id, input.reply);
  if (job.spec.deadline_s) deadlines_.emplace(now + seconds(*job.spec.deadline_s), job.id);
  auto& stored = jobs_.emplace(job.id, std::move(job)).first->second;
  for (auto& execution : stored.executions) enqueue(stored, execution);
  out.push_back(SaveJob{stored.id});
}

void Scheduler::answer(const JobId& id, Effects& out) {
  const auto it = jobs_.find(id);
  const auto [begin, end] = replies_.equal_range(id);
  for (auto reply = begin; reply != end; ++reply) {
    out.push_back(AnswerSubmission{reply->second, id, std::string(name(it->second.state)), it->second.reason});
  }
  replies_.erase(begin, end);
}

void Scheduler::on(const CancelRequested& input, Time now, Effects& out) {
  const auto it = jobs_.find(input.job);
  if (it == jobs_.end()) {
    out.push_back(AnswerError{input.reply, {Code::unknown, "no such unfinished job", "/job"}});
    return;
  }
  if (!settled(it->second.state)) stop(it->second, JobState::cancelled, "cancelled on request", now, out);
  out.push_back(AnswerSubmission{input.reply, input.job, std::string(name(it->second.state)), it->second.reason});
}

// The decision is made here and now; the devices are told until they answer.
void Scheduler::stop(Job& job, JobState state, std::string reason, Time now, Effects& out) {
  job.reason = std::move(reason);
  for (auto& execution : job.executions) {
    if (execution.phase == Phase::live) {
      const auto key = execution.attempt->key;
      out.push_back(Order{cancel_key(key), execution.attempt->device, Cancel{key, job.traceparent}});
      settle_attempt(job, execution, AttemptState::cancelled, now, out);
    } else {
      withdraw(job, execution);
    }
    execution.phase = Phase::done;
  }
  finish(job, state, now, out);
}

}  // namespace fieldwork::scheduler
