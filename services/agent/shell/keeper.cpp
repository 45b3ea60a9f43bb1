#include "agent/shell/keeper.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "agent/limits.hpp"
#include "agent/shell/proc.hpp"
#include "base/boot_clock.hpp"
#include "model/limits.hpp"

namespace fieldwork::agent {
namespace {

// The keeper's descriptors; all from `first_free` on are closed.
constexpr int out_at = 3;
constexpr int err_at = 4;
constexpr int control_at = 5;
constexpr int io_at = 6;  // what the kernel counts of the keeper and the children that it waited for
constexpr int first_free = 7;
constexpr unsigned close_on_exec = 1U << 2;  // CLOSE_RANGE_CLOEXEC of Linux 5.11

constexpr int look_each_ms = 500;  // between looks at the contract's end, which the agent moves

// Each keeper has a copy, since the fork. More processes than this are ended in several rounds.
ProcessSeen seen_processes[ended_at_once_max];

// One by one where the kernel has no close_range: before Linux 5.9 (with the flag: 5.11).
void shut_from(int first, bool on_exec) {
#ifdef SYS_close_range
  if (syscall(SYS_close_range, static_cast<unsigned>(first), ~0U, on_exec ? close_on_exec : 0U) == 0) return;
#endif
  rlimit open_files{};
  if (getrlimit(RLIMIT_NOFILE, &open_files) != 0) open_files.rlim_cur = 65536;
  const int end = static_cast<int>(std::min<rlim_t>(open_files.rlim_cur, 1U << 20));
  for (int fd = first; fd < end; ++fd) {
    if (on_exec) {
      fcntl(fd, F_SETFD, FD_CLOEXEC);
    } else {
      close(fd);
    }
  }
}

void move_descriptors(const Launch& launch) {
  const int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; ++fd) null < 0 ? close(fd) : dup2(null, fd);
  dup2(launch.out, out_at);
  dup2(launch.err, err_at);
  dup2(launch.control, control_at);
  // Opened while that is allowed: before PR_SET_DUMPABLE.
  const int io = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
  io < 0 ? close(io_at) : dup3(io, io_at, O_CLOEXEC);
  shut_from(first_free, false);
  // The program must not get the socket, whatever this number stood for before.
  fcntl(control_at, F_SETFD, FD_CLOEXEC);
}

struct Failure {
  Said::What what = Said::What::not_started;
  int error = 0;
};

[[noreturn]] void become(const Launch& launch, int failure, pid_t keeper) {
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != keeper) _exit(126);  // the keeper died before PR_SET_PDEATHSIG was set
  dup2(out_at, 1);
  dup2(err_at, 2);
  shut_from(3, true);
  for (int number = 1; number <= SIGRTMAX; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  Failure failed;
  if (chdir(launch.directory) != 0) {
    failed = {Said::What::no_directory, errno};
  } else {
    execve(launch.program, launch.argv, launch.envp);
    failed.error = errno;
  }
  if (write(failure, &failed, sizeof failed) < 0) _exit(126);
  _exit(127);
}

constexpr std::int64_t disk_block_bytes = 512;  // as getrusage counts

// The number behind `name` in a text such as /proc/self/io; -1: it is not there.
std::int64_t number_behind(const char* text, const char* name) {
  const char* at = strstr(text, name);
  if (at == nullptr) return -1;
  std::int64_t out = 0;
  for (at += strlen(name); *at >= '0' && *at <= '9' && out < limits::integer_max; ++at) out = out * 10 + (*at - '0');
  return out;
}

// Of the children that were waited for, and of theirs. No process of the job is left.
Said::Use used() {
  Said::Use out;
  rusage children{};
  if (getrusage(RUSAGE_CHILDREN, &children) == 0) {
    const auto us = [](const timeval& time) { return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_usec; };
    out.cpu_us = us(children.ru_utime) + us(children.ru_stime);
    out.memory_peak_bytes = std::int64_t{children.ru_maxrss} * 1024;
    out.read_bytes = std::int64_t{children.ru_inblock} * disk_block_bytes;
    out.written_bytes = std::int64_t{children.ru_oublock} * disk_block_bytes;
  }
  char text[1024] = {};
  const auto got = pread(io_at, text, sizeof text - 1, 0);
  if (got <= 0) return out;
  const auto read = number_behind(text, "rchar: ");
  const auto written = number_behind(text, "wchar: ");
  if (read >= 0) out.read_bytes = read;
  if (written >= 0) out.written_bytes = written;
  return out;
}

class Keeper {
 public:
  explicit Keeper(const Launch& launch) : launch_(launch) {}

