#include "agent/shell/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <new>
#include <optional>

#include "agent/limits.hpp"
#include "agent/shell/capture.hpp"
#include "agent/shell/keeper.hpp"
#include "agent/shell/program.hpp"
#include "agent/shell/survivors.hpp"
#include "base/boot_clock.hpp"
#include "base/text.hpp"
#include "runtime/log.hpp"

namespace fieldwork::agent {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int descriptor_min = 16;  // as Launch demands

struct Descriptor {
  int fd = -1;
  Descriptor() = default;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { shut(); }
  void shut() {
    if (fd >= 0) close(fd);
    fd = -1;
  }
  // Moves `from` to a number above the standard streams.
  bool adopt(int from) {
    fd = fcntl(from, F_DUPFD_CLOEXEC, descriptor_min);
    const int error = errno;
    close(from);
    errno = error;
    return fd >= 0;
  }
};

bool open_pipe(Descriptor& read_end, Descriptor& write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  const bool first = read_end.adopt(ends[0]);
  return write_end.adopt(ends[1]) && first;
}

bool open_control(Descriptor& ours, Descriptor& keepers) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return false;
  const bool first = ours.adopt(ends[0]);
  return keepers.adopt(ends[1]) && first;
}

// The raw system call: the child of a threaded process may only call what is async-signal-safe. All signals stay
// blocked in the child.
pid_t fork_keeper(const Launch& launch) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const unsigned long flags = SIGCHLD | (launch.own_namespace ? static_cast<unsigned long>(CLONE_NEWPID) : 0UL);
  const auto pid = static_cast<pid_t>(syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
  if (pid == 0) keep(launch);
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return pid;
}

}  // namespace

bool pid_namespaces_work() {
  static const bool works = [] {
    const auto flags = SIGCHLD | static_cast<unsigned long>(CLONE_NEWPID);
    const auto pid = static_cast<pid_t>(syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
    if (pid == 0) _exit(0);
    if (pid < 0) return false;
    int status = 0;
    waitpid(pid, &status, 0);
    return true;
  }();
  return works;
}

Process::Process() : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  void* shared = mmap(nullptr, sizeof(*contract_end_us_), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared != MAP_FAILED) contract_end_us_ = new (shared) std::atomic<std::int64_t>(0);
}

Process::~Process() {
  if (wake_ >= 0) close(wake_);
  if (contract_end_us_ != nullptr) munmap(contract_end_us_, sizeof(*contract_end_us_));
}

void Process::contract_ends(Duration left) {
  if (contract_end_us_ != nullptr) *contract_end_us_ = boot_us() + left.count();
}

void Process::kill(int stop_s_max) {
  stop_s_max_ = stop_s_max;
  killed_ = true;
  const std::uint64_t one = 1;
  if (wake_ >= 0 && write(wake_, &one, sizeof one) < 0) return;  // the eventfd is full: run() is awake already
}

// One run, as the agent's side of it.
class Process::Run {
 public:
  Run(Process& process, const Command& command, const Log& log)
      : process_(process),
        command_(command),
        streams_{Capture(command.limits.output_bytes, line_of("stdout", log)),
                 Capture(command.limits.output_bytes, line_of("stderr", log))} {}

  Result<Ended> run() {
    prepare(command_, program_);
    if (command_.contract_s) {
      if (process_.contract_end_us_ == nullptr) return failed("mmap");
      if (*process_.contract_end_us_ == 0) process_.contract_ends(seconds(*command_.contract_s));
    }
    if (auto begun = begin(); !begun) return begun.error();
    while (watch()) continue;
    drain();
    finish();
    if (refused_) return *refused_;
    return ended();
  }

 private:
  static Capture::Line line_of(const char* stream, const Log& log) {
    if (!log) return {};
    return [stream, &log](std::string text) { log(stream, std::move(text)); };
  }

  static Error failed(const char* what) { return {Code::unavailable, std::strerror(errno), what}; }

