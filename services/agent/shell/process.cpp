#include "agent/shell/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>

namespace fieldwork::agent {
namespace {

using Clock = std::chrono::steady_clock;

// fork, in a new PID namespace where asked. The child of a threaded process may only call what is async-signal-safe.
pid_t fork_child(bool own_namespace) {
  const unsigned long flags = SIGCHLD | (own_namespace ? static_cast<unsigned long>(CLONE_NEWPID) : 0UL);
  return static_cast<pid_t>(syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
}

struct Pipe {
  int read = -1;
  int write = -1;
  bool open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    read = ends[0];
    write = ends[1];
    return true;
  }
  static void shut(int& end) {
    if (end >= 0) close(end);
    end = -1;
  }
  ~Pipe() {
    shut(read);
    shut(write);
  }
};

struct Prepared {
  std::string program;
  std::vector<std::string> env;
  std::vector<char*> argv, envp;
};

Prepared prepare(const Command& command) {
  Prepared out;
  out.program = command.command.front();
  const auto local = std::filesystem::path(command.directory) / out.program;
  std::error_code ignored;
  if (out.program.find('/') == std::string::npos && std::filesystem::exists(local, ignored))
    out.program = "./" + out.program;
  std::map<std::string, std::string> env{
      {"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"HOME", command.directory}, {"LANG", "C.UTF-8"}};
  for (const auto& [key, value] : command.env) env[key] = value;
  for (const auto& [key, value] : env) out.env.emplace_back(key).append(1, '=').append(value);
  for (const auto& word : command.command) out.argv.push_back(const_cast<char*>(word.c_str()));
  out.argv.push_back(nullptr);
  for (const auto& entry : out.env) out.envp.push_back(const_cast<char*>(entry.c_str()));
  out.envp.push_back(nullptr);
  return out;
}

[[noreturn]] void exec_child(const Prepared& prepared, const char* directory, const Pipe& out, const Pipe& err,
                             const Pipe& failure) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int null = open("/dev/null", O_RDONLY);
  dup2(null, 0);
  dup2(out.write, 1);
  dup2(err.write, 2);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  if (chdir(directory) == 0) execvpe(prepared.program.c_str(), prepared.argv.data(), prepared.envp.data());
  const int error = errno;
  if (write(failure.write, &error, sizeof error) < 0) _exit(126);
  _exit(127);
}

// One of the two streams: bounded, and passed on line by line.
struct Captured {
  std::string text;
  std::string line;
  bool truncated = false;
};

void take(Captured& into, std::string_view bytes, std::string_view stream, const RunLimits& limits,
          const Process::Log& log) {
  const auto room = static_cast<std::size_t>(limits.output_bytes) - into.text.size();
  into.truncated = into.truncated || bytes.size() > room;
  bytes = bytes.substr(0, room);
  into.text += bytes;
  into.line += bytes;
  const auto end = into.line.rfind('\n');
  if (!log || end == std::string::npos) return;
  log(stream, into.line.substr(0, end + 1));
  into.line.erase(0, end + 1);
}

// What JSON and PostgreSQL can carry: NUL becomes a space. Invalid UTF-8 is replaced where the JSON is written.
std::string clean(std::string text) {
  for (char& c : text) {
    if (c == '\0') c = ' ';
  }
  return text;
}

// Whether the process, which stays to be waited for, ends before the deadline.
bool ends_before(pid_t pid, Clock::time_point deadline) {
  const int handle = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  pollfd ended{handle, POLLIN, 0};
  bool done = false;
  for (auto now = Clock::now(); !done && now < deadline; now = Clock::now()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now).count() + 1;
    // Without pidfds (Linux before 5.3) it looks each millisecond.
    poll(handle < 0 ? nullptr : &ended, handle < 0 ? 0 : 1, handle < 0 ? 1 : static_cast<int>(left));
    siginfo_t info{};
    done = waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == pid;
  }
  if (handle >= 0) close(handle);
  return done;
}

void kill_all(pid_t pid) {
  ::kill(-pid, SIGKILL);
  ::kill(pid, SIGKILL);
}

}  // namespace

bool pid_namespaces_work() {
  static const bool works = [] {
    const pid_t pid = fork_child(true);
    if (pid == 0) _exit(0);
    if (pid < 0) return false;
    int status = 0;
    waitpid(pid, &status, 0);
    return true;
  }();
  return works;
}

void Process::kill() {
  killed_ = true;
  const int pid = pid_;
  if (pid > 0) kill_all(pid);
}

Result<Ended> Process::run(const Command& command, const Log& log) {
  Pipe out, err, failure;
  if (!out.open() || !err.open() || !failure.open()) return Error{Code::unavailable, std::strerror(errno), "pipe"};
  const auto prepared = prepare(command);
  const auto began = Clock::now();
  if (killed_) return Ended{{.exit_code = -1}, "killed"};
  const pid_t pid = fork_child(pid_namespaces_work());
  if (pid < 0) return Error{Code::unavailable, std::strerror(errno), "fork"};
  if (pid == 0) exec_child(prepared, command.directory.c_str(), out, err, failure);
  pid_ = pid;
  if (killed_) kill_all(pid);
  Pipe::shut(out.write);
  Pipe::shut(err.write);
  Pipe::shut(failure.write);

  int error = 0;
  const bool started = read(failure.read, &error, sizeof error) <= 0;
  Captured streams[2];
  const char* names[2] = {"stdout", "stderr"};
  std::array<pollfd, 2> polled{{{out.read, POLLIN, 0}, {err.read, POLLIN, 0}}};
  const auto deadline = began + std::chrono::seconds(command.limits.time_s);
  bool timed_out = false;
  std::vector<char> buffer(65536);
  while (polled[0].fd >= 0 || polled[1].fd >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0 && !timed_out) {
      timed_out = true;
      kill_all(pid);
    }
    // After the kill nobody of the group can hold the pipes for long; who escaped it must not hold us either.
    if (left < -2000) break;
    if (poll(polled.data(), polled.size(), timed_out ? 100 : static_cast<int>(left) + 1) <= 0) continue;
    for (std::size_t i = 0; i < 2; ++i) {
      if (polled[i].fd < 0 || polled[i].revents == 0) continue;
      const auto got = read(polled[i].fd, buffer.data(), buffer.size());
      if (got <= 0) {
        polled[i].fd = -1;
      } else {
        take(streams[i], std::string_view(buffer.data(), static_cast<std::size_t>(got)), names[i], command.limits, log);
      }
    }
  }
  // Both streams are shut; a program may still run on without them, until its time is over.
  if (!timed_out && !ends_before(pid, deadline)) {
    timed_out = true;
    kill_all(pid);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  kill_all(pid);  // children that outlived it in its group
  pid_ = 0;
  if (!started)
    return Error{Code::invalid, "cannot start " + prepared.program + ": " + std::strerror(error), "command"};

  Ended ended;
  ended.result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (WIFSIGNALED(status)) ended.result.signal = WTERMSIG(status);
  ended.result.stdout_text = clean(std::move(streams[0].text));
  ended.result.stderr_text = clean(std::move(streams[1].text));
  ended.result.truncated = streams[0].truncated || streams[1].truncated;
  ended.result.elapsed_ms = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began).count();
  if (timed_out) {
    ended.reason = "time limit of " + std::to_string(command.limits.time_s) + " s";
  } else if (killed_) {
    ended.reason = "killed";
  } else if (ended.result.signal) {
    ended.reason = "ended by signal " + std::to_string(*ended.result.signal);
  }
  return ended;
}

}  // namespace fieldwork::agent
