#include "settings.hpp"

#include <cstdlib>
#include <filesystem>
#include <map>

#include "base/id.hpp"
#include "crypto/certificate.hpp"
#include "files.hpp"
#include "output.hpp"
#include "runtime/config.hpp"
#include "runtime/program.hpp"

namespace fieldwork::cli {
namespace {

Failure bad(std::string reason) { return {Exit::usage, std::move(reason)}; }

// "broker.url (file:line)" becomes "broker.url from file:line", so that it can stand in brackets.
std::string origin(const runtime::Config& config, const std::string& key) {
  auto text = config.origin(key);
  if (const auto bracket = text.find(" ("); bracket != std::string::npos && text.ends_with(")")) {
    text.pop_back();
    text.replace(bracket, 2, " from ");
  }
  return text;
}

struct File {
  std::string path;
  std::string tried;  // the default path, where there is no file
};

Outcome<File> find_file(const Options& options, const std::map<std::string, std::string>& environment) {
  std::string path = options.config;
  std::string from = "--config";
  if (const auto it = environment.find("FIELDWORK_CONFIG"); path.empty() && it != environment.end()) {
    path = it->second;
    from = "environment FIELDWORK_CONFIG";
  }
  std::error_code ignored;
  if (!path.empty()) {
    if (!std::filesystem::is_regular_file(path, ignored))
      return bad("there is no settings file " + path + " (" + from + ")");
    return File{path, {}};
  }
  const auto home = environment.find("HOME");
  const auto xdg = environment.find("XDG_CONFIG_HOME");
  const bool has_xdg = xdg != environment.end() && xdg->second.starts_with("/");
  if (!has_xdg && home == environment.end()) return File{};
  path = (has_xdg ? xdg->second : home->second + "/.config") + "/fieldwork/cli.toml";
  return std::filesystem::is_regular_file(path, ignored) ? File{path, {}} : File{{}, path};
}

Outcome<std::string> own_name(const Settings& settings) {
  if (settings.mqtt.certificate.empty()) return std::string("operator");
  auto pem = read_file(settings.mqtt.certificate, crypto::pem_bytes_max);
  if (!pem) return bad(settings.certificate_origin + ": " + describe(pem.error()));
  auto certificate = crypto::Certificate::from_pem(*pem);
  if (!certificate)
    return bad(settings.certificate_origin + ": " + settings.mqtt.certificate + ": " + describe(certificate.error()));
  if (!is_id(certificate->common_name())) {
    return bad(settings.certificate_origin + ": its common name '" + certificate->common_name() +
               "' cannot stand in a topic");
  }
  return certificate->common_name();
}

// Checked here, because the MQTT library would only say that TLS failed.
Outcome<bool> check_files(const Settings& settings, const std::string& key_origin) {
  if (!settings.mqtt.url.starts_with("ssl://")) return true;
  if (auto ca = read_file(settings.mqtt.ca, 1 << 20); !ca) return bad(settings.ca_origin + ": " + describe(ca.error()));
  auto key = crypto::PrivateKey::load(settings.mqtt.key, crypto::KeyUse::receive);
  if (!key) return bad(key_origin + ": " + describe(key.error()));
  return true;
}

}  // namespace

Outcome<Settings> load_settings(const Options& options) {
  const auto environment = runtime::Config::process_environment();
  auto file = find_file(options, environment);
  if (!file) return file.failure();
  auto config = runtime::Config::load(file->path, options.sets, environment);
  if (!config) return bad(describe(config.error()));
  Settings out;
  out.file = file->path;
  out.root = config->text("root", "fieldwork/v1");
  out.mqtt = runtime::read_mqtt(*config, "");
  for (const auto* unused : {"broker.ca", "broker.certificate", "broker.key"})
    (void)config->text(unused, "");  // by tcp://
  out.release_key = config->text("release.key", "");
  out.scenarios = config->text("scenarios.directory", runtime::beside_program("edge-scenarios").string());
  out.root_origin = origin(*config, "root");
  out.url_origin = origin(*config, "broker.url");
  out.ca_origin = origin(*config, "broker.ca");
  out.certificate_origin = origin(*config, "broker.certificate");
  out.release_key_origin = origin(*config, "release.key");
  for (const auto& warning : config->unknown_variables()) say("warning: " + warning);
  if (auto finished = config->finish(); !finished) {
    const bool unset = !file->tried.empty() && finished.error().reason.starts_with("is not set");
    const auto hint = !unset ? "" : " (there is no settings file " + file->tried + ")";
    return bad(describe(finished.error()) + hint);
  }
  if (!out.mqtt.url.starts_with("ssl://") && !out.mqtt.url.starts_with("tcp://")) {
    return bad(out.url_origin + ": must be ssl://host:port, is '" + out.mqtt.url + "'");
  }
  if (auto readable = check_files(out, origin(*config, "broker.key")); !readable) return readable.failure();
  auto name = own_name(out);
  if (!name) return name.failure();
  out.from = *name;
  return out;
}

}  // namespace fieldwork::cli
