#include "codec/job.hpp"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "base/timestamp.hpp"
#include "crypto/bytes.hpp"
#include "inside.hpp"
#include "job_parts.hpp"
#include "model/limits.hpp"

namespace fieldwork::codec {
namespace {

// A W3C traceparent: <2 hex>-<32 hex>-<16 hex>-<2 hex>, of any version that has this form.
bool is_traceparent(std::string_view text) {
  return text.size() == 55 && text[2] == '-' && text[35] == '-' && text[52] == '-' &&
         crypto::is_hex(text.substr(0, 2), 2) && crypto::is_hex(text.substr(3, 32), 32) &&
         crypto::is_hex(text.substr(36, 16), 16) && crypto::is_hex(text.substr(53, 2), 2);
}

}  // namespace

RunLimits read_limits(Reader& parent, const Json& value) {
  Reader reader(parent, "limits", value);
  RunLimits out;
  out.time_s = static_cast<int>(reader.integer_or("time_s", out.time_s, 1, 604'800));
  out.output_bytes = reader.integer_or("output_bytes", out.output_bytes, 0, limits::output_bytes_max);
  if (const auto step = reader.integer_maybe("step_s", 1, 604'800)) out.step_s = static_cast<int>(*step);
  if (reader.ok() && out.step_s && *out.step_s > out.time_s) reader.fail("step_s", "must not be above time_s");
  out.log_bytes = reader.integer_or("log_bytes", 0, 0, limits::kept_log_bytes_max);
  out.messages_per_s = static_cast<int>(reader.integer_or("messages_per_s", 0, 0, limits::messages_per_s_max));
  reader.finish();
  return out;
}

Json encode(const RunLimits& limits) {
  Json out{{"time_s", limits.time_s}, {"output_bytes", limits.output_bytes}};
  if (limits.step_s) out["step_s"] = *limits.step_s;
  if (limits.log_bytes > 0) out["log_bytes"] = limits.log_bytes;
  if (limits.messages_per_s > 0) out["messages_per_s"] = limits.messages_per_s;
  return out;
}

std::vector<std::string> read_command(Reader& reader) {
  auto command = reader.texts_or_empty("command", limits::command_words_max, limits::command_word_bytes_max);
  if (reader.ok() && (command.empty() || command.front().empty())) reader.fail("command", "must name a program");
  return command;
}

// An environment that execve takes: a name ends at the first '=', so it must hold none.
std::map<std::string, std::string> read_env(Reader& reader) {
  auto env = reader.map_or_empty("env", 64, 4096);
  for (const auto& [name, value] : env) {
    if (name.find('=') != name.npos) reader.fail("env", "\"" + clamp_text(name, 64) + "\": a name must not hold '='");
  }
  return env;
}

std::vector<std::string> read_outputs(Reader& reader) {
  auto outputs = reader.texts_or_empty("outputs", 16, 256);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!is_inside(outputs[i])) reader.fail("outputs/" + std::to_string(i), inside_text);
  }
  return outputs;
}

void write_key(Json& into, const AttemptKey& key) {
  into["job"] = key.job.value;
  into["execution"] = key.execution;
  into["fence"] = key.fence;
}

AttemptKey read_key(Reader& reader) {
  AttemptKey key;
  key.job = JobId(reader.id("job"));
  key.execution = static_cast<int>(reader.integer("execution", 0, limits::executions_max - 1));
  key.fence = reader.integer("fence", 1, limits::fence_max);
  return key;
}

void write_traceparent(Json& into, const std::string& traceparent) {
  if (!traceparent.empty()) into["traceparent"] = traceparent;
}

std::string read_traceparent(Reader& reader) {
  if (reader.any_maybe("traceparent") == nullptr) return {};
  auto text = reader.text("traceparent", 55);
  if (reader.ok() && !is_traceparent(text))
    reader.fail("traceparent", "must be a W3C traceparent: 2, 32, 16 and 2 hex digits with - between");
  return text;
}

Json encode(const JobSpec& job) {
  Json out{{"command", job.command}, {"priority", job.priority}, {"limits", encode(job.limits)}};
  if (!job.name.empty()) out["name"] = job.name;
  if (!job.package.empty()) out["package"] = job.package;
  if (!job.env.empty()) out["env"] = job.env;
  if (job.requirements != Requirements{}) out["requirements"] = encode(job.requirements);
  if (job.targets) {
    out["targets"] = encode(*job.targets);
  } else {
    out["replicas"] = job.replicas;
  }
  if (!job.outputs.empty()) out["outputs"] = job.outputs;
  if (job.placement != PlacementRules{}) out["placement"] = encode(job.placement);
  if (job.success != Success{}) out["success"] = text_of(job.success);
  out["retry"] = encode(job.retry);
  if (job.offline != Offline{}) out["offline"] = encode(job.offline);
  if (job.timeouts != Timeouts{})
    out["timeouts"] = Json{{"queued_s", job.timeouts.queued_s}, {"fetching_s", job.timeouts.fetching_s}};
  if (job.deadline_s) out["deadline_s"] = *job.deadline_s;
  if (job.start_at_ms) out["start_at"] = timestamp(from_ms(*job.start_at_ms));
  if (job.at_most_once) out["semantics"] = *job.at_most_once ? "at_most_once" : "at_least_once";
  if (job.preemptible) out["preemptible"] = *job.preemptible;
  if (job.metered) out["metered"] = true;
  return out;
}

namespace {

// What decides over tries after one that was lost: before `retry` is read, whose default follows from it.
void read_semantics(Reader& reader, JobSpec& job) {
  if (reader.any_maybe("semantics") == nullptr) return;
  const auto semantics = reader.text("semantics", 16);
  if (semantics != "at_most_once" && semantics != "at_least_once")
    return reader.fail("semantics", "must be at_most_once or at_least_once");
  job.at_most_once = semantics == "at_most_once";
  if (*job.at_most_once) job.retry.attempts_max = 1;
}

void read_start(Reader& reader, JobSpec& job) {
  if (reader.any_maybe("start_at") == nullptr) return;
  const auto at = timestamp_of(reader.text("start_at", 32));
  if (!at) return reader.fail("start_at", "must be a time in UTC such as 2026-12-01T02:00:00Z");
  job.start_at_ms = to_ms(*at);
}

}  // namespace

JobSpec read_job(Reader& reader) {
  JobSpec job;
  job.name = reader.text_or("name", "", 128);
  job.command = read_command(reader);
  job.package = reader.digest_or_empty("package");
  job.env = read_env(reader);
  if (const Json* value = reader.object_maybe("requirements")) job.requirements = read_requirements(reader, *value);
  job.priority = static_cast<int>(reader.integer_or("priority", job.priority, 0, limits::priority_max));
  const bool has_replicas = reader.any_maybe("replicas") != nullptr;
  job.replicas = static_cast<int>(reader.integer_or("replicas", 1, 1, limits::replicas_max));
  if (const Json* value = reader.object_maybe("targets")) {
    job.targets = read_targets(reader, *value);
    if (has_replicas) reader.fail("targets", "cannot stand beside replicas");
  }
  if (const Json* value = reader.object_maybe("limits")) job.limits = read_limits(reader, *value);
  if (reader.ok() && job.limits.messages_per_s > 0 && job.replicas > limits::executions_with_messages_max) {
    reader.fail("limits/messages_per_s",
                "is for at most " + std::to_string(limits::executions_with_messages_max) + " replicas");
  }
  job.outputs = read_outputs(reader);
  for (const auto& output : job.outputs) {
    const auto plain = std::filesystem::path(output).lexically_normal().string();
    const bool taken = std::find(log_outputs.begin(), log_outputs.end(), plain) != log_outputs.end();
    if (job.limits.log_bytes > 0 && taken) reader.fail("outputs", output + " is what limits/log_bytes makes");
  }
  read_semantics(reader, job);
  if (const Json* value = reader.object_maybe("placement")) job.placement = read_placement(reader, *value);
  job.success = read_success(reader);
  if (const Json* value = reader.object_maybe("retry")) job.retry = read_retry(reader, *value, job);
  read_start(reader, job);
  if (const Json* value = reader.object_maybe("offline")) job.offline = read_offline(reader, *value, job);
  if (reader.any_maybe("preemptible") != nullptr) job.preemptible = reader.boolean_or("preemptible", true);
  job.metered = reader.boolean_or("metered", false);
  if (const Json* value = reader.object_maybe("timeouts")) {
    Reader timeouts(reader, "timeouts", *value);
    auto& of = job.timeouts;
    of.queued_s = static_cast<int>(timeouts.integer_or("queued_s", of.queued_s, 1, 31'536'000));
    of.fetching_s = static_cast<int>(timeouts.integer_or("fetching_s", of.fetching_s, 1, 31'536'000));
    timeouts.finish();
  }
  if (const auto deadline = reader.integer_maybe("deadline_s", 1, 2'592'000)) {
    job.deadline_s = static_cast<int>(*deadline);
  }
  reader.finish();
  return job;
}

Result<JobSpec> decode_job(const Json& value) {
  Reader reader(value);
  auto job = read_job(reader);
  if (!reader.ok()) return reader.error();
  if (const auto bytes = dump(encode(job)).size(); bytes > limits::job_bytes_max) {
    return Error{Code::invalid, "is " + std::to_string(bytes) + " bytes as JSON, at most " +
                                    std::to_string(limits::job_bytes_max) + "; put large input into a package"};
  }
  return job;
}

}  // namespace fieldwork::codec
