#include "codec/job.hpp"

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "crypto/bytes.hpp"
#include "inside.hpp"

namespace fieldwork::codec {
namespace {

constexpr std::int64_t size_max = std::int64_t{1} << 50;

// 00-<32 hex>-<16 hex>-<2 hex>, of any version that has this form.
bool is_traceparent(std::string_view text) {
  return text.size() == 55 && text[2] == '-' && text[35] == '-' && text[52] == '-' &&
         crypto::is_hex(text.substr(0, 2), 2) && crypto::is_hex(text.substr(3, 32), 32) &&
         crypto::is_hex(text.substr(36, 16), 16) && crypto::is_hex(text.substr(53, 2), 2);
}

Labels read_labels(Reader& reader, const char* field) { return reader.map_or_empty(field, 32, 256); }

Requirements read_requirements(Reader& parent, const Json& value) {
  Reader reader(parent, "requirements", value);
  Requirements out;
  out.cpu_millis = reader.integer_or("cpu_millis", 0, 0, 1'024'000);
  out.memory_bytes = reader.integer_or("memory_bytes", 0, 0, size_max);
  out.disk_bytes = reader.integer_or("disk_bytes", 0, 0, size_max);
  out.labels = read_labels(reader, "labels");
  reader.finish();
  return out;
}

RunLimits read_limits(Reader& parent, const Json& value) {
  Reader reader(parent, "limits", value);
  RunLimits out;
  out.time_s = static_cast<int>(reader.integer_or("time_s", out.time_s, 1, 604'800));
  out.output_bytes = reader.integer_or("output_bytes", out.output_bytes, 0, 1 << 20);
  reader.finish();
  return out;
}

Json encode(const RunLimits& limits) { return {{"time_s", limits.time_s}, {"output_bytes", limits.output_bytes}}; }

std::vector<std::string> read_command(Reader& reader) {
  auto command = reader.texts_or_empty("command", 64, 4096);
  if (reader.ok() && (command.empty() || command.front().empty())) reader.fail("command", "must name a program");
  return command;
}

// What execve takes: a name ends at the first '='.
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

}  // namespace

void write_key(Json& into, const AttemptKey& key) {
  into["job"] = key.job.value;
  into["execution"] = key.execution;
  into["fence"] = key.fence;
}

AttemptKey read_key(Reader& reader) {
  AttemptKey key;
  key.job = JobId(reader.id("job"));
  key.execution = static_cast<int>(reader.integer("execution", 0, 9999));
  key.fence = reader.integer("fence", 1, integer_max);
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
  if (job.requirements != Requirements{}) {
    const auto& need = job.requirements;
    Json fields{{"cpu_millis", need.cpu_millis}, {"memory_bytes", need.memory_bytes}, {"disk_bytes", need.disk_bytes}};
    if (!need.labels.empty()) fields["labels"] = need.labels;
    out["requirements"] = std::move(fields);
  }
  if (job.targets) {
    out["targets"] = Json{{"labels", *job.targets}};
  } else {
    out["replicas"] = job.replicas;
  }
  if (!job.outputs.empty()) out["outputs"] = job.outputs;
  out["retry"] = Json{{"attempts_max", job.retry.attempts_max}, {"backoff_s", job.retry.backoff_s}};
  if (job.deadline_s) out["deadline_s"] = *job.deadline_s;
  return out;
}

JobSpec read_job(Reader& reader) {
  JobSpec job;
  job.name = reader.text_or("name", "", 128);
  job.command = read_command(reader);
  job.package = reader.digest_or_empty("package");
  job.env = read_env(reader);
  if (const Json* value = reader.object_maybe("requirements")) job.requirements = read_requirements(reader, *value);
  job.priority = static_cast<int>(reader.integer_or("priority", job.priority, 0, 9));
  const bool has_replicas = reader.any_maybe("replicas") != nullptr;
  job.replicas = static_cast<int>(reader.integer_or("replicas", 1, 1, 1000));
  if (const Json* value = reader.object_maybe("targets")) {
    Reader targets(reader, "targets", *value);
    if (targets.object("labels") != nullptr) job.targets = read_labels(targets, "labels");
    targets.finish();
    if (has_replicas) reader.fail("targets", "cannot stand beside replicas");
  }
  if (const Json* value = reader.object_maybe("limits")) job.limits = read_limits(reader, *value);
  job.outputs = read_outputs(reader);
  if (const Json* value = reader.object_maybe("retry")) {
    Reader retry(reader, "retry", *value);
    job.retry.attempts_max = static_cast<int>(retry.integer_or("attempts_max", job.retry.attempts_max, 1, 10));
    job.retry.backoff_s = static_cast<int>(retry.integer_or("backoff_s", job.retry.backoff_s, 0, 3600));
    retry.finish();
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
  return job;
}

Json encode(const AttemptReport& report) {
  Json out{{"state", name(report.state)}};
  write_key(out, report.key);
  if (!report.reason.empty()) out["reason"] = clamp_text(report.reason);
  if (report.result) out["result"] = encode(*report.result);
  write_traceparent(out, report.traceparent);
  return out;
}

namespace {

AttemptReport read_attempt_report(Reader& reader) {
  AttemptReport report;
  report.key = read_key(reader);
  const auto state = attempt_state(reader.text("state", 16));
  if (!state || *state == AttemptState::assigned || *state == AttemptState::lost) {
    reader.fail("state", "must be accepted, running, succeeded, failed, cancelled or refused");
  } else {
    report.state = *state;
  }
  report.reason = reader.text_or("reason", "", reason_bytes_max);
  if (const Json* value = reader.object_maybe("result")) {
    Reader result(reader, "result", *value);
    report.result = read_result(result);
  }
  report.traceparent = read_traceparent(reader);
  reader.finish();
  return report;
}

Assign read_assign(Reader& reader) {
  Assign assign;
  assign.key = read_key(reader);
  assign.attempt = static_cast<int>(reader.integer("attempt", 1, 1000));
  assign.lease_s = static_cast<int>(reader.integer("lease_s", 1, 86'400));
  assign.command = read_command(reader);
  assign.env = read_env(reader);
  if (const Json* value = reader.object("limits")) assign.limits = read_limits(reader, *value);
  assign.package = reader.digest_or_empty("package");
  assign.outputs = read_outputs(reader);
  assign.grant = reader.text("grant", 65536);
  assign.traceparent = read_traceparent(reader);
  return assign;
}

}  // namespace

Result<AttemptReport> decode_attempt_report(const Json& value) {
  Reader reader(value);
  auto report = read_attempt_report(reader);
  if (!reader.ok()) return reader.error();
  return report;
}

std::string encode(const Report& report) {
  Json items = Json::array();
  for (const auto& item : report.items) items.push_back(encode(item));
  return dump(Json{{"v", 1}, {"epoch", report.epoch}, {"seq", report.seq}, {"items", std::move(items)}});
}

Result<Report> decode_report(std::string_view text) {
  auto value = parse(text, 8 << 20);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  Report report;
  report.epoch = reader.integer("epoch", 0, integer_max);
  report.seq = reader.integer("seq", 1, integer_max);
  if (const Json* items = reader.items()) {
    for (std::size_t i = 0; i < items->size() && reader.ok(); ++i) {
      Reader item(reader, "items", i, (*items)[i]);
      report.items.push_back(read_attempt_report(item));
    }
  }
  if (!reader.finish()) return reader.error();
  return report;
}

Json encode(const Order& order) {
  Json out;
  if (const auto* assign = std::get_if<Assign>(&order)) {
    out = Json{{"type", "assign"},           {"attempt", assign->attempt},       {"lease_s", assign->lease_s},
               {"command", assign->command}, {"limits", encode(assign->limits)}, {"grant", assign->grant}};
    write_key(out, assign->key);
    if (!assign->env.empty()) out["env"] = assign->env;
    if (!assign->package.empty()) out["package"] = assign->package;
    if (!assign->outputs.empty()) out["outputs"] = assign->outputs;
    write_traceparent(out, assign->traceparent);
  } else if (const auto* cancel = std::get_if<Cancel>(&order)) {
    out["type"] = "cancel";
    write_key(out, cancel->key);
    write_traceparent(out, cancel->traceparent);
  } else {
    const auto& stale = std::get<Stale>(order);
    out = Json{{"type", "stale"}, {"state", stale.state}};
    write_key(out, stale.key);
    write_traceparent(out, stale.traceparent);
  }
  return out;
}

Result<std::vector<Order>> decode_orders(std::string_view text) {
  auto value = parse(text, 8 << 20);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  std::vector<Order> orders;
  if (const Json* items = reader.items()) {
    for (std::size_t i = 0; i < items->size() && reader.ok(); ++i) {
      Reader item(reader, "items", i, (*items)[i]);
      const auto type = item.text("type", 16);
      if (type == "assign") {
        orders.emplace_back(read_assign(item));
      } else if (type == "cancel") {
        orders.emplace_back(Cancel{read_key(item), read_traceparent(item)});
      } else if (type == "stale") {
        Stale stale{read_key(item), item.text("state", 32), read_traceparent(item)};
        orders.emplace_back(std::move(stale));
      } else {
        item.fail("type", "must be assign, cancel or stale");
      }
      item.finish();
    }
  }
  if (!reader.finish()) return reader.error();
  return orders;
}

Result<Assign> decode_assign(const Json& value) {
  Reader reader(value);
  reader.text_or("type", "assign", 16);
  auto assign = read_assign(reader);
  if (!reader.finish()) return reader.error();
  return assign;
}

std::string encode(const StreamAck& ack) { return dump(Json{{"v", 1}, {"epoch", ack.epoch}, {"seq", ack.seq}}); }

Result<StreamAck> decode_ack(std::string_view text) {
  auto value = parse(text, 4096);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  StreamAck ack{reader.integer("epoch", 0, integer_max), reader.integer("seq", 0, integer_max)};
  if (!reader.finish()) return reader.error();
  return ack;
}

std::string encode(const Grant& grant) {
  Json out{{"device", grant.device.value},
           {"command_digest", grant.command_digest},
           {"limits", encode(grant.limits)},
           {"issued_ms", grant.issued_ms},
           {"expires_ms", grant.expires_ms}};
  write_key(out, grant.key);
  if (!grant.package.empty()) out["package"] = grant.package;
  return dump(out);
}

Result<Grant> decode_grant(std::string_view text) {
  auto value = parse(text, 65536);
  if (!value) return value.error();
  Reader reader(*value);
  Grant grant;
  grant.key = read_key(reader);
  grant.device = DeviceId(reader.id("device"));
  grant.package = reader.digest_or_empty("package");
  grant.command_digest = reader.digest("command_digest");
  if (const Json* limits = reader.object("limits")) grant.limits = read_limits(reader, *limits);
  grant.issued_ms = reader.integer("issued_ms", 0, integer_max);
  grant.expires_ms = reader.integer("expires_ms", 0, integer_max);
  if (!reader.finish()) return reader.error();
  return grant;
}

std::string command_text(const std::vector<std::string>& command) { return dump(Json(command)); }

}  // namespace fieldwork::codec
