#include "scheduler/shell/rows.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "codec/job.hpp"
#include "crypto/bytes.hpp"

namespace fieldwork::scheduler {
namespace {

using codec::Json;

Placement decode_placement(const Json& value) {
  Placement out;
  if (value.contains("chosen")) out.chosen = DeviceId(value["chosen"].get<std::string>());
  for (const auto& entry : value.value("candidates", Json::array())) {
    const auto& parts = entry.at("components");
    out.candidates.push_back({DeviceId(entry.at("device").get<std::string>()), entry.at("score"), parts.at("fit"),
                              parts.at("health"), parts.at("link"), parts.at("locality"), parts.at("spread"),
                              parts.value("history", 0.0)});
  }
  for (const auto& entry : value.value("filtered", Json::array())) {
    out.filtered.push_back(
        {DeviceId(entry.at("device").get<std::string>()), entry.at("requirement"), entry.at("reason")});
  }
  out.candidates_total = value.value("candidates_total", out.candidates.size());
  out.filtered_total = value.value("filtered_total", out.filtered.size());
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
  out.grant = row.at("grant");
  if (!row.at("result").is_null()) {
    auto result = codec::decode_result(row.at("result"));
    if (!result) return result.error();
    out.result = std::make_shared<RunResult>(std::move(*result));
  }
  out.placement = std::make_shared<Placement>(decode_placement(row.at("placement")));
  out.created_ms = row.at("created_ms");
  out.changed_ms = row.at("changed_ms");
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
  out.shown = row.at("shown");
  out.changed_ms = row.at("changed_ms");
  if (settled(*state)) {
    out.phase = Done{};
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
  for (const auto& target : row.at("targets")) job.targets.push_back(DeviceId(target.get<std::string>()));
  const auto& counts = row.at("counts");
  for (std::size_t i = 0; i < job.counts.size(); ++i)
    job.counts[i] = counts.value(std::string(name(static_cast<ExecutionState>(i))), std::size_t{0});
  return job;
}

Json counts_of(const Counts& counts) {
  Json out = Json::object();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) out[std::string(name(static_cast<ExecutionState>(i)))] = counts[i];
  }
  return out;
}

}  // namespace

std::string execution_key(const JobId& job, int execution) { return job.value + ":" + std::to_string(execution); }

Json encode(const Placement& placement) {
  Json candidates = Json::array();
  for (const auto& c : placement.candidates) {
    candidates.push_back({{"device", c.device.value},
                          {"score", c.score},
                          {"components", Json{{"fit", c.fit},
                                              {"health", c.health},
                                              {"link", c.link},
                                              {"locality", c.locality},
                                              {"spread", c.spread},
                                              {"history", c.history}}}});
  }
  Json filtered = Json::array();
  for (const auto& f : placement.filtered) {
    filtered.push_back({{"device", f.device.value}, {"requirement", f.requirement}, {"reason", f.reason}});
  }
  Json out{{"candidates", std::move(candidates)},
           {"filtered", std::move(filtered)},
           {"candidates_total", placement.candidates_total},
           {"filtered_total", placement.filtered_total}};
  if (!placement.reasons.empty()) out["reasons"] = placement.reasons;
  if (placement.chosen) out["chosen"] = placement.chosen->value;
  return out;
}

std::string job_row(const JobRecord& job) {
  Json targets = Json::array();
  for (const auto& target : job.targets) targets.push_back(target.value);
  return codec::dump(Json{{"job", job.id.value},
                          {"request", job.request},
                          {"submitter", job.submitter},
                          {"name", job.spec->name},
                          {"spec", codec::encode(*job.spec)},
                          {"spec_digest", job.spec_digest},
                          {"traceparent", job.traceparent},
                          {"state", name(job.state)},
                          {"reason", job.reason},
                          {"reasons", job.reasons},
                          {"live", !settled(job.state)},
                          {"bulk", job.bulk},
                          {"authorised", job.authorised},
                          {"device", job.device.value},
                          {"targets", std::move(targets)},
                          {"counts", counts_of(job.counts)},
                          {"submitted_ms", job.submitted_ms},
                          {"changed_ms", job.changed_ms}});
}

std::string execution_row(const ExecutionRecord& record) {
  const auto& execution = record.execution;
  Json excluded = Json::object();
  for (const auto& [device, one] : execution.excluded) {
    excluded[device.value] = Json{{"by_policy", one.by_policy}, {"reason", one.reason}};
  }
  Json avoid = Json::array();
  for (const auto& device : execution.avoid) avoid.push_back(device.value);
  const auto* waiting = std::get_if<Waiting>(&execution.phase);
  const auto device = execution.attempt ? execution.attempt->device : execution.target;
  return codec::dump(Json{{"job", record.job.value},
                          {"execution", execution.index},
                          {"device", device.value},
                          {"state", name(execution.state)},
                          {"attempt", execution.attempts},
                          {"fence", execution.fence},
                          {"version", execution.version},
                          {"failures", execution.failures},
                          {"losses", execution.losses},
                          {"rounds", execution.rounds},
                          {"reason", execution.reason},
                          {"excluded", std::move(excluded)},
                          {"avoid", std::move(avoid)},
                          {"retry_at_ms", waiting != nullptr ? to_ms(waiting->until) : 0},
                          {"shown", execution.shown},
                          {"progress", Json::object()},
                          {"changed_ms", execution.changed_ms}});
}

