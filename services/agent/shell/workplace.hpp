// Where attempts run: one directory each, filled from the verified package, emptied when the attempt is over. Beside it
// stands a record (survivors.hpp) of its processes while they run.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "agent/shell/process.hpp"
#include "base/time.hpp"
#include "model/job.hpp"

namespace fieldwork::agent {

struct Outcome {
  AttemptKey key;
  std::optional<RunResult> result;
  std::string reason;
  bool refused = false;      // it did not begin here, for want of room or of processes: another device may do better
  bool by_contract = false;  // its keeper ended it, at the moment that contract_ends() said
  std::vector<std::filesystem::path> large;  // outputs too large for the report, kept under their digest
};

class Workplace {
 public:
  using Done = std::function<void(Outcome)>;  // on any thread
  using Log = std::function<void(const Assign&, std::string_view stream, std::string text)>;

  Workplace(std::filesystem::path directory, std::filesystem::path outputs, std::int64_t package_bytes_max, Done done,
            Log log);
  // Stops what runs (SIGTERM, after a few seconds SIGKILL) and waits for it.
  ~Workplace();

  // Ends the processes of attempts that an earlier agent started, removes their directories and logs what stays. The
  // constructor does it; before it, it makes room on a full disk.
  static void clear(const std::filesystem::path& directory);

  // Waits until older attempts of the same execution have ended (kill them before), then unpacks (the archive's digest
  // is checked again), runs, collects. `archive` is empty for a job without a package.
  void run(const Assign& assign, const std::filesystem::path& archive);
  // Before run(), too: a kill is not held up by the commit that a run waits for. Then nothing is started.
  void kill(const AttemptKey& key);
  // So long from now, unless it is moved on again: also when nobody is left to kill it.
  void contract_ends(const AttemptKey& key, Duration left);

 private:
  struct Running {
    std::shared_ptr<Process> process;
    std::thread thread;
  };
  void work(const Assign& assign, const std::filesystem::path& archive, Process& process);
  Outcome attempt(const Assign& assign, const std::filesystem::path& archive, const std::filesystem::path& place,
                  Process& process);
  void collect(const Assign& assign, const std::filesystem::path& place, Outcome& outcome) const;
  void await_older(const AttemptKey& key);
  void reap();

  std::filesystem::path directory_;
  std::filesystem::path outputs_;
  std::int64_t package_bytes_max_;
  Done done_;
  Log log_;
  std::mutex mutex_;
  std::condition_variable one_ended_;
  std::map<AttemptKey, Running> running_;
  std::deque<AttemptKey> killed_early_;  // the newest; and of runs that have ended just then
  std::vector<std::thread> ended_;
};

}  // namespace fieldwork::agent
