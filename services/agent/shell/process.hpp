// Runs a program without a shell: its own process group, its own PID namespace where the kernel allows it, a time
// limit, bounded output, dead with its parent. Blocks until it has ended; kill() ends it from another thread.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/job.hpp"

namespace fieldwork::agent {

struct Command {
  std::vector<std::string> command;
  std::map<std::string, std::string> env;  // beside PATH, HOME and LANG
  std::string directory;                   // working directory; a program with a '/' or found there is taken from it
  RunLimits limits;
};

struct Ended {
  RunResult result;
  std::string reason;  // empty when the program ended by itself: "time limit of 60 s", "killed"
};

class Process {
 public:
  // Lines as they come, at most as many bytes as limits.output_bytes; stream is stdout or stderr.
  using Log = std::function<void(std::string_view stream, std::string text)>;

  Result<Ended> run(const Command& command, const Log& log);
  void kill();  // also before run(): then nothing is started

 private:
  std::atomic<bool> killed_{false};
  std::atomic<int> pid_{0};
};

// Whether a new PID namespace can be had here: then even setsid children die with the program.
[[nodiscard]] bool pid_namespaces_work();

}  // namespace fieldwork::agent
