#include "agent/shell/workplace.hpp"

#include <system_error>

#include "agent/limits.hpp"
#include "agent/shell/collect.hpp"
#include "agent/shell/mail.hpp"
#include "agent/shell/survivors.hpp"
#include "agent/shell/tree.hpp"
#include "base/text.hpp"
#include "codec/job.hpp"
#include "content/archive.hpp"
#include "crypto/digest.hpp"
#include "model/limits.hpp"
#include "runtime/log.hpp"

namespace fieldwork::agent {
namespace fs = std::filesystem;
namespace {

// When the agent itself is stopped: a container engine or an init system waits about 10 s before it kills the agent.
constexpr int stop_s_at_end = 5;

// Of files beside an attempt's directory.
constexpr std::string_view progress_ending = ".progress";
constexpr std::string_view stdout_ending = ".stdout";
constexpr std::string_view stderr_ending = ".stderr";

fs::path beside(const fs::path& place, std::string_view ending) { return place.string() + std::string(ending); }

void remove_place(const fs::path& path) {
  const auto removal = remove_tree(path);
  if (removal.left == 0) return;
  log::error("something of a job stays on the disk",
             {{"path", path.string()}, {"left", std::to_string(removal.left)}, {"reason", removal.reason}});
}

}  // namespace

std::string place_name(const AttemptKey& key) {
  return key.job.value + "-" + std::to_string(key.execution) + "-" + std::to_string(key.fence);
}

Workplace::Workplace(fs::path directory, fs::path outputs, std::int64_t package_bytes_max, Done done, Tell tell,
                     Progress progress)
    : directory_(std::move(directory)),
      outputs_(std::move(outputs)),
      package_bytes_max_(package_bytes_max),
      done_(std::move(done)),
      tell_(std::move(tell)),
      progress_(std::move(progress)) {
  clear(directory_);
  for (const auto* needed : {&directory_, &outputs_}) {
    std::error_code error;
    fs::create_directories(*needed, error);
    // Each attempt fails with the same reason; the agent itself goes on.
    if (error) log::error("a directory cannot be made", {{"path", needed->string()}, {"reason", error.message()}});
  }
}

void Workplace::clear(const fs::path& directory) {
  const auto survivors = end_survivors(directory);
  if (survivors.ended > 0)
    log::warn("processes of earlier jobs were ended", {{"count", std::to_string(survivors.ended)}});
  std::error_code error;
  std::vector<fs::path> places, records;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    (at->path().extension() == record_ending ? records : places).push_back(at->path());
  }
  for (const auto& place : places) remove_place(place);
  // The record stays while one of its processes cannot be ended: the next start looks for it again.
  for (const auto& record : records) {
    if (survivors.left == 0) fs::remove(record, error);
  }
}

Workplace::~Workplace() {
  std::map<AttemptKey, Running> running;
  {
    std::lock_guard lock(mutex_);
    running.swap(running_);
  }
  for (auto& [key, one] : running) one.process->kill(stop_s_at_end);
  one_ended_.notify_all();
  for (auto& [key, one] : running) one.thread.join();
  reap();
}

void Workplace::reap() {
  std::vector<std::thread> ended;
  {
    std::lock_guard lock(mutex_);
    ended.swap(ended_);
  }
  for (auto& thread : ended) thread.join();
}

void Workplace::run(const Assign& assign, const fs::path& archive) {
  reap();
  auto process = std::make_shared<Process>();
  std::string refused;
  {
    const std::lock_guard lock(mutex_);
    if (std::erase(killed_early_, assign.key) > 0) process->kill();
    for (const auto& [key, until] : followed_early_) {
      const auto left = until - std::chrono::steady_clock::now();
      if (key == assign.key && left.count() > 0) process->tail(std::chrono::duration_cast<Duration>(left), true);
    }
    std::erase_if(followed_early_, [&](const auto& one) { return one.first == assign.key; });
    auto& slot = running_[assign.key];
    slot.process = process;
    try {
      slot.thread = std::thread([this, assign, archive, process] { work(assign, archive, *process); });
      return;
    } catch (const std::system_error& error) {
      refused = std::string("cannot start a thread: ") + error.what();
      running_.erase(assign.key);
    }
  }
  done_({.key = assign.key, .result = std::nullopt, .reason = std::move(refused), .refused = true, .large = {}});
}

void Workplace::kill(const AttemptKey& key) {
  std::lock_guard lock(mutex_);
  if (const auto it = running_.find(key); it != running_.end()) {
    it->second.process->kill();
    return;
  }
  killed_early_.push_back(key);
  if (killed_early_.size() > limits::attempts_per_device_max) killed_early_.pop_front();
}

void Workplace::contract_ends(const AttemptKey& key, Duration left) {
  std::lock_guard lock(mutex_);
  if (const auto it = running_.find(key); it != running_.end()) it->second.process->contract_ends(left);
}

