// The processes of this machine, from /proc, without allocating: also for the child of a threaded process.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace fieldwork::agent {

struct ProcessSeen {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t session = 0;
  std::uint64_t start = 0;  // clock ticks since the machine started: with the pid, one process and no other
  bool zombie = false;
  bool terminal = false;  // somebody sits before it
  bool ours = false;      // what mark_descendants() sets
};

// Fills `into` with at most `max`, by pid; gives how many. 0 where /proc cannot be read.
std::size_t list_processes(ProcessSeen* into, std::size_t max);
// One of them; false: there is none (any more).
bool look_at_process(pid_t pid, ProcessSeen& into);
// Marks `root`'s children, their children and so on; `root` itself only if it is marked already.
void mark_descendants(ProcessSeen* list, std::size_t count, pid_t root);

}  // namespace fieldwork::agent