  void run() {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    children_ = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (wait_for_command() != static_cast<char>(KeeperCommand::go)) return;
    if (!start()) return;
    watch();
    end_all();
    say(Said::What::ended, status_, used());
  }

 private:
  static void say(Said::What what, int value, const Said::Use& use = {}) {
    const Said said{what, value, use};
    send(control_at, &said, sizeof said, MSG_NOSIGNAL);
  }

  // Returns 0 when the agent is gone.
  static char wait_for_command() {
    char command = 0;
    while (recv(control_at, &command, 1, 0) < 0) {
      if (errno != EINTR) return 0;
    }
    return command;
  }

  bool start() {
    int failure[2];
    if (pipe2(failure, O_CLOEXEC) != 0) return say(Said::What::not_started, errno), false;
    const pid_t self = getpid();
    program_ = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
    if (program_ == 0) become(launch_, failure[1], self);
    const int error = errno;
    close(failure[1]);
    close(out_at);
    close(err_at);
    if (program_ < 0) return say(Said::What::not_started, error), false;
    Failure failed;
    const bool good = read(failure[0], &failed, sizeof failed) != sizeof failed;
    close(failure[0]);
    if (good) return say(Said::What::started, program_), true;
    waitpid(program_, nullptr, 0);
    return say(failed.what, failed.error), false;
  }

  // False: no child is left.
  bool reap() {
    int status = 0;
    pid_t pid = 0;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
      if (pid != program_) continue;
      status_ = status;
      ended_ = true;
    }
    return pid == 0;
  }

  void watch() {
    for (;;) {
      const bool more = reap();
      // Once asked to stop, the processes that the program started may take the same time as the program itself.
      if (ended_ && (!stopping_ || !more)) return;
      if (contract_is_over()) return;
      pollfd polled[2] = {{control_at, POLLIN, 0}, {children_, POLLIN, 0}};
      poll(polled, 2, launch_.contract_end_us == nullptr ? -1 : look_each_ms);
      signalfd_siginfo ignored;
      if (polled[1].revents != 0 && read(children_, &ignored, sizeof ignored) < 0) continue;
      if (polled[0].revents == 0) continue;
      if (wait_for_command() != static_cast<char>(KeeperCommand::stop)) return;
      stop();
    }
  }

  void stop() {
    stopping_ = true;
    signal_all(SIGTERM);
  }

  // True: the time from SIGTERM to SIGKILL is over, too. The agent may be frozen, with a command half carried out.
  bool contract_is_over() {
    if (launch_.contract_end_us == nullptr) return false;
    const auto now = boot_us();
    if (kill_at_us_ != 0) return now >= kill_at_us_;
    if (now < launch_.contract_end_us->load() + contract_slack_us) return false;
    // Counted from the contract's end: a keeper that stood still, too, gives no further time.
    kill_at_us_ = launch_.contract_end_us->load() + contract_slack_us + launch_.stop_s * std::int64_t{1'000'000};
    say(Said::What::contract, 0);
    if (!stopping_) stop();
    return false;
  }

  void signal_all(int number) {
    if (launch_.own_namespace) {
      ::kill(-1, number);  // all but the caller, which is process 1 of the namespace
      return;
    }
    const auto count = list_processes(seen_processes, ended_at_once_max);
    if (count == 0 && program_ > 0) ::kill(-program_, number);
    mark_descendants(seen_processes, count, getpid());
    for (std::size_t i = 0; i < count; ++i) {
      if (seen_processes[i].ours && !seen_processes[i].zombie) ::kill(seen_processes[i].pid, number);
    }
  }

  // A process that cannot be ended (uninterruptible, another user's) is waited for until the agent ends the keeper.
  void end_all() {
    while (reap()) {
      signal_all(SIGKILL);
      pollfd ended{children_, POLLIN, 0};
      poll(&ended, 1, 50);
      signalfd_siginfo ignored;
      if (read(children_, &ignored, sizeof ignored) < 0) continue;
    }
  }

  const Launch& launch_;
  int children_ = -1;
  pid_t program_ = 0;
  int status_ = 0;
  bool ended_ = false;
  bool stopping_ = false;
  std::int64_t kill_at_us_ = 0;  // when the contract kills the job; 0: its end has not come
};

}  // namespace

void keep(const Launch& launch) {
  setsid();
  prctl(PR_SET_NAME, "fieldwork-job");
  move_descriptors(launch);
  prctl(PR_SET_DUMPABLE, 0);  // its memory has the device's key, as the agent's has: no job may read it
  if (launch.own_namespace) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // process 1 takes the whole namespace with it
  } else {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
  }
  Keeper(launch).run();
  _exit(0);
}

}  // namespace fieldwork::agent
