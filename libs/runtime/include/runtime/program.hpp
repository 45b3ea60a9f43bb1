// The main() that all services share: flags, settings, log, migrations, waiting to be the active instance, /metrics,
// signals.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "bus/mqtt.hpp"
#include "runtime/config.hpp"
#include "runtime/reads.hpp"
#include "runtime/service.hpp"

namespace fieldwork::runtime {

// Exit codes of every program: 0 ok, 1 failed, 2 usage or settings, 3 broker or database unreachable, 75 another
// instance took over.
inline constexpr int exit_usage = 2;
inline constexpr int exit_unreachable = 3;

// What a service may use while it is being made, and later from its own threads.
class Post {
 public:
  std::function<void(std::function<void(Time, Output&)>)> task;  // runs the function on the engine's thread
  std::shared_ptr<Reads> reads;                                  // asks the store beside the engine
  std::function<void()> hear_again;                              // the broker says its retained messages again
};

struct Program {
  std::string name;         // "scheduler": also schema and MQTT client id
  std::string description;  // for --help
  std::string migrations;   // directory below the migrations root
  // Makes the service from its own settings; an error names the setting.
  std::function<Result<std::unique_ptr<Service>>(Config& config, const std::string& root, Post post)> make;
};

// Where files are that come with the programs: beside them where they were built, in share/ where they are installed.
[[nodiscard]] std::filesystem::path beside_program(const std::string& name);

int service_main(int argc, char** argv, const Program& program);

// Reads [broker] url, user_name, ca, certificate, key, keep_alive_s, window, packet_bytes_max.
[[nodiscard]] bus::MqttConfig read_mqtt(Config& config, const std::string& client_id, int keep_alive_s = 15);

// Blocks SIGINT and SIGTERM in this thread (and those it starts) and calls `stop` once when one arrives.
class StopSignal {
 public:
  explicit StopSignal(std::function<void()> stop);
  ~StopSignal();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwork::runtime
