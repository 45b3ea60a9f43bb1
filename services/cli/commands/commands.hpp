// The commands. Each returns the program's exit code.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "codec/json.hpp"
#include "failure.hpp"
#include "session.hpp"
#include "settings.hpp"

namespace fieldwork::cli {

struct RunArguments {
  std::string file;                     // empty: a template is run
  std::string made_of;                  // NAME or NAME@VERSION
  std::vector<std::string> parameters;  // NAME=VALUE
  std::string privacy;                  // in place of the template's; empty: as it says
  std::string with;                     // JSON: fields that replace those of the template
  bool metered = false;                 // allowed, whatever the job says
  bool dry_run = false;                 // only say what would become of it
  bool wait = false;
  bool logs = false;       // implies wait
  std::string package;     // digest or NAME@VERSION; used instead of the job file's package
  std::string request;     // request id; empty: a new one is made
  std::string output_dir;  // empty: files are only listed; implies wait
};
int run(const Options& options, const RunArguments& arguments);

struct ListArguments {
  std::string state;
  int limit = 50;
};
int job_list(const Options& options, const ListArguments& arguments);
int job_show(const Options& options, const std::string& job);
int job_explain(const Options& options, const std::string& job);
struct ResultArguments {
  std::string job;
  std::string output_dir;  // empty: files are only listed
};
int job_result(const Options& options, const ResultArguments& arguments);
struct ChangeArguments {
  std::string job;
  std::optional<std::int64_t> expects{};  // the version of the job that was seen; of another one nothing is done
};
int job_cancel(const Options& options, const ChangeArguments& arguments);
struct RetryArguments : ChangeArguments {
  bool all = false;     // also the executions that succeeded
  bool wait = false;    // until the new job is settled
  std::string request;  // request id; empty: a new one is made
};
int job_retry(const Options& options, const RetryArguments& arguments);
int job_wait(const Options& options, const std::string& job);
int job_watch(const Options& options, const std::string& job);
struct LogsArguments {
  std::string job;
  std::optional<int> execution{};
};
int job_logs(const Options& options, const LogsArguments& arguments);

struct DeviceListArguments {
  std::string expression;
  std::string why;  // a device: says why it does not match
};
int device_list(const Options& options, const DeviceListArguments& arguments);
int device_health(const Options& options, const std::string& device);
struct HistoryArguments {
  std::string device;
  std::string since = "1h", until;  // ago; empty: now
  std::string resolution;           // raw, minute or hour; empty: as the span suggests
};
int device_history(const Options& options, const HistoryArguments& arguments);
int device_show(const Options& options, const std::string& device);
struct VerbArguments {
  std::string verb;  // activate, drain, deactivate, retire, remove or prune
  std::string device;
  bool wait = false;  // until the device follows; of drain: until nothing runs there
};
int device_verb(const Options& options, const VerbArguments& arguments);
struct SetArguments {
  std::string device;
  std::vector<std::string> changes;  // NAME=VALUE, label.NAME=VALUE; NAME= takes it back
  bool wait = false;                 // until the device follows
};
int device_set(const Options& options, const SetArguments& arguments);
struct StatsArguments {
  std::string expression;
  std::vector<std::string> words;  // [NUMBER] [by ATTRIBUTE]
};
int fleet_stats(const Options& options, const StatsArguments& arguments);
struct GroupArguments {
  std::string group;
  std::string expression;
  std::vector<std::string> add, drop;  // devices
  bool remove = false;
};
int group_list(const Options& options);
// Shows the group, after it was changed where the arguments say how.
int group_change(const Options& options, const GroupArguments& arguments);
struct AlertListArguments {
  std::string expression;
  bool all = false;  // pending and resolved ones, too
};
int alert_list(const Options& options, const AlertListArguments& arguments);
int alert_show(const Options& options, const std::string& alert);
struct AckArguments {
  std::string alert, comment;
  bool undo = false;
};
int alert_ack(const Options& options, const AckArguments& arguments);
struct SilenceArguments {
  std::string matcher;  // empty, and `end` too: lists the silences
  std::string lasts;    // empty: 1h
  std::string comment;
  std::string end;  // the silence that ends
};
int alert_silence(const Options& options, const SilenceArguments& arguments);
int alert_rules(const Options& options);
// The three need no broker.
int alert_rules_show(const Options& options, const std::string& rule);
int alert_rules_check(const Options& options, const std::string& file);
struct RulesTestArguments {
  std::string rules;   // empty: those that come with the program
  std::string events;  // lines {"at_ms", "topic", "payload"}
  std::string root = "fieldwork/v1";
  std::string after = "1h";  // time that passes behind the last line
};
int alert_rules_test(const Options& options, const RulesTestArguments& arguments);
int device_reset(const Options& options, const std::string& device);

// What is not given is as the manifest in the directory says it, if there is one.
struct PushArguments {
  std::string path;
  std::string name;
  std::string version;
  std::string architecture{};
  std::vector<std::string> entry{};  // program and arguments
  std::vector<std::string> needs{};  // NAME=AMOUNT
  bool version_of_content = false;   // where it is empty: the first 12 digits of the digest
};
struct Pushed {
  std::string digest;
  std::string version;
  std::int64_t size_bytes = 0;
  std::int64_t bytes_sent = 0;  // 0: the service had it
  std::string architecture{};   // empty: any
};
[[nodiscard]] Outcome<Pushed> push(const Options& options, const PushArguments& arguments);
int package_push(const Options& options, const PushArguments& arguments);
int package_list(const Options& options, bool unused);
int package_show(const Options& options, const std::string& wanted, const std::string& architecture);
int package_remove(const Options& options, const std::string& wanted, const std::string& architecture);
struct SendArguments {
  std::string what;    // a path, NAME@VERSION or a digest
  std::string target;  // a device, a group or an expression
  std::string as;      // below the devices' directories for files; empty: the file's own name
  std::string name, version;
  std::string keep = "7d";
  int priority = 5;
  bool stage_only = false;  // a file is not placed
  bool no_wait = false;
};
int send(const Options& options, const SendArguments& arguments);
struct StagedArguments {
  std::string package;  // empty: of all
  std::string device;   // empty: on all
};
int transfer_staged(const Options& options, const StagedArguments& arguments);
struct UnstageArguments {
  std::string package;
  std::string target;  // a device, a group or an expression
};
int transfer_unstage(const Options& options, const UnstageArguments& arguments);

// `all`: those that have ended, too.
int transfer_list(const Options& options, const std::string& device, bool all);
int transfer_show(const Options& options, const std::string& wanted);
// pause, resume, cancel
int transfer_verb(const Options& options, const std::string& verb, const std::string& wanted);

struct TemplateArguments {
  std::string file;
  std::optional<int> expects;
};
int template_push(const Options& options, const TemplateArguments& arguments);
int template_list(const Options& options);
int template_show(const Options& options, const std::string& wanted);
int template_remove(const Options& options, const std::string& name);

int scenario_list(const Options& options);
int scenario_show(const Options& options, const std::string& name);
struct ScenarioArguments {
  std::string scenario;
  std::string job;
};
// Pushes the job's package, then runs its template as run() does.
int scenario_run(const Options& options, const ScenarioArguments& which, RunArguments arguments);

int doctor(const Options& options);

// Shared by the commands.

// Prints the output of the executions that are settled to stdout and stderr. Writes their files into `directory`, or
// lists them where it is empty. Returns the exit code of the job's state, or of what kept the result away.
// `execution`: only this one's output.
int print_result(Session& session, const Options& options, const std::string& directory, const std::string& job,
                 std::optional<int> execution = std::nullopt);
// Without an answer the job may have been stored; asking again with the same request id is safe.
[[nodiscard]] Failure may_be_stored(Failure failure, const std::string& request);
// Reads the settings and connects.
[[nodiscard]] Outcome<std::unique_ptr<Session>> open_session(const Options& options,
                                                             const std::vector<std::string>& filters = {});
// Connects, asks one question and returns its answer.
[[nodiscard]] Outcome<codec::Json> ask(const Options& options, const std::string& service, const std::string& operation,
                                       codec::Json body);
// Everything that a service lists: all pages of the question `body`. What is added meanwhile may be missing; nothing is
// listed twice.
[[nodiscard]] Outcome<codec::Json> all_items(Session& session, const std::string& service, codec::Json body,
                                             const std::string& operation = "list");
struct Meant {
  std::string device;
  std::string architecture;  // as uname -m says it; empty: unknown
};
// The devices that `text` means: the device of that id, else those of the group of that name, else those that match the
// expression. A Failure where there is none.
[[nodiscard]] Outcome<std::vector<Meant>> devices_meant(Session& session, const std::string& text);
// Prints a field of an answer, as JSON or by `text`. Returns the exit code.
int show(const Options& options, Outcome<codec::Json> answer, const char* field,
         std::string (*text)(const codec::Json& value, std::int64_t now_ms));
// The package named by "sha256:…", its beginning, or NAME@VERSION.
[[nodiscard]] Outcome<codec::Json> find_package(Session& session, const std::string& wanted,
                                                const std::string& architecture = "");

}  // namespace fieldwork::cli
