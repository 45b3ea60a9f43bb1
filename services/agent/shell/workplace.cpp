#include "agent/shell/workplace.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "content/archive.hpp"
#include "crypto/digest.hpp"
#include "runtime/log.hpp"

namespace fieldwork::agent {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t output_file_bytes_max = std::int64_t{1} << 30;

std::string place_name(const AttemptKey& key) {
  return key.job.value + "-" + std::to_string(key.execution) + "-" + std::to_string(key.fence);
}

// A regular file inside `place`, reached without leaving it.
bool inside(const fs::path& place, const fs::path& path) {
  std::error_code error;
  const auto real = fs::canonical(path, error);
  const auto root = fs::canonical(place, error);
  if (error || !fs::is_regular_file(fs::symlink_status(path, error))) return false;
  const auto relative = real.lexically_relative(root);
  return !relative.empty() && *relative.begin() != "..";
}

std::string read_file(const fs::path& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace

Workplace::Workplace(fs::path directory, fs::path outputs, std::int64_t package_bytes_max, Done done, Log log)
    : directory_(std::move(directory)),
      outputs_(std::move(outputs)),
      package_bytes_max_(package_bytes_max),
      done_(std::move(done)),
      log_(std::move(log)) {
  std::error_code ignored;
  fs::remove_all(directory_, ignored);  // of attempts that died with the last agent
  fs::create_directories(directory_);
  fs::create_directories(outputs_);
}

Workplace::~Workplace() {
  std::map<AttemptKey, Running> running;
  {
    std::lock_guard lock(mutex_);
    running.swap(running_);
  }
  for (auto& [key, one] : running) one.process->kill();
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
  std::lock_guard lock(mutex_);
  auto& slot = running_[assign.key];
  slot.process = process;
  slot.thread = std::thread([this, assign, archive, process] { work(assign, archive, *process); });
}

void Workplace::kill(const AttemptKey& key) {
  std::lock_guard lock(mutex_);
  if (const auto it = running_.find(key); it != running_.end()) it->second.process->kill();
}

void Workplace::work(const Assign& assign, const fs::path& archive, Process& process) {
  const auto place = directory_ / place_name(assign.key);
  auto outcome = attempt(assign, archive, place, process);
  std::error_code ignored;
  fs::remove_all(place, ignored);
  done_(std::move(outcome));
  std::lock_guard lock(mutex_);
  if (auto node = running_.extract(assign.key)) ended_.push_back(std::move(node.mapped().thread));
}

Outcome Workplace::attempt(const Assign& assign, const fs::path& archive, const fs::path& place, Process& process) {
  Outcome outcome{.key = assign.key};
  std::error_code error;
  fs::create_directories(place, error);
  if (error) return outcome.reason = "cannot make a working directory: " + error.message(), outcome;
  if (!archive.empty()) {
    const auto digest = crypto::digest_of_file(archive);
    if (!digest || *digest != assign.package) {
      fs::remove(archive, error);  // fetched anew by the next attempt
      return outcome.reason = "the package on this device is not what was signed", outcome;
    }
    if (auto done = content::unpack(archive, place, static_cast<std::uint64_t>(package_bytes_max_)); !done) {
      return outcome.reason = "package: " + describe(done.error()), outcome;
    }
  }
  auto ended = process.run({assign.command, assign.env, place.string(), assign.limits},
                           [&](std::string_view stream, std::string text) { log_(assign, stream, std::move(text)); });
  if (!ended) return outcome.reason = describe(ended.error()), outcome;
  outcome.result = std::move(ended->result);
  outcome.reason = std::move(ended->reason);
  collect(assign, place, outcome);
  return outcome;
}

void Workplace::collect(const Assign& assign, const fs::path& place, Outcome& outcome) const {
  std::int64_t total = 0;
  for (const auto& name : assign.outputs) {
    const auto path = place / name;
    if (!inside(place, path)) {
      if (outcome.reason.empty() && outcome.result->exit_code == 0)
        outcome.reason = "output " + name + " was not written";
      continue;
    }
    OutputFile file{.path = name, .size_bytes = static_cast<std::int64_t>(fs::file_size(path))};
    if (file.size_bytes > output_file_bytes_max) {
      outcome.reason = "output " + name + " is larger than " + std::to_string(output_file_bytes_max) + " bytes";
      continue;
    }
    const auto digest = crypto::digest_of_file(path);
    if (!digest) {
      outcome.reason = "output " + name + " cannot be read: " + describe(digest.error());
      continue;
    }
    file.digest = *digest;
    if (file.size_bytes <= inline_bytes_max && total + file.size_bytes <= inline_total_bytes_max) {
      file.content = read_file(path);
      total += file.size_bytes;
    } else {
      const auto kept = outputs_ / digest->substr(7);
      std::error_code error;
      fs::rename(path, kept, error);
      if (error) {
        outcome.reason = "output " + name + " cannot be kept: " + error.message();
        continue;
      }
      outcome.large.push_back(kept);
    }
    outcome.result->files.push_back(std::move(file));
  }
}

}  // namespace fieldwork::agent
