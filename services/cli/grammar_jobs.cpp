// Commands about jobs and templates.
#include "grammar.hpp"
#include "model/limits.hpp"

namespace fieldwork::cli {

namespace {

// How it is run, and what of it is shown.
void add_how(CLI::App& app, RunArguments& arguments) {
  auto* dry = app.add_flag("--dry-run", arguments.dry_run,
                           "say where it would run, or why and how long it would wait; submit nothing");
  auto* wait = app.add_flag("--wait", arguments.wait, "until the job is settled");
  auto* logs = app.add_flag("--logs", arguments.logs, "show what the job writes while it runs (implies --wait)");
  app.add_option("--output-dir", arguments.output_dir, "write the result files there (implies --wait)");
  app.add_flag("--metered", arguments.metered,
               "its package and files may use connections that are paid for by volume (metered: true)");
  app.add_option("--request", arguments.request, "request id: the same id again is the same job (default: a new one)");
  dry->excludes(wait)->excludes(logs);
}

// `of`: the option without which they mean nothing.
void add_parameters(CLI::App& app, RunArguments& arguments, CLI::Option* of = nullptr) {
  auto* with = app.add_option("--with", arguments.with,
                              "fields that replace those of the template, as JSON: '{\"priority\": 7}'");
  auto* parameters =
      app.add_option("--param", arguments.parameters, "a parameter of the template, NAME=VALUE; any number of them")
          ->take_all()
          ->type_size(1)
          ->expected(1);
  auto* privacy = app.add_option("--privacy", arguments.privacy, "in place of the level that the template asks for")
                      ->check(CLI::IsMember({"none", "low", "medium", "high"}));
  if (of == nullptr) return;
  privacy->needs(of);
  with->needs(of);
  parameters->needs(of);
}

// What changes a job; nothing is done where it is not any more as it was seen.
void add_job_changes(const std::function<CLI::App*(const char*, const char*, const char*, std::string&)>& of_job,
                     Chosen& chosen) {
  auto& arguments = chosen.retry;
  const auto expects = [&](CLI::App* sub) {
    sub->add_option("--expects", arguments.expects, "only if its version (job show) is this one")
        ->check(CLI::Range(std::int64_t{0}, limits::integer_max));
    return sub;
  };
  expects(of_job("cancel", "stop it", "fieldwork job cancel JOB --expects 1732800000000", arguments.job))
      ->callback([&chosen] { chosen.command = [&chosen] { return job_cancel(chosen.options, chosen.retry); }; });
  auto* retry = expects(of_job("retry", "run again what did not succeed of it, as a new job",
                               "fieldwork job retry JOB --wait", arguments.job));
  retry->add_flag("--all", arguments.all, "also the executions that succeeded");
  retry->add_flag("--wait", arguments.wait, "until the new job is settled, as run --wait");
  retry->add_option("--request", arguments.request, "request id: the same id again is the same new job");
  retry->callback([&chosen] { chosen.command = [&chosen] { return job_retry(chosen.options, chosen.retry); }; });
}

}  // namespace

void add_run(CLI::App& app, Chosen& chosen) {
  auto* run_app =
      command(app, "run", "submit a job, and wait for its result",
              "fieldwork run job.json --wait --logs --output-dir out\n"
              "  fieldwork run job.json --dry-run\n"
              "  fieldwork run --template sensor-monitoring --param rate=50 --wait\n\n"
              "Prints the job's id and state; with --wait its output (stdout), progress on stderr. Ctrl-C ends the\n"
              "waiting, not the job. Exit code with --wait: 0 succeeded, 1 failed, cancelled or expired, 4 denied,\n"
              "5 not settled within --timeout; see fieldwork --help for the others.");
  auto& arguments = chosen.run;
  auto* file = run_app->add_option("JOB.json", arguments.file, "the job (docs/job.md); - reads standard input");
  auto* of = run_app->add_option("--template", arguments.made_of, "run this template instead: NAME or NAME@VERSION");
  of->excludes(file);
  add_parameters(*run_app, arguments, of);
  add_how(*run_app, arguments);
  run_app->add_option("--set-package", arguments.package,
                      "run this package instead of the job file's: NAME@VERSION or sha256:… (6 digits do)");
  run_app->callback([&chosen] { chosen.command = [&chosen] { return run(chosen.options, chosen.run); }; });
}

void add_job(CLI::App& app, Chosen& chosen) {
  auto* job = command(app, "job", "look at jobs, follow, cancel or retry one", "fieldwork job ls --state running");
  job->require_subcommand(1);
  auto* list = command(*job, "ls", "jobs, newest first", "fieldwork job ls --state failed --limit 10");
  list->add_option("--state", chosen.list.state, "only those in this state")
      ->check(CLI::IsMember({"submitted", "queued", "assigned", "running", "succeeded", "failed", "denied", "cancelled",
                             "expired", "quarantined"}));
  list->add_option("--limit", chosen.list.limit, "at most so many (50)")->check(CLI::Range(1, 512));
  list->callback([&chosen] { chosen.command = [&chosen] { return job_list(chosen.options, chosen.list); }; });
  const auto of_job = [&](const char* name, const char* what, const char* example, std::string& id) {
    auto* sub = command(*job, name, what, example);
    sub->add_option("JOB", id, "the job's id, or its beginning (j- and 6 digits)")->required();
    return sub;
  };
  const auto one = [&](const char* name, const char* what, const char* example,
                       int (*act)(const Options&, const std::string&)) {
    of_job(name, what, example, chosen.id)->callback([&chosen, act] {
      chosen.command = [&chosen, act] { return act(chosen.options, chosen.id); };
    });
  };
  one("show", "one job with its executions and result files", "fieldwork job show JOB", job_show);
  one("explain", "why it runs where it runs, or does not run", "fieldwork job explain JOB", job_explain);
  auto* result =
      of_job("result", "its output and its files, as run --wait gives them",
             "fieldwork job result JOB --output-dir out\n\n"
             "Prints stdout and stderr of the executions that are settled. Exit code: 0 succeeded or not settled,\n"
             "1 failed, cancelled or expired, 4 denied.",
             chosen.result.job);
  result->add_option("--output-dir", chosen.result.output_dir, "write the result files there");
  result->callback([&chosen] { chosen.command = [&chosen] { return job_result(chosen.options, chosen.result); }; });
  add_job_changes(of_job, chosen);
  one("wait", "until it is settled; prints its state",
      "fieldwork job wait JOB --timeout 60\n\n"
      "Exit code: 0 succeeded, 1 failed, cancelled or expired, 4 denied, 5 not settled within --timeout.",
      job_wait);
  one("watch", "tell what happens to it, and how far it is, until it is settled", "fieldwork job watch JOB", job_watch);
  auto* logs = of_job("logs", "what it writes, while it runs; else what is kept of that",
                      "fieldwork job logs JOB --execution 3\n\n"
                      "Begins with the last lines that it has written. Ctrl-C ends the looking, not the job. A device\n"
                      "sends at most 16 KiB/s of each program: lines that were dropped are counted.",
                      chosen.logs.job);
  logs->add_option("--execution", chosen.logs.execution, "only of this one (0, 1, …)")->check(CLI::Range(0, 9999));
  logs->callback([&chosen] { chosen.command = [&chosen] { return job_logs(chosen.options, chosen.logs); }; });
}

void add_template(CLI::App& app, Chosen& chosen) {
  auto* all = command(app, "template", "job documents with parameters", "fieldwork template push template.json");
  all->require_subcommand(1);
  auto* list = command(*all, "ls", "all templates", "fieldwork template ls");
  list->callback([&chosen] { chosen.command = [&chosen] { return template_list(chosen.options); }; });
  auto* push = command(*all, "push", "store a template, or a new version of it",
                       "fieldwork template push template.json --expects 3\n\n"
                       "Prints name and version. The same content again is no new version.");
  push->add_option("FILE", chosen.templates.file, "the template (docs/job.md); - reads standard input")->required();
  push->add_option("--expects", chosen.templates.expects, "fails unless this version is the newest; 0: there is none")
      ->check(CLI::Range(0, INT32_MAX));
  push->callback([&chosen] { chosen.command = [&chosen] { return template_push(chosen.options, chosen.templates); }; });
  const auto one = [&](const char* name, const char* what, const char* example,
                       int (*act)(const Options&, const std::string&)) {
    auto* sub = command(*all, name, what, example);
    sub->add_option("TEMPLATE", chosen.id, "NAME or NAME@VERSION")->required();
    sub->callback([&chosen, act] { chosen.command = [&chosen, act] { return act(chosen.options, chosen.id); }; });
  };
  one("show", "one template, its parameters and its job", "fieldwork template show sensor-monitoring", template_show);
  one("rm", "remove all versions; jobs that were made of it stay", "fieldwork template rm sensor-monitoring",
      template_remove);
}

void add_scenario(CLI::App& app, Chosen& chosen) {
  auto* all = command(app, "scenario", "needs in words, and jobs to try", "fieldwork scenario show healthcare");
  all->require_subcommand(1);
  auto* list = command(*all, "ls", "all scenarios with their jobs", "fieldwork scenario ls");
  list->callback([&chosen] { chosen.command = [&chosen] { return scenario_list(chosen.options); }; });
  auto* show = command(*all, "show", "one: its needs, and the numbers that they become",
                       "fieldwork scenario show industrial-iot");
  show->add_option("SCENARIO", chosen.id, "its name")->required();
  show->callback([&chosen] { chosen.command = [&chosen] { return scenario_show(chosen.options, chosen.id); }; });
  auto* run =
      command(*all, "run", "push one of its jobs, and run it",
              "fieldwork scenario run industrial-iot anomaly-detection --param seed=7 --wait --output-dir out\n\n"
              "Signs the job's package with release.key. What the scenario asks for and no device enforces yet is\n"
              "refused: --privacy none goes without it. Output and exit codes are those of fieldwork run.");
  run->add_option("SCENARIO", chosen.scenario.scenario, "its name")->required();
  run->add_option("JOB", chosen.scenario.job, "one of its jobs")->required();
  add_parameters(*run, chosen.run);
  add_how(*run, chosen.run);
  run->callback(
      [&chosen] { chosen.command = [&chosen] { return scenario_run(chosen.options, chosen.scenario, chosen.run); }; });
}

}  // namespace fieldwork::cli
