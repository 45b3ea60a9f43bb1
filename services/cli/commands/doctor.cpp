#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "crypto/certificate.hpp"
#include "crypto/jws.hpp"
#include "files.hpp"
#include "limits.hpp"
#include "output.hpp"
#include "reach.hpp"
#include "topic/channels.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

constexpr std::array services_that_answer{"registry", "scheduler", "transfer"};
constexpr std::size_t column = 25;  // of a check's text: behind the longest name, "service security-policy"
constexpr const char* release_type = "fieldwork-release+jws";
constexpr std::chrono::milliseconds retained_within{1500};  // waiting for states that the broker keeps

using Services = std::map<std::string, Session::ServiceState>;

class Checks {
 public:
  explicit Checks(bool json) : json_(json) {}

  void good(const std::string& check, const std::string& what) { add("ok", check, what, ""); }
  void bad(const std::string& check, const std::string& what, const std::string& next) {
    add("FAIL", check, what, next);
  }
  // Worth knowing, but no failure.
  void note(const std::string& check, const std::string& what, const std::string& next) {
    add("note", check, what, next);
  }

  int finish(Exit failure) {
    if (json_) print_json({{"ok", ok_}, {"checks", checks_}});
    return ok_ ? 0 : code(failure);
  }

 private:
  void add(const char* verdict, const std::string& check, const std::string& what, const std::string& next) {
    const bool ok = std::string_view(verdict) != "FAIL";
    ok_ = ok_ && ok;
    Json one{{"check", check}, {"ok", ok}, {"detail", what}};
    if (!next.empty()) one["next"] = next;
    checks_.push_back(std::move(one));
    if (json_) return;
    auto line = std::string(verdict);
    line.append(6 - line.size(), ' ').append(check);
    line.append(check.size() < column ? column - check.size() : 1, ' ');
    print(line + printable(what) + "\n");
    if (!next.empty()) print("      " + std::string(column, ' ') + "-> " + printable(next) + "\n");
    std::fflush(stdout);
  }

  bool json_;
  bool ok_ = true;
  Json checks_ = Json::array();
};

// The certificate was read with the settings. This checks its key, its dates, and who issued it.
void check_certificate(const Settings& settings, Checks& checks) {
  if (settings.mqtt.certificate.empty()) {
    checks.good("certificate", "none is needed for " + settings.mqtt.url + " (requests are made as 'operator')");
    return;
  }
  if (const auto trouble = certificate_trouble(settings))
    return checks.bad("certificate", trouble->what, trouble->next);
  const auto pem = read_file(settings.mqtt.certificate, crypto::pem_bytes_max);
  const auto certificate = pem ? crypto::Certificate::from_pem(*pem) : Result<crypto::Certificate>(pem.error());
  if (!certificate) return checks.bad("certificate", describe(certificate.error()), "correct broker.certificate");
  const auto left = certificate->not_after() - std::chrono::system_clock::now();
  checks.good("certificate", "'" + certificate->common_name() + "', good for another " +
                                 human_duration(std::chrono::duration_cast<std::chrono::seconds>(left)));
}

// Returns the registry's list of devices, if that service was asked and has answered; else null.
Json check_service(Session& session, const std::string& service, const Services& seen, const Options& options,
                   Checks& checks) {
  const std::string name = "service " + service;
  const std::string next = "look at the log of fieldwork-" + service + ", and at its /readyz";
  const auto said = seen.find(service);
  const auto state = said == seen.end() ? "" : said->second.state;
  const auto version = said == seen.end() ? "" : said->second.version;
  const auto about = version.empty() ? "" : " (version " + version + ")";
  const bool asks =
      std::find(services_that_answer.begin(), services_that_answer.end(), service) != services_that_answer.end();
  if (!asks) {
    if (state == "up") {
      checks.good(name, "says it is up" + about);
    } else {
      checks.bad(name, state.empty() ? "says nothing of itself" : "is " + state, next);
    }
    return {};
  }
  const auto begin = Session::Clock::now();
  auto answer = session.request(service, "list", Json::object(),
                                std::min<std::chrono::milliseconds>(options.timeout(), answer_patience_max));
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(Session::Clock::now() - begin).count();
  if (!answer) {
    checks.bad(name, answer.failure().reason, next);
    return {};
  }
  checks.good(name, "answered within " + std::to_string(ms + 1) + " ms" + about);
  return *answer;
}

