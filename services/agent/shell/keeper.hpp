// The keeper: process 1 of a job, between the agent and the program. The program is an ordinary child of it, so that
// its own signals work; when the program ends, all that it left behind is ended too, and its status is said as it was.
//
// In a PID namespace of its own the kernel ends what is left. Elsewhere the keeper is the subreaper: orphans become its
// children, and it ends them one generation after another. When the agent dies, the keeper ends everything.
//
// It also holds the contract's end, for an agent that stands still: a moment in memory that both share, which the agent
// moves on at each contact.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>

namespace fieldwork::agent {

// Prepared before the fork. Descriptors must be 16 or above: the keeper puts them where it wants them.
struct Launch {
  const char* program = nullptr;
  char* const* argv = nullptr;
  char* const* envp = nullptr;
  const char* directory = nullptr;
  int out = -1;
  int err = -1;
  int control = -1;  // SOCK_SEQPACKET to the agent: KeeperCommand there, Said back; shut: the agent is dead
  bool own_namespace = false;
  const std::atomic<std::int64_t>* contract_end_us = nullptr;  // by boot_us(); nullptr: no contract ends it
  int stop_s = 0;                                              // from SIGTERM to SIGKILL when the contract ends it
};

// The keeper waits for so long beyond the contract's end: the agent, when it moves, comes first and says why.
inline constexpr std::int64_t contract_slack_us = 2'000'000;

enum class KeeperCommand : char {
  go = 'G',    // start the program; nothing is started before
  stop = 'T',  // SIGTERM to all of the job; it has ended when all of it has
  kill = 'K',  // SIGKILL to all of the job
};

struct Said {
  enum class What : int {
    started,       // value: the program's pid as the keeper sees it
    no_directory,  // value: errno of chdir
    not_started,   // value: errno of execve
    contract,      // the contract has ended it: SIGTERM was sent
    ended,         // value: the program's status, as of waitpid; nothing of the job is left
  };
  What what = What::started;
  int value = 0;
};

// Runs in the child of a threaded process: only what is async-signal-safe. All signals must be blocked.
[[noreturn]] void keep(const Launch& launch);

}  // namespace fieldwork::agent
