// The commands of the command line, by what they are about; main.cpp has those about devices, groups and alerts.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "commands/commands.hpp"

namespace fieldwork::cli {

// What the command line asked for. The command runs after the whole line was parsed.
struct Chosen {
  struct {
    std::string device;
    bool all = false;
  } transfers{};
  Options options;
  RunArguments run;
  ListArguments list;
  PushArguments push;
  SendArguments send;
  StagedArguments staged;
  UnstageArguments unstage;
  ResultArguments result;
  RetryArguments retry;
  LogsArguments logs;
  DeviceListArguments devices;
  VerbArguments verb;
  SetArguments set;
  HistoryArguments history;
  StatsArguments stats;
  GroupArguments group;
  AlertListArguments alerts;
  AckArguments ack;
  SilenceArguments silence;
  RulesTestArguments rules;
  TemplateArguments templates;
  ScenarioArguments scenario;
  std::string id;
  bool unused = false;  // packages
  std::function<int()> command;
};

// A command with its example.
inline CLI::App* command(CLI::App& parent, const char* name, const char* what, const char* example) {
  auto* app = parent.add_subcommand(name, what);
  app->footer(std::string("Example:\n  ") + example);
  return app;
}

// grammar_send.cpp; add_stages(): below `transfer`.
void add_send(CLI::App& app, Chosen& chosen);
void add_stages(CLI::App& transfer, Chosen& chosen);
// grammar_jobs.cpp
void add_run(CLI::App& app, Chosen& chosen);
void add_job(CLI::App& app, Chosen& chosen);
void add_template(CLI::App& app, Chosen& chosen);
void add_scenario(CLI::App& app, Chosen& chosen);

}  // namespace fieldwork::cli
