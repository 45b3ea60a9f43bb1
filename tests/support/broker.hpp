// A real Mosquitto of this test program, on a free port of 127.0.0.1, without TLS; ended with the object.
#pragma once

#include <stdlib.h>
#include <sys/wait.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "child.hpp"

namespace fieldwork::support {

class Broker {
 public:
  // `settings`: further lines of mosquitto.conf; `access`: its ACL, none when empty.
  explicit Broker(std::string settings = "", const std::string& access = "") : settings_(std::move(settings)) {
    std::string name = (std::filesystem::temp_directory_path() / "fieldwork-broker-XXXXXX").string();
    directory_ = mkdtemp(name.data());
    if (!access.empty()) {
      std::ofstream(directory_ / "acl") << access;
      settings_ += "acl_file " + (directory_ / "acl").string() + "\n";
    }
    port_ = free_port();
  }
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;
  ~Broker() {
    end();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  // Starts the broker and returns once it takes connections; the port stays the same over all starts.
  void begin() {
    std::ofstream(directory_ / "conf") << "listener " << port_ << " 127.0.0.1\nallow_anonymous true\n"
                                       << (geteuid() == 0 ? "user root\n" : "") << "set_tcp_nodelay true\n"
                                       << settings_;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    const auto start = [&] { return start_child({path(), "-c", (directory_ / "conf").string()}, directory_, SIGKILL); };
    pid_ = start();
    while (!answers()) {
      if (std::chrono::steady_clock::now() > deadline)
        throw std::runtime_error("mosquitto does not answer; is it installed? scripts/deps run");
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      if (waitpid(pid_, nullptr, WNOHANG) != 0) pid_ = start();  // another process has the port for a moment
    }
  }

  void end(int signal = SIGKILL) {
    if (pid_ == 0) return;
    kill(pid_, signal);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string url() const { return "tcp://127.0.0.1:" + std::to_string(port_); }

 private:
  static std::string path() {
    return std::filesystem::exists("/usr/sbin/mosquitto") ? "/usr/sbin/mosquitto" : "mosquitto";
  }
  [[nodiscard]] bool answers() const {
    const int socket_number = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = loopback(port_);
    const bool good = connect(socket_number, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(socket_number);
    return good;
  }

  std::filesystem::path directory_;
  std::string settings_;
  int port_ = 0;
  pid_t pid_ = 0;
};

}  // namespace fieldwork::support
