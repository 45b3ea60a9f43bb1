#include "output.hpp"

#include <locale.h>
#include <unistd.h>
#include <wchar.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <cwchar>
#include <nlohmann/json.hpp>

namespace fieldwork::cli {
namespace {

// While this object lives, the thread's text is UTF-8, whatever the environment says.
class Utf8 {
 public:
  Utf8() : before_(uselocale(utf8())) {}
  ~Utf8() { uselocale(before_); }
  Utf8(const Utf8&) = delete;
  Utf8& operator=(const Utf8&) = delete;

 private:
  static locale_t utf8() {
    static const locale_t kept = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return kept;
  }
  locale_t before_;
};

// Columns on a terminal: none for a combining character, two for a wide one, one for a byte that is not UTF-8.
std::size_t width(std::string_view text) {
  const Utf8 locale;
  std::size_t columns = 0;
  std::mbstate_t state{};
  while (!text.empty()) {
    wchar_t c = 0;
    auto length = std::mbrtowc(&c, text.data(), text.size(), &state);
    if (length == 0 || length > text.size()) {
      state = {};
      length = 1;
      c = L'?';
    }
    columns += static_cast<std::size_t>(std::max(wcwidth(c), 0));
    text.remove_prefix(length);
  }
  return columns;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out(text);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto c = static_cast<unsigned char>(out[i]);
    // The C1 control characters in UTF-8: C2 80 to C2 9F.
    const bool c1 = c == 0xC2U && i + 1 < out.size() && static_cast<unsigned char>(out[i + 1]) < 0xA0U;
    if (c1) out.replace(i, 2, "?");
    if (c < 0x20U || c == 0x7FU) out[i] = '?';
  }
  return out;
}

std::string decimal(double value, int digits) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

std::string human_bytes(std::int64_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", value, units[unit]);
  return text.data();
}

std::string human_duration(std::chrono::seconds span) {
  const auto s = std::max<std::int64_t>(span.count(), 0);
  if (s < 60) return std::to_string(s) + "s";
  if (s < 3600) return std::to_string(s / 60) + "m " + std::to_string(s % 60) + "s";
  if (s < 86'400) return std::to_string(s / 3600) + "h " + std::to_string(s % 3600 / 60) + "m";
  return std::to_string(s / 86'400) + "d " + std::to_string(s % 86'400 / 3600) + "h";
}

std::string human_age(std::int64_t then_ms, std::int64_t now) {
  return then_ms <= 0 ? "-" : human_duration(std::chrono::seconds((now - then_ms) / 1000));
}

std::string human_time(std::int64_t unix_ms) {
  const std::time_t at = unix_ms / 1000;
  std::tm parts{};
  if (gmtime_r(&at, &parts) == nullptr) return "-";
  std::array<char, 40> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%SZ", &parts);
  return text.data();
}

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(printable(row[i])));
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const auto cell = printable(row[i]);
      line += cell;
      if (i + 1 < row.size()) line.append(widths[i] - width(cell) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

int whole_percent(double share) { return static_cast<int>(share * 100 + 1e-6); }

std::string progress_line(std::string_view what, double share, const std::string& amount) {
  constexpr int cells = 20;
  const auto full = static_cast<std::size_t>(share * cells);
  const auto percent = std::to_string(whole_percent(share));
  return printable(what) + "  [" + std::string(full, '#') + std::string(cells - full, '-') + "]  " +
         std::string(3 - std::min<std::size_t>(percent.size(), 3), ' ') + percent + " %  " + printable(amount);
}

namespace {

std::int64_t part_of(std::int64_t done, std::int64_t total) {
  return std::clamp<std::int64_t>(done, 0, std::max<std::int64_t>(total, 0));
}

double share_of(std::int64_t done, std::int64_t total) {
  return total <= 0 ? 1.0 : static_cast<double>(part_of(done, total)) / static_cast<double>(total);
}

std::string bytes_of(std::int64_t done, std::int64_t total) {
  return human_bytes(part_of(done, total)) + " of " + human_bytes(std::max<std::int64_t>(total, 0));
}

}  // namespace

std::string progress_line(std::string_view what, std::int64_t done, std::int64_t total) {
  return progress_line(what, share_of(done, total), bytes_of(done, total));
}

bool redraws(bool terminal, const char* kind) {
  return terminal && kind != nullptr && *kind != '\0' && std::strcmp(kind, "dumb") != 0;
}

Progress::Progress(bool terminal, std::chrono::milliseconds quiet) : terminal_(terminal), quiet_(quiet) {}
Progress::Progress() : Progress(redraws(isatty(STDERR_FILENO) == 1, std::getenv("TERM"))) {}
Progress::~Progress() { clear(); }

void Progress::show(std::string_view what, std::int64_t done, std::int64_t total) {
  show(what, share_of(done, total), bytes_of(done, total));
}

void Progress::show(std::string_view what, double share, const std::string& amount) {
  const auto now = std::chrono::steady_clock::now();
  if (begun_ != what) {
    begun_ = what;
    since_ = now;
  }
  if (now - since_ < quiet_) return;
  if (terminal_) {
    auto line = progress_line(what, share, amount);
    if (drawn_ && line == what_) return;
    what_ = std::move(line);
    std::fprintf(stderr, "\r\x1b[K%s", what_.c_str());
    std::fflush(stderr);
    drawn_ = true;
    return;
  }
  const auto tenth = static_cast<std::int64_t>(share * 10);
  if (what == what_ && tenth == tenth_) return;
  what_ = what;
  tenth_ = tenth;
  say(progress_line(what, share, amount));
}

void Progress::clear() {
  if (!drawn_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

void say(std::string_view message) { std::fprintf(stderr, "%.*s\n", static_cast<int>(message.size()), message.data()); }

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_json(const codec::Json& document) { print(codec::dump(document) + "\n"); }

int end(const Failure& failure) {
  say("fieldwork: " + printable(failure.reason));
  return code(failure.exit);
}

int flushed(int exit_code) {
  errno = 0;
  const bool lost = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  if (!lost) return exit_code;
  // The reader that closed the pipe (head, less) has what it wanted: no message.
  if (errno != EPIPE) say(std::string("fieldwork: cannot write to stdout: ") + std::strerror(errno == 0 ? EIO : errno));
  return exit_code == 0 ? code(Exit::failed) : exit_code;
}

}  // namespace fieldwork::cli
