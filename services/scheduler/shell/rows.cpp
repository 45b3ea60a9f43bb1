#include "scheduler/shell/rows.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "codec/job.hpp"
#include "crypto/bytes.hpp"

namespace fieldwork::scheduler {
namespace {

using codec::Json;

// [chosen, candidates, filtered devices, [[device, score and its parts…]…], [[device, requirement, reason]…]]
std::string written(const Placement& placement) {
  const auto whole = [](double part) { return std::llround(part * parts_of_one); };
  Json candidates = Json::array();
  for (const auto& c : placement.candidates) {
    candidates.push_back(Json::array({c.device.value, whole(c.score), whole(c.fit), whole(c.health), whole(c.link),
                                      whole(c.locality), whole(c.spread), whole(c.history), whole(c.affinity)}));
  }
  Json filtered = Json::array();
  for (const auto& f : placement.filtered) filtered.push_back(Json::array({f.device.value, f.requirement, f.reason}));
  return codec::dump(Json::array({placement.chosen ? placement.chosen->value : "", placement.candidates_total,
                                  placement.filtered_total, std::move(candidates), std::move(filtered)}));
}

std::string written(const Original& original) {
  Json out{{"fence", original.fence},
           {"device", original.device.value},
           {"attempt", original.number},
           {"created_ms", original.created_ms}};
  if (original.progress) out["progress"] = codec::encode(*original.progress);
  return codec::dump(out);
}

Json counts_of(const Counts& counts) {
  Json out = Json::object();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) out[std::string(name(static_cast<ExecutionState>(i)))] = counts[i];
  }
  return out;
}

std::string list_of(const auto& ids) {
  Json out = Json::array();
  for (const auto& id : ids) out.push_back(id.value);
  return codec::dump(out);
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
                                              {"affinity", c.affinity},
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

store::Row job_row(const JobRecord& job) {
  store::Row row{{"job", job.id.value}};
  if (!job.stored) {
    row.add("request", job.request);
    row.add("submitter", job.submitter);
    row.add("name", job.spec->name);
    row.add("spec", store::Value::json(codec::dump(codec::encode(*job.spec))));
    row.add("template", job.made_of);
    row.add("retry_of", job.retry_of.value);
    row.add("estimated", job.estimated == Demand{} ? nullptr : store::Value::json(codec::dump(encode(job.estimated))));
    row.add("spec_digest", job.spec_digest);
    row.add("traceparent", job.traceparent);
    row.add("bulk", job.bulk);
    row.add("submitted_ms", job.submitted_ms);
  }
  if (!job.stored || is_continuous(*job.spec)) row.add("targets", store::Value::json(list_of(job.targets)));
  row.add("state", name(job.state));
  row.add("reason", job.reason);
  row.add("reasons", store::Value::json(codec::dump(Json(job.reasons))));
  row.add("live", !settled(job.state));
  row.add("authorised", job.authorised);
  row.add("device", job.device.value);
  row.add("counts", store::Value::json(codec::dump(counts_of(job.counts))));
  row.add("changed_ms", job.changed_ms);
  return row;
}

store::Row execution_row(const ExecutionRecord& record) {
  const auto& execution = record.execution;
  Json excluded = Json::object();
  for (const auto& [device, one] : execution.excluded)
    excluded[device.value] = Json{{"by_policy", one.by_policy}, {"reason", one.reason}};
  const auto* waiting = std::get_if<Waiting>(&execution.phase);
  const auto device = execution.attempt ? execution.attempt->device : execution.target;
  return {{"job", record.job.value},
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
          {"excluded", store::Value::json(codec::dump(excluded))},
          {"avoid", store::Value::json(list_of(execution.avoid))},
          {"retry_at_ms", waiting != nullptr ? to_ms(waiting->until) : 0},
          {"shown", execution.shown},
          {"original", execution.original ? store::Value::json(written(*execution.original)) : nullptr},
          {"changed_ms", execution.changed_ms}};
}

store::Row attempt_row(const Attempt& attempt) {
  store::Row row{{"job", attempt.key.job.value}, {"execution", attempt.key.execution}, {"fence", attempt.key.fence}};
  if (!attempt.stored) {
    row.add("attempt", attempt.number);
    row.add("device", attempt.device.value);
    row.add("grant", attempt.grant);
    row.add("package", attempt.package);
    row.add("contract", attempt.contract ? store::Value::json(codec::dump(codec::encode(*attempt.contract))) : nullptr);
    row.add("placement", store::Value::json(attempt.placement ? written(*attempt.placement) : "[]"));
    row.add("created_ms", attempt.created_ms);
  }
  row.add("state", name(attempt.state));
  row.add("reported", name(attempt.reported));
  row.add("live", !settled(attempt.state));
  row.add("reason", attempt.reason);
  row.add("preempted_by", attempt.preempted_by.value);
  row.add("moves", attempt.moves);
  row.add("result", attempt.result ? store::Value::json(codec::dump(codec::encode(*attempt.result))) : nullptr);
  row.add("progress", attempt.progress ? store::Value::json(codec::dump(codec::encode(*attempt.progress))) : nullptr);
  row.add("decided", store::Value::json(codec::dump(codec::encode(attempt.decided))));
  row.add("changed_ms", attempt.changed_ms);
  row.add("version", attempt.version);
  row.add("shown", attempt.shown);
  return row;
}

std::string part_key(const PartRecord& part) {
  return key_text(part.key) + ":" + part.part.of + ":" + std::to_string(part.part.offset);
}

store::Row part_row(const PartRecord& part) {
  return {{"job", part.key.job.value},        {"execution", part.key.execution},
          {"fence", part.key.fence},          {"of", part.part.of},
          {"offset_bytes", part.part.offset}, {"base64", crypto::base64_encode(part.part.bytes)}};
}

store::Row stream_row(const DeviceId& device, const Stream& stream) {
  return {{"device", device.value}, {"epoch", stream.epoch}, {"seq", stream.seq}, {"tag", stream.tag}};
}

store::Row placeable_row(const PlaceableRecord& record) {
  return {{"device", record.device.value},
          {"reason", record.reason},
          {"times", record.times},
          {"since_ms", record.since_ms},
          {"until_ms", record.until_ms}};
}

store::Row shown_row(const ShownRecord& record) {
  return {{"job", record.job.value}, {"execution", record.execution}, {"until_ms", record.until_ms}};
}

store::Row failure_row(const FailureRecord& record) {
  Json failing = Json::object();
  for (const auto& [device, share] : record.failing) failing[device.value] = share;
  return {{"work", record.work}, {"failing", store::Value::json(codec::dump(failing))}};
}

store::Row package_row(const PackageSeen& package) {
  auto names = Json::array();
  for (const auto& [name, version] : package.names) names.push_back({name, version});
  return {{"digest", package.digest},
          {"size_bytes", package.size_bytes},
          {"name", package.name},
          {"names", store::Value::json(codec::dump(names))},
          {"architecture", package.architecture},
          {"cpu_millis", package.needs.cpu_millis},
          {"memory_bytes", package.needs.memory_bytes},
          {"storage_bytes", package.needs.storage_bytes}};
}

store::Row duration_row(const DurationRecord& record) {
  const auto list = [](const std::vector<std::int64_t>& values) {
    return store::Value::json(codec::dump(Json(values)));
  };
  return {{"key", record.key},
          {"ms", list(record.ms)},
          {"cpu_millis", list(record.cpu_millis)},
          {"memory_bytes", list(record.memory_bytes)}};
}

}  // namespace fieldwork::scheduler
