// Where attempts run: each in a directory of its own, filled from the verified package, removed when the attempt is
// over. While an attempt runs, a record of its processes stands beside the directory (survivors.hpp).
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
  bool refused = false;      // it did not begin for want of room or processes: another device may do better
  bool timed_out = false;    // its limit of time was reached
  bool by_contract = false;  // the keeper ended it at the time that contract_ends() said
  std::vector<std::filesystem::path> large;  // outputs too large for the report, kept and named by their digests
};

// The name of the directory of an attempt; files beside it begin with it.
[[nodiscard]] std::string place_name(const AttemptKey& key);

class Workplace {
 public:
  using Done = std::function<void(Outcome)>;  // called on any thread
  // Called while a program runs, on any thread; either may be empty: what it writes while somebody follows (false: it
  // was not sent), and how far it says that it is.
  using Tell = std::function<bool(const Assign&, Told told)>;
  using Progress = std::function<void(const AttemptKey&, const RunProgress&)>;

  Workplace(std::filesystem::path directory, std::filesystem::path outputs, std::int64_t package_bytes_max, Done done,
            Tell tell, Progress progress);
  // Stops the running attempts (SIGTERM, after stop_s_at_end SIGKILL) and waits for their end.
  ~Workplace();

  // Ends the processes of attempts that an earlier agent started, removes their directories, and logs what stays. The
  // constructor does the same; a call before that makes room on a full disk.
  static void clear(const std::filesystem::path& directory);

  // Waits until older attempts of the same execution have ended (the caller kills them before), then unpacks, runs and
  // collects. The archive's digest is checked again. `archive`: empty for a job without a package.
  void run(const Assign& assign, const std::filesystem::path& archive);
  // May be called before run(), because a kill does not wait for the commit that a run waits for. Then nothing is
  // started.
  void kill(const AttemptKey& key);
  // The contract's end is `left` from now, unless it is moved on again: it holds also when the agent stands still.
  void contract_ends(const AttemptKey& key, Duration left);
  // Somebody follows what it writes, for so long (process.hpp). May be called before run().
  void tail(const AttemptKey& key, Duration left, bool begin);

 private:
  struct Running {
    std::shared_ptr<Process> process;
    std::thread thread;
  };
  void work(const Assign& assign, const std::filesystem::path& archive, Process& process);
  Outcome attempt(const Assign& assign, const std::filesystem::path& archive, const std::filesystem::path& place,
                  Process& process);
  void collect(const Assign& assign, const std::filesystem::path& place,
               const std::array<std::filesystem::path, 2>& logs, Outcome& outcome) const;
  void await_older(const AttemptKey& key);
  void reap();

  std::filesystem::path directory_;
  std::filesystem::path outputs_;
  std::int64_t package_bytes_max_;
  Done done_;
  Tell tell_;
  Progress progress_;
  std::mutex mutex_;
  std::condition_variable one_ended_;
  std::map<AttemptKey, Running> running_;
  std::deque<AttemptKey> killed_early_;  // the newest; also kills that came just after a run had ended
  std::deque<std::pair<AttemptKey, std::chrono::steady_clock::time_point>> followed_early_;  // and until when
  std::vector<std::thread> ended_;
};

}  // namespace fieldwork::agent
