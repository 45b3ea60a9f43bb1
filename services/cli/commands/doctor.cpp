#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "crypto/certificate.hpp"
#include "files.hpp"
#include "output.hpp"
#include "reach.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

constexpr std::array service_names{"registry", "scheduler", "transfer", "security-policy", "alerting"};
constexpr std::array services_that_answer{"registry", "scheduler", "transfer"};
constexpr std::chrono::seconds patience_max{3};             // for each answer
constexpr std::chrono::milliseconds retained_within{1500};  // for states that the broker keeps

class Checks {
 public:
  explicit Checks(bool json) : json_(json) {}

  void good(const std::string& check, const std::string& what) { add(check, true, what, ""); }
  void bad(const std::string& check, const std::string& what, const std::string& next) {
    add(check, false, what, next);
  }

  int finish(Exit failure) {
    if (json_) print_json({{"ok", ok_}, {"checks", checks_}});
    return ok_ ? 0 : code(failure);
  }

 private:
  void add(const std::string& check, bool ok, const std::string& what, const std::string& next) {
    ok_ = ok_ && ok;
    Json one{{"check", check}, {"ok", ok}, {"detail", what}};
    if (!next.empty()) one["next"] = next;
    checks_.push_back(std::move(one));
    if (json_) return;
    auto line = std::string(ok ? "ok    " : "FAIL  ") + check;
    line.append(check.size() < 16 ? 16 - check.size() : 1, ' ');
    print(line + printable(what) + "\n");
    if (!next.empty()) print("      " + std::string(16, ' ') + "-> " + printable(next) + "\n");
    std::fflush(stdout);
  }

  bool json_;
  bool ok_ = true;
  Json checks_ = Json::array();
};

// What a command would say, without sending its reader here.
std::string reason_of(const Failure& failure) {
  auto reason = failure.reason;
  for (const auto* hint : {". Try fieldwork doctor", ". Is that service up?", ". Is the stack up?"}) {
    if (const auto at = reason.find(hint); at != std::string::npos) reason.erase(at);
  }
  return reason;
}

// The certificate itself was read with the settings; here: its key, its dates, who issued it.
void check_certificate(const Settings& settings, Checks& checks) {
  if (settings.mqtt.certificate.empty()) {
    checks.good("certificate", "none is needed for " + settings.mqtt.url + " (requests are made as 'operator')");
    return;
  }
  const std::string next = "make a new one with scripts/pki, or correct broker.certificate and broker.key";
  const auto pem = read_file(settings.mqtt.certificate, crypto::pem_bytes_max);
  const auto certificate = pem ? crypto::Certificate::from_pem(*pem) : Result<crypto::Certificate>(pem.error());
  if (!certificate) return checks.bad("certificate", describe(certificate.error()), next);
  const auto key = crypto::PrivateKey::load(settings.mqtt.key);
  if (!key) return checks.bad("certificate", settings.mqtt.key + ": " + describe(key.error()), next);
  if (!(key->public_key() == certificate->public_key())) {
    return checks.bad("certificate", settings.mqtt.key + " is not the key of " + settings.mqtt.certificate, next);
  }
  const auto authority = crypto::CertificateAuthority::load(settings.mqtt.ca);
  if (!authority) return checks.bad("certificate", settings.ca_origin + ": " + describe(authority.error()), next);
  const auto now = std::chrono::system_clock::now();
  if (const auto verified = authority->verify(*certificate, now); !verified) {
    return checks.bad("certificate", settings.mqtt.certificate + ": " + describe(verified.error()), next);
  }
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(certificate->not_after() - now);
  checks.good("certificate", "'" + certificate->common_name() + "', good for another " + human_duration(left));
}

void check_release_key(const Settings& settings, Checks& checks) {
  if (settings.release_key.empty()) return checks.good("release key", "not set (only package push needs it)");
  const auto key = crypto::PrivateKey::load(settings.release_key);
  if (key)
    return checks.good("release key", settings.release_key + ", id " + key->public_key().id().substr(0, 16) + "…");
  checks.bad("release key", describe(key.error()), "correct " + settings.release_key_origin);
}

