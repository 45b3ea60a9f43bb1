// The processes of this machine, from /proc. Nothing allocates, so that the child of a threaded process may call it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace fieldwork::agent {

struct ProcessSeen {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t session = 0;
  std::uint64_t start = 0;  // clock ticks since the machine started; pid and start together name one process
  bool zombie = false;
  bool terminal = false;  // has a controlling terminal: a person uses it
  bool ours = false;      // set by mark_descendants()
};

// Fills `into` with at most `max` processes, by pid. Returns how many; 0: /proc cannot be read.
std::size_t list_processes(ProcessSeen* into, std::size_t max);
// Looks at one process. False: it is not there, or not any more.
bool look_at_process(pid_t pid, ProcessSeen& into);
// Marks the children of `root` and of every marked process, then their children, and so on. `root` itself is not
// marked.
void mark_descendants(ProcessSeen* list, std::size_t count, pid_t root);

}  // namespace fieldwork::agent