  Result<void> begin() {
    Descriptor out, err, keepers;
    if (!open_pipe(out_, out) || !open_pipe(err_, err)) return failed("pipe");
    if (!open_control(control_, keepers)) return failed("socketpair");
    const Launch launch{.program = program_.file.c_str(),
                        .argv = program_.argv.data(),
                        .envp = program_.envp.data(),
                        .directory = command_.directory.c_str(),
                        .out = out.fd,
                        .err = err.fd,
                        .control = keepers.fd,
                        .own_namespace = pid_namespaces_work(),
                        .contract_end_us = command_.contract_s ? process_.contract_end_us_ : nullptr,
                        .stop_s = command_.stop_s};
    keeper_ = Keepers::add([&] { return fork_keeper(launch); });
    if (keeper_ < 0) return failed("fork");
    if (!command_.record.empty()) {
      if (auto noted = note_process(command_.record, "keeper", keeper_); !noted) {
        control_.shut();  // the keeper ends by itself: it has started nothing
        finish();
        return noted;
      }
    }
    tell(KeeperCommand::go);
    deadline_ = Clock::now() + std::chrono::seconds(command_.limits.time_s);
    return {};
  }

  void tell(KeeperCommand what) const {
    const char text = static_cast<char>(what);
    send(control_.fd, &text, 1, MSG_NOSIGNAL);
  }

  // False: the run is over.
  bool watch() {
    const auto now = Clock::now();
    if (!stopping_ && (process_.killed_ || now >= deadline_)) {
      timed_out_ = !process_.killed_;
      reason_ = process_.killed_ ? "killed" : "time limit of " + std::to_string(command_.limits.time_s) + " s";
      stopping_ = true;
      tell(KeeperCommand::stop);
      stop_s_max_ = process_.stop_s_max_;
      deadline_ = now + std::chrono::seconds(std::min(command_.stop_s, stop_s_max_));
    }
    // kill() may be called again, with a shorter stop time.
    if (const int most = process_.stop_s_max_; stopping_ && !killing_ && most < stop_s_max_) {
      stop_s_max_ = most;
      deadline_ = std::min(deadline_, now + std::chrono::seconds(most));
    }
    if (stopping_ && now >= deadline_) {
      if (killing_) return false;
      killing_ = true;
      tell(KeeperCommand::kill);
      deadline_ = now + kill_patience_max;
    }
    wait_until(deadline_);
    return !keeper_gone_;
  }

  void wait_until(Clock::time_point until) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count() + 1;
    std::array<pollfd, 4> polled{
        {{control_.fd, POLLIN, 0}, {out_.fd, POLLIN, 0}, {err_.fd, POLLIN, 0}, {process_.wake_, POLLIN, 0}}};
    // Without an eventfd kill() cannot wake this: it looks every 100 ms.
    const auto most = process_.wake_ < 0 ? std::int64_t{100} : std::int64_t{60'000};
    if (poll(polled.data(), polled.size(), static_cast<int>(std::clamp(left, std::int64_t{0}, most))) <= 0) return;
    std::uint64_t ignored = 0;
    if (polled[3].revents != 0 && read(process_.wake_, &ignored, sizeof ignored) < 0) return;
    if (polled[1].revents != 0) read_from(out_, streams_[0]);
    if (polled[2].revents != 0) read_from(err_, streams_[1]);
    if (polled[0].revents != 0) hear();
  }

  // False: nothing is there to read, or no more.
  bool read_from(Descriptor& from, Capture& into) {
    const auto got = read(from.fd, buffer_.data(), buffer_.size());
    if (got > 0) into.add({buffer_.data(), static_cast<std::size_t>(got)});
    if (got == 0) from.shut();
    return got > 0;
  }

