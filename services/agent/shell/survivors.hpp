// What of a job is still there when nobody watches over it any more: its keeper was ended, or the agent was, and both.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string_view>

#include "base/result.hpp"

namespace fieldwork::agent {

// The keepers that run under this agent. Whatever other child the agent has was left behind by a keeper that died.
class Keepers {
 public:
  // `fork` gives its pid. No end_strays() looks between the fork and its being known.
  static pid_t add(const std::function<pid_t()>& fork);
  // Until it has ended, at most so long; then it is reaped and no keeper any more. False: it is still there.
  static bool await(pid_t keeper, std::chrono::milliseconds at_most);
};

// Ends the orphans that have become this process's children, with all theirs. False: some cannot be ended.
bool end_strays();

inline constexpr std::string_view record_ending = ".run";

// Adds a process to a record: this boot, its pid, when it started; so that no other is taken for it later.
Result<void> note_process(const std::filesystem::path& record, std::string_view what, pid_t pid);

// At the start of an agent: waits for the keepers that `work`'s records name (they end by themselves when their agent
// dies), then ends what is left of their jobs: the recorded processes, their sessions, their children, and whatever
// works in a directory below `work` without a terminal. It logs those it cannot end.
struct Survivors {
  std::size_t ended = 0;
  std::size_t left = 0;
};
Survivors end_survivors(const std::filesystem::path& work);

}  // namespace fieldwork::agent
