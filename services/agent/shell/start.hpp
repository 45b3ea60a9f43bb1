// What may keep an agent from its work at a start: another agent in its directory, a full disk, a journal that cannot
// be read.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "store/sqlite.hpp"

namespace fieldwork::agent {

inline constexpr int exit_damaged = 4;  // the journal cannot be read: `fieldwork-agent repair` moves it aside

// One agent per directory, as long as this object lives. The kernel releases the lock however the agent ends.
class DirectoryLock {
 public:
  // An Error of Code::conflict names the other agent's pid.
  [[nodiscard]] static Result<DirectoryLock> acquire(const std::filesystem::path& directory);
  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}
  int fd_;
};

// Opens the journal, which then can be read and written. Code::conflict: the journal is damaged, the reason says what
// to do. On a full disk the agent uses the room that `journal.reserve` keeps for this, and then waits; both are logged.
[[nodiscard]] Result<std::unique_ptr<store::SqliteStore>> open_journal(const std::filesystem::path& directory);

// Moves a damaged journal aside (journal.db.damaged-N) and makes a new one; leaves a sound one alone. Returns a
// sentence for a person that says what was done. The caller holds the lock.
[[nodiscard]] Result<std::string> repair_journal(const std::filesystem::path& directory);

// A process beside the agent says that the device will sleep: announce_sleep() leaves a file in the agent's directory
// and waits until the agent has deleted it, which it does when the broker has the news. Unavailable: the file cannot be
// written, or nobody takes it within `patience`.
[[nodiscard]] Result<void> announce_sleep(const std::filesystem::path& directory, std::int64_t sleep_s,
                                          std::chrono::milliseconds patience);
// What stands in that file; 0: there is none.
[[nodiscard]] std::int64_t announced_sleep_s(const std::filesystem::path& directory);
void forget_announced_sleep(const std::filesystem::path& directory);

}  // namespace fieldwork::agent
