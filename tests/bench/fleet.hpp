// The devices of a benchmark: fieldwork-fleet in a process of its own, and the counters that it prints.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

namespace fieldwork::bench {

class FleetProcess {
 public:
  // Starts the program beside this one, for the devices of a stack.
  explicit FleetProcess(const std::string& stack_directory);
  ~FleetProcess();  // ends the program

  // False: not all devices were enrolled in time, or the program ended.
  bool wait_enrolled(std::chrono::seconds patience);
  // A field of the program's newest line, which is of the last second; waits for a line that is newer than this call.
  double fresh(const std::string& field);
  [[nodiscard]] int pid() const { return pid_; }

 private:
  void read(int from);

  int pid_ = 0;
  std::thread reader_;
  std::mutex mutex_;
  std::condition_variable said_;
  nlohmann::json line_;
  std::uint64_t lines_ = 0;
  bool over_ = false;
};

}  // namespace fieldwork::bench
