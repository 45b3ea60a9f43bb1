// The objects inside a job document.
#include "job_parts.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "fleet/expression.hpp"
#include "model/limits.hpp"

namespace fieldwork::codec {
namespace {

Labels read_labels(Reader& reader, const char* field) { return reader.map_or_empty(field, limits::labels_max, 256); }

// As it was written; that it can be read is checked here.
std::string read_expression(Reader& reader) {
  auto text = reader.text_or("expression", "", fleet::expression_bytes_max);
  if (text.empty()) return text;
  if (const auto parsed = fleet::Expression::parse(text); !parsed) reader.fail("expression", describe(parsed.error()));
  return text;
}

// `architecture` and `capabilities` are terms of the expression, in a form for people: so placement knows one kind.
void add_terms(Reader& reader, std::string& expression) {
  std::string terms;
  const auto add = [&](const char* field, const char* attribute, const std::string& value) {
    if (!is_id(value)) return reader.fail(field, "must be letters, digits, '-', '_', '.' and ':', at most 128");
    terms += (terms.empty() ? "" : " and ") + std::string(attribute) + " == \"" + value + "\"";
  };
  if (const auto text = reader.text_or("architecture", "", 128); !text.empty())
    add("architecture", "architecture", text);
  for (const auto& one : reader.texts_or_empty("capabilities", 16, 128)) add("capabilities", "capability", one);
  if (terms.empty()) return;
  expression = expression.empty() ? terms : terms + " and (" + expression + ")";
  if (expression.size() > fleet::expression_bytes_max || !fleet::Expression::parse(expression))
    reader.fail("expression", "is too long, or nested too deep, beside architecture and capabilities");
}

}  // namespace

Requirements read_requirements(Reader& parent, const Json& value) {
  Reader reader(parent, "requirements", value);
  Requirements out;
  out.cpu_millis = reader.integer_or("cpu_millis", 0, 0, limits::cpu_millis_max);
  out.memory_bytes = reader.integer_or("memory_bytes", 0, 0, limits::size_bytes_max);
  out.storage_bytes = reader.integer_or("storage_bytes", 0, 0, limits::size_bytes_max);
  out.labels = read_labels(reader, "labels");
  out.expression = read_expression(reader);
  add_terms(reader, out.expression);
  out.latency_ms_max = reader.number_maybe("latency_ms_max", 0, 3'600'000);
  out.bandwidth_mbit_min = reader.number_maybe("bandwidth_mbit_min", 0, 1'000'000);
  out.loss_max = reader.number_maybe("loss_max", 0, 1);
  out.health_min = reader.number_maybe("health_min", 0, 1);
  out.sandbox_min = reader.text_or("sandbox_min", "", 64);
  const auto privacy = reader.text_or("privacy", "none", 16);
  if (const auto level = privacy_level(privacy)) {
    out.privacy = *level;
  } else {
    reader.fail("privacy", "must be none, low, medium or high");
  }
  reader.finish();
  return out;
}

Json encode(const Requirements& need) {
  Json out{{"cpu_millis", need.cpu_millis}, {"memory_bytes", need.memory_bytes}, {"storage_bytes", need.storage_bytes}};
  if (!need.labels.empty()) out["labels"] = need.labels;
  if (!need.expression.empty()) out["expression"] = need.expression;
  if (need.latency_ms_max) out["latency_ms_max"] = *need.latency_ms_max;
  if (need.bandwidth_mbit_min) out["bandwidth_mbit_min"] = *need.bandwidth_mbit_min;
  if (need.loss_max) out["loss_max"] = *need.loss_max;
  if (need.health_min) out["health_min"] = *need.health_min;
  if (!need.sandbox_min.empty()) out["sandbox_min"] = need.sandbox_min;
  if (need.privacy != PrivacyLevel::none) out["privacy"] = name(need.privacy);
  return out;
}

Targets read_targets(Reader& parent, const Json& value) {
  Reader reader(parent, "targets", value);
  Targets out;
  out.labels = read_labels(reader, "labels");
  out.expression = read_expression(reader);
  out.group = reader.text_or("group", "", 128);
  if (!out.group.empty() && !is_id(out.group)) reader.fail("group", "must be the name of a group");
  for (auto& id : reader.texts_or_empty("devices", limits::executions_max, 128)) {
    if (!is_id(id)) reader.fail("devices", "must hold ids of devices");
    out.devices.emplace_back(std::move(id));
  }
  out.continuous = reader.boolean_or("continuous", false);
  if (reader.ok() && out.continuous && !out.devices.empty())
    reader.fail("continuous", "cannot stand beside devices: they are named, so none comes later");
  const bool chooses = !out.labels.empty() || !out.expression.empty() || !out.group.empty();
  if (reader.ok() && chooses && !out.devices.empty())
    reader.fail("devices", "cannot stand beside labels, expression or group");
  for (const char* field : {"expression", "group", "devices"}) {
    const auto found = value.find(field);
    if (reader.ok() && found != value.end() && (found->empty() || *found == ""))
      reader.fail(field, "must not be empty");
  }
  if (reader.ok() && (value.empty() || (value.size() == 1 && value.contains("continuous"))))
    reader.fail("labels", "is missing: targets need labels, an expression, a group or devices");
  reader.finish();
  return out;
}

Json encode(const Targets& targets) {
  Json out = Json::object();
  for (const auto& device : targets.devices) out["devices"].push_back(device.value);
  if (!targets.expression.empty()) out["expression"] = targets.expression;
  if (!targets.group.empty()) out["group"] = targets.group;
  if (!targets.labels.empty() || out.empty()) out["labels"] = targets.labels;
  if (targets.continuous) out["continuous"] = true;
  return out;
}

Json encode(const PlacementRules& rules) {
  Json out = Json::object();
  if (rules.spread) out["strategy"] = "spread";
  if (!rules.spread_by.empty()) out["spread_by"] = rules.spread_by;
  for (const auto& one : rules.affinity) {
    const bool by_job = one.expression.empty();
    out["affinity"].push_back(
        {{by_job ? "job" : "expression", by_job ? one.job : one.expression}, {"weight", one.weight}});
  }
  if (!rules.apart_from.empty()) out["apart_from"] = rules.apart_from;
  return out;
}

namespace {

Affinity read_affinity(Reader& parent, std::size_t index, const Json& value) {
  Reader reader(parent, "affinity", index, value);
  Affinity out;
  out.expression = read_expression(reader);
  out.job = reader.text_or("job", "", 128);
  out.weight = static_cast<int>(reader.integer_or("weight", 100, -100, 100));
  if (reader.ok() && out.expression.empty() == out.job.empty())
    reader.fail("expression", "there must be either an expression or a job, and not both");
  if (reader.ok() && out.weight == 0) reader.fail("weight", "must not be 0: it would change nothing");
  reader.finish();
  return out;
}

}  // namespace

PlacementRules read_placement(Reader& parent, const Json& value) {
  Reader reader(parent, "placement", value);
  PlacementRules out;
  const auto strategy = reader.text_or("strategy", "pack", 16);
  if (reader.ok() && strategy != "pack" && strategy != "spread") reader.fail("strategy", "must be pack or spread");
  out.spread = strategy == "spread";
  out.spread_by = reader.text_or("spread_by", "", 128);
  if (const Json* all = reader.array_maybe("affinity", limits::affinities_max)) {
    for (std::size_t i = 0; i < all->size(); ++i) out.affinity.push_back(read_affinity(reader, i, (*all)[i]));
  }
  out.apart_from = reader.texts_or_empty("apart_from", limits::affinities_max, 128);
  if (std::any_of(out.apart_from.begin(), out.apart_from.end(), [](const auto& one) { return one.empty(); }))
    reader.fail("apart_from", "must hold names of jobs");
  reader.finish();
  return out;
}

std::string text_of(const Success& success) {
  if (success.any) return "any";
  return success.percent ? std::to_string(*success.percent) + "%" : "all";
}

Success read_success(Reader& reader) {
  Success out;
  const auto text = reader.text_or("success", "all", 16);
  if (text == "all") return out;
  out.any = text == "any";
  int percent = 0;
  const auto* end = text.data() + text.size();
  const auto error = std::from_chars(text.data(), end, percent).ec;
  const bool whole = error == std::errc{} && percent >= 1 && percent <= 100 && text == std::to_string(percent) + "%";
  if (whole) out.percent = percent;
  if (reader.ok() && !out.any && !whole) reader.fail("success", "must be all, any, or a percentage such as \"80%\"");
  return out;
}

Json encode(const Retry& retry) {
  Json out{{"attempts_max", retry.attempts_max}, {"backoff_s", retry.backoff_s}, {"lost_max", retry.lost_max}};
  if (!retry.on.empty()) out["on"] = retry.on;
  return out;
}

namespace {

bool is_kind_of_failure(const std::string& text) {
  if (std::find(retry_words.begin(), retry_words.end(), text) != retry_words.end()) return true;
  int code = 0;
  const auto* end = text.data() + text.size();
  if (!text.starts_with("exit:")) return false;
  const auto error = std::from_chars(text.data() + 5, end, code).ec;
  return error == std::errc{} && code >= 1 && code <= 255 && text == "exit:" + std::to_string(code);
}

}  // namespace

Retry read_retry(Reader& parent, const Json& value, const JobSpec& job) {
  Reader reader(parent, "retry", value);
  auto out = job.retry;
  out.attempts_max = static_cast<int>(reader.integer_or("attempts_max", out.attempts_max, 1, 10));
  out.backoff_s = static_cast<int>(reader.integer_or("backoff_s", out.backoff_s, 0, 3600));
  out.lost_max = static_cast<int>(reader.integer_or("lost_max", out.lost_max, 1, 100));
  const bool named = reader.any_maybe("on") != nullptr;
  out.on = reader.texts_or_empty("on", limits::retry_on_max, 16);
  for (std::size_t i = 0; i < out.on.size(); ++i) {
    if (!is_kind_of_failure(out.on[i]))
      reader.fail("on/" + std::to_string(i), "must be exit, exit:1 to exit:255, signal, timed_out or other");
  }
  if (reader.ok() && named && out.on.empty())
    reader.fail("on", "must not be empty: attempts_max 1 says that nothing is tried again");
  if (job.at_most_once.value_or(false) && out.attempts_max > 1)
    reader.fail("attempts_max", "contradicts semantics at_most_once: must be 1");
  reader.finish();
  return out;
}

Offline read_offline(Reader& parent, const Json& value, const JobSpec& job) {
  const bool once = at_most_once(job);
  Reader reader(parent, "offline", value);
  Offline out;
  const auto period = [&](const char* field) -> std::optional<int> {
    const auto value_s = reader.integer_maybe(field, 1, 31'536'000);
    return value_s ? std::optional(static_cast<int>(*value_s)) : std::nullopt;
  };
  out.lost_after_s = period("lost_after_s");
  out.stop_after_s = period("stop_after_s");
  out.stage_s = period("stage_s");
  if (reader.ok() && out.stage_s && !job.start_at_ms)
    reader.fail("stage_s", "stands beside start_at: before it the device has the work");
  if (reader.any_maybe("replace") != nullptr) out.replace = reader.boolean_or("replace", true);
  const auto on_reboot = reader.text_or("on_reboot", "fail", 16);
  if (reader.ok() && on_reboot != "fail" && on_reboot != "restart") reader.fail("on_reboot", "must be fail or restart");
  out.restart_on_reboot = on_reboot == "restart";
  if (const auto word = reconcile_word(reader.text_or("reconcile", "keep_replacement", 32))) {
    out.reconcile = *word;
  } else {
    reader.fail("reconcile", "must be keep_replacement, keep_original or best_score");
  }
  if (reader.ok() && once && reader.any_maybe("reconcile") != nullptr)
    reader.fail("reconcile", "contradicts at_most_once (retry/attempts_max 1 means it, too): there is one copy");
  if (reader.ok() && out.stop_after_s && out.lost_after_s && *out.stop_after_s >= *out.lost_after_s)
    reader.fail("stop_after_s", "must be below lost_after_s: the device gives up first");
  if (reader.ok() && once && out.replace.value_or(false))
    reader.fail("replace", "contradicts at_most_once (retry/attempts_max 1 means it, too): it is never replaced");
  if (reader.ok() && job.at_most_once == false && !out.replace.value_or(true))
    reader.fail("replace", "contradicts semantics at_least_once: a lost attempt is followed by another");
  if (reader.ok() && once && out.restart_on_reboot)
    reader.fail("on_reboot", "restart contradicts at_most_once (retry/attempts_max 1 means it, too)");
  reader.finish();
  return out;
}

Json encode(const Offline& offline) {
  Json out = Json::object();
  if (offline.lost_after_s) out["lost_after_s"] = *offline.lost_after_s;
  if (offline.stop_after_s) out["stop_after_s"] = *offline.stop_after_s;
  if (offline.replace) out["replace"] = *offline.replace;
  if (offline.restart_on_reboot) out["on_reboot"] = "restart";
  if (offline.stage_s) out["stage_s"] = *offline.stage_s;
  if (offline.reconcile != Reconcile::keep_replacement) out["reconcile"] = name(offline.reconcile);
  return out;
}

}  // namespace fieldwork::codec
