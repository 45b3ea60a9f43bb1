// fieldwork-fleet: simulated devices for trying a stack.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "agent/fleet/fleet.hpp"
#include "agent/fleet/keys.hpp"
#include "runtime/log.hpp"
#include "runtime/program.hpp"
#include "runtime/version.hpp"

using namespace fieldwork;

namespace {

constexpr const char* description =
    "Simulated devices for trying a stack: many agents in one process, each with a session and a certificate of its "
    "own.\n"
    "Their jobs run nothing; they take as long, and fail as often, as the scenario says.";

constexpr const char* footer = R"(Examples:
  fieldwork-fleet --stack /var/lib/fieldwork               the devices whose keys are in its pki/devices
  fieldwork-fleet --stack DIR --make 1000                  keys for sim-1 to sim-1000; then run it as above
  fieldwork-fleet --stack DIR --scenario bad-links.toml --seconds 600
  fieldwork-fleet --url ssl://broker:8883 --ca ca.crt --devices keys/ --grants grant.pem --count 50

A scenario (all keys have defaults; a device is of the first group whose pattern matches its name):
  connects_per_s = 200
  [[group]]
  devices = "edge-*"
  labels = { site = "berlin" }
  cpu_millis = 4000
  delay_ms = 40            # of each message, each way
  cut_every_s = 300        # mean time between breaks of the link
  cut_s = 20               # how long it is gone
  restart_every_s = 3600   # mean time between starts of the agent
  job_s_min = 0.1          # how long jobs run
  job_s_max = 2.0
  job_fails = 0.01         # share of jobs that fail

Exit codes: 0 ended as asked, 1 not all devices were enrolled at the end, 2 usage, settings or scenario)";

volatile std::sig_atomic_t stopped = 0;

struct Settings {
  std::string stack, url, scenario;
  agent::FleetConfig fleet;
  double seconds_max = 0;
  int make = 0;
  bool json = false;
};

// Takes addresses and keys from the directory that scripts/stack made.
Result<void> read_stack(Settings& settings) {
  const auto file = settings.stack + "/stack.json";
  const auto stack = nlohmann::json::parse(std::ifstream(file), nullptr, false);
  if (stack.is_discarded() || !stack.contains("ports") || !stack["ports"].contains("devices"))
    return Error{Code::invalid, "there is no stack: scripts/stack up makes one", file};
  const auto keep = [](std::string& into, std::string value) {
    if (into.empty()) into = std::move(value);
  };
  keep(settings.url, "ssl://localhost:" + stack["ports"]["devices"].dump());
  keep(settings.fleet.ca, settings.stack + "/pki/service-ca.crt");
  keep(settings.fleet.devices, settings.stack + "/pki/devices");
  keep(settings.fleet.grants, settings.stack + "/pki/trust/grant.pem");
  return {};
}