// All pages of the registry's list. When a page does not come, it and the pages behind it are left out.
Json all_devices(Session& session, const Json& first, const Options& options) {
  auto devices = list_of(first, "items");
  auto after = text_of(first, "next");
  while (!after.empty() && !session.interrupted()) {
    auto answer = session.request("registry", "list", {{"after", after}},
                                  std::min<std::chrono::milliseconds>(options.timeout(), answer_patience_max));
    if (!answer) break;
    for (const auto& one : list_of(*answer, "items")) devices.push_back(one);
    after = text_of(*answer, "next");
  }
  return devices;
}

void check_identities(const Json& devices, Checks& checks) {
  for (const auto& device : devices) {
    if (integer_of(device, "duplicated_since_ms") == 0) continue;
    const auto id = text_of(device, "device");
    checks.bad("identity " + id, "two devices use it, and each throws the other out of the broker",
               "issue one of them its own: scripts/pki DIR --devices NEW-ID, then device.id there");
  }
}

void check_devices(const Json& devices, Checks& checks) {
  std::size_t ready = 0;
  std::vector<std::string> away;
  for (const auto& device : devices) {
    const auto lifecycle = text_of(device, "lifecycle"), presence = text_of(device, "presence");
    if (lifecycle == "active" && presence == "online") {
      ++ready;
    } else {
      away.push_back(text_of(device, "device") + " is " + (lifecycle == "active" ? presence : lifecycle));
    }
  }
  auto count = std::to_string(ready) + " of " + std::to_string(devices.size()) + " online";
  for (std::size_t i = 0; i < std::min(away.size(), named_max); ++i) count += "; " + away[i];
  if (away.size() > named_max) count += "; …";
  if (ready > 0 && away.empty()) return checks.good("devices", count);
  if (ready > 0) return checks.note("devices", count, "fieldwork device ls says why");
  checks.bad("devices", count, "start an agent (fieldwork-agent), and see fieldwork device ls");
}

void check_root(const Settings& settings, const Services& seen, Checks& checks) {
  if (!seen.empty()) return;
  checks.bad("root", "no service was ever seen below " + settings.root + " (state/service is empty there)",
             "is it the stack's root? (" + settings.root_origin + ")");
}

// What the broker keeps of the audit's head and of alerts. The broker sent these messages before the answers that were
// waited for, so they have arrived.
struct Retained {
  std::optional<Json> audit;
  std::vector<Json> alerts;  // firing ones
};

Retained retained(Session& session) {
  Retained out;
  std::map<std::string, Json> alerts;
  while (const auto message = session.next(Session::Clock::now())) {
    const auto topic = session.topics().parse(message->topic);
    if (!topic || topic->kind != Topic::Kind::state) continue;
    auto value = codec::parse(message->payload);
    if (!value || !value->is_object()) continue;
    if (topic->channel == "audit")
      out.audit = std::move(*value);
    else if (topic->channel == "alert")
      alerts.insert_or_assign(std::string(topic->name), std::move(*value));
  }
  for (auto& [id, alert] : alerts) {
    if (text_of(alert, "state") == "firing") out.alerts.push_back(std::move(alert));
  }
  return out;
}

void check_alerts(const std::vector<Json>& alerts, Checks& checks) {
  for (std::size_t i = 0; i < std::min(alerts.size(), alerts_named_max); ++i)
    checks.note("alert " + text_of(alerts[i], "rule"),
                text_of(alerts[i], "subject") + ": " + text_of(alerts[i], "reason"), text_of(alerts[i], "next"));
  if (alerts.size() > alerts_named_max)
    checks.note("alerts", std::to_string(alerts.size() - alerts_named_max) + " more fire", "fieldwork alert ls");
}

// Whether people are told: the rules file, and the targets. Whether the service is there was checked before.
void check_telling(Session& session, const Options& options, Checks& checks) {
  auto answer = session.request("alerting", "rules", Json::object(),
                                std::min<std::chrono::milliseconds>(options.timeout(), answer_patience_max));
  if (!answer) return;
  if (const auto problem = text_of(*answer, "problem"); !problem.empty())
    checks.bad("alert rules", "the file is not usable, older rules are in force: " + problem,
               "fieldwork alert rules check FILE");
  const auto& targets = list_of(*answer, "targets");
  for (const auto& one : targets) {
    const auto trouble = text_of(one, "trouble");
    if (trouble.empty()) continue;
    const auto waiting = std::to_string(integer_of(one, "owed")) + " alerts wait: ";
    checks.bad("target " + text_of(one, "target"), waiting + trouble, "see its url in the rules file");
  }
  if (targets.empty())
    checks.note("targets", "nobody is told of alerts", "add a [[target]] to the rules file: docs/alerts.md");
}

