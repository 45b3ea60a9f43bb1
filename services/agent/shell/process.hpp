// Runs a program without a shell under a keeper (keeper.hpp). The program has a session of its own, a PID namespace of
// its own where the kernel allows it, a time limit, bounded output, and no descriptor but 0, 1 and 2. It dies with its
// agent. run() blocks until the program and every process that it started have ended; kill() ends them from another
// thread.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/shell/streams.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "model/job.hpp"

namespace fieldwork::agent {

inline constexpr int stop_s_default = 10;

struct Command {
  std::vector<std::string> command;
  std::map<std::string, std::string> env;  // beside PATH, HOME and LANG, which it may replace
  std::string directory;                   // working directory; a program with a '/', or found there, is taken from it
  RunLimits limits;
  int stop_s = stop_s_default;                  // from SIGTERM to SIGKILL, at the time limit and at kill()
  std::optional<int> contract_s{};              // from the start to the contract's end, until contract_ends() moves it
  std::filesystem::path record{};               // a file that names the job's processes while they run; empty: none
  std::filesystem::path progress{};             // the file that FIELDWORK_PROGRESS names; empty: none
  std::array<std::filesystem::path, 2> logs{};  // files that keep stdout and stderr whole; empty: they are not kept
};

struct Ended {
  RunResult result;          // the program's exit_code, signal and output, also when it was stopped
  std::string reason;        // empty: it ended by itself; else "time limit of 60 s", "killed", "ended by signal 6"
  bool timed_out = false;    // its limit of time was reached
  bool by_contract = false;  // the keeper ended it at the contract's end, while the agent stood still
  std::string logs_wrong{};  // why a file of `logs` is not whole; empty: they are
};

// Called while the program runs, on the thread of run().
struct Watchers {
  Streams::Tell tell{};                                // takes what it writes, while somebody follows (tail())
  std::function<void(const RunProgress&)> progress{};  // takes how far it says that it is, when it says something else
};

class Process {
 public:
  Process();
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // An Error says what is wrong with the command or the machine; then nothing has run.
  Result<Ended> run(const Command& command, const Watchers& watchers);
  // SIGTERM, then SIGKILL after stop_s, or after `stop_s_max` if that is less. Before run(): nothing is started. Any
  // thread, any time.
  void kill(int stop_s_max = std::numeric_limits<int>::max());
  // Sets the contract's end of a command with contract_s to `left` from now; it holds also when this whole process
  // stands still. Any thread, any time.
  void contract_ends(Duration left);
  // What it writes is told for so long. `begin`: after the end of what it has written already. Any thread, any time.
  void tail(Duration left, bool begin);

 private:
  class Run;
  std::atomic<bool> killed_{false};
  std::atomic<int> stop_s_max_{std::numeric_limits<int>::max()};
  std::atomic<std::int64_t> tail_until_us_{0};  // by boot_us()
  std::atomic<bool> tail_begins_{false};        // somebody asked for what was written before
  void wake() const;
  int wake_ = -1;                                         // eventfd that wakes run() after kill() and tail()
  std::atomic<std::int64_t>* contract_end_us_ = nullptr;  // shared with the keeper; 0: not set yet
};

// Whether this process may make a PID namespace: then the kernel ends whatever a program leaves behind.
[[nodiscard]] bool pid_namespaces_work();

}  // namespace fieldwork::agent
