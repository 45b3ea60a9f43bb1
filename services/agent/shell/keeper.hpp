// The keeper: process 1 of a job, between the agent and the program. The program is an ordinary child of the keeper, so
// that its own signals work. When the program ends, the keeper ends every process that the program left behind, and
// passes on the program's status as it was.
//
// In a PID namespace of its own the kernel ends these processes. Elsewhere the keeper is the subreaper: orphans become
// its children, and it ends them one generation after another. When the agent dies, the keeper ends everything.
//
// The keeper also ends the job at the contract's end, for an agent that stands still. The contract's end is a time in
// memory that both share; the agent moves it on at each contact.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>

namespace fieldwork::agent {

// Made before the fork. The descriptors are 16 or above: the keeper moves them to 3 and up.
struct Launch {
  const char* program = nullptr;
  char* const* argv = nullptr;
  char* const* envp = nullptr;
  const char* directory = nullptr;
  int out = -1;
  int err = -1;
  int control = -1;  // SOCK_SEQPACKET to the agent: KeeperCommand arrives, Said leaves; closed: the agent is dead
  bool own_namespace = false;
  const std::atomic<std::int64_t>* contract_end_us = nullptr;  // by boot_us(); nullptr: the job has no contract's end
  int stop_s = 0;                                              // from SIGTERM to SIGKILL at the contract's end
};

// The keeper waits this long beyond the contract's end: an agent that is awake ends the job first and says why.
inline constexpr std::int64_t contract_slack_us = 2'000'000;

enum class KeeperCommand : char {
  go = 'G',    // start the program; before this nothing is started
  stop = 'T',  // SIGTERM to all processes of the job; the job has ended when all of them have
  kill = 'K',  // SIGKILL to all processes of the job
};

struct Said {
  enum class What : int {
    started,       // value: the program's pid, as the keeper sees it
    no_directory,  // value: errno of chdir
    not_started,   // value: errno of execve
    contract,      // the contract's end has come, SIGTERM was sent
    ended,         // value: the program's status as waitpid gives it; no process of the job is left
  };
  // Of all processes of the job, with `ended`.
  struct Use {
    std::int64_t cpu_us = 0;
    std::int64_t memory_peak_bytes = 0;  // at least the agent's own: the kernel counts the time before execve, too
    std::int64_t read_bytes = 0;         // where /proc does not tell, those of the disk
    std::int64_t written_bytes = 0;
  };
  What what = What::started;
  int value = 0;
  Use use{};
};

// Runs in the child of a threaded process, so it calls only what is async-signal-safe. All signals must be blocked.
[[noreturn]] void keep(const Launch& launch);

}  // namespace fieldwork::agent
