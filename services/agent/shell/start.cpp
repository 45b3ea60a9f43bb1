#include "agent/shell/start.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "codec/json.hpp"
#include "runtime/log.hpp"

namespace fieldwork::agent {
namespace fs = std::filesystem;
namespace {

using JournalResult = Result<std::unique_ptr<store::SqliteStore>>;

constexpr std::int64_t reserve_bytes = 4 << 20;            // of journal.reserve, for a start on a full disk
constexpr std::int64_t kept_bytes = 2 << 20;               // kept free in the journal while the agent runs
constexpr std::int64_t room_for_reserve_bytes = 64 << 20;  // with less than this free, no reserve is made
constexpr int wait_for_room_ms = 5000;

fs::path journal_of(const fs::path& directory) { return directory / "journal.db"; }
fs::path reserve_of(const fs::path& directory) { return directory / "journal.reserve"; }
fs::path pid_file_of(const fs::path& directory) { return directory / "agent.pid"; }

std::string who_has(const fs::path& directory) {
  pid_t pid = 0;
  std::ifstream(pid_file_of(directory)) >> pid;
  if (pid <= 1 || (::kill(pid, 0) != 0 && errno == ESRCH)) return "another agent";
  return "the agent with pid " + std::to_string(pid);
}

std::int64_t free_bytes(const fs::path& directory) {
  struct statvfs disk {};
  if (statvfs(directory.c_str(), &disk) != 0) return 0;
  return static_cast<std::int64_t>(disk.f_bavail) * static_cast<std::int64_t>(disk.f_frsize);
}

// Reads everything in the journal, and writes something.
Result<void> try_out(store::SqliteStore& journal) {
  for (const char* table : {"meta", "attempt", "report", "stage"}) {
    const auto rows = journal.select({.table = table});
    if (!rows) return rows.error();
    for (const auto& row : *rows) {
      if (const auto value = codec::parse(row, std::size_t{64} << 20); !value)
        return Error{Code::conflict, std::string("a row of ") + table + " is damaged: " + value.error().reason, ""};
    }
  }
  if (auto put = journal.commit({{"probe", "probe", {}}}); !put) return put;
  return {};
}

JournalResult open_sound(const fs::path& directory) {
  auto journal = store::SqliteStore::open(journal_of(directory).string());
  if (!journal) return journal.error();
  if (auto good = try_out(**journal); !good) return good.error();
  return journal;
}

// Whether SQLite's message has these words, as its documentation of result codes gives them.
bool says(const Error& error, std::string_view words) { return error.reason.find(words) != std::string::npos; }

bool is_damage(const Error& error) {
  return error.code == Code::conflict || says(error, "malformed") || says(error, "not a database");
}

bool is_full(const Error& error, const fs::path& directory) {
  constexpr std::int64_t page_bytes = 64 << 10;
  return says(error, "disk is full") || (says(error, "I/O error") && free_bytes(directory) < page_bytes) ||
         (says(error, "unable to open") && free_bytes(directory) < page_bytes);
}

void reserve_room(const fs::path& directory) {
  std::error_code error;
  if (fs::exists(reserve_of(directory), error)) return;
  if (free_bytes(directory) < room_for_reserve_bytes) {
    log::warn("the disk is nearly full: no room is reserved for the journal",
              {{"directory", directory.string()}, {"free_bytes", std::to_string(free_bytes(directory))}});
    return;
  }
  const int file = open(reserve_of(directory).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const bool good = file >= 0 && posix_fallocate(file, 0, reserve_bytes) == 0;
  if (file >= 0) close(file);
  if (!good) fs::remove(reserve_of(directory), error);
}

Error damaged(const fs::path& directory, const Error& error) {
  return {
      Code::conflict,
      "is damaged (" + error.reason + "). `fieldwork-agent repair --config FILE` moves it aside and starts a new one",
      journal_of(directory).string()};
}

}  // namespace

Result<DirectoryLock> DirectoryLock::acquire(const fs::path& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return Error{Code::unavailable, directory.string() + " cannot be opened: " + std::strerror(errno),
                 "device.directory"};
  DirectoryLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
    // The pid is only for the message; a full disk may refuse it.
    std::ofstream(pid_file_of(directory)) << getpid() << '\n';
    return lock;
  }
  if (errno != EWOULDBLOCK)
    return Error{Code::unavailable, directory.string() + " cannot be locked: " + std::strerror(errno),
                 "device.directory"};
  return Error{Code::conflict,
               directory.string() + " is in use by " + who_has(directory) +
                   ". Stop that one first, or give this one a directory and an identity of its own",
               "device.directory"};
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) close(fd_);
}

