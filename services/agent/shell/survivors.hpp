// Processes of a job that nobody watches over any more, because its keeper, the agent or both were ended.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string_view>

#include "base/result.hpp"

namespace fieldwork::agent {

// The keepers that run under this agent. Any other child of the agent was left behind by a keeper that died.
class Keepers {
 public:
  // `fork` returns the keeper's pid. end_strays() never runs between the fork and the moment when the keeper is known.
  static pid_t add(const std::function<pid_t()>& fork);
  // Waits until the keeper has ended, at most `at_most`; then it is reaped and no longer a keeper. False: it still
  // runs.
  static bool await(pid_t keeper, std::chrono::milliseconds at_most);
};

// Ends the orphans that became this process's children, with all their descendants. False: some cannot be ended.
bool end_strays();

inline constexpr std::string_view record_ending = ".run";

// Adds a process to a record: the id of this boot, the pid and the start time, so that no later process is taken for
// it.
Result<void> note_process(const std::filesystem::path& record, std::string_view what, pid_t pid);

// At the start of an agent. Waits for the keepers that the records in `work` name; a keeper ends by itself when its
// agent dies. Then ends what is left of their jobs: the recorded processes, their sessions, their children, and every
// process without a terminal that works in a directory below `work`. Logs those that cannot be ended.
struct Survivors {
  std::size_t ended = 0;
  std::size_t left = 0;
};
Survivors end_survivors(const std::filesystem::path& work);

}  // namespace fieldwork::agent
