#include <algorithm>
#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "download.hpp"
#include "executions.hpp"
#include "ids.hpp"
#include "output.hpp"
#include "results.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;
using std::chrono::seconds;

constexpr seconds fetch_silence{30};  // waiting for a result file that a device has not brought yet

// Also fetches files that were too large for the report. True: every file is there.
Outcome<bool> write_results(Session& session, const Options& options, const std::string& directory,
                            const std::vector<ExecutionResult>& results) {
  if (directory.empty()) {
    for (const auto& line : list_files(results)) say(line);
    return std::all_of(results.begin(), results.end(), [](const auto& one) { return one.wrong.empty(); });
  }
  const auto silence = options.timeout_s ? std::chrono::ceil<seconds>(options.timeout()) : fetch_silence;
  Progress progress;
  auto written = write_files(results, directory, [&](const OutputFile& file, const std::filesystem::path& path) {
    return download(session, {file.digest, file.size_bytes, file.path}, path, silence, progress);
  });
  if (!written) return written.failure();
  for (const auto& line : written->lines) say(line);
  return !written->missing;
}

}  // namespace

int print_result(Session& session, const Options& options, const std::string& directory, const std::string& id,
                 std::optional<int> execution) {
  auto whole = job_with_executions(session, id, limits::executions_max);
  if (!whole) return end(whole.failure());
  Progress progress;
  auto filled = with_results(session, std::move(*whole), [&](std::size_t done, std::size_t all) {
    if (all > 1) progress.show("results", static_cast<std::int64_t>(done), static_cast<std::int64_t>(all));
  });
  progress.clear();
  if (!filled) return end(filled.failure());
  const Json& job = *filled;
  auto results = results_of(job);
  if (execution) std::erase_if(results, [&](const auto& one) { return one.execution != *execution; });
  for (const auto& one : results) {
    if (results.size() > 1) say("--- execution " + std::to_string(one.execution) + " on " + printable(one.device));
    if (!one.wrong.empty())
      say("cannot read the result of execution " + std::to_string(one.execution) + ": " + printable(one.wrong));
    if (!one.result.stderr_text.empty()) say(one.result.stderr_text);
    if (!options.json) print(one.result.stdout_text);
    if (one.result.truncated)
      say("the output was longer than limits.output_bytes and was cut: " + std::to_string(one.result.stdout_cut_bytes) +
          " bytes are missing in the middle of stdout, " + std::to_string(one.result.stderr_cut_bytes) + " of stderr");
  }
  if (options.json) print_json(job);
  std::fflush(stdout);
  auto written = write_results(session, options, directory, results);
  if (!written) return end(written.failure());
  if (!*written) return code(Exit::failed);
  const auto state = job_state(text_of(job, "state"));
  return code(state ? exit_of(*state) : Exit::failed);
}

int job_result(const Options& options, const ResultArguments& arguments) {
  auto session = open_session(options, {});
  if (!session) return end(session.failure());
  auto id = whole_job(**session, arguments.job);
  if (!id) return end(id.failure());
  auto job = (*session)->request("scheduler", "show", {{"job", *id}});
  if (!job) return end(job.failure());
  const auto state = job_state(text_of(*job, "state"));
  if (state && !settled(*state))
    say("job " + printable(*id) + " is " + printable(text_of(*job, "state")) + ": this is what there is of it");
  return print_result(**session, options, arguments.output_dir, *id);
}

}  // namespace fieldwork::cli
