#include <filesystem>
#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "output.hpp"
#include "runtime/version.hpp"
#include "view.hpp"

namespace fieldwork::cli {

int scenario_list(const Options& options) {
  return show(options, ask(options, "scheduler", "scenarios", codec::Json::object()), "items", scenario_table);
}

int scenario_show(const Options& options, const std::string& name) {
  auto answer = ask(options, "scheduler", "scenarios", {{"scenario", name}});
  if (!answer) return end(answer.failure());
  if (options.json) {
    print_json(*answer);
  } else {
    print(scenario_text(*answer));
  }
  return 0;
}

int scenario_run(const Options& options, const ScenarioArguments& which, RunArguments arguments) {
  auto answer = ask(options, "scheduler", "scenarios", {{"scenario", which.scenario}});
  if (!answer) return end(answer.failure());
  std::string jobs;
  bool has = false;
  for (const auto& one : list_of(*answer, "jobs")) {
    jobs += (jobs.empty() ? "" : ", ") + text_of(one, "name");
    has = has || text_of(one, "name") == which.job;
  }
  if (!has)
    return end({Exit::usage, "the scenario " + which.scenario + " has no job " + which.job + "; it has " + jobs});
  auto settings = load_settings(options);
  if (!settings) return end(settings.failure());
  const auto package = std::filesystem::path(settings->scenarios) / which.scenario / which.job / "package";
  std::error_code none;
  if (!std::filesystem::is_directory(package, none))
    return end(
        {Exit::usage, "there is no " + package.string() + ": say where the scenarios are (scenarios.directory)"});
  if (!arguments.dry_run) {
    auto pushed = push(options, {package.string(), which.job, version()});
    if (!pushed) return end(pushed.failure());
    if (pushed->bytes_sent > 0) say("pushed its package, " + human_bytes(pushed->bytes_sent));
    arguments.package = pushed->digest;
  }
  arguments.made_of = which.job;
  return run(options, arguments);
}

}  // namespace fieldwork::cli
