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
#include "agent/shell/keeper.hpp"
#include "agent/shell/program.hpp"
#include "agent/shell/progress_file.hpp"
#include "agent/shell/survivors.hpp"
#include "base/boot_clock.hpp"
#include "base/text.hpp"
#include "model/limits.hpp"
#include "runtime/log.hpp"

namespace fieldwork::agent {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int descriptor_min = 16;  // as Launch demands
constexpr std::chrono::seconds progress_look_every{1};

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

bool makes_pid_namespace() {
  const auto flags = SIGCHLD | static_cast<unsigned long>(CLONE_NEWPID);
  const auto pid = static_cast<pid_t>(syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
  if (pid == 0) _exit(0);
  if (pid < 0) return false;
  int status = 0;
  waitpid(pid, &status, 0);
  return true;
}

}  // namespace

bool pid_namespaces_work() {
  static const bool works = makes_pid_namespace();
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

void Process::wake() const {
  const std::uint64_t one = 1;
  if (wake_ >= 0 && write(wake_, &one, sizeof one) < 0) return;  // the eventfd is full: run() is awake already
}

void Process::kill(int stop_s_max) {
  stop_s_max_ = stop_s_max;
  killed_ = true;
  wake();
}

void Process::tail(Duration left, bool begin) {
  if (begin) tail_begins_ = true;  // before it is seen that somebody follows
  const auto until = boot_us() + left.count();
  // Another one may follow for longer.
  for (auto known = tail_until_us_.load(); known < until && !tail_until_us_.compare_exchange_weak(known, until);)
    continue;
  wake();
}

// One run, as the agent's side of it.
class Process::Run {
 public:
  Run(Process& process, const Command& command, const Watchers& watchers)
      : process_(process),
        command_(command),
        watchers_(watchers),
        streams_(command.limits, command.logs, watchers.tell),
        progress_(command.progress) {}

  Result<Ended> run() {
    prepare(command_, program_);
    if (command_.contract_s) {
      if (process_.contract_end_us_ == nullptr) return failed("mmap");
      if (*process_.contract_end_us_ == 0) process_.contract_ends(seconds(*command_.contract_s));
    }
    if (!command_.progress.empty()) {
      if (auto made = progress_.make(); !made) return made.error();
    }
    if (auto begun = begin(); !begun) return begun.error();
    while (watch()) continue;
    drain();
    finish();
    if (refused_) return *refused_;
    return ended();
  }

 private:
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
    sign_at_ = Clock::now();
    deadline_ = sign_at_ + std::chrono::seconds(command_.limits.time_s);
    return {};
  }

  void tell(KeeperCommand what) const {
    const char text = static_cast<char>(what);
    send(control_.fd, &text, 1, MSG_NOSIGNAL);
  }

  // False: the run is over.
  bool watch() {
    const auto now = Clock::now();
    look_around(now);
    const auto& step_s = command_.limits.step_s;
    const bool stands_still = step_s && now >= sign_at_ + std::chrono::seconds(*step_s) && !shows_sign(now);
    if (!stopping_ && (process_.killed_ || now >= deadline_ || stands_still)) {
      timed_out_ = !process_.killed_;
      reason_ = process_.killed_   ? "killed"
                : now >= deadline_ ? "time limit of " + std::to_string(command_.limits.time_s) + " s"
                                   : "no progress for " + std::to_string(*step_s) + " s (limits/step_s)";
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

  // A look at once: the newest may be a second old.
  bool shows_sign(Clock::time_point now) {
    look_at_ = {};
    look_around(now);
    return sign_at_ == now;
  }

  // Once a second at the progress file; and at who follows.
  void look_around(Clock::time_point now) {
    if (process_.tail_until_us_ > boot_us())
      streams_.follow(process_.tail_until_us_, process_.tail_begins_.exchange(false), boot_us());
    if (command_.progress.empty() || now < look_at_) return;
    look_at_ = now + progress_look_every;
    if (!progress_.look()) return;
    sign_at_ = now;
    if (!watchers_.progress || said_ == progress_.lines().said()) return;
    said_ = progress_.lines().said();
    watchers_.progress(said_);
  }

  void wait_until(Clock::time_point until) {
    if (!command_.progress.empty() && !stopping_) until = std::min(until, look_at_);
    if (const auto& step_s = command_.limits.step_s; step_s && !stopping_)
      until = std::min(until, sign_at_ + std::chrono::seconds(*step_s));
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count() + 1;
    std::array<pollfd, 4> polled{
        {{control_.fd, POLLIN, 0}, {out_.fd, POLLIN, 0}, {err_.fd, POLLIN, 0}, {process_.wake_, POLLIN, 0}}};
    // Without an eventfd kill() cannot wake this: it looks every 100 ms.
    const auto most = process_.wake_ < 0 ? std::int64_t{100} : std::int64_t{60'000};
    if (poll(polled.data(), polled.size(), static_cast<int>(std::clamp(left, std::int64_t{0}, most))) <= 0) return;
    std::uint64_t ignored = 0;
    if (polled[3].revents != 0 && read(process_.wake_, &ignored, sizeof ignored) < 0) return;
    if (polled[1].revents != 0) read_from(out_, 0);
    if (polled[2].revents != 0) read_from(err_, 1);
    if (polled[0].revents != 0) hear();
  }

  // False: nothing is there to read, or no more.
  bool read_from(Descriptor& from, std::size_t which) {
    const auto got = read(from.fd, buffer_.data(), buffer_.size());
    if (got > 0) streams_.add(which, {buffer_.data(), static_cast<std::size_t>(got)}, boot_us());
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
      case Said::What::ended:
        status_ = said.value;
        use_ = said.use;
        break;
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
      const std::size_t which = from == &out_ ? 0 : 1;
      for (int round = 0; round < drain_rounds_max && from->fd >= 0 && read_from(*from, which); ++round) continue;
    }
    streams_.finish(boot_us());
    look_at_ = {};
    look_around(Clock::now());
    if (const auto& wrong = progress_.lines().wrong(); !wrong.empty())
      log::warn("a line of a progress file is not understood",
                {{"program", clamp_text(command_.command.front(), 200)}, {"line", wrong}});
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
    streams_.fill(result);
    if (use_) {  // a program can make the kernel count more than a message may say
      const auto most = [](std::int64_t some) { return std::clamp(some, std::int64_t{0}, limits::integer_max); };
      result.use = RunUse{most(use_->cpu_us / 1000), std::min(use_->memory_peak_bytes, limits::size_bytes_max),
                          most(use_->read_bytes), most(use_->written_bytes)};
    }
    out.logs_wrong = streams_.wrong();
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
  const Watchers& watchers_;
  Streams streams_;
  ProgressFile progress_;
  RunProgress said_;
  Clock::time_point look_at_{};  // at the progress file
  Clock::time_point sign_at_{};  // the newest sign of progress
  std::vector<char> buffer_ = std::vector<char>(65536);
  const Clock::time_point began_ = Clock::now();
  Clock::time_point deadline_;  // of the next step: stop at the time limit, then kill, then give up
  int stop_s_max_ = 0;
  pid_t keeper_ = 0;
  bool stopping_ = false, killing_ = false, keeper_gone_ = false, by_contract_ = false, timed_out_ = false;
  std::string reason_;
  std::optional<Error> refused_;
  std::optional<int> status_;
  std::optional<Said::Use> use_;
};

Result<Ended> Process::run(const Command& command, const Watchers& watchers) {
  if (killed_) return Ended{{.exit_code = -1}, "killed"};
  return Run(*this, command, watchers).run();
}

}  // namespace fieldwork::agent
