#include "agent/shell/survivors.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "agent/limits.hpp"
#include "agent/shell/proc.hpp"
#include "runtime/log.hpp"

namespace fieldwork::agent {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int look_again_ms = 10;

struct Known {
  std::mutex mutex;
  std::set<pid_t> keepers;
};

Known& known() {
  static Known out;
  return out;
}

std::vector<ProcessSeen> processes() {
  std::vector<ProcessSeen> out(processes_max);
  out.resize(list_processes(out.data(), out.size()));
  return out;
}

std::string boot_id() {
  std::string out;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> out;
  return out;
}

struct Noted {
  std::string what;
  pid_t pid = 0;
  std::uint64_t start = 0;
};

// The recorded processes of this boot.
std::vector<Noted> noted_in(const fs::path& work) {
  std::vector<Noted> out;
  std::error_code error;
  const auto boot = boot_id();
  for (fs::directory_iterator at(work, error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() != record_ending) continue;
    std::ifstream file(at->path());
    std::string of_boot;
    for (Noted one; file >> of_boot >> one.what >> one.pid >> one.start;) {
      if (of_boot == boot && one.pid > 1) out.push_back(one);
    }
  }
  return out;
}

bool is_there(const Noted& one) {
  ProcessSeen seen;
  return look_at_process(one.pid, seen) && seen.start == one.start && !seen.zombie;
}

bool works_below(pid_t pid, const std::string& place) {
  std::string link(4096, '\0');
  const auto path = "/proc/" + std::to_string(pid) + "/cwd";
  const auto got = readlink(path.c_str(), link.data(), link.size());
  return got > 0 && std::string_view(link.data(), static_cast<std::size_t>(got)).starts_with(place);
}

std::vector<ProcessSeen> survivors_of(const std::vector<Noted>& noted, const std::string& place) {
  auto list = processes();
  for (auto& one : list) {
    if (one.pid == getpid() || one.zombie) continue;
    for (const auto& known_one : noted) {
      one.ours = one.ours || (one.pid == known_one.pid && one.start == known_one.start) ||
                 (one.session == known_one.pid && one.start >= known_one.start);
    }
    one.ours = one.ours || (!one.terminal && works_below(one.pid, place));
  }
  mark_descendants(list.data(), list.size(), -1);
  std::erase_if(list, [](const ProcessSeen& one) { return !one.ours || one.zombie || one.pid == getpid(); });
  return list;
}

}  // namespace

pid_t Keepers::add(const std::function<pid_t()>& fork) {
  const std::lock_guard lock(known().mutex);
  // Where a keeper is not process 1, the orphans that it leaves become the agent's children, not those of the machine's
  // process 1.
  static const bool adopting = prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
  const pid_t pid = fork();
  const int error = errno;
  if (pid > 0 && adopting) known().keepers.insert(pid);
  errno = error;
  return pid;
}

bool Keepers::await(pid_t keeper, milliseconds at_most) {
  const auto deadline = Clock::now() + at_most;
  pollfd ended{static_cast<int>(syscall(SYS_pidfd_open, keeper, 0)), POLLIN, 0};
  bool done = false;
  for (auto now = Clock::now(); !done; now = Clock::now()) {
    siginfo_t info{};
    done = waitid(P_PID, static_cast<id_t>(keeper), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == keeper;
    if (done || now >= deadline) break;
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - now).count() + 1;
    // Without pidfds (Linux before 5.3) it looks every look_again_ms.
    poll(&ended, ended.fd < 0 ? 0 : 1, ended.fd < 0 ? look_again_ms : static_cast<int>(left));
  }
  if (ended.fd >= 0) close(ended.fd);
  if (!done) return false;
  const std::lock_guard lock(known().mutex);
  waitpid(keeper, nullptr, 0);
  known().keepers.erase(keeper);
  return true;
}

bool end_strays() {
  const pid_t self = getpid();
  for (const auto deadline = Clock::now() + kill_patience_max; Clock::now() < deadline;
       poll(nullptr, 0, look_again_ms)) {
    const std::lock_guard lock(known().mutex);
    auto list = processes();
    bool any = false;
    for (auto& one : list) {
      if (one.parent != self || known().keepers.contains(one.pid)) continue;
      one.ours = waitpid(one.pid, nullptr, WNOHANG) == 0;
      any = any || one.ours;
    }
    if (!any) return true;
    mark_descendants(list.data(), list.size(), -1);
    for (const auto& one : list) {
      if (one.ours) ::kill(one.pid, SIGKILL);
    }
  }
  return false;
}

Result<void> note_process(const fs::path& record, std::string_view what, pid_t pid) {
  ProcessSeen seen;
  look_at_process(pid, seen);
  const auto line =
      boot_id() + " " + std::string(what) + " " + std::to_string(pid) + " " + std::to_string(seen.start) + "\n";
  // Not synced: a power cut that loses the file ends the process, too.
  const int file = open(record.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const bool good = file >= 0 && write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  const int error = errno;
  if (file >= 0) close(file);
  if (good) return {};
  return Error{Code::unavailable, std::string("cannot be written: ") + std::strerror(error), record.string()};
}

Survivors end_survivors(const fs::path& work) {
  std::error_code error;
  const auto place = fs::canonical(work, error).string() + "/";
  if (error) return {};
  const auto noted = noted_in(work);
  const auto deadline = Clock::now() + kill_patience_max;
  for (const auto& one : noted) {
    while (one.what == "keeper" && is_there(one) && Clock::now() < deadline) poll(nullptr, 0, look_again_ms);
  }
  std::set<pid_t> ended;
  for (const auto give_up = Clock::now() + kill_patience_max;; poll(nullptr, 0, look_again_ms)) {
    const auto left = survivors_of(noted, place);
    if (left.empty()) return {ended.size(), 0};
    for (const auto& one : left) {
      ::kill(one.pid, SIGKILL);
      ended.insert(one.pid);
    }
    if (Clock::now() < give_up) continue;
    for (const auto& one : left)
      log::error("a process of an earlier job cannot be ended", {{"pid", std::to_string(one.pid)}});
    return {ended.size() - std::min(ended.size(), left.size()), left.size()};
  }
}

}  // namespace fieldwork::agent
