// The command line of `fieldwork`: its grammar, and which function each command calls.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "grammar.hpp"
#include "line.hpp"
#include "output.hpp"
#include "runtime/version.hpp"
#include "words.hpp"

namespace fieldwork::cli {
namespace {

constexpr const char* exit_codes =
    "Exit codes: 0 ok, 1 failed (also: the job failed, was cancelled or expired, or was refused), 2 usage, settings "
    "or\n"
    "job file, 3 cannot reach the broker, 4 denied, 5 timed out, 130 interrupted";

// What is wrong with a number of seconds; empty: nothing.
std::string seconds_problem(const std::string& text) {
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool number = error == std::errc() && end == text.data() + text.size();
  if (number && seconds >= 0.1 && seconds <= 1e6) return {};
  return "must be a number of seconds from 0.1 to 1000000, is '" + text + "'";
}

void add_globals(CLI::App& app, Chosen& chosen) {
  app.add_option("-c,--config", chosen.options.config,
                 "settings file (TOML); else $FIELDWORK_CONFIG, else $XDG_CONFIG_HOME/fieldwork/cli.toml (~/.config)");
  app.add_option("--set", chosen.options.sets, "one setting, key=value; stronger than environment and file")
      ->take_all()
      ->type_size(1)
      ->expected(1);
  app.add_flag("--json", chosen.options.json, "one JSON document on stdout");
  app.add_option("--timeout", chosen.options.timeout_s,
                 "seconds: for each answer (10); for run --wait: until the job is settled (no bound)")
      ->type_name("SECONDS")
      ->check(CLI::Validator(seconds_problem, ""));
  app.add_flag("-v,--verbose", chosen.options.verbose, "say what is asked and how long answers take");
  app.set_version_flag("--version", version());
  app.footer(
      std::string(
          "Settings: root, broker.url, broker.ca, broker.certificate, broker.key, release.key; in the environment\n"
          "FIELDWORK_BROKER_URL and so on.\n\nExamples:\n"
          "  fieldwork doctor\n"
          "  fieldwork package push examples/anomaly --name anomaly --version 1.0\n"
          "  fieldwork run job.json --wait --set-package anomaly@1.0\n"
          "  fieldwork job ls --json\n\n") +
      exit_codes);
}

void add_verbs(CLI::App& device, Chosen& chosen) {
  const auto verb = [&](const char* name, const char* what, const char* more, bool waits) {
    auto* sub = command(device, name, what, more);
    sub->add_option("DEVICE", chosen.verb.device, "the device's id")->required();
    if (waits) sub->add_flag("--wait", chosen.verb.wait, "until it is so; --timeout bounds it");
    sub->callback([&chosen, name] {
      chosen.verb.verb = name;
      chosen.command = [&chosen] { return device_verb(chosen.options, chosen.verb); };
    });
  };
  verb("activate", "let it have work", "fieldwork device activate edge-1 --wait", true);
  verb("drain", "let it finish what it has, give it no more",
       "fieldwork device drain edge-1 --wait\n\nWith --wait: until nothing runs there.", true);
  verb("deactivate", "end what runs there, give it no more",
       "fieldwork device deactivate edge-1\n\nWhat it ends is given to other devices, as after a loss. To let it "
       "finish: drain.",
       true);
  verb("prune", "let it delete the cached packages that nothing needs",
       "fieldwork device prune edge-1 --wait\n\nWhat a job needs again is fetched again. Asked by itself where storage "
       "is under pressure.",
       true);
  verb("retire", "for good: it cannot enrol any more",
       "fieldwork device retire edge-1\n\nOnly a device that is inactive, refused, lost or disconnected.", false);
  verb("remove", "forget it",
       "fieldwork device remove edge-1\n\nOnly a device that is inactive, refused, retired, lost or disconnected. If "
       "it connects again, it enrols\nanew, with any key that the device authority has certified.",
       false);
}

void add_device(CLI::App& app, Chosen& chosen) {
  auto* device = command(app, "device", "look at devices, manage them", "fieldwork device ls");
  device->require_subcommand(1);
  auto* list = command(*device, "ls", "all devices, or those that match an expression",
                       "fieldwork device ls -f 'site == berlin and health < 0.7'\n"
                       "  fieldwork device ls -f 'presence == online' --why edge-7\n\n"
                       "Expressions: docs/expressions.md. Exit code with --why: 0 it matches, 1 it does not.");
  auto* expression =
      list->add_option("-f,--filter", chosen.devices.expression, "only those that match this expression");
  list->add_option("--why", chosen.devices.why, "say why this device does not match")->needs(expression);
  list->callback([&chosen] { chosen.command = [&chosen] { return device_list(chosen.options, chosen.devices); }; });
  auto* set =
      command(*device, "set", "settings and labels that operators give it",
              "fieldwork device set edge-1 label.zone=b heartbeat_s=10\n"
              "  fieldwork device set edge-1 label.zone=          # as the device says itself again\n\n"
              "Settings: heartbeat_s and sample_s (1s to 24h), attempts_max (jobs at once; 0: none), cache_bytes (of\n"
              "packages, for example 2GiB), log_level (debug, info, warn, error), label.NAME. docs/cli.md says more.");
  set->add_option("DEVICE", chosen.set.device, "the device's id")->required();
  set->add_option("NAME=VALUE", chosen.set.changes, "what is to change; NAME= takes a setting back")->required();
  set->add_flag("--wait", chosen.set.wait, "until the device follows; --timeout bounds it");
  set->callback([&chosen] { chosen.command = [&chosen] { return device_set(chosen.options, chosen.set); }; });
  add_verbs(*device, chosen);
  auto* show = command(*device, "show", "one device with its resources and link", "fieldwork device show edge-1");
  show->add_option("DEVICE", chosen.id, "the device's id")->required();
  show->callback([&chosen] { chosen.command = [&chosen] { return device_show(chosen.options, chosen.id); }; });
  auto* health =
      command(*device, "health", "how it is, why, and what to do about it",
              "fieldwork device health edge-1\n\nThe components that its score is the product of, the use of "
              "its resources, and\ncommands that help. docs/health.md explains each.");
  health->add_option("DEVICE", chosen.id, "the device's id")->required();
  health->callback([&chosen] { chosen.command = [&chosen] { return device_health(chosen.options, chosen.id); }; });
  auto* history =
      command(*device, "history", "how it was: means, and in brackets the worst",
              "fieldwork device history edge-1\n"
              "  fieldwork device history edge-1 --since 7d\n"
              "  fieldwork device history edge-1 --since 30h --until 24h --resolution minute --json\n\n"
              "Of each heartbeat an hour is kept, of each minute two days, of each hour 90 days, unless the\n"
              "registry's settings say otherwise. Health is 0 to 1.");
  history->add_option("DEVICE", chosen.history.device, "the device's id")->required();
  history->add_option("--since", chosen.history.since, "how long ago it begins")->capture_default_str();
  history->add_option("--until", chosen.history.until, "how long ago it ends; default: now");
  history
      ->add_option("--resolution", chosen.history.resolution,
                   "raw, minute or hour; default: minute for up to 6 h, else hour")
      ->check(CLI::IsMember({"raw", "minute", "hour"}));
  history->callback(
      [&chosen] { chosen.command = [&chosen] { return device_history(chosen.options, chosen.history); }; });
  auto* reset = command(
      *device, "reset", "forget where its report stream stands",
      "fieldwork device reset edge-1\n\n"
      "For a device whose reports are not applied although both sides are up: whatever it reports next is\n"
      "taken as the beginning. Nothing is lost that is still in its journal. It is not needed after a restored\n"
      "database or journal: both sides find that out by themselves.");
  reset->add_option("DEVICE", chosen.id, "the device's id")->required();
  reset->callback([&chosen] { chosen.command = [&chosen] { return device_reset(chosen.options, chosen.id); }; });
}

void add_fleet(CLI::App& app, Chosen& chosen) {
  auto* fleet = command(app, "fleet", "all devices together", "fieldwork fleet stats by site");
  fleet->require_subcommand(1);
  auto* stats = command(*fleet, "stats", "count devices, and how a number is distributed",
                        "fieldwork fleet stats by presence\n"
                        "  fieldwork fleet stats health by label.site -f 'lifecycle == active'\n\n"
                        "Attributes: docs/expressions.md.");
  stats->add_option("WORDS", chosen.stats.words, "[NUMBER] [by ATTRIBUTE]");
  stats->add_option("-f,--filter", chosen.stats.expression, "only devices that match this expression");
  stats->callback([&chosen] { chosen.command = [&chosen] { return fleet_stats(chosen.options, chosen.stats); }; });
}

void add_group(CLI::App& app, Chosen& chosen) {
  auto* group = command(app, "group", "groups of devices", "fieldwork group ls");
  group->require_subcommand(1);
  auto* list = command(*group, "ls", "all groups", "fieldwork group ls");
  list->callback([&chosen] { chosen.command = [&chosen] { return group_list(chosen.options); }; });
  const auto one = [&](const char* name, const char* what, const char* example, bool remove = false) {
    auto* sub = command(*group, name, what, example);
    sub->add_option("GROUP", chosen.group.group, "the group's name")->required();
    sub->callback([&chosen, remove] {
      chosen.group.remove = remove;
      chosen.command = [&chosen] { return group_change(chosen.options, chosen.group); };
    });
    return sub;
  };
  one("show", "one group, and its first devices",
      "fieldwork group show canary\n  fieldwork device ls -f 'group == canary'    # all of them");
  one("define", "the devices that match an expression, now and later",
      "fieldwork group define berlin -f 'site == berlin and lifecycle == active'\n\nExpressions: docs/expressions.md.")
      ->add_option("-f,--filter", chosen.group.expression, "which devices are in it")
      ->required();
  one("add", "put devices into a group; it is made where it does not exist", "fieldwork group add canary edge-1 edge-2")
      ->add_option("DEVICE", chosen.group.add, "ids of devices")
      ->required();
  one("drop", "let devices leave a group", "fieldwork group drop canary edge-1")
      ->add_option("DEVICE", chosen.group.drop, "ids of devices")
      ->required();
  one("remove", "forget a group; its devices stay", "fieldwork group remove canary", true);
}

void add_alert_rules(CLI::App& alert, Chosen& chosen) {
  auto* rules = command(alert, "rules", "what makes alerts, and whom they are told", "fieldwork alert rules ls");
  rules->require_subcommand(1);
  auto* list = command(*rules, "ls", "the rules in force, and the targets", "fieldwork alert rules ls");
  list->callback([&chosen] { chosen.command = [&chosen] { return alert_rules(chosen.options); }; });
  auto* show = command(*rules, "show", "a rule that comes with Fieldwork, to copy and change (needs no broker)",
                       "fieldwork alert rules show device_health\n\nA [[rule]] of the same name in your rules file "
                       "changes the keys that it has.");
  show->add_option("RULE", chosen.id, "its name")->required();
  show->callback([&chosen] { chosen.command = [&chosen] { return alert_rules_show(chosen.options, chosen.id); }; });
  auto* check =
      command(*rules, "check", "whether a rules file is good (needs no broker)",
              "fieldwork alert rules check alerts.toml\n\nExit code: 0 good, 2 not; the message names the line.");
  check->add_option("FILE", chosen.id, "the rules (docs/alerts.md); - reads standard input")->required();
  check->callback([&chosen] { chosen.command = [&chosen] { return alert_rules_check(chosen.options, chosen.id); }; });
  auto* test = command(
      *rules, "test", "play recorded messages through rules, in their own time (needs no broker)",
      "mosquitto_sub … -t 'fieldwork/v1/state/#' -t 'fieldwork/v1/event/#' -F %j > day.jsonl\n"
      "  fieldwork alert rules test day.jsonl --rules alerts.toml\n\n"
      "Each line of EVENTS is {\"tst\":\"…\",\"topic\":\"…\",\"payload\":…}, as mosquitto_sub -F %j prints it, or has\n"
      "at_ms, Unix milliseconds, in place of tst. A payload is JSON or a text.");
  test->add_option("EVENTS", chosen.rules.events, "recorded messages; - reads standard input")->required();
  test->add_option("--rules", chosen.rules.rules, "the rules file (default: the rules that come with Fieldwork)");
  test->add_option("--root", chosen.rules.root, "what the topics begin with (fieldwork/v1)");
  test->add_option("--after", chosen.rules.after, "the time that passes behind the last line")->capture_default_str();
  test->callback([&chosen] { chosen.command = [&chosen] { return alert_rules_test(chosen.options, chosen.rules); }; });
}

void add_alert(CLI::App& app, Chosen& chosen) {
  auto* alert = command(app, "alert", "what somebody should know", "fieldwork alert ls");
  alert->require_subcommand(1);
  auto* list = command(*alert, "ls", "the alerts that fire",
                       "fieldwork alert ls\n  fieldwork alert ls -f 'severity == critical and label.site == berlin'\n\n"
                       "Attributes: docs/alerts.md.");
  list->add_option("-f,--filter", chosen.alerts.expression, "only those that match this expression");
  list->add_flag("--all", chosen.alerts.all, "also pending and resolved ones");
  list->callback([&chosen] { chosen.command = [&chosen] { return alert_list(chosen.options, chosen.alerts); }; });
  auto* show = command(*alert, "show", "one alert", "fieldwork alert show device_lost.edge-1");
  show->add_option("ALERT", chosen.id, "its id: rule, a point, subject")->required();
  show->callback([&chosen] { chosen.command = [&chosen] { return alert_show(chosen.options, chosen.id); }; });
  auto* ack = command(*alert, "ack", "say that you look after it: it is not told again, and not escalated",
                      "fieldwork alert ack device_lost.edge-1 -m 'a technician is on the way'");
  ack->add_option("ALERT", chosen.ack.alert, "its id")->required();
  ack->add_option("-m,--comment", chosen.ack.comment, "what others should know");
  ack->add_flag("--undo", chosen.ack.undo, "take it back");
  ack->callback([&chosen] { chosen.command = [&chosen] { return alert_ack(chosen.options, chosen.ack); }; });
  auto* silence =
      command(*alert, "silence", "tell nobody of what matches, for a time; without arguments: the silences there are",
              "fieldwork alert silence 'rule == device_lost and label.site == berlin' --for 2h -m 'power is off'\n"
              "  fieldwork alert silence --end s-0123456789");
  silence->add_option("MATCHER", chosen.silence.matcher, "an expression over alerts (docs/alerts.md)");
  silence->add_option("--for", chosen.silence.lasts, "for how long: 30min, 2h, 7d (1h)");
  silence->add_option("-m,--comment", chosen.silence.comment, "why");
  silence->add_option("--end", chosen.silence.end, "end this silence");
  silence->callback(
      [&chosen] { chosen.command = [&chosen] { return alert_silence(chosen.options, chosen.silence); }; });
  add_alert_rules(*alert, chosen);
}

void add_package(CLI::App& app, Chosen& chosen) {
  auto* package = command(app, "package", "release packages, look at them", "fieldwork package ls");
  package->require_subcommand(1);
  auto* push = command(*package, "push", "pack, sign with release.key and upload",
                       "fieldwork package push examples/anomaly --name anomaly --version 1.0\n\n"
                       "Prints the digest. Can be repeated: what the service has already is not sent again.\n"
                       "PATH/.fieldwork/manifest.json may say architecture, entry and needs; options count more.\n\n"
                       "  fieldwork package push build/arm64 --name detect --version 2.0 --architecture arm64 \\\n"
                       "    --entry ./detect --needs memory_bytes=256MiB");
  push->add_option("PATH", chosen.push.path, "a directory, or one file")->required()->check(CLI::ExistingPath);
  push->add_option("--name", chosen.push.name, "the package's name")->required();
  push->add_option("--version", chosen.push.version, "its version")->required();
  push->add_option("--architecture", chosen.push.architecture,
                   "as uname -m says; a version may have a package for each. Without: for all");
  push->add_option("--entry", chosen.push.entry, "the command of jobs that name none: a word for each --entry")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  push->add_option("--needs", chosen.push.needs,
                   "what a device must have: cpu_millis=, memory_bytes= or storage_bytes=, e.g. memory_bytes=256MiB")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  push->callback([&chosen] { chosen.command = [&chosen] { return package_push(chosen.options, chosen.push); }; });
  auto* list = command(*package, "ls", "all packages", "fieldwork package ls");
  list->add_flag("--unused", chosen.unused,
                 "only those that the rule would collect now, if no job names them (transfer.package_versions_kept)");
  list->callback([&chosen] { chosen.command = [&chosen] { return package_list(chosen.options, chosen.unused); }; });
  auto* show = command(*package, "show", "one package", "fieldwork package show anomaly@1.0");
  show->add_option("PACKAGE", chosen.id, "NAME@VERSION or sha256:… (6 digits do)")->required();
  show->add_option("--architecture", chosen.push.architecture, "of NAME@VERSION only the package for it");
  show->callback([&chosen] {
    chosen.command = [&chosen] { return package_show(chosen.options, chosen.id, chosen.push.architecture); };
  });
  auto* remove = command(
      *package, "rm", "remove one, with all its names",
      "fieldwork package rm anomaly@1.0\n  fieldwork package rm anomaly@1.0 --architecture aarch64\n\n"
      "Of a version all architectures go, or the one that is asked for. Refused while a job that has not ended, a "
      "template, a transfer or a stage needs it. The names stay this content's: pushed again it is back, another "
      "content cannot have them.");
  remove->add_option("PACKAGE", chosen.id, "NAME@VERSION or sha256:… (6 digits do)")->required();
  remove->add_option("--architecture", chosen.push.architecture, "of NAME@VERSION only the package for it");
  remove->callback([&chosen] {
    chosen.command = [&chosen] { return package_remove(chosen.options, chosen.id, chosen.push.architecture); };
  });
}

void add_transfer(CLI::App& app, Chosen& chosen) {
  auto* transfer = command(app, "transfer", "look at transfers, pause and end them", "fieldwork transfer ls");
  transfer->require_subcommand(1);
  auto* list = command(*transfer, "ls", "transfers under way, the newest first",
                       "fieldwork transfer ls\n  fieldwork transfer ls --all --device edge-1");
  list->add_option("--device", chosen.transfers.device, "only those to this device and from it");
  list->add_flag("--all", chosen.transfers.all, "those that have ended, too");
  list->callback([&chosen] {
    chosen.command = [&chosen] { return transfer_list(chosen.options, chosen.transfers.device, chosen.transfers.all); };
  });
  const auto one = [&](const char* name, const char* about, auto act) {
    auto* verb = command(*transfer, name, about, (std::string("fieldwork transfer ") + name + " 53c777fd07c9").c_str());
    verb->add_option("TRANSFER", chosen.id, "its id, or the beginning of it")->required();
    verb->callback([&chosen, act] { chosen.command = [&chosen, act] { return act(chosen); }; });
  };
  one("show", "one transfer, and how it went about its link",
      [](const Chosen& it) { return transfer_show(it.options, it.id); });
  one("pause", "send nothing until it is resumed; what has arrived stays (not of an upload)",
      [](const Chosen& it) { return transfer_verb(it.options, "pause", it.id); });
  one("resume", "go on where it was paused",
      [](const Chosen& it) { return transfer_verb(it.options, "resume", it.id); });
  one("cancel", "end it, a download or an upload; an attempt that waits for it on that device is rejected",
      [](const Chosen& it) { return transfer_verb(it.options, "cancel", it.id); });
  add_stages(*transfer, chosen);
}

Grammar grammar_of(const CLI::App& app) {
  Grammar out{app.get_name(), {}, {}, {}};
  for (const auto* option : app.get_options([](const CLI::Option* one) { return !one->get_positional(); })) {
    auto& list = option->get_items_expected_max() == 0 ? out.flags : out.values;
    for (const auto& name : option->get_lnames()) list.push_back("--" + name);
    for (const auto& name : option->get_snames()) list.push_back("-" + name);
  }
  for (const auto* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    out.commands.push_back(grammar_of(*sub));
  return out;
}

// Shows the sentence, and the help of the level where the mistake is: a command line that asks for nothing is a
// failure, too.
int misused(CLI::App& app, const Unknown& unknown) {
  const CLI::App* at = &app;
  for (const auto& name : unknown.level) at = at->get_subcommand(name);
  std::string path;
  for (const auto* up = at->get_parent(); up != nullptr; up = up->get_parent())
    path.insert(0, up->get_name() + (path.empty() ? "" : " "));
  if (!unknown.sentence.empty()) say("fieldwork: " + printable(unknown.sentence) + "\n");
  say(at->help(path));
  return code(Exit::usage);
}

int main_of(int argc, char** argv) {
  Chosen chosen;
  CLI::App app("Runs jobs on edge devices over MQTT.", "fieldwork");
  app.fallthrough();
  app.require_subcommand(1);
  add_globals(app, chosen);
  add_run(app, chosen);
  add_job(app, chosen);
  add_template(app, chosen);
  add_scenario(app, chosen);
  add_device(app, chosen);
  add_fleet(app, chosen);
  add_group(app, chosen);
  add_alert(app, chosen);
  add_package(app, chosen);
  add_send(app, chosen);
  add_transfer(app, chosen);
  auto* check = command(
      app, "doctor", "check settings, certificate, broker, services and devices, one by one",
      "fieldwork doctor\n\nExit code: 0 all is well, 1 something failed, 2 settings, 3 the broker cannot be reached.\n"
      "A note is no failure: devices that are away, alerts that fire.");
  check->callback([&chosen] { chosen.command = [&chosen] { return doctor(chosen.options); }; });
  auto words = as_meant({argv + 1, argv + argc});
  if (const auto unknown = unknown_word(grammar_of(app), words)) return misused(app, *unknown);
  std::reverse(words.begin(), words.end());  // CLI11 takes them in reverse
  try {
    app.parse(std::move(words));
  } catch (const CLI::ParseError& e) {
    return flushed(app.exit(e) == 0 ? 0 : code(Exit::usage));
  }
  return flushed(chosen.command());
}

}  // namespace
}  // namespace fieldwork::cli

int main(int argc, char** argv) {
  fieldwork::cli::leave_lines_standing();
  // Without the destructors of libraries: the threads of a line that was left standing still run.
  std::_Exit(fieldwork::cli::main_of(argc, argv));
}
