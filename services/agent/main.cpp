// The agent's program: one process per device.
#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>

#include "agent/limits.hpp"
#include "agent/shell/device_hands.hpp"
#include "agent/shell/resources.hpp"
#include "agent/shell/start.hpp"
#include "base/boot_clock.hpp"
#include "codec/device.hpp"
#include "crypto/certificate.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "runtime/program.hpp"
#include "runtime/runner.hpp"
#include "runtime/version.hpp"
#include "store/sqlite.hpp"

using namespace fieldwork;

namespace {

struct Settings {
  std::string root, directory, files, grants, releases, transfer_ca, listen, log_level;
  agent::AgentConfig agent;
  bus::MqttConfig mqtt;
  std::int64_t package_bytes_max = 0;
  std::int64_t packages_bytes_max = 0;
  std::int64_t outputs_bytes_max = 0;
};

int fail(const Error& error) {
  log::error(describe(error));
  return error.code == Code::unavailable ? runtime::exit_unreachable : runtime::exit_usage;
}

// The error's path names the journal's file.
int fail_with_journal(const Error& error) {
  if (error.code != Code::conflict) return fail(error);
  log::error(describe(error));
  return agent::exit_damaged;
}

std::string read_text(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// Whether `one` is `other` or lies in it; both exist.
bool is_inside_of(const std::filesystem::path& one, const std::filesystem::path& other) {
  std::error_code ignored;
  const auto inner = std::filesystem::weakly_canonical(one, ignored),
             outer = std::filesystem::weakly_canonical(other, ignored);
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

// What the device says of itself: the machine's own words, where the settings say nothing else.
void read_about(runtime::Config& config, const Capacity& own, agent::AgentConfig& out) {
  Capacity declared;
  declared.cpu_millis = config.integer("device.cpu_millis", own.cpu_millis, 1, 1'024'000);
  declared.memory_bytes = config.integer("device.memory_bytes", own.memory_bytes, 1, limits::size_bytes_max);
  declared.storage_bytes = config.integer("device.storage_bytes", own.storage_bytes, 0, limits::size_bytes_max);
  out.about = agent::read_description(declared);
  out.about.agent = version();
  out.about.site = config.text("device.site", "");
  std::istringstream capabilities(config.text("device.capabilities", ""));
  for (std::string one; std::getline(capabilities, one, ',');) {
    std::erase(one, ' ');
    if (!one.empty()) out.about.capabilities.push_back(one);
  }
  out.about.uplink.bit_per_s = config.integer("device.uplink_bit_per_s", 0, 0, limits::integer_max);
  out.about.uplink.metered = config.boolean("device.metered", false);
  out.about.labels = config.table("device.labels");
  out.about.sandbox = {"rlimits"};
  if (agent::pid_namespaces_work()) out.about.sandbox.emplace_back("pid_namespace");
  out.boot_id = agent::read_boot_id();
}

Result<Settings> read_settings(runtime::Config& config) {
  Settings out;
  out.agent.root = out.root = config.text("root", "fieldwork/v1");
  out.agent.device = config.text("device.id");
  out.directory = config.text("device.directory");
  std::error_code ignored;
  std::filesystem::create_directories(out.directory, ignored);
  const auto own = agent::read_capacity(out.directory);
  read_about(config, own, out.agent);
  out.package_bytes_max = config.integer("device.package_bytes_max", std::int64_t{4} << 30, 1, std::int64_t{1} << 50);
  out.packages_bytes_max = config.integer("device.packages_bytes_max", 0, 0, std::int64_t{1} << 50);
  out.outputs_bytes_max = config.integer("device.outputs_bytes_max", agent::outputs_bytes, 1, std::int64_t{1} << 50);
  out.files = config.text("device.files", "");
  out.agent.places = !out.files.empty();
  if (out.agent.places) std::filesystem::create_directories(out.files, ignored);
  const bool apart =
      !out.agent.places || !(is_inside_of(out.files, out.directory) || is_inside_of(out.directory, out.files));
  out.grants = config.text("trust.grants");
  out.releases = config.text("trust.releases");
  out.transfer_ca = config.text("trust.transfer_ca");
  out.listen = config.text("http.listen", "");
  out.log_level = config.text("log.level", "info");
  out.mqtt = runtime::read_mqtt(config, out.agent.device);
  out.mqtt.mqtt5 = false;
  if (auto finished = config.finish(); !finished) return finished.error();
  if (!apart)
    return Error{Code::invalid, "must be a directory apart from device.directory", config.origin("device.files")};
  if (out.agent.places && !std::filesystem::is_directory(out.files, ignored))
    return Error{Code::invalid, "is no directory, and cannot be made", config.origin("device.files")};
  if (!is_id(out.agent.device)) return Error{Code::invalid, "is not a device id", config.origin("device.id")};
  auto grants = crypto::TrustStore::load(out.grants);
  if (!grants) return Error{Code::invalid, describe(grants.error()), config.origin("trust.grants")};
  out.agent.grants = std::move(*grants);
  out.agent.certificate_pem = read_text(out.mqtt.certificate);
  // What the registry would refuse is refused here, by the same reader.
  const Enrolment said{1, out.agent.certificate_pem, out.agent.about, out.agent.boot_id, 0};
  if (const auto read = codec::decode_enrolment(codec::encode(said)); !read && read.error().path != "/certificate")
    return Error{Code::invalid, read.error().reason, "device" + read.error().path};
  return out;
}

Result<agent::Identity> read_identity(const Settings& settings) {
  auto key = crypto::PrivateKey::load(settings.mqtt.key, crypto::KeyUse::receive);
  if (!key) return Error{Code::invalid, describe(key.error()), "broker.key"};
  auto certificate = crypto::Certificate::from_pem(settings.agent.certificate_pem);
  if (!certificate) return Error{Code::invalid, describe(certificate.error()), "broker.certificate"};
  if (certificate->common_name() != settings.agent.device) {
    return Error{Code::invalid,
                 "the certificate is for " + certificate->common_name() + ", not for " + settings.agent.device,
                 "device.id"};
  }
  auto transfer_ca = crypto::CertificateAuthority::load(settings.transfer_ca);
  if (!transfer_ca) return Error{Code::invalid, describe(transfer_ca.error()), "trust.transfer_ca"};
  return agent::Identity{settings.agent.device, settings.agent.certificate_pem, certificate->fingerprint(),
                         std::make_shared<const crypto::PrivateKey>(std::move(*key)), std::move(*transfer_ca)};
}

std::int64_t wall_ms() {
  return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Tells this start from the start of another agent that has a copy of the journal, and so the same session.
std::int64_t random_boot() {
  std::random_device source;
  return std::uniform_int_distribution<std::int64_t>(1, codec::integer_max)(source);
}

// Sets presence (birth and last will) and what the service asks of its device and its link. `runner` is set before any
// of these functions is called.
void connect_to_world(Settings& settings, const Topics& topics, std::int64_t session, runtime::Runner*& runner,
                      std::unique_ptr<agent::DeviceHands>& hands) {
  const auto boot = random_boot();
  const auto presence = [&](PresenceSaid::State state) {
    return agent::AgentService::presence(topics, settings.agent.device, {state, session, boot});
  };
  settings.mqtt.will = presence(PresenceSaid::State::offline);
  settings.mqtt.birth = presence(PresenceSaid::State::online);
  settings.mqtt.goodbye = presence(PresenceSaid::State::goodbye);
  const auto meter = std::make_shared<agent::Meter>(settings.directory, settings.agent.about.capacity);
  settings.agent.resources = [meter, &hands] {
    auto out = meter->read(Time{Duration{boot_us()}});
    out.prunable_bytes = hands->prunable_bytes();
    return out;
  };
  settings.agent.configure = [meter, &hands, log_level = settings.log_level,
                              packages_bytes_max = settings.packages_bytes_max](const Configuration& wanted) {
    log::set_level(wanted.log_level.value_or(log_level));
    meter->sample_every(seconds{wanted.sample_s.value_or(1)});
    hands->cache_bytes(wanted.cache_bytes.value_or(packages_bytes_max));
  };
  settings.agent.boot = boot;
  settings.agent.sleeps = [directory = settings.directory, &runner, announced = false, connects = std::uint64_t{0},
                           looked_us = std::int64_t{0}]() mutable -> std::int64_t {
    const auto& bus = runner->bus();
    if (!bus.connected()) return 0;
    // What was under way when a connection ended is lost: it is announced again.
    announced = announced && connects == runner->bus_stats().connects;
    if (announced && bus.idle()) {
      agent::forget_announced_sleep(directory);
      announced = false;
    }
    if (announced || boot_us() - looked_us < 200'000) return 0;
    looked_us = boot_us();
    const auto sleep_s = agent::announced_sleep_s(directory);
    announced = sleep_s > 0;
    connects = runner->bus_stats().connects;
    return sleep_s;
  };
  settings.agent.wall_ms = wall_ms;
  settings.agent.random = [source = std::make_shared<std::random_device>()] {
    return (std::uint64_t{(*source)()} << 32U) | (*source)();
  };
  settings.agent.reports_idle = [&runner] {
    return runner->bus().backlog(bus::Lane::bulk) + runner->bus().backlog(bus::Lane::control) == 0;
  };
  settings.agent.beat_idle = [&runner] { return runner->bus().backlog(bus::Lane::newest) == 0; };
  settings.agent.link = [&runner, &hands] {
    const auto stats = runner->bus_stats();
    auto link = hands->figures();
    link.reconnects = static_cast<std::int64_t>(stats.connects > 0 ? stats.connects - 1 : 0);
    return link;
  };
  settings.agent.moment = [&runner](Time) { return runner->now(); };
  log::info("starting", {{"device", settings.agent.device},
                         {"session", std::to_string(session)},
                         {"pid_namespace", agent::pid_namespaces_work() ? "yes" : "no"},
                         {"ends_jobs_by", agent::pid_namespaces_work() ? "pid namespace" : "subreaper"}});
}

// Empty: nothing is to be served.
std::unique_ptr<metrics::HttpServer> serve(const std::string& listen, const runtime::Runner& runner) {
  if (listen.empty()) return nullptr;
  return std::make_unique<metrics::HttpServer>(
      listen, [&runner] { return runner.healthy(); }, [&runner] { return runner.ready(); });
}

// Before the journal is opened: these directories may be what fills the disk. Returns that of the packages.
std::filesystem::path clear_directories(const std::filesystem::path& directory) {
  agent::Workplace::clear(directory / "work");
  agent::PackageCache::prepare(directory / "packages");
  agent::forget_announced_sleep(directory);  // of before this start
  return directory / "packages";
}

agent::RunEnded how_it_ended(const agent::Outcome& of) {
  return {of.key, of.result, of.reason, of.refused, of.timed_out, of.by_contract};
}

// False: nobody was told.
bool publish_log(bus::MqttBus& bus, std::string topic, const Assign& assign, agent::Told told) {
  // Nothing else of the device may wait behind what somebody looks at.
  if (!bus.connected() || bus.backlog(bus::Lane::control) > agent::told_at_once_bytes_max) return false;
  const codec::LogLine line{assign.key, std::string(told.stream), std::move(told.text), told.dropped,
                            told.begin, assign.traceparent};
  return bus.publish({.topic = std::move(topic), .payload = codec::encode(line), .qos = 0}).ok();
}

int run(Settings settings) {
  auto identity = read_identity(settings);
  if (!identity) return fail(identity.error());
  auto releases = crypto::TrustStore::load(settings.releases);
  if (!releases) return fail({Code::invalid, describe(releases.error()), "trust.releases"});
  const auto lock = agent::DirectoryLock::acquire(settings.directory);
  if (!lock) return fail(lock.error());
  const auto package_directory = clear_directories(settings.directory);
  auto journal = agent::open_journal(settings.directory);
  if (!journal) return fail_with_journal(journal.error());
  const auto session = agent::AgentService::next_session(**journal);
  if (!session) return fail(session.error());

  const Topics topics(settings.root);
  // Set below. The runner is made after the parts that use it, and destroyed after `hands`.
  // The signal is held before any thread is started: a thread that does not block it would end the process.
  std::atomic<runtime::Runner*> active = nullptr;
  std::atomic<bool> stopping = false;
  runtime::StopSignal signal([&] {
    stopping = true;
    if (auto* one = active.load()) one->stop();
  });
  runtime::Runner* runner = nullptr;
  agent::AgentService* service = nullptr;
  std::unique_ptr<agent::DeviceHands> hands;
  const auto done = [&](agent::Outcome outcome) {
    runner->post([&service, &hands, outcome = std::move(outcome)](Time now, runtime::Output&) {
      service->step(agent::LinesWritten{hands->finish(outcome, now)}, now);
      service->step(how_it_ended(outcome), now);
    });
  };
  const auto tell = [&](const Assign& assign, agent::Told told) {
    return publish_log(runner->bus(), topics.up(settings.agent.device, "log"), assign, std::move(told));
  };
  const auto progress = [&](const AttemptKey& key, const RunProgress& said) {
    runner->post([&service, key, said](Time now, runtime::Output&) {
      service->step(agent::ProgressMade{key, said}, now);
    });
  };
  agent::Packages packages(package_directory, *identity, std::move(*releases), topics, settings.package_bytes_max,
                           {.cache_bytes_max = settings.packages_bytes_max, .thread = true});
  agent::Outputs outputs(std::filesystem::path(settings.directory) / "outputs", *identity, *identity->transfer_ca,
                         topics, {.thread = true, .bytes_max = settings.outputs_bytes_max});
  hands =
      std::make_unique<agent::DeviceHands>(std::move(packages), std::move(outputs), agent::Placer(settings.files, true),
                                           settings.directory, settings.package_bytes_max, done, tell, progress);
  connect_to_world(settings, topics, *session, runner, hands);
  agent::AgentService agent_service(settings.agent, *hands);
  runtime::Runner agent_runner(agent_service, **journal, settings.mqtt);
  runner = &agent_runner;
  service = &agent_service;
  active = runner;
  if (stopping) agent_runner.stop();
  const auto http = serve(settings.listen, agent_runner);
  if (http && !http->ok()) return fail({Code::invalid, "cannot listen there", "http.listen"});
  const int code = agent_runner.run();
  hands.reset();  // kills the running programs while the runner can still take how they ended
  return code;
}

int repair(runtime::Config& config) {
  const std::filesystem::path directory = config.text("device.directory");
  const auto lock = agent::DirectoryLock::acquire(directory);
  if (!lock) return fail(lock.error());
  const auto done = agent::repair_journal(directory);
  if (!done) return fail(done.error());
  std::cout << *done << '\n';
  return std::cout.flush() ? 0 : 1;
}

int announce_sleep(runtime::Config& config, std::int64_t sleep_s) {
  const std::filesystem::path directory = config.text("device.directory");
  const auto done = agent::announce_sleep(directory, sleep_s, std::chrono::seconds(10));
  return done ? 0 : fail(done.error());
}

}  // namespace

int main(int argc, char** argv) {
  log::setup("agent", "text", "info");
  CLI::App app("Takes jobs for this device, verifies and runs them, and reports", "fieldwork-agent");
  std::string file;
  std::vector<std::string> sets;
  bool check = false;
  app.add_option("-c,--config", file, "settings (TOML)")->check(CLI::ExistingFile);
  app.add_option("--set", sets, "one setting, e.g. --set device.id=edge-1; stronger than file and environment");
  auto* repairs = app.add_subcommand("repair", "move a damaged journal aside and make a new one; a sound one stays");
  repairs->fallthrough();
  std::int64_t sleep_s = 0;
  auto* sleeps =
      app.add_subcommand("sleep", "before the machine is suspended: tells the registry when it will be back");
  sleeps->add_option("SECONDS", sleep_s, "for how long")
      ->required()
      ->check(CLI::Range(std::int64_t{1}, limits::sleep_s_max));
  sleeps->fallthrough();
  app.add_flag("--check", check, "read the settings, say what is wrong with them and end");
  app.set_version_flag("--version", version());
  app.footer(
      "Examples:\n  fieldwork-agent --config /etc/fieldwork/agent.toml\n"
      "  fieldwork-agent repair --config /etc/fieldwork/agent.toml\n"
      "  fieldwork-agent sleep 3600 --config /etc/fieldwork/agent.toml\n"
      "Exit codes: 0 ok, 1 failed, 2 usage, settings or directory in use, 3 cannot reach, 4 the journal is damaged");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : runtime::exit_usage;
  }
  auto config = runtime::Config::load(file, sets, runtime::Config::process_environment());
  if (!config) return fail(config.error());
  if (!log::setup("agent", config->text("log.format", "text"), config->text("log.level", "info"))) {
    return fail({Code::invalid, "log.format must be text or json, log.level debug, info, warn or error", "log"});
  }
  if (repairs->parsed()) return repair(*config);
  if (sleeps->parsed()) return announce_sleep(*config, sleep_s);
  auto settings = read_settings(*config);
  if (!settings) return fail(settings.error());
  if (check) return 0;
  return run(std::move(*settings));
}
