// One conversation with the broker, as long as one command: requests with answers, and the messages of the
// subscriptions that the session was opened with. Ctrl-C and SIGTERM end every wait.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "codec/json.hpp"
#include "failure.hpp"
#include "line.hpp"
#include "runtime/program.hpp"
#include "settings.hpp"
#include "topic/topic.hpp"

namespace fieldwork::cli {

class Session {
 public:
  using Clock = std::chrono::steady_clock;
  // The same clock as a Time, for the cores of a transfer.
  static Time now() { return Time{std::chrono::duration_cast<Duration>(Clock::now().time_since_epoch())}; }
  using Patience = std::chrono::milliseconds;

  // Connects once. A Failure names the URL, the setting that it came from and the next step. `filters`: subscriptions
  // below the root. A connection that is lost later is made again.
  static Outcome<std::unique_ptr<Session>> open(const Settings& settings, const std::vector<std::string>& filters,
                                                const Options& options, const MakeLine& make = mqtt_line);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Asks every 2 s until answered; `body` gets its "v". A Failure for: no answer (timed_out, or unreachable without a
  // broker), an error as the answer, a request that the broker's access list forbids, Ctrl-C. A service whose retained
  // state is `down` is waited for 3 s only, unless --timeout is given.
  Outcome<codec::Json> request(const std::string& service, const std::string& operation, codec::Json body);
  Outcome<codec::Json> request(const std::string& service, const std::string& operation, codec::Json body,
                               Patience patience);

  // The next message that is not an answer; nothing at `until` or after Ctrl-C.
  std::optional<bus::Message> next(Clock::time_point until);

  void publish(bus::Message message) { line_->publish(std::move(message)); }
  [[nodiscard]] const Topics& topics() const { return topics_; }
  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] std::string answer_topic() const { return topics_.reply(settings_.mqtt.client_id, "answer"); }
  [[nodiscard]] bool interrupted() const;
  [[nodiscard]] bool connected() const { return line_->connected(); }
  [[nodiscard]] bus::MqttStats stats() const { return line_->stats(); }
  // Why a wait must end early: Ctrl-C, or the broker's access list refused a publish since `denied` was counted.
  [[nodiscard]] std::optional<Failure> stopped(std::uint64_t denied) const;

  // What the services say of themselves in their retained states (state/service/+), as far as these have arrived.
  struct ServiceState {
    std::string state;  // up or down
    std::string version;
  };
  [[nodiscard]] std::map<std::string, ServiceState> services() const;
  // Waits until `count` services have a state, at most until `until`.
  std::map<std::string, ServiceState> services(std::size_t count, Clock::time_point until) const;

 private:
  Session(Settings settings, const Options& options);
  Outcome<bool> connect(const MakeLine& make);
  void heard(bus::Message&& message);
  void heard_service(const std::string& service, const std::string& payload);
  std::optional<std::string> ask(const std::string& service, const bus::Message& message, Patience patience,
                                 std::optional<Failure>& stop);
  std::optional<std::string> wait_answer(const std::string& correlation, Clock::time_point until);
  [[nodiscard]] std::optional<Failure> says_down(const std::string& service) const;
  [[nodiscard]] Failure no_answer(const std::string& service, const std::string& operation, Patience patience) const;
  [[nodiscard]] std::string nothing_below_root() const;
  [[nodiscard]] Failure unreachable(const std::string& reason) const;

  Settings settings_;
  Options options_;
  Topics topics_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::deque<bus::Message> messages_;
  std::map<std::string, std::optional<std::string>> answers_;  // by correlation data, while a request is open
  std::map<std::string, ServiceState> services_;
  bool interrupted_ = false;
  bool was_connected_ = false;
  std::optional<std::string> lost_;              // why there is no connection
  std::unique_ptr<runtime::StopSignal> signal_;  // before line_: its threads inherit the blocked signals
  std::unique_ptr<Line> line_;
};

}  // namespace fieldwork::cli
