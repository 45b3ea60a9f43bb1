#include "scheduler/shell/scenarios.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "scheduler/limits.hpp"
#include "scheduler/shell/service.hpp"

namespace fieldwork::scheduler {
namespace {

namespace fs = std::filesystem;
using codec::Json;

std::string word(codec::Reader& reader, const char* field, const std::vector<std::string>& words) {
  auto out = reader.text_or(field, words.front(), 32);
  if (reader.ok() && std::find(words.begin(), words.end(), out) == words.end()) {
    std::string list;
    for (const auto& one : words) list += (list.empty() ? "" : ", ") + one;
    reader.fail(field, "must be one of " + list);
  }
  return out;
}

Needs read_needs(codec::Reader& parent, const Json& value) {
  codec::Reader reader(parent, "needs", value);
  Needs out;
  out.latency_ms = reader.number_maybe("latency_ms", 0.001, 3'600'000);
  out.on_device = word(reader, "locality", {"link", "device"}) == "device";
  out.bandwidth = word(reader, "bandwidth", {"low", "medium", "high"});
  out.reliability = reader.number_maybe("reliability", 0.5, 0.999'999).value_or(out.reliability);
  out.privacy = word(reader, "privacy", {"none", "strict", "highest"});
  out.criticality = word(reader, "criticality", {"normal", "critical", "mission_critical"});
  out.large = word(reader, "scale", {"normal", "high"}) == "high";
  out.mobile = word(reader, "mobility", {"fixed", "mobile"}) == "mobile";
  reader.finish();
  return out;
}

Result<Json> read_file(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return Error{Code::unavailable, "cannot be read", path.string()};
  auto value = codec::parse(text.str(), limits::template_bytes_max);
  if (!value) return Error{value.error().code, describe(value.error()), path.string()};
  return value;
}

Result<Scenario> read_scenario(const fs::path& directory) {
  const auto path = directory / "scenario.json";
  const auto value = read_file(path);
  if (!value) return value.error();
  codec::Reader reader(*value);
  Scenario out;
  out.name = reader.id("name");
  out.title = reader.text("title", 64);
  out.description = reader.text("description", 1024);
  if (const auto* needs = reader.object("needs")) {
    out.needs = read_needs(reader, *needs);
    out.words = *needs;
  }
  const auto jobs = reader.texts_or_empty("jobs", scenario_jobs_max, 128);
  if (!reader.finish()) return Error{Code::invalid, describe(reader.error()), path.string()};
  for (const auto& job : jobs) {
    const auto file = directory / job / "template.json";
    const auto document = read_file(file);
    if (!document) return document.error();
    auto one = codec::decode_template(*document);
    if (!one) return Error{Code::invalid, describe(one.error()), file.string()};
    if (one->name != job) return Error{Code::invalid, "its name is not that of its directory", file.string()};
    out.jobs.push_back(std::move(*one));
  }
  return out;
}

}  // namespace

Result<Scenarios> Scenarios::load(const fs::path& directory) {
  Scenarios out;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(directory, none)) {
    if (!fs::exists(entry.path() / "scenario.json", none)) continue;
    auto one = read_scenario(entry.path());
    if (!one) return one.error();
    const auto name = one->name;
    out.all_.emplace(name, std::move(*one));
  }
  return out;
}

Result<const Scenario*> Scenarios::find(const std::string& name) const {
  if (const auto it = all_.find(name); it != all_.end()) return &it->second;
  std::string known;
  for (const auto& [one, scenario] : all_) known += (known.empty() ? "" : ", ") + one;
  return Error{Code::unknown, "there is no scenario " + name + "; there are " + (known.empty() ? "none" : known),
               "/scenario"};
}

std::optional<Scenarios::Job> Scenarios::job(const std::string& name) const {
  for (const auto& [key, scenario] : all_) {
    for (const auto& one : scenario.jobs)
      if (one.name == name) return Job{&scenario, &one};
  }
  return std::nullopt;
}

double success_of(const Outcomes& outcomes) {
  const auto good = static_cast<double>(outcomes.succeeded), all = good + static_cast<double>(outcomes.failed);
  return std::clamp((19 + good) / (20 + all), 0.5, 0.9999);
}

Json document_of(const Needs& needs, double success) {
  Json need = Json::object();
  Json out = Json::object();
  if (needs.latency_ms && !needs.on_device) need["latency_ms_max"] = *needs.latency_ms;
  if (needs.bandwidth != "low") need["bandwidth_mbit_min"] = needs.bandwidth == "high" ? 10 : 1;
  // A device of which it is known that it is often not well is no help to a job that must not fail.
  const auto fails = 1 - needs.reliability;
  need["health_min"] = std::round(100 * std::clamp(1 - std::pow(fails, 0.25), 0.3, 0.9)) / 100;
  if (needs.privacy != "none") need["privacy"] = needs.privacy == "highest" ? "high" : "medium";
  out["requirements"] = need;
  // So many at once that one of them succeeds with this probability; none of them elsewhere than at its sensor.
  const auto tries = std::ceil(std::log(fails) / std::log(1 - success) - 1e-9);
  const auto at_once = static_cast<int>(std::clamp(tries, 1.0, static_cast<double>(scenario_replicas_max)));
  if (needs.on_device) {
    out["retry"] = {{"attempts_max", std::clamp(at_once + 1, 2, 10)}};
  } else {
    out["replicas"] = at_once;
    if (at_once > 1) out["success"] = "any";
    out["retry"] = {{"attempts_max", 3}};
  }
  out["priority"] = needs.criticality == "normal" ? 5 : needs.criticality == "critical" ? 8 : 9;
  if (needs.criticality != "normal") out["preemptible"] = false;
  if (needs.large) out["placement"] = {{"strategy", "spread"}, {"spread_by", "site"}};
  if (needs.mobile) out["offline"] = {{"lost_after_s", 3600}, {"replace", true}, {"on_reboot", "restart"}};
  return out;
}

// --- requests -----------------------------------------------------------------------------------------------------

double SchedulerService::success() const {
  if (success_) return *success_;
  Outcomes all;
  for (const auto& [id, number] : core_->fleet().all()) {
    const auto& device = core_->fleet().view(number).device;
    if (!gets_work(device)) continue;
    all.succeeded += device.outcomes.succeeded;
    all.failed += device.outcomes.failed;
  }
  success_ = success_of(all);
  return *success_;
}

// service/scheduler/scenarios: all, or one.
void SchedulerService::show_scenarios(const bus::Message& message, const Topic& topic, Time now, runtime::Output& out) {
  auto value = codec::parse(message.payload, 4096);
  if (!value) return reject(topic, message, value.error(), now, out);
  codec::Reader reader(*value);
  reader.version();
  const auto asked = reader.text_or("scenario", "", 128);
  if (!reader.finish()) return reject(topic, message, reader.error(), now, out);
  const auto p = success();
  const auto about = [&](const Scenario& one) {
    Json jobs = Json::array();
    for (const auto& job : one.jobs) jobs.push_back({{"name", job.name}, {"description", job.description}});
    return Json{
        {"scenario", one.name},    {"title", one.title}, {"description", one.description},  {"needs", one.words},
        {"jobs", std::move(jobs)}, {"success", p},       {"job", document_of(one.needs, p)}};
  };
  if (!asked.empty()) {
    const auto found = scenarios_.find(asked);
    if (!found) return reject(topic, message, found.error(), now, out);
    auto answer = about(**found);
    answer["v"] = 1;
    return respond(message, answer, out);
  }
  Json items = Json::array();
  for (const auto& [name, one] : scenarios_.all()) items.push_back(about(one));
  respond(message, {{"v", 1}, {"items", std::move(items)}}, out);
}

}  // namespace fieldwork::scheduler