  void hear() {
    Said said;
    if (recv(control_.fd, &said, sizeof said, 0) != static_cast<ssize_t>(sizeof said)) {
      keeper_gone_ = true;
      return;
    }
    switch (said.what) {
      case Said::What::started:
        // In a PID namespace of its own the program ends with the keeper, and its pid means nothing outside.
        if (!command_.record.empty() && !pid_namespaces_work()) {
          if (auto noted = note_process(command_.record, "program", said.value); !noted)
            log::warn("a process is not noted", {{"reason", describe(noted.error())}});
        }
        break;
      case Said::What::no_directory:
        refused_ = cannot_start("the working directory cannot be entered: " + std::string(std::strerror(said.value)));
        break;
      case Said::What::not_started: refused_ = cannot_start(why_not_started(command_, program_, said.value)); break;
      case Said::What::contract:
        by_contract_ = true;
        if (stopping_) break;
        reason_ = "its contract ended it";
        stopping_ = true;
        deadline_ = Clock::now() + std::chrono::seconds(stop_s_max_ = command_.stop_s);
        break;
      case Said::What::ended: status_ = said.value; break;
    }
  }

  [[nodiscard]] Error cannot_start(const std::string& why) const {
    return {Code::invalid, "cannot start " + clamp_text(command_.command.front(), 200) + ": " + why, "command"};
  }

  // Reads what is left in the pipes after the end. A process that escaped and still writes does not hold this up.
  void drain() {
    for (auto* from : {&out_, &err_}) {
      if (from->fd < 0) continue;
      fcntl(from->fd, F_SETFL, O_NONBLOCK);
      auto& into = streams_[from == &out_ ? 0 : 1];
      for (int round = 0; round < drain_rounds_max && from->fd >= 0 && read_from(*from, into); ++round) continue;
    }
    for (auto& stream : streams_) stream.finish();
  }

  // Waits for the keeper. Afterwards no process of the job is left, or the log says so.
  void finish() {
    control_.shut();
    if (killing_ && !keeper_gone_) ::kill(keeper_, SIGKILL);  // the keeper could not end every process
    bool gone = Keepers::await(keeper_, kill_patience_max);
    if (!status_ && !refused_)
      gone = end_strays() && gone;  // the keeper itself was ended: by the job, or for want of memory
    if (!gone) {
      log::error("processes of a job cannot be ended", {{"keeper", std::to_string(keeper_)}});
    } else if (!command_.record.empty()) {
      std::error_code ignored;
      std::filesystem::remove(command_.record, ignored);
    }
  }

  Ended ended() {
    Ended out;
    auto& result = out.result;
    const int status = status_.value_or(SIGKILL);
    result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
    auto kept_out = streams_[0].kept();
    auto kept_err = streams_[1].kept();
    result.stdout_text = std::move(kept_out.bytes);
    result.stderr_text = std::move(kept_err.bytes);
    result.stdout_cut_bytes = kept_out.cut_bytes;
    result.stderr_cut_bytes = kept_err.cut_bytes;
    result.truncated = kept_out.cut_bytes > 0 || kept_err.cut_bytes > 0;
    result.elapsed_ms = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_).count();
    out.reason = reason_;
    out.timed_out = timed_out_;
    out.by_contract = by_contract_;
    if (out.reason.empty() && result.signal) out.reason = "ended by signal " + std::to_string(*result.signal);
    if (out.reason == "ended by signal 9" && !status_)
      out.reason = "its keeper was ended by somebody, and the job with it";
    return out;
  }

  Process& process_;
  const Command& command_;
  Program program_;
  Descriptor out_, err_, control_;
  std::array<Capture, 2> streams_;
  std::vector<char> buffer_ = std::vector<char>(65536);
  const Clock::time_point began_ = Clock::now();
  Clock::time_point deadline_;  // of the next step: stop at the time limit, then kill, then give up
  int stop_s_max_ = 0;
  pid_t keeper_ = 0;
  bool stopping_ = false, killing_ = false, keeper_gone_ = false, by_contract_ = false, timed_out_ = false;
  std::string reason_;
  std::optional<Error> refused_;
  std::optional<int> status_;
};

Result<Ended> Process::run(const Command& command, const Log& log) {
  if (killed_) return Ended{{.exit_code = -1}, "killed"};
  return Run(*this, command, log).run();
}

}  // namespace fieldwork::agent
