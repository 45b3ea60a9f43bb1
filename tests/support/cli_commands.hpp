// Commands of the command line against a real broker (mosquitto on a free port), with a stand-in for the services in a
// process of its own.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <optional>
#include <string>

#include "commands/commands.hpp"
#include "support/broker.hpp"
#include "support/cli_stand_in.hpp"

namespace fieldwork::cli {

class CliCommands : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    place = fs::temp_directory_path() / ("fieldwork-cli-test-" + std::to_string(getpid()));
    fs::create_directories(place);
    const auto run_openssl =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=transfer -keyout " +
        (place / "transfer.key").string() + " -out " + (place / "transfer.pem").string() + " 2>/dev/null";
    ready = std::system(run_openssl.c_str()) == 0;
    const auto key = crypto::PrivateKey::generate();
    write("release.key", key.to_pem());
    write("release.pub", key.public_key().to_pem());
    try {
      broker.emplace("log_type none\n");
      broker->begin();
    } catch (const std::runtime_error&) {
      ready = false;
    }
    if (ready) services = child([] { StandIn(url(), place).run(); });
  }
  static void TearDownTestSuite() {
    if (services > 0) kill(services, SIGKILL), waitpid(services, nullptr, 0);
    broker.reset();
    fs::remove_all(place);
  }

  void SetUp() override {
    if (!ready) GTEST_SKIP() << "needs mosquitto and openssl";
    write("cli.toml",
          "[broker]\nurl = \"" + url() + "\"\n[release]\nkey = \"" + (place / "release.key").string() + "\"\n");
    options.config = (place / "cli.toml").string();
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
  }
  void TearDown() override {
    if (ready) out(), said();
  }

  // What was printed since it was last asked, or since the test began.
  std::string out() {
    return take(out_, [] { return testing::internal::GetCapturedStdout(); });
  }
  std::string said() {
    return take(said_, [] { return testing::internal::GetCapturedStderr(); });
  }
  static std::string take(std::optional<std::string>& kept, const std::function<std::string()>& get) {
    if (!kept) kept = get();
    return *kept;
  }

  static std::string url() { return broker->url(); }
  static std::string write(const std::string& name, const std::string& text) {
    std::ofstream(place / name, std::ios::binary) << text;
    return (place / name).string();
  }
  template <class Body>
  static pid_t child(Body body) {
    const pid_t pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      body();
    }
    return pid;
  }
  static RunArguments job(const std::string& command) {
    return {.file = write("job.json", R"({"command":[")" + command + R"("]})"), .wait = true};
  }

  static inline fs::path place;
  static inline std::optional<support::Broker> broker;
  static inline pid_t services = 0;
  static inline bool ready = false;
  Options options;
  std::optional<std::string> out_;
  std::optional<std::string> said_;
};

}  // namespace fieldwork::cli
