// Rows to what the scheduler knows.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "codec/job.hpp"
#include "scheduler/shell/rows.hpp"
#include "scheduler/shell/stored_job.hpp"

namespace fieldwork::scheduler {
namespace {

using codec::Json;

// A placement in the form of an earlier version is read as an empty one.
Placement decode_placement(const Json& value) {
  Placement out;
  if (!value.is_array() || value.size() != 5) return out;
  const auto device = [](const Json& text) { return DeviceId(text.get<std::string>()); };
  if (auto chosen = device(value.at(0)); !chosen.empty()) out.chosen = std::move(chosen);
  out.candidates_total = value.at(1);
  out.filtered_total = value.at(2);
  for (const auto& one : value.at(3)) {
    const auto part = [&](std::size_t at) { return at < one.size() ? one.at(at).get<double>() / parts_of_one : 0; };
    out.candidates.push_back({{.score = part(1),
                               .fit = part(2),
                               .health = part(3),
                               .link = part(4),
                               .locality = part(5),
                               .spread = part(6),
                               .affinity = part(8),
                               .history = part(7)},
                              device(one.at(0))});
  }
  for (const auto& one : value.at(4)) out.filtered.push_back({device(one.at(0)), one.at(1), one.at(2)});
  return out;
}

PackageSeen decode_package_row(const Json& row) {
  PackageSeen out{row.at("digest"), row.at("size_bytes"), row.at("name")};
  for (const auto& name : row.at("names")) out.names.push_back({name.at(0), name.at(1)});
  out.architecture = row.at("architecture");
  out.needs = {row.at("cpu_millis"), row.at("memory_bytes"), row.at("storage_bytes")};
  return out;
}

Result<Attempt> decode_attempt(const Json& row) {
  Attempt out;
  out.key = {JobId(row.at("job").get<std::string>()), row.at("execution"), row.at("fence")};
  out.number = row.at("attempt");
  out.device = DeviceId(row.at("device").get<std::string>());
  const auto state = attempt_state(row.at("state").get<std::string>());
  const auto reported = attempt_state(row.at("reported").get<std::string>());
  if (!state || !reported) return Error{Code::invalid, "unknown state in the database", "attempt.state"};
  out.state = *state;
  out.reported = *reported;
  out.reason = row.at("reason");
  out.preempted_by = JobId(row.at("preempted_by").get<std::string>());
  out.moves = row.at("moves");
  out.grant = row.at("grant");
  out.package = row.at("package");
  if (const auto& contract = row.at("contract"); !contract.is_null()) {
    auto read = codec::decode_contract(contract);
    if (!read) return read.error();
    out.contract = *read;
  }
  if (const auto& progress = row.at("progress"); !progress.is_null()) {
    auto read = codec::decode_run_progress(progress);
    if (!read) return read.error();
    out.progress = std::move(*read);
  }
  auto decided = codec::decode_decided(row.at("decided"));
  if (!decided) return decided.error();
  out.decided = std::move(*decided);
  if (!row.at("result").is_null()) {
    auto result = codec::decode_result(row.at("result"));
    if (!result) return result.error();
    out.result = std::make_shared<RunResult>(std::move(*result));
  }
  out.placement = std::make_shared<Placement>(decode_placement(row.at("placement")));
  out.created_ms = row.at("created_ms");
  out.changed_ms = row.at("changed_ms");
  out.version = row.at("version");
  out.shown = row.at("shown");
  out.stored = true;
  return out;
}

Result<void> decode_execution(const Json& row, Execution& out) {
  const auto state = execution_state(row.at("state").get<std::string>());
  if (!state) return Error{Code::invalid, "unknown state in the database", "execution.state"};
  out.state = *state;
  out.fence = row.at("fence");
  out.version = row.at("version");
  out.attempts = row.at("attempt");
  out.failures = row.at("failures");
  out.losses = row.at("losses");
  out.rounds = row.at("rounds");
  out.reason = row.at("reason");
  for (const auto& [device, one] : row.at("excluded").items()) {
    out.excluded[DeviceId(device)] = {one.at("by_policy"), one.at("reason")};
  }
  for (const auto& device : row.at("avoid")) out.avoid.insert(DeviceId(device.get<std::string>()));
  if (const auto& original = row.at("original"); !original.is_null()) {
    out.original = Original{original.at("fence"), DeviceId(original.at("device").get<std::string>()),
                            original.at("attempt"), original.at("created_ms")};
    if (const auto progress = original.find("progress"); progress != original.end()) {
      auto read = codec::decode_run_progress(*progress);
      if (!read) return read.error();
      out.original->progress = std::move(*read);
    }
  }
  out.shown = row.at("shown");
  out.changed_ms = row.at("changed_ms");
  out.stored = true;
  if (settled(*state)) {
    out.phase = Settled{};
  } else if (*state == ExecutionState::waiting) {
    out.phase = Waiting{from_ms(row.at("retry_at_ms"))};
  } else if (*state != ExecutionState::queued) {
    out.phase = Live{};
  }
  return {};
}

Result<Job> decode_job_row(const Json& row) {
  Job job;
  job.id = JobId(row.at("job").get<std::string>());
  job.request = row.at("request");
  job.submitter = row.at("submitter");
  auto spec = codec::decode_job(row.at("spec"));
  if (!spec) return spec.error();
  job.spec = std::make_shared<JobSpec>(std::move(*spec));
  job.made_of = row.at("template");
  job.retry_of = JobId(row.at("retry_of").get<std::string>());
  if (const auto& estimated = row.at("estimated"); !estimated.is_null())
    job.estimated = {estimated.value("cpu_millis", std::int64_t{0}), estimated.value("memory_bytes", std::int64_t{0})};
  job.spec_digest = row.at("spec_digest");
  job.traceparent = row.at("traceparent");
  const auto state = job_state(row.at("state").get<std::string>());
  if (!state) return Error{Code::invalid, "unknown state in the database", "job.state"};
  job.state = *state;
  job.reason = row.at("reason");
  for (const auto& one : row.at("reasons")) job.reasons.push_back(one);
  job.bulk = row.at("bulk");
  job.authorised = row.at("authorised");
  job.device = DeviceId(row.at("device").get<std::string>());
  job.submitted_ms = row.at("submitted_ms");
  job.changed_ms = row.at("changed_ms");
  job.stored = true;
  for (const auto& target : row.at("targets")) job.targets.push_back(DeviceId(target.get<std::string>()));
  const auto& counts = row.at("counts");
  for (std::size_t i = 0; i < job.counts.size(); ++i)
    job.counts[i] = counts.value(std::string(name(static_cast<ExecutionState>(i))), std::size_t{0});
  return job;
}

}  // namespace

Result<std::vector<Job>> assemble(const std::vector<std::string>& job_rows,
                                  const std::vector<std::string>& execution_rows,
                                  const std::vector<std::string>& attempt_rows) {
  std::unordered_map<std::string, Job> by_id;
  std::vector<std::string> order;
  for (const auto& text : job_rows) {
    auto job = decode_job_row(Json::parse(text));
    if (!job) return job.error();
    job->executions.resize(job->spec->targets ? job->targets.size() : static_cast<std::size_t>(job->spec->replicas));
    for (std::size_t i = 0; i < job->executions.size(); ++i) {
      job->executions[i].index = static_cast<int>(i);
      if (!job->targets.empty()) job->executions[i].target = job->targets[i];
    }
    order.push_back(job->id.value);
    by_id.emplace(job->id.value, std::move(*job));
  }
  const auto execution_of = [&](const Json& row) -> Execution* {
    const auto it = by_id.find(row.at("job").get<std::string>());
    const auto index = row.at("execution").get<std::size_t>();
    return it == by_id.end() || index >= it->second.executions.size() ? nullptr : &it->second.executions[index];
  };
  for (const auto& text : execution_rows) {
    const auto row = Json::parse(text);
    auto* execution = execution_of(row);
    if (execution == nullptr) continue;
    if (auto done = decode_execution(row, *execution); !done) return done.error();
  }
  for (const auto& text : attempt_rows) {
    auto attempt = decode_attempt(Json::parse(text));
    if (!attempt) return attempt.error();
    auto* execution = execution_of(Json::parse(text));
    if (execution == nullptr) continue;
    execution->fence = std::max(execution->fence, attempt->key.fence);
    execution->attempts = std::max(execution->attempts, attempt->number);
    const auto rank = [](const Attempt& one) { return std::pair(one.state == AttemptState::succeeded, one.key.fence); };
    if (execution->attempt && rank(*execution->attempt) > rank(*attempt)) continue;
    execution->attempt = std::move(*attempt);
  }
  std::vector<Job> jobs;
  for (const auto& id : order) {
    auto& job = by_id.at(id);
    if (!settled(job.state)) job.counts = {};
    for (auto& execution : job.executions) {
      if (!execution.stored && execution.attempt) follow_attempt(execution);
      // Rows that contradict each other come from a database that was edited by hand: the execution begins again.
      if (execution.is<Live>() && (!execution.attempt || settled(execution.attempt->state))) {
        execution.phase = Queued{};
        execution.state = ExecutionState::queued;
      }
      if (!execution.is<Live>() && execution.attempt && !settled(execution.attempt->state))
        execution.attempt->state = AttemptState::lost;
      if (!settled(job.state)) ++job.counts[static_cast<std::size_t>(execution.state)];
    }
    jobs.push_back(std::move(job));
  }
  return jobs;
}

Error away(const Error& error) { return {Code::unavailable, error.reason}; }

Result<Job> stored_job(store::Reader& store, const JobId& id) {
  auto rows = store.find("job", "job", {id.value});
  if (!rows) return away(rows.error());
  if (rows->empty()) return Error{Code::unknown, "there is no job " + id.value, "/job"};
  auto executions = store.find("execution", "job", {id.value});
  if (!executions) return away(executions.error());
  auto attempts = store.find("attempt", "job", {id.value});
  if (!attempts) return away(attempts.error());
  auto jobs = assemble(*rows, *executions, *attempts);
  if (!jobs) return jobs.error();
  return std::move(jobs->front());
}

Result<Saved> load(store::Store& store, const Limits& limits) {
  Saved saved;
  auto live = store.select({.table = "job", .where = {{"live", "true"}}, .order_by = "submitted_ms"});
  if (!live) return live.error();
  auto finished = store.select({.table = "job",
                                .where = {{"live", "false"}},
                                .order_by = "submitted_ms",
                                .descending = true,
                                .limit = static_cast<int>(limits.jobs_settled_max)});
  if (!finished) return finished.error();
  std::reverse(finished->begin(), finished->end());
  auto over = assemble(*finished, {}, {});
  if (!over) return over.error();
  for (auto& job : *over) job.executions.clear();
  std::vector<std::string> ids;
  for (const auto& row : *live) ids.push_back(Json::parse(row).at("job"));
  auto executions = store.find("execution", "job", ids);
  if (!executions) return executions.error();
  auto attempts = store.find("attempt", "job", ids);
  if (!attempts) return attempts.error();
  auto jobs = assemble(*live, *executions, *attempts);
  if (!jobs) return jobs.error();
  saved.jobs = std::move(*over);
  std::move(jobs->begin(), jobs->end(), std::back_inserter(saved.jobs));

  const auto each = [&](const char* table, const auto& take) -> Result<void> {
    auto rows = store.select({.table = table});
    if (!rows) return rows.error();
    for (const auto& text : *rows) take(Json::parse(text));
    return {};
  };
  const auto device = [](const Json& row) { return DeviceId(row.at("device").get<std::string>()); };
  auto done = each("stream", [&](const Json& row) {
    saved.streams[device(row)] = {row.at("epoch"), row.at("seq"), row.at("tag")};
  });
  if (done) done = each("package", [&](const Json& row) { saved.packages.push_back(decode_package_row(row)); });
  if (done)
    done = each("unplaceable", [&](const Json& row) {
      saved.placeable.push_back(
          {device(row), false, row.at("reason"), row.at("times"), row.at("since_ms"), row.at("until_ms")});
    });
  if (done)
    done = each("shown", [&](const Json& row) {
      saved.shown.push_back({JobId(row.at("job").get<std::string>()), row.at("execution"), row.at("until_ms"), false});
    });
  if (done)
    done = each("duration", [&](const Json& row) {
      saved.durations.push_back({row.at("key"), row.at("ms"), row.at("cpu_millis"), row.at("memory_bytes")});
    });
  if (done)
    done = each("failure", [&](const Json& row) {
      FailureRecord one{.work = row.at("work"), .failing = {}};
      for (const auto& [device_id, share] : row.at("failing").items()) one.failing[DeviceId(device_id)] = share;
      saved.failures.push_back(std::move(one));
    });
  if (!done) return done.error();
  return saved;
}

}  // namespace fieldwork::scheduler
