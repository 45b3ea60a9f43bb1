// The files through which the programs of a job exchange lines (docs/job.md, "Messages"): each running program appends
// to its outbox, and reads what the others said from its inbox. The files stand beside the program's directory; the
// program may do to them whatever it likes. On the engine's thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/lines.hpp"
#include "base/time.hpp"

namespace fieldwork::agent {

inline constexpr std::string_view outbox_ending = ".outbox";
inline constexpr std::string_view inbox_ending = ".inbox";

class Mailbox {
 public:
  // `place`: the program's directory, beside which the files are made.
  Mailbox(const std::filesystem::path& place, int lines_per_s);
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  ~Mailbox();

  // Whole lines that were appended to the outbox, at most as many as lines_per_s allows; the others stay for the next
  // look. A line without text, or longer than message_line_bytes_max, is left out.
  [[nodiscard]] std::vector<std::string> look(Time now);
  // Appends to the inbox, as long as it has at most inbox_bytes_max.
  void add(const std::vector<std::string>& lines);
  // Why a line was left out, the first one; empty: none was.
  [[nodiscard]] const std::string& wrong() const { return wrong_; }

 private:
  void read(std::string_view bytes, std::vector<std::string>& out);
  void line(std::string text, std::vector<std::string>& out);
  void blame(const char* why);

  int outbox_ = -1, inbox_ = -1;
  int lines_per_s_;
  double in_hand_;  // lines that may be taken at once
  Time counted_{};
  std::int64_t read_to_ = 0;
  std::string rest_;   // of a line that has no end yet
  bool skip_ = false;  // the rest of a line that is too long
  std::string wrong_;
};

class Mailroom {
 public:
  explicit Mailroom(std::filesystem::path directory) : directory_(std::move(directory)) {}
  void open(const AttemptKey& key, const std::string& place, int lines_per_s);
  // Returns what was not taken yet, as far as lines_per_s allows it. Logs what was left out.
  Mail close(const AttemptKey& key, Time now);
  void add(const AttemptKey& key, const std::vector<std::string>& lines);
  // At most once in look_every.
  [[nodiscard]] std::vector<Mail> look(Time now);

 private:
  static constexpr Duration look_every = milliseconds(50);
  std::filesystem::path directory_;
  std::map<AttemptKey, Mailbox> boxes_;
  Time look_at_{};
};

}  // namespace fieldwork::agent
