#include "scheduler/shell/rows.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "codec/job.hpp"

namespace fieldwork::scheduler {
namespace {

using codec::Json;

Placement decode_placement(const Json& value) {
  Placement out;
  if (value.contains("chosen")) out.chosen = DeviceId(value["chosen"].get<std::string>());
  for (const auto& entry : value.value("candidates", Json::array())) {
    const auto& parts = entry.at("components");
    out.candidates.push_back({DeviceId(entry.at("device").get<std::string>()), entry.at("score"), parts.at("fit"),
                              parts.at("health"), parts.at("link"), parts.at("locality"), parts.at("spread")});
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
  if (!state) return Error{Code::invalid, "unknown state in the database", "attempt.state"};
  out.state = *state;
  out.reason = row.at("reason");
  out.grant = row.at("grant");
  if (!row.at("result").is_null()) {
    auto result = codec::decode_result(row.at("result"));
    if (!result) return result.error();
    out.result = std::move(*result);
  }
  out.placement = decode_placement(row.at("placement"));
  out.created_ms = row.at("created_ms");
  out.changed_ms = row.at("changed_ms");
  return out;
}

// What an execution is, from its attempts in order of their fences.
void replay(Job& job, Execution& execution, std::vector<Attempt> attempts) {
  std::sort(attempts.begin(), attempts.end(), [](const auto& a, const auto& b) { return a.key.fence < b.key.fence; });
  for (auto& attempt : attempts) {
    execution.fence = attempt.key.fence;
    execution.attempts = attempt.number;
    if (attempt.state == AttemptState::failed || attempt.state == AttemptState::refused) ++execution.failures;
    execution.attempt = std::move(attempt);
  }
  execution.phase = Phase::queued;
  if (settled(job.state)) {
    execution.phase = Phase::done;
  } else if (execution.attempt) {
    job.authorised = true;
    const auto state = execution.attempt->state;
    if (!settled(state)) {
      execution.phase = Phase::live;
    } else if (state == AttemptState::succeeded || execution.failures >= job.spec.retry.attempts_max) {
      execution.phase = Phase::done;
    }
  }
}

Result<Job> decode_job_row(const Json& row) {
  Job job;
  job.id = JobId(row.at("job").get<std::string>());
  job.request = row.at("request");
  job.submitter = row.at("submitter");
  auto spec = codec::decode_job(row.at("spec"));
  if (!spec) return spec.error();
  job.spec = std::move(*spec);
  job.spec_digest = row.at("spec_digest");
  job.traceparent = row.at("traceparent");
  const auto state = job_state(row.at("state").get<std::string>());
  if (!state) return Error{Code::invalid, "unknown state in the database", "job.state"};
  job.state = *state;
  job.reason = row.at("reason");
  job.bulk = row.at("bulk");
  job.submitted_ms = row.at("submitted_ms");
  job.changed_ms = row.at("changed_ms");
  const auto& targets = row.at("targets");
  if (targets.empty()) {
    job.executions.resize(static_cast<std::size_t>(job.spec.replicas));
  } else {
    for (const auto& target : targets) job.executions.push_back({.target = DeviceId(target.get<std::string>())});
  }
  for (std::size_t i = 0; i < job.executions.size(); ++i) job.executions[i].index = static_cast<int>(i);
  return job;
}

}  // namespace

Json encode(const Placement& placement) {
  Json candidates = Json::array();
  for (const auto& c : placement.candidates) {
    candidates.push_back({{"device", c.device.value},
                          {"score", c.score},
                          {"components", Json{{"fit", c.fit},
                                              {"health", c.health},
                                              {"link", c.link},
                                              {"locality", c.locality},
                                              {"spread", c.spread}}}});
  }
  Json filtered = Json::array();
  for (const auto& f : placement.filtered) {
    filtered.push_back({{"device", f.device.value}, {"requirement", f.requirement}, {"reason", f.reason}});
  }
  Json out{{"candidates", std::move(candidates)},
           {"filtered", std::move(filtered)},
           {"candidates_total", placement.candidates_total},
           {"filtered_total", placement.filtered_total}};
  if (placement.chosen) out["chosen"] = placement.chosen->value;
  return out;
}

std::string job_row(const Job& job) {
  Json targets = Json::array();
  for (const auto& execution : job.executions) {
    if (!execution.target.empty()) targets.push_back(execution.target.value);
  }
  return codec::dump(Json{{"job", job.id.value},
                          {"request", job.request},
                          {"submitter", job.submitter},
                          {"name", job.spec.name},
                          {"spec", codec::encode(job.spec)},
                          {"spec_digest", job.spec_digest},
                          {"traceparent", job.traceparent},
                          {"state", name(job.state)},
                          {"reason", job.reason},
                          {"live", !settled(job.state)},
                          {"bulk", job.bulk},
                          {"targets", std::move(targets)},
                          {"submitted_ms", job.submitted_ms},
                          {"changed_ms", job.changed_ms}});
}

std::string attempt_row(const Attempt& attempt) {
  return codec::dump(Json{{"job", attempt.key.job.value},
                          {"execution", attempt.key.execution},
                          {"fence", attempt.key.fence},
                          {"attempt", attempt.number},
                          {"device", attempt.device.value},
                          {"state", name(attempt.state)},
                          {"live", !settled(attempt.state)},
                          {"reason", attempt.reason},
                          {"grant", attempt.grant},
                          {"result", attempt.result ? codec::encode(*attempt.result) : Json()},
                          {"placement", encode(attempt.placement)},
                          {"created_ms", attempt.created_ms},
                          {"changed_ms", attempt.changed_ms}});
}

std::string stream_row(const DeviceId& device, const Stream& stream) {
  return codec::dump(Json{{"device", device.value}, {"epoch", stream.epoch}, {"seq", stream.seq}});
}

Result<std::vector<Job>> assemble(const std::vector<std::string>& job_rows,
                                  const std::vector<std::string>& attempt_rows) {
  std::unordered_map<std::string, std::map<int, std::vector<Attempt>>> attempts;
  for (const auto& text : attempt_rows) {
    auto attempt = decode_attempt(Json::parse(text));
    if (!attempt) return attempt.error();
    attempts[attempt->key.job.value][attempt->key.execution].push_back(std::move(*attempt));
  }
  std::vector<Job> jobs;
  for (const auto& text : job_rows) {
    auto job = decode_job_row(Json::parse(text));
    if (!job) return job.error();
    auto& of_job = attempts[job->id.value];
    for (auto& execution : job->executions) replay(*job, execution, std::move(of_job[execution.index]));
    jobs.push_back(std::move(*job));
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
  std::vector<std::string> rows = std::move(*finished);
  rows.insert(rows.end(), live->begin(), live->end());
  std::vector<std::string> ids;
  for (const auto& row : rows) ids.push_back(Json::parse(row).at("job"));
  auto attempts = store.find("attempt", "job", ids);
  if (!attempts) return attempts.error();
  auto jobs = assemble(rows, *attempts);
  if (!jobs) return jobs.error();
  saved.jobs = std::move(*jobs);

  auto streams = store.select({.table = "stream"});
  if (!streams) return streams.error();
  for (const auto& text : *streams) {
    const auto row = Json::parse(text);
    saved.streams[DeviceId(row.at("device").get<std::string>())] = {row.at("epoch"), row.at("seq")};
  }
  auto packages = store.select({.table = "package"});
  if (!packages) return packages.error();
  for (const auto& text : *packages) saved.packages.push_back(Json::parse(text).at("digest"));
  return saved;
}

}  // namespace fieldwork::scheduler
