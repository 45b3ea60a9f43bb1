#include "fleet.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>

namespace fieldwork::bench {

FleetProcess::FleetProcess(const std::string& stack_directory) {
  const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "fieldwork-fleet";
  int ends[2];
  if (pipe(ends) != 0) return;
  pid_ = fork();
  if (pid_ == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execl(program.c_str(), program.c_str(), "--stack", stack_directory.c_str(), "--json", nullptr);
    _exit(127);
  }
  close(ends[1]);
  reader_ = std::thread([this, from = ends[0]] { read(from); });
}

FleetProcess::~FleetProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
  if (reader_.joinable()) reader_.join();
}

void FleetProcess::read(int from) {
  FILE* lines = fdopen(from, "r");
  char* text = nullptr;
  std::size_t room = 0;
  while (getline(&text, &room, lines) > 0) {
    auto line = nlohmann::json::parse(text, nullptr, false);
    if (line.is_discarded()) continue;
    std::lock_guard lock(mutex_);
    line_ = std::move(line);
    ++lines_;
    said_.notify_all();
  }
  free(text);
  fclose(lines);
  std::lock_guard lock(mutex_);
  over_ = true;
  said_.notify_all();
}

bool FleetProcess::wait_enrolled(std::chrono::seconds patience) {
  std::unique_lock lock(mutex_);
  said_.wait_for(lock, patience, [&] { return over_ || (lines_ > 0 && line_.at("enrolled") == line_.at("devices")); });
  return !over_ && lines_ > 0 && line_.at("enrolled") == line_.at("devices");
}

double FleetProcess::fresh(const std::string& field) {
  std::unique_lock lock(mutex_);
  const auto before = lines_;
  said_.wait_for(lock, std::chrono::seconds(5), [&] { return over_ || lines_ > before; });
  return line_.value(field, 0.0);
}

}  // namespace fieldwork::bench