void check_audit(const std::optional<Json>& end, Checks& checks) {
  if (!end) return;
  const auto broken = end->find("broken");
  if (broken == end->end()) {
    return checks.good("audit", "ends with row " + std::to_string(integer_of(*end, "sequence")));
  }
  checks.bad("audit", "does not go on from what was said of it: " + text_of(*broken, "reason"),
             "was the database restored, or who changed it? See docs/operations.md, Backup and restore");
}

// Whether the transfer service trusts this key. The service is shown an empty release: it refuses that in any case, its
// reason tells whether the signature was trusted, and it stores nothing.
void check_release_key(Session& session, const Options& options, Checks& checks) {
  const std::string check = "release key";
  const auto& settings = session.settings();
  if (settings.release_key.empty()) return checks.good(check, "not set (only package push needs it)");
  const auto key = crypto::PrivateKey::load(settings.release_key);
  if (!key) return checks.bad(check, describe(key.error()), "correct " + settings.release_key_origin);
  const auto about = settings.release_key + ", id " + key->public_key().id().substr(0, 16) + "…";
  const auto answer = session.request("transfer", "offer", {{"release", crypto::sign_jws(*key, release_type, "{}")}},
                                      std::min<std::chrono::milliseconds>(options.timeout(), answer_patience_max));
  const auto why = answer ? std::string() : answer.failure().reason;
  if (why.find("is not trusted") != std::string::npos) {
    checks.bad(check, about + ": the transfer service does not trust it",
               "correct release.key, or put its public key or certificate into transfer.releases");
  } else if (!answer && answer.failure().exit != Exit::failed) {
    checks.good(check, about + " (transfer was not asked: " + why + ")");
  } else {
    checks.good(check, about + ", trusted by transfer");
  }
}

}  // namespace

int doctor(const Options& options) {
  Checks checks(options.json);
  auto settings = load_settings(options);
  if (!settings) {
    checks.bad("settings", settings.failure().reason, "see fieldwork --help, docs/cli.md");
    return checks.finish(Exit::usage);
  }
  checks.good("settings", settings->file.empty() ? "environment and flags only" : settings->file);
  check_certificate(*settings, checks);
  const auto network =
      try_tcp(settings->mqtt.url, std::min<std::chrono::milliseconds>(options.timeout(), std::chrono::seconds(5)));
  if (!network.empty()) {
    checks.bad("network", settings->mqtt.url + " (" + settings->url_origin + "): " + network,
               "is the broker up, and is that its address?");
    return checks.finish(Exit::unreachable);
  }
  checks.good("network", settings->mqtt.url + " accepts connections");
  auto session = Session::open(*settings, {"state/audit/head", "state/alert/+"}, options);
  if (!session) {
    checks.bad("broker", session.failure().reason, "");
    return checks.finish(Exit::unreachable);
  }
  checks.good("broker",
              (settings->mqtt.url.starts_with("ssl://") ? "TLS and MQTT connected as '" : "MQTT connected as '") +
                  settings->from + "'");
  const auto seen = (*session)->services(service_names.size(), Session::Clock::now() + retained_within);
  check_root(*settings, seen, checks);
  Json devices;
  for (const auto name : service_names) {
    const std::string service(name);
    auto answer = check_service(**session, service, seen, options, checks);
    if (service == "registry") devices = std::move(answer);
    if ((*session)->interrupted()) return code(Exit::interrupted);
    // No service is there, and asking is forbidden: the other services would give the same failure.
    if (seen.empty() && (*session)->stats().denied > 0) return checks.finish(Exit::failed);
  }
  if (devices.is_object()) {
    const auto all = all_devices(**session, devices, options);
    check_devices(all, checks);
    check_identities(all, checks);
  }
  const auto kept = retained(**session);
  check_audit(kept.audit, checks);
  check_alerts(kept.alerts, checks);
  check_telling(**session, options, checks);
  check_release_key(**session, options, checks);
  return checks.finish(Exit::failed);
}

}  // namespace fieldwork::cli
