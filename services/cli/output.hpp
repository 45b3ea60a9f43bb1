// What people see: tables on stdout; messages and progress on stderr.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codec/json.hpp"
#include "failure.hpp"

namespace fieldwork::cli {

// Control characters become '?': a text from a peer must not steer the terminal.
[[nodiscard]] std::string printable(std::string_view text);

[[nodiscard]] std::string decimal(double value, int digits);          // behind the point: 0.82
[[nodiscard]] std::string human_bytes(std::int64_t bytes);            // 1.5 MiB
[[nodiscard]] std::string human_duration(std::chrono::seconds span);  // 3m 20s
[[nodiscard]] std::string human_age(std::int64_t then_ms, std::int64_t now_ms);
[[nodiscard]] std::string human_time(std::int64_t unix_ms);  // 2024-05-01 12:00:00Z
[[nodiscard]] std::int64_t now_ms();

// Aligned columns with two blanks between them; an empty table is its header alone.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// Of an empty text: a hyphen.
[[nodiscard]] inline std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

// Lines of "field  value"; the values begin in one column.
class Fields {
 public:
  void add(const std::string& name, const std::string& value) { table_.add({name, or_dash(value)}); }
  [[nodiscard]] std::string text() const { return table_.text().substr(1); }  // without the line of the empty header

 private:
  Table table_{{"", ""}};
};

// Of a share, 0 to 1, in binary: 0.57 is 57.
[[nodiscard]] int whole_percent(double share);
// "edge-1  [########------------]  40 %  4 of 10, scan". `share`: 0 to 1.
[[nodiscard]] std::string progress_line(std::string_view what, double share, const std::string& amount);
// "sending  [########------------]  40 %  4.0 of 10.0 MiB". A total of 0 counts as done.
[[nodiscard]] std::string progress_line(std::string_view what, std::int64_t done, std::int64_t total);

// Whether a terminal of this kind (TERM) can redraw a line.
[[nodiscard]] bool redraws(bool terminal, const char* kind);

// Progress on stderr: on a terminal one line that is redrawn, else one line for each tenth. What ends within `quiet` is
// not shown.
class Progress {
 public:
  static constexpr std::chrono::milliseconds instant{500};
  explicit Progress(bool terminal, std::chrono::milliseconds quiet = instant);
  Progress();  // finds out whether stderr is a terminal that can redraw (TERM=dumb cannot)
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(std::string_view what, std::int64_t done, std::int64_t total);  // bytes
  void show(std::string_view what, double share, const std::string& amount);
  void clear();  // call it before anything else is written to stderr

 private:
  bool terminal_;
  std::chrono::milliseconds quiet_;
  std::string begun_;  // what is in progress, since since_
  std::chrono::steady_clock::time_point since_;
  bool drawn_ = false;
  std::string what_;  // what was shown last; on a terminal the whole line
  std::int64_t tenth_ = -1;
};

void say(std::string_view message);            // to stderr, as one line
void print(std::string_view text);             // to stdout, unchanged
void print_json(const codec::Json& document);  // to stdout, as one line
int end(const Failure& failure);               // says the reason on stderr; returns the exit code
int flushed(int exit_code);  // flushes stdout; returns `exit_code`, or 1 if stdout could not take everything
[[nodiscard]] inline int code(Exit exit) { return static_cast<int>(exit); }

}  // namespace fieldwork::cli