void Workplace::tail(const AttemptKey& key, Duration left, bool begin) {
  std::lock_guard lock(mutex_);
  if (const auto it = running_.find(key); it != running_.end()) return it->second.process->tail(left, begin);
  followed_early_.emplace_back(key, std::chrono::steady_clock::now() + left);
  if (followed_early_.size() > limits::attempts_per_device_max) followed_early_.pop_front();
}

void Workplace::work(const Assign& assign, const fs::path& archive, Process& process) {
  await_older(assign.key);
  const auto place = directory_ / place_name(assign.key);
  auto outcome = attempt(assign, archive, place, process);
  outcome.reason = clamp_text(outcome.reason, limits::reason_bytes_max);
  remove_place(place);
  for (const auto ending : {progress_ending, stdout_ending, stderr_ending, outbox_ending, inbox_ending}) {
    const auto file = beside(place, ending);
    std::error_code ignored;  // the program may have made anything of it
    if (fs::symlink_status(file, ignored).type() != fs::file_type::not_found) remove_place(file);
  }
  done_(std::move(outcome));
  std::lock_guard lock(mutex_);
  if (auto node = running_.extract(assign.key)) ended_.push_back(std::move(node.mapped().thread));
  one_ended_.notify_all();
}

// An attempt that was told to stop may take some seconds: the next attempt of the same execution must not run beside
// it.
void Workplace::await_older(const AttemptKey& key) {
  std::unique_lock lock(mutex_);
  one_ended_.wait(lock, [&] {
    const auto oldest = running_.lower_bound({key.job, key.execution, 0});
    return oldest == running_.end() || oldest->first >= key || oldest->first.job != key.job ||
           oldest->first.execution != key.execution;
  });
}

Outcome Workplace::attempt(const Assign& assign, const fs::path& archive, const fs::path& place, Process& process) {
  Outcome outcome{.key = assign.key};
  const auto refuse = [&](std::string reason, bool device_fault = true) {
    outcome.reason = std::move(reason);
    outcome.refused = device_fault;
    return outcome;
  };
  std::error_code error;
  fs::create_directories(place, error);
  if (error) return refuse("cannot make a working directory: " + error.message());
  if (!archive.empty()) {
    const auto digest = crypto::digest_of_file(archive);
    if (!digest || *digest != assign.package) {
      fs::remove(archive, error);  // the next attempt fetches the package anew
      return refuse("the package on this device is not what was signed");
    }
    if (auto done = content::unpack(archive, place, static_cast<std::uint64_t>(package_bytes_max_)); !done)
      return refuse("package: " + describe(done.error()), done.error().code == Code::unavailable);
  }
  Command command{.command = assign.command,
                  .env = assign.env,
                  .directory = place.string(),
                  .limits = assign.limits,
                  .contract_s = assign.contract.stop_after_s,
                  .record = beside(place, record_ending),
                  .progress = fs::absolute(beside(place, progress_ending))};
  command.env["FIELDWORK_JOB"] = assign.key.job.value;
  command.env["FIELDWORK_EXECUTION"] = std::to_string(assign.key.execution);
  command.env["FIELDWORK_ATTEMPT"] = std::to_string(assign.attempt);
  command.env["FIELDWORK_PROGRESS"] = command.progress.string();
  if (assign.limits.messages_per_s > 0) {
    command.env["FIELDWORK_OUTBOX"] = fs::absolute(beside(place, outbox_ending)).string();
    command.env["FIELDWORK_INBOX"] = fs::absolute(beside(place, inbox_ending)).string();
  }
  if (assign.limits.log_bytes > 0) command.logs = {beside(place, stdout_ending), beside(place, stderr_ending)};
  Watchers watchers;
  if (tell_) watchers.tell = [&](Told told) { return tell_(assign, std::move(told)); };
  if (progress_) watchers.progress = [&](const RunProgress& progress) { progress_(assign.key, progress); };
  auto ended = process.run(command, watchers);
  if (!ended) return refuse(describe(ended.error()), ended.error().code == Code::unavailable);
  outcome.result = std::move(ended->result);
  outcome.reason = std::move(ended->reason);
  outcome.timed_out = ended->timed_out;
  outcome.by_contract = ended->by_contract;
  collect(assign, place, command.logs, outcome);
  if (outcome.reason.empty() && outcome.result->exit_code == 0) outcome.reason = std::move(ended->logs_wrong);
  return outcome;
}

void Workplace::collect(const Assign& assign, const fs::path& place, const std::array<fs::path, 2>& logs,
                        Outcome& outcome) const {
  auto& result = *outcome.result;
  bound_streams(result);
  const auto taken = codec::encoded_bytes(result) + limits::files_max * file_entry_bytes_max;
  auto collected = collect_outputs(assign.key, place, assign.outputs, logs, outputs_, result_bytes_max - taken);
  result.files = std::move(collected.files);
  outcome.large = std::move(collected.large);
  // How the program ended is a better reason than a missing output.
  if (!outcome.reason.empty() || result.exit_code != 0) return;
  for (const auto& wrong : collected.wrong) outcome.reason += (outcome.reason.empty() ? "" : "; ") + wrong;
}

}  // namespace fieldwork::agent
