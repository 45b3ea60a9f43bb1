// A real PostgreSQL of this test program: in a temporary directory, on a free port of 127.0.0.1, ended with the object,
// and by the kernel when the program dies before that. Under root the server runs as the user postgres, as PostgreSQL
// refuses to run as root.
#pragma once

#include <pwd.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <pqxx/pqxx>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "child.hpp"

namespace fieldwork::support {

class PostgresServer {
 public:
  PostgresServer() {
    std::string name = (std::filesystem::temp_directory_path() / "fieldwork-postgres-XXXXXX").string();
    directory_ = mkdtemp(name.data());
    if (geteuid() == 0) {
      const passwd* user = getpwnam("postgres");
      if (user == nullptr) throw std::runtime_error("there is no user postgres: scripts/deps run");
      user_ = user->pw_uid;
      group_ = user->pw_gid;
      if (chown(directory_.c_str(), user_, group_) != 0) throw std::runtime_error("cannot give the directory away");
    }
    const auto data = (directory_ / "data").string();
    const auto made = start({program("initdb"), "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8",
                             "--locale=C", "--no-sync"});
    int status = 0;
    if (waitpid(made, &status, 0) != made || status != 0) throw std::runtime_error("initdb failed\n" + log());
    // Another process may take the port before the server does: then try another port.
    for (int i = 0; i < 5 && !answers(); ++i) begin(data);
    if (!answers()) throw std::runtime_error("PostgreSQL does not answer\n" + log());
  }
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;
  ~PostgresServer() {
    if (pid_ > 0) {
      kill(pid_, SIGINT);  // disconnects everybody and ends
      waitpid(pid_, nullptr, 0);
    }
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  [[nodiscard]] std::string url() const {
    return "postgresql://postgres@127.0.0.1:" + std::to_string(port_) + "/postgres";
  }

 private:
  static std::string program(const std::string& name) {
    std::string newest;
    std::error_code none;
    for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql", none)) {
      const auto path = version.path() / "bin" / name;
      if (std::filesystem::exists(path)) newest = std::max(newest, path.string());
    }
    if (newest.empty()) throw std::runtime_error("PostgreSQL is not installed: scripts/deps run");
    return newest;
  }

  [[nodiscard]] pid_t start(const std::vector<std::string>& command) const {
    return start_child(command, directory_, SIGQUIT, user_, group_);
  }

  // Starts the server; returns when it answers or has ended.
  void begin(const std::string& data) {
    port_ = free_port();
    pid_ = start({program("postgres"), "-D", data, "-h", "127.0.0.1", "-p", std::to_string(port_), "-k", "", "-c",
                  "fsync=off", "-c", "max_connections=30", "-c", "shared_buffers=32MB"});
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!answers() && std::chrono::steady_clock::now() < deadline) {
      if (waitpid(pid_, nullptr, WNOHANG) != 0) {
        pid_ = 0;
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  // True: this server answers, and not one that has taken its port.
  [[nodiscard]] bool answers() const {
    if (pid_ == 0) return false;
    try {
      pqxx::connection there(url());
      pqxx::nontransaction work(there);
      return work.exec1("SHOW data_directory")[0].as<std::string>() == (directory_ / "data").string();
    } catch (const std::exception&) {
      return false;
    }
  }

  [[nodiscard]] std::string log() const {
    std::stringstream text;
    text << std::ifstream(directory_ / "log").rdbuf();
    return text.str();
  }

  std::filesystem::path directory_;
  uid_t user_ = 0;
  gid_t group_ = 0;
  int port_ = 0;
  pid_t pid_ = 0;
};

}  // namespace fieldwork::support
