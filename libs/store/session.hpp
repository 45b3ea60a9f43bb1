// One session of PostgreSQL. Each of its calls ends: by the server's answer, or by a deadline on this side.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <pqxx/pqxx>
#include <string>
#include <thread>

#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwork::store {

// Shuts a socket down where disarm() is not called before the deadline: libpq has no deadline of its own.
class Watchdog {
 public:
  Watchdog();
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  void arm(int socket, Duration deadline);
  void disarm();

 private:
  void watch();

  std::mutex mutex_;
  std::condition_variable changed_;
  int socket_ = -1;
  std::chrono::steady_clock::time_point when_;
  std::chrono::steady_clock::time_point sleeps_until_ = std::chrono::steady_clock::time_point::max();
  bool ending_ = false;
  std::thread thread_;
};

// `url` (in either form that libpq knows) with the settings that our sessions need and `url` does not set: options of
// the server, a bound on connecting, and probes of a silent peer from both ends.
Result<std::string> connection_string(const std::string& url, const std::string& options);

// What an SQL error means for the caller. `reading`: an error that the data caused counts as unavailable, not as
// invalid.
Error judge(const pqxx::sql_error& error, bool reading);
inline constexpr const char* replaced_state = "FW075";  // SQLSTATE of advance() and renew(): the term is another's

class Session {
 public:
  [[nodiscard]] bool open() const { return connection_ && connection_->is_open(); }
  [[nodiscard]] pqxx::connection& connection() { return *connection_; }
  Result<void> connect(const std::string& connection_string);
  void close() { connection_.reset(); }

  // Runs `body` without a transaction block (several statements in one query are one transaction). The session is
  // closed when its connection broke or the deadline passed. `broken`, if given, becomes true when it is unknown how
  // the call ended.
  Result<void> run(const std::function<void(pqxx::nontransaction&)>& body, Duration deadline, bool reading,
                   bool* broken = nullptr);

 private:
  std::unique_ptr<pqxx::connection> connection_;
  Watchdog watchdog_;
};

}  // namespace fieldwork::store