Result<void> read_url(Settings& settings) {
  const std::string scheme = "ssl://";
  const auto colon = settings.url.rfind(':');
  if (!settings.url.starts_with(scheme) || colon <= scheme.size())
    return Error{Code::invalid, "is ssl://HOST:PORT", "--url " + settings.url};
  settings.fleet.host = settings.url.substr(scheme.size(), colon - scheme.size());
  settings.fleet.port = std::atoi(settings.url.c_str() + colon + 1);
  if (settings.fleet.port < 1 || settings.fleet.port > 65'535)
    return Error{Code::invalid, "is ssl://HOST:PORT", "--url " + settings.url};
  for (const auto& [flag, value] :
       {std::pair("--ca", settings.fleet.ca), std::pair("--devices", settings.fleet.devices),
        std::pair("--grants", settings.fleet.grants)}) {
    if (value.empty()) return Error{Code::invalid, "is needed without --stack", flag};
  }
  return {};
}

nlohmann::json as_json(const agent::Fleet& fleet) {
  const auto& c = fleet.counts();
  return {{"devices", fleet.size()}, {"connected", c.connected}, {"enrolled", c.enrolled},  {"jobs_begun", c.begun},
          {"jobs_ended", c.ended},   {"received", c.received},   {"published", c.published}};
}

void say(const agent::Fleet& fleet, std::uint64_t ended_before, bool json) {
  const auto& c = fleet.counts();
  if (json) {
    std::cout << as_json(fleet).dump() << std::endl;  // flushed: a reader waits for the line
    return;
  }
  std::cout << c.connected << " of " << fleet.size() << " connected, " << c.enrolled << " enrolled, "
            << c.begun - c.ended << " jobs run, " << c.ended << " ended (" << c.ended - ended_before << "/s)"
            << std::endl;
}

int fail(const Error& error) {
  std::cerr << "fieldwork-fleet: " << describe(error) << "\n";
  return runtime::exit_usage;
}

int make_keys(const Settings& settings) {
  if (settings.stack.empty()) return fail({Code::invalid, "needs --stack: the key of its device CA", "--make"});
  const auto made = agent::make_device_keys(std::filesystem::path(settings.stack) / "pki", settings.make);
  if (!made) return fail(made.error());
  std::cout << *made << " keys made, " << settings.make - *made << " were there" << std::endl;
  return 0;
}

int run(Settings& settings) {
  if (settings.make > 0) return make_keys(settings);
  if (!settings.stack.empty()) {
    if (auto read = read_stack(settings); !read) return fail(read.error());
  }
  if (settings.url.empty()) return fail({Code::invalid, "--stack or --url is needed (see --help)"});
  if (auto read = read_url(settings); !read) return fail(read.error());
  agent::Scenario scenario;
  if (!settings.scenario.empty()) {
    auto read = agent::read_scenario(settings.scenario);
    if (!read) return fail(read.error());
    scenario = std::move(*read);
  }
  const auto fleet = agent::Fleet::make(settings.fleet, std::move(scenario));
  if (!fleet) return fail(fleet.error());
  std::uint64_t before = 0;
  for (double s = 0; stopped == 0 && (settings.seconds_max <= 0 || s < settings.seconds_max); s += 1) {
    for (int i = 0; i < 10 && stopped == 0; ++i) (*fleet)->turn(milliseconds(100));
    say(**fleet, before, settings.json);
    before = (*fleet)->counts().ended;
  }
  return (*fleet)->counts().enrolled == (*fleet)->size() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app(description);
  app.footer(footer);
  app.add_option("--stack", settings.stack, "Directory of a stack that scripts/stack made: stands for the four below");
  app.add_option("--url", settings.url, "The devices' door of the broker, ssl://HOST:PORT");
  app.add_option("--ca", settings.fleet.ca, "PEM file: who may be the broker");
  app.add_option("--devices", settings.fleet.devices, "Directory with NAME.crt and NAME.key of each device");
  app.add_option("--grants", settings.fleet.grants, "PEM file: whose grants count");
  app.add_option("--root", settings.fleet.root, "Root of the topics")->capture_default_str();
  app.add_option("--scenario", settings.scenario, "TOML file: groups, links, jobs, failures (below)");
  app.add_option("--make", settings.make,
                 "Make keys and certificates of devices sim-1 to sim-N in the stack's pki/devices, and end")
      ->check(CLI::Range(1, 100'000));
  app.add_option("--count", settings.fleet.count_max, "At most so many devices, by name");
  app.add_option("--seconds", settings.seconds_max, "End after so long (default: at SIGINT or SIGTERM)");
  app.add_option("--seed", settings.fleet.seed, "Of all chance")->capture_default_str();
  app.add_flag("--json", settings.json, "One JSON object a second instead of a sentence");
  app.set_version_flag("--version", version());
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : runtime::exit_usage;
  }
  log::setup("fleet", "text", "error");
  std::signal(SIGINT, [](int) { stopped = 1; });
  std::signal(SIGTERM, [](int) { stopped = 1; });
  return run(settings);
}
