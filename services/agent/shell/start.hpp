// What stands between an agent and its work when it starts: another agent in its directory, a full disk, a journal that
// cannot be read.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "store/sqlite.hpp"

namespace fieldwork::agent {

inline constexpr int exit_damaged = 4;  // the journal cannot be read: `fieldwork-agent repair`

// One agent per directory, for as long as this lives; the kernel lets go of it however the agent ends.
class DirectoryLock {
 public:
  // An Error of Code::conflict names the other one's pid.
  [[nodiscard]] static Result<DirectoryLock> acquire(const std::filesystem::path& directory);
  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}
  int fd_;
};

// The journal, which can be read and written. Code::conflict: it is damaged, the reason says what to do. A full disk
// does not end the agent: it uses the room that `journal.reserve` keeps for this, and then waits, and logs both.
[[nodiscard]] Result<std::unique_ptr<store::SqliteStore>> open_journal(const std::filesystem::path& directory);

// Moves a damaged journal aside (journal.db.damaged-N) and makes a new one; leaves a sound one alone. Gives what it
// did, as a sentence for a person. Take the lock before.
[[nodiscard]] Result<std::string> repair_journal(const std::filesystem::path& directory);

}  // namespace fieldwork::agent