std::string attempt_row(const Attempt& attempt) {
  return codec::dump(Json{{"job", attempt.key.job.value},
                          {"execution", attempt.key.execution},
                          {"fence", attempt.key.fence},
                          {"attempt", attempt.number},
                          {"device", attempt.device.value},
                          {"state", name(attempt.state)},
                          {"reported", name(attempt.reported)},
                          {"live", !settled(attempt.state)},
                          {"reason", attempt.reason},
                          {"grant", attempt.grant},
                          {"result", attempt.result ? codec::encode(*attempt.result) : Json()},
                          {"placement", attempt.placement ? encode(*attempt.placement) : Json::object()},
                          {"created_ms", attempt.created_ms},
                          {"changed_ms", attempt.changed_ms}});
}

std::string part_key(const PartRecord& part) {
  return key_text(part.key) + ":" + part.part.of + ":" + std::to_string(part.part.offset);
}

std::string part_row(const PartRecord& part) {
  return codec::dump(Json{{"job", part.key.job.value},
                          {"execution", part.key.execution},
                          {"fence", part.key.fence},
                          {"of", part.part.of},
                          {"offset_bytes", part.part.offset},
                          {"base64", crypto::base64_encode(part.part.bytes)}});
}

std::string stream_row(const DeviceId& device, const Stream& stream) {
  return codec::dump(Json{{"device", device.value}, {"epoch", stream.epoch}, {"seq", stream.seq}, {"tag", stream.tag}});
}

std::string placeable_row(const PlaceableRecord& record) {
  return codec::dump(Json{{"device", record.device.value},
                          {"reason", record.reason},
                          {"times", record.times},
                          {"since_ms", record.since_ms},
                          {"until_ms", record.until_ms}});
}

std::string shown_row(const ShownRecord& record) {
  return codec::dump(Json{{"job", record.job.value}, {"execution", record.execution}, {"until_ms", record.until_ms}});
}

Result<std::vector<Job>> assemble(const std::vector<std::string>& job_rows,
                                  const std::vector<std::string>& execution_rows,
                                  const std::vector<std::string>& attempt_rows) {
  std::unordered_map<std::string, Job> by_id;
  std::vector<std::string> order;
  for (const auto& text : job_rows) {
    auto job = decode_job_row(Json::parse(text));
    if (!job) return job.error();
    job->executions.resize(job->targets.empty() ? static_cast<std::size_t>(job->spec->replicas) : job->targets.size());
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
    if (execution->attempt && execution->attempt->key.fence > attempt->key.fence) continue;
    execution->attempt = std::move(*attempt);
  }
  std::vector<Job> jobs;
  for (const auto& id : order) {
    auto& job = by_id.at(id);
    if (!settled(job.state)) job.counts = {};
    for (auto& execution : job.executions) {
      // Rows that do not fit together come from a database that was put together by hand: it begins again.
      if (execution.is<Live>() && (!execution.attempt || settled(execution.attempt->state))) {
        execution.phase = Queued{};
        execution.state = ExecutionState::queued;
      }
      if (!execution.is<Live>() && execution.attempt && !settled(execution.attempt->state))
        execution.attempt->state = AttemptState::lost;
      job.authorised = job.authorised || execution.fence > 0;
      if (!settled(job.state)) ++job.counts[static_cast<std::size_t>(execution.state)];
    }
    jobs.push_back(std::move(job));
  }
  return jobs;
}

Result<Saved> load(store::Store& store, const Limits& limits) {
  Saved saved;
  auto live = store.select({.table = "job", .where = {{"live", "true"}}, .order_by = "submitted_ms"});
  if (!live) return live.error();
  auto finished = store.select({.table = "job",
                                .where = {{"live", "false"}},
                                .order_by = "submitted_ms",
                                .descending = true,
                                .limit = static_cast<int>(limits.jobs_finished_max)});
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
  if (done) done = each("package", [&](const Json& row) { saved.packages.push_back(row.at("digest")); });
  if (done)
    done = each("unplaceable", [&](const Json& row) {
      saved.placeable.push_back(
          {device(row), false, row.at("reason"), row.at("times"), row.at("since_ms"), row.at("until_ms")});
    });
  if (done)
    done = each("shown", [&](const Json& row) {
      saved.shown.push_back({JobId(row.at("job").get<std::string>()), row.at("execution"), row.at("until_ms"), false});
    });
  if (!done) return done.error();
  return saved;
}

}  // namespace fieldwork::scheduler