// service -> what it says of itself; and whether security-policy's audit head was seen.
struct Retained {
  std::map<std::string, Json> services;
  bool audit = false;
};

Retained retained(Session& session) {
  Retained out;
  const auto until = Session::Clock::now() + retained_within;
  while (out.services.size() < service_names.size()) {
    const auto message = session.next(until);
    if (!message) break;
    const auto topic = session.topics().parse(message->topic);
    const auto value = codec::parse(message->payload);
    if (!topic || !value || topic->kind != Topic::Kind::state) continue;
    if (topic->channel == "service") out.services[std::string(topic->name)] = *value;
    if (topic->channel == "audit") out.audit = true;
  }
  return out;
}

// The registry's list of devices, if that is what was asked and it came.
Json check_service(Session& session, const std::string& service, const Retained& seen, const Options& options,
                   Checks& checks) {
  const std::string name = "service " + service;
  const std::string next = "look at the log of fieldwork-" + service + ", and at its /readyz";
  const auto said = seen.services.find(service);
  const auto state = said == seen.services.end() ? "" : text_of(said->second, "state");
  const auto version = said == seen.services.end() ? "" : text_of(said->second, "version");
  const auto about = version.empty() ? "" : " (version " + version + ")";
  const bool asks =
      std::find(services_that_answer.begin(), services_that_answer.end(), service) != services_that_answer.end();
  if (!asks) {
    if (state == "up") {
      checks.good(name, "says it is up" + about);
    } else if (state.empty() && service == "security-policy" && seen.audit) {
      checks.good(name, "its audit trail is there");
    } else {
      checks.bad(name, state.empty() ? "says nothing of itself" : "is " + state, next);
    }
    return {};
  }
  const auto begin = Session::Clock::now();
  auto answer = session.request(service, "list", Json::object(),
                                std::min<std::chrono::milliseconds>(options.timeout(), patience_max));
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(Session::Clock::now() - begin).count();
  if (!answer) {
    checks.bad(name, reason_of(answer.failure()) + (state.empty() ? "" : " (it says of itself: " + state + ")"), next);
    return {};
  }
  checks.good(name, "answered within " + std::to_string(ms + 1) + " ms" + about);
  return *answer;
}

void check_devices(const Json& answer, Checks& checks) {
  if (!answer.is_object()) return;
  std::size_t ready = 0;
  const auto& devices = list_of(answer, "items");
  for (const auto& device : devices) ready += text_of(device, "state") == "ready" ? 1 : 0;
  const auto count = std::to_string(ready) + " of " + std::to_string(devices.size()) + " online";
  if (ready > 0) return checks.good("devices", count);
  checks.bad("devices", count, "start an agent (fieldwork-agent), and see fieldwork device ls");
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
  check_release_key(*settings, checks);
  const auto network =
      try_tcp(settings->mqtt.url, std::min<std::chrono::milliseconds>(options.timeout(), std::chrono::seconds(5)));
  if (!network.empty()) {
    checks.bad("network", settings->mqtt.url + " (" + settings->url_origin + "): " + network,
               "is the stack up? Try scripts/quickstart");
    return checks.finish(Exit::unreachable);
  }
  checks.good("network", settings->mqtt.url + " accepts connections");
  auto session = Session::open(*settings, {"state/service/+", "state/audit/head"}, options);
  if (!session) {
    checks.bad("broker", reason_of(session.failure()), "look at the broker's log: it says why it refused");
    return checks.finish(Exit::unreachable);
  }
  checks.good("broker",
              (settings->mqtt.url.starts_with("ssl://") ? "TLS and MQTT connected as '" : "MQTT connected as '") +
                  settings->from + "'");
  const auto seen = retained(**session);
  Json devices;
  for (const std::string service : service_names) {
    auto answer = check_service(**session, service, seen, options, checks);
    if (service == "registry") devices = std::move(answer);
    if ((*session)->interrupted()) return code(Exit::interrupted);
  }
  check_devices(devices, checks);
  return checks.finish(Exit::failed);
}

}  // namespace fieldwork::cli