JournalResult open_journal(const fs::path& directory) {
  for (bool said = false;;) {
    auto journal = open_sound(directory);
    if (journal) {
      reserve_room(directory);
      if (auto kept = (*journal)->keep_room(kept_bytes); !kept)
        log::warn("no room is kept in the journal", {{"reason", describe(kept.error())}});
      return journal;
    }
    const auto& error = journal.error();
    if (is_damage(error)) return damaged(directory, error);
    if (!is_full(error, directory)) return error;
    std::error_code ignored;
    if (fs::remove(reserve_of(directory), ignored)) {
      log::warn("the disk is full: the journal uses the room that was reserved for it",
                {{"directory", directory.string()}});
      continue;
    }
    if (!said)
      log::error("the disk is full: the agent waits until it can write its journal",
                 {{"directory", directory.string()}});
    said = true;
    poll(nullptr, 0, wait_for_room_ms);
  }
}

Result<std::string> repair_journal(const fs::path& directory) {
  const auto journal = journal_of(directory);
  {
    const auto found = open_sound(directory);
    if (found) return "the journal " + journal.string() + " is sound; nothing was done";
    if (!is_damage(found.error())) return found.error();
  }
  std::error_code error;
  fs::path aside;
  for (int number = 1; aside.empty() || fs::exists(aside, error); ++number)
    aside = journal.string() + ".damaged-" + std::to_string(number);
  for (const char* ending : {"", "-wal", "-shm"}) {
    fs::rename(journal.string() + ending, aside.string() + ending, error);
    if (error && error != std::errc::no_such_file_or_directory)
      return Error{Code::unavailable, "cannot be moved aside: " + error.message(), journal.string() + ending};
  }
  if (auto fresh = open_sound(directory); !fresh) return fresh.error();
  return "the damaged journal is " + aside.string() +
         "; a new one was made. Reports that were not delivered are lost; " +
         "what ran is ended at the next start. Start the agent now";
}

namespace {
constexpr const char* sleep_file = "sleep";
}

Result<void> announce_sleep(const std::filesystem::path& directory, std::int64_t sleep_s,
                            std::chrono::milliseconds patience) {
  const auto fresh = directory / "sleep.new";
  std::ofstream file(fresh);
  if (!(file << sleep_s << '\n') || !file.flush()) return Error{Code::unavailable, "cannot be written", fresh.string()};
  file.close();
  std::error_code failed;
  std::filesystem::rename(fresh, directory / sleep_file, failed);
  if (failed) return Error{Code::unavailable, failed.message(), (directory / sleep_file).string()};
  const auto until = std::chrono::steady_clock::now() + patience;
  while (std::filesystem::exists(directory / sleep_file, failed)) {
    if (std::chrono::steady_clock::now() > until) {
      forget_announced_sleep(directory);
      return Error{Code::unavailable, "no agent with a link to its broker runs in this directory", directory.string()};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return {};
}

std::int64_t announced_sleep_s(const std::filesystem::path& directory) {
  std::int64_t sleep_s = 0;
  std::ifstream(directory / sleep_file) >> sleep_s;
  return std::clamp<std::int64_t>(sleep_s, 0, limits::sleep_s_max);
}

void forget_announced_sleep(const std::filesystem::path& directory) {
  std::error_code ignored;
  std::filesystem::remove(directory / sleep_file, ignored);
}

}  // namespace fieldwork::agent
