// Runs a program without a shell under a keeper (keeper.hpp): a session of its own, its own PID namespace where the
// kernel allows it, a time limit, bounded output, no descriptor but 0, 1 and 2, dead with its agent. Blocks until it
// and all that it started have ended; kill() ends it from another thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "model/job.hpp"

namespace fieldwork::agent {

inline constexpr int stop_s_default = 10;

struct Command {
  std::vector<std::string> command;
  std::map<std::string, std::string> env;  // beside PATH, HOME and LANG, and stronger than they
  std::string directory;                   // working directory; a program with a '/' or found there is taken from it
  RunLimits limits;
  int stop_s = stop_s_default;      // from SIGTERM to SIGKILL, at the time limit and at kill()
  std::optional<int> contract_s{};  // the contract ends it so long after its start, unless contract_ends() moves that
  std::filesystem::path record{};   // a file that says while it runs which processes are its own; empty: none
};

struct Ended {
  RunResult result;    // exit_code, signal and output of the program, also when it was stopped
  std::string reason;  // empty when the program ended by itself: "time limit of 60 s", "killed", "ended by signal 6"
  bool by_contract = false;  // while the agent stood still
};

class Process {
 public:
  // Lines as they come, at most as many bytes as limits.output_bytes; stream is stdout or stderr.
  using Log = std::function<void(std::string_view stream, std::string text)>;

  Process();
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // An Error names what is wrong with the command or the machine; then nothing has run.
  Result<Ended> run(const Command& command, const Log& log);
  // SIGTERM, then SIGKILL after stop_s, at most `stop_s_max`; before run(): nothing is started. Any thread, any time.
  void kill(int stop_s_max = std::numeric_limits<int>::max());
  // Of a command with contract_s: it is ended so long from now, also when this whole process stands still. Any thread,
  // any time.
  void contract_ends(Duration left);

 private:
  class Run;
  std::atomic<bool> killed_{false};
  std::atomic<int> stop_s_max_{std::numeric_limits<int>::max()};
  int wake_ = -1;                                         // eventfd: kill() was called
  std::atomic<std::int64_t>* contract_end_us_ = nullptr;  // shared with the keeper; 0: not moved yet
};

// Whether a new PID namespace can be had here: then the kernel ends whatever a program leaves behind.
[[nodiscard]] bool pid_namespaces_work();

}  // namespace fieldwork::agent
