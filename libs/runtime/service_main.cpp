// The main() of programs that keep their state in PostgreSQL.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "runtime/program.hpp"
#include "runtime/runner.hpp"
#include "runtime/version.hpp"
#include "store/postgres.hpp"
#include "topic/topic.hpp"

namespace fieldwork::runtime {
namespace {

// A broker that hangs is noticed after two to three times this many seconds: the scheduler must know before it gives
// work up.
constexpr int service_keep_alive_s = 5;

struct Flags {
  std::string file;
  std::vector<std::string> sets;
  bool migrate = false;
  bool check = false;
};

// Returns an exit code, or -1 to go on.
int parse_flags(int argc, char** argv, const Program& program, Flags& flags) {
  CLI::App app(program.description, "fieldwork-" + program.name);
  app.add_option("-c,--config", flags.file, "settings (TOML)")->check(CLI::ExistingFile);
  app.add_option("--set", flags.sets, "one setting, e.g. --set log.level=debug; stronger than file and environment");
  app.add_flag("--migrate", flags.migrate, "bring the database up to date and end");
  app.add_flag("--check", flags.check, "read the settings, say what is wrong with them and end");
  app.set_version_flag("--version", version());
  app.footer("Example:\n  fieldwork-" + program.name + " --config /etc/fieldwork/" + program.name +
             ".toml --set log.format=json\nExit codes: 0 ok, 1 failed, 2 usage or settings, 3 cannot reach, 75 another "
             "instance took over");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : exit_usage;
  }
  return -1;
}

// Waits until this process is the active instance, or is told to stop (null).
std::unique_ptr<store::PostgresStore> wait_for_turn(const store::PostgresConfig& database,
                                                    const std::atomic<bool>& stopping) {
  std::string said;
  store::Turn turn(database);
  while (!stopping) {
    auto store = turn.attempt();
    if (store) return std::move(*store);
    if (said != store.error().reason)
      log::info("waiting to be the active instance", {{"reason", describe(store.error())}});
    said = store.error().reason;
    for (int i = 0; i < 5 && !stopping; ++i) std::this_thread::sleep_for(milliseconds(100));
  }
  return nullptr;
}

int fail(const Error& error) {
  log::error(describe(error));
  return error.code == Code::unavailable ? exit_unreachable : error.code == Code::invalid ? exit_usage : 1;
}

// Applies the migrations. Waits for a database that is not up yet, for as long as one may take to start.
Result<int> migrate_patiently(const store::PostgresConfig& database, const std::atomic<bool>& stopping) {
  const auto deadline = std::chrono::steady_clock::now() + seconds(120);
  while (true) {
    auto applied = store::migrate(database);
    const bool again = !applied && applied.error().code == Code::unavailable && !stopping &&
                       std::chrono::steady_clock::now() < deadline;
    if (!again) return applied;
    log::warn("the database does not answer yet", {{"reason", describe(applied.error())}});
    std::this_thread::sleep_for(milliseconds(500));
  }
}

struct Settings {
  std::string root;
  bus::MqttConfig mqtt;
  store::PostgresConfig database;
  std::string listen;
};

// The settings that all services have.
Settings read_settings(Config& config, const Program& program) {
  Settings out{.root = config.text("root", "fieldwork/v1"),
               .mqtt = read_mqtt(config, program.name, service_keep_alive_s),
               .database = {},
               .listen = config.text("http.listen", "")};
  const auto state = [&](const char* word) {
    return bus::Message{
        .topic = Topics(out.root).state("service", program.name),
        .payload = nlohmann::json{{"v", 1}, {"service", program.name}, {"state", word}, {"version", version()}}.dump(),
        .retain = true};
  };
  out.mqtt.birth = state("up");
  out.mqtt.will = state("down");
  std::string schema = program.name;
  std::replace(schema.begin(), schema.end(), '-', '_');
  out.database = {config.text("database.url"), schema,
                  config.text("database.migrations", beside_program("migrations").string()) + "/" + program.name};
  return out;
}

// /metrics, /healthz and /readyz; none where `listen` is empty.
std::unique_ptr<metrics::HttpServer> open_door(const std::string& listen, const std::atomic<Runner*>& runner) {
  if (listen.empty()) return nullptr;
  return std::make_unique<metrics::HttpServer>(
      listen, [&] { return runner.load() == nullptr || runner.load()->healthy(); },
      [&] { return runner.load() != nullptr && runner.load()->ready(); });
}

}  // namespace

std::filesystem::path beside_program(const std::string& name) {
  const auto place = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  std::error_code none;
  auto beside = place / name;
  return std::filesystem::exists(beside, none) ? beside : place.parent_path() / "share" / "fieldwork" / name;
}

int service_main(int argc, char** argv, const Program& program) {
  log::setup(program.name, "text", "info");
  Flags flags;
  if (const int code = parse_flags(argc, argv, program, flags); code >= 0) return code;
  auto loaded = Config::load(flags.file, flags.sets, Config::process_environment());
  if (!loaded) return fail(loaded.error());
  Config& config = *loaded;
  if (!log::setup(program.name, config.text("log.format", "text"), config.text("log.level", "info"))) {
    return fail(
        {Code::invalid, "log.format must be text or json, log.level debug, info, warn or error", config.origin("log")});
  }

  const auto [root, mqtt, database, listen] = read_settings(config, program);
  std::mutex posting;  // so that the runner does not end while somebody posts to it
  std::atomic<Runner*> runner{nullptr};
  const auto to_runner = [&](Task task) {
    std::lock_guard lock(posting);
    if (auto* active = runner.load()) active->post(std::move(task));
  };
  const auto reads = std::make_shared<Reads>(std::make_unique<store::PostgresReader>(database), to_runner);
  const auto hear_again = [&] {
    std::lock_guard lock(posting);
    if (auto* active = runner.load()) active->bus().hear_again();
  };
  const Post post{to_runner, reads, hear_again};
  std::atomic<bool> stopping{false};
  StopSignal signal([&] {
    stopping = true;
    if (auto* active = runner.load()) active->stop();
  });
  auto service = program.make(config, root, post);
  if (!service) return fail(service.error());
  if (auto finished = config.finish(); !finished) return fail(finished.error());
  if (flags.check) return 0;

  auto http = open_door(listen, runner);
  if (http && !http->ok()) return fail({Code::invalid, "cannot listen there", config.origin("http.listen")});
  auto applied = migrate_patiently(database, stopping);
  if (!applied) return fail(applied.error());
  log::info("database is up to date", {{"applied", std::to_string(*applied)}});
  if (flags.migrate) return 0;

  auto store = wait_for_turn(database, stopping);
  if (!store) return 0;
  Runner active(**service, *store, mqtt);
  runner = &active;
  if (stopping) active.stop();
  std::optional<Retention> retention;
  retention.emplace(std::make_unique<store::PostgresPruner>(database), (*service)->retention());
  const int code = active.run();
  retention.reset();
  http.reset();
  reads->stop();
  std::lock_guard lock(posting);
  runner = nullptr;
  return code;
}

}  // namespace fieldwork::runtime
