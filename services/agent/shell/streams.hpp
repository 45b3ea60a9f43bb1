// What a program writes to stdout and stderr: kept for its result (capture.hpp), kept whole in files where the job asks
// for that, and told to whoever asked to follow it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "agent/shell/capture.hpp"
#include "model/job.hpp"

namespace fieldwork::agent {

// A piece of a stream for those who follow it: whole lines, or a part of a long one.
struct Told {
  std::string_view stream;  // stdout or stderr
  std::string text;
  std::int64_t dropped = 0;  // lines before it that were not told
  bool begin = false;        // the end of what was written before somebody asked
};

// A stream in a file, up to a number of bytes; a last line says how many are missing.
class KeptLog {
 public:
  // Makes the file, before the program can put something else there. An empty path: nothing is kept.
  KeptLog(const std::filesystem::path& path, std::int64_t bytes_max);
  KeptLog(const KeptLog&) = delete;
  KeptLog& operator=(const KeptLog&) = delete;
  ~KeptLog() { finish(); }
  void add(std::string_view bytes);
  void finish();
  [[nodiscard]] const std::string& wrong() const { return wrong_; }  // why it is not whole; empty: it is

 private:
  bool write_all(std::string_view bytes);

  std::int64_t left_;
  std::int64_t missing_ = 0;
  int fd_ = -1;
  std::string wrong_;
};

class Streams {
 public:
  using Tell = std::function<bool(Told told)>;  // false: it was not sent

  // `files`: of stdout and stderr; empty paths: they are not kept whole. Without `tell` nobody follows.
  Streams(const RunLimits& limits, const std::array<std::filesystem::path, 2>& files, Tell tell);
  // `which`: 0 stdout, 1 stderr. Times are those of boot_us().
  void add(std::size_t which, std::string_view bytes, std::int64_t now_us);
  // Somebody follows until then. `begin`: what was written before is told first.
  void follow(std::int64_t until_us, bool begin, std::int64_t now_us);
  void finish(std::int64_t now_us);
  void fill(RunResult& result) const;
  [[nodiscard]] std::string wrong() const;  // of the files

 private:
  struct Stream {
    Stream(std::string_view name_, std::int64_t bytes_max, const std::filesystem::path& file, std::int64_t log_bytes)
        : name(name_), kept(bytes_max), log(file, log_bytes) {}
    std::string_view name;
    Capture kept;
    KeptLog log;
    std::string line;  // without its end yet
    std::int64_t dropped = 0;
  };
  void tell(Stream& stream, std::string_view text, bool begin, std::int64_t now_us);
  void tell_piece(Stream& stream, std::string text, bool begin);
  void count_time(std::int64_t now_us);

  std::array<Stream, 2> streams_;
  Tell tell_;
  std::int64_t until_us_ = 0;
  std::int64_t in_hand_;  // bytes that may be told at once
  std::int64_t counted_us_ = 0;
};

}  // namespace fieldwork::agent
