#include "session.hpp"

#include <libpq-fe.h>
#include <sys/socket.h>

#include <map>
#include <string_view>

namespace fieldwork::store {

Watchdog::Watchdog() : thread_([this] { watch(); }) {}

Watchdog::~Watchdog() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Watchdog::arm(int socket, Duration deadline) {
  bool sleeps_too_long = false;
  {
    std::lock_guard lock(mutex_);
    socket_ = socket;
    when_ = std::chrono::steady_clock::now() + deadline;
    sleeps_too_long = when_ < sleeps_until_;
  }
  // Waking the thread for each statement would cost more than the statement's own wait for the network.
  if (sleeps_too_long) changed_.notify_all();
}

// After disarm() returns the watchdog leaves the socket alone; its number may then be that of another socket.
void Watchdog::disarm() {
  std::lock_guard lock(mutex_);
  socket_ = -1;
}

void Watchdog::watch() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    if (socket_ < 0) {
      sleeps_until_ = std::chrono::steady_clock::time_point::max();
      changed_.wait(lock);
    } else if (std::chrono::steady_clock::now() >= when_) {
      shutdown(socket_, SHUT_RDWR);  // whoever waits in libpq now sees the connection end
      socket_ = -1;
    } else {
      sleeps_until_ = when_;
      changed_.wait_until(lock, when_);
    }
  }
}

Result<std::string> connection_string(const std::string& url, const std::string& options) {
  char* wrong = nullptr;
  PQconninfoOption* parsed = PQconninfoParse(url.c_str(), &wrong);
  if (parsed == nullptr) {
    Error error{Code::invalid, wrong == nullptr ? "is no connection string" : wrong, "database.url"};
    PQfreemem(wrong);
    while (error.reason.ends_with('\n')) error.reason.pop_back();
    return error;
  }
  std::map<std::string, std::string> settings{{"connect_timeout", "5"},         {"keepalives", "1"},
                                              {"keepalives_idle", "5"},         {"keepalives_interval", "2"},
                                              {"keepalives_count", "3"},        {"tcp_user_timeout", "10000"},
                                              {"application_name", "fieldwork"}};
  std::string theirs;
  for (const auto* option = parsed; option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    if (std::string_view(option->keyword) == "options") {
      theirs = option->val;
    } else {
      settings[option->keyword] = option->val;
    }
  }
  PQconninfoFree(parsed);
  settings["options"] = options +
                        " -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
                        " -c tcp_user_timeout=10000" +
                        (theirs.empty() ? "" : " " + theirs) +
                        " -c standard_conforming_strings=on";  // libs/store/writes.cpp relies on it
  std::string out;
  for (const auto& [key, value] : settings) {
    out += (out.empty() ? "" : " ") + key + "='";
    for (const char c : value) {
      if (c == '\'' || c == '\\') out += '\\';
      out += c;
    }
    out += "'";
  }
  return out;
}

Error judge(const pqxx::sql_error& error, bool reading) {
  const auto& state = error.sqlstate();
  if (state == replaced_state) return {Code::conflict, error.what()};
  const auto group = state.substr(0, 2);
  // Classes of SQLSTATE that pass: connection (08), read-only (25), deadlock (40), resources (53), lock (55), cancelled
  // or shutting down (57), the machine (58).
  for (const char* passing : {"08", "25", "40", "53", "55", "57", "58"}) {
    if (group == passing) return {Code::unavailable, error.what(), "database"};
  }
  const bool ours = group == "42" || group == "3F" || group == "26";  // no such table, column, schema, statement
  return {reading && !ours ? Code::unavailable : Code::invalid, error.what(), "database"};
}

Result<void> Session::connect(const std::string& connection_string) {
  connection_.reset();
  try {
    connection_ = std::make_unique<pqxx::connection>(connection_string);
    return {};
  } catch (const std::exception& e) {
    return Error{Code::unavailable, e.what(), "database.url"};
  }
}

Result<void> Session::run(const std::function<void(pqxx::nontransaction&)>& body, Duration deadline, bool reading,
                          bool* broken) {
  if (broken != nullptr) *broken = false;
  if (!open()) return Error{Code::unavailable, "there is no session", "database.url"};
  struct Armed {
    Watchdog& watchdog;
    ~Armed() { watchdog.disarm(); }
  };
  Error error;
  bool lost = false;
  try {
    const Armed armed{watchdog_};
    watchdog_.arm(connection_->sock(), deadline);
    pqxx::nontransaction work(*connection_);
    body(work);
    return {};
  } catch (const pqxx::sql_error& e) {
    lost = e.sqlstate().empty() || e.sqlstate().starts_with("57P");  // no answer of the server, or a shutdown (57P)
    error = lost ? Error{Code::unavailable, e.what(), "database.url"} : judge(e, reading);
  } catch (const pqxx::broken_connection& e) {
    lost = true;
    error = {Code::unavailable, e.what(), "database.url"};
  } catch (const pqxx::in_doubt_error& e) {
    lost = true;
    error = {Code::unavailable, e.what(), "database.url"};
  } catch (const std::exception& e) {
    lost = true;  // half an answer may be left in the connection
    error = {Code::invalid, e.what(), "database"};
  }
  if (lost || !open()) {
    connection_.reset();
    if (broken != nullptr) *broken = true;
  }
  return error;
}

}  // namespace fieldwork::store
