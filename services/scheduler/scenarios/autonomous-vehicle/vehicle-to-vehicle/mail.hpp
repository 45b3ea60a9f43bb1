// Messages: one line of JSON each, appended to the file outbox; those of the other vehicle are read from the file
// inbox, which may grow.
//
//   {"id":1,"seq":17,"t_ms":1600,"x_m":1.50,"y_m":20.25,"speed_mps":12.10,"heading_deg":90.5}      a beacon
//   {"id":1,"seq":18,"t_ms":1700,"end":true}                                                        the last message
//
// Messages may be lost, repeated or late. seq counts from 1.
#pragma once

#include <array>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "response.hpp"
#include "samples.hpp"

namespace vehicle {

// Where a vehicle is at a moment, and where it goes: east, north; the heading clockwise from north.
struct State {
  double ms = 0;
  double x_m = 0, y_m = 0, speed_mps = 0, heading_deg = 0;
};

struct Message {
  std::int64_t id = 0, seq = 0;
  bool end = false;
  State state;
};

// A field's value in a line of JSON, of these characters; none if it is not there or too long.
inline std::optional<std::string_view> value_of(std::string_view line, const std::string& name, std::string_view of) {
  const std::string quoted = '"' + name + '"';
  const auto skip = [&](std::size_t at) { return std::min(line.find_first_not_of(' ', at), line.size()); };
  for (auto at = line.find(quoted); at != std::string_view::npos; at = line.find(quoted, at + 1)) {
    auto from = skip(at + quoted.size());
    if (from == line.size() || line[from] != ':') continue;
    from = skip(from + 1);
    const auto to = std::min(line.find_first_not_of(of, from), line.size()), after = skip(to);
    if (to == from || after == line.size() || (line[after] != ',' && line[after] != '}')) continue;
    if (to - from > 16) return std::nullopt;
    return line.substr(from, to - from);
  }
  return std::nullopt;
}

template <typename Number>
bool read_value(std::string_view line, const char* name, std::string_view of, Number& out) {
  const auto text = value_of(line, name, of);
  return text && read_number(*text, out);
}

inline std::optional<Message> read_message(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  line = line.substr(0, line.find_last_not_of(' ') + 1);
  if (!line.starts_with('{') || !line.ends_with('}')) return std::nullopt;
  constexpr std::string_view digits = "0123456789", number = "-.0123456789";
  Message out;
  if (!read_value(line, "id", digits, out.id) || !read_value(line, "seq", digits, out.seq) || out.seq < 1 ||
      !read_value(line, "t_ms", digits, out.state.ms))
    return std::nullopt;
  out.end = value_of(line, "end", "true") == "true";
  if (out.end) return out;
  if (read_value(line, "x_m", number, out.state.x_m) && read_value(line, "y_m", number, out.state.y_m) &&
      read_value(line, "speed_mps", number, out.state.speed_mps) &&
      read_value(line, "heading_deg", number, out.state.heading_deg))
    return out;
  return std::nullopt;
}

// The lines of a file that may grow.
class Inbox {
 public:
  explicit Inbox(std::string name) : name_(std::move(name)) {}

  // The next whole line; none when there is none now. What stands after the last newline may be half a message: it is
  // read again later, unless it ends like a whole one.
  std::optional<std::string> next() {
    if (at_ == text_.size() || text_.find('\n', at_) == std::string::npos) read_on();
    const auto end = std::min(text_.find('\n', at_), text_.size());
    std::string line = text_.substr(at_, end - at_);
    const bool whole = end < text_.size() || line.ends_with('}') || line.ends_with("}\r");
    if (!whole) return std::nullopt;
    at_ = std::min(end + 1, text_.size());
    ended_early_ = end == text_.size();
    return line;
  }

 private:
  void read_on() {
    text_.erase(0, at_);
    at_ = 0;
    if (!file_.is_open()) file_.open(name_, std::ios::binary);
    if (!file_) return;
    file_.read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    text_.append(buffer_.data(), static_cast<std::size_t>(file_.gcount()));
    file_.clear();
    if (ended_early_ && !text_.empty()) {
      ended_early_ = false;
      if (text_.front() == '\n') at_ = 1;
    }
  }

  std::string name_, text_;
  std::ifstream file_;
  std::array<char, 65536> buffer_{};
  std::size_t at_ = 0;
  bool ended_early_ = false;  // the newline of the last line was not there yet
};

// The conversation with the other vehicle, the peer.
class Mail {
 public:
  struct Counts {
    std::int64_t sent = 0, heard = 0, lost = 0, late = 0, repeated = 0, malformed = 0, foreign = 0;
  };

  // `wait_s`: how long to wait for the peer's next message.
  Mail(std::int64_t vehicle, double wait_s, std::string outbox, std::string inbox)
      : vehicle_(vehicle), wait_(wait_s), outbox_(std::move(outbox)), inbox_(std::move(inbox)) {}

  void send(double ms, const std::string& text) {
    last_line_ = "{\"id\":" + std::to_string(vehicle_) + ",\"seq\":" + std::to_string(++counts_.sent) +
                 ",\"t_ms\":" + std::to_string(std::llround(ms)) + ',' + text + "}\n";
    send_line();
  }

  // The peer's next message that is new, if all that it says up to `ms` is not known yet. Waits for it, unless the peer
  // ended or is silent; the stopwatch, if there is one, does not count that.
  std::optional<Message> next(double ms, Stopwatch* stopwatch) {
    if (auto message = fetch()) return message;
    if (peer_ended_ || (newest_ms_ && *newest_ms_ >= ms)) return std::nullopt;
    if (silent_) return std::nullopt;
    if (stopwatch != nullptr) stopwatch->pause();
    auto message = wait();
    if (stopwatch != nullptr) stopwatch->go_on();
    return message;
  }

  const Counts& counts() const { return counts_; }
  std::optional<std::int64_t> peer() const { return peer_; }
  bool peer_ended() const { return peer_ended_; }
  double waited_s() const { return std::chrono::duration<double>(waited_).count(); }

 private:
  static constexpr std::chrono::milliseconds nap{50};
  static constexpr std::chrono::seconds repeat_every{1};
  static constexpr std::int64_t window = 256;

  void send_line() {
    std::ofstream file(outbox_, std::ios::app | std::ios::binary);
    file << last_line_ << std::flush;
    if (file) return;
    std::cerr << "run: outbox " << outbox_ << ": cannot be written\n";
    std::exit(1);
  }

  std::optional<Message> fetch() {
    while (const auto line = inbox_.next()) {
      auto message = read_message(*line);
      if (!message) {
        ++counts_.malformed;
        continue;
      }
      if (!peer_ && message->id != vehicle_) peer_ = message->id;
      if (message->id != peer_) {
        ++counts_.foreign;
        continue;
      }
      if (!is_new(message->seq)) continue;
      silent_ = false;
      newest_ms_ = std::max(newest_ms_.value_or(message->state.ms), message->state.ms);
      peer_ended_ = peer_ended_ || message->end;
      return message;
    }
    return std::nullopt;
  }

  // Counts gaps in the sequence. A message that fills a gap of the last 256 is late, another with an old number is
  // repeated.
  bool is_new(std::int64_t seq) {
    auto& seen = seen_[static_cast<std::size_t>(seq % window)];
    if (seq > highest_seq_) {
      counts_.lost += seq - highest_seq_ - 1;
      highest_seq_ = seq;
    } else if (highest_seq_ - seq >= window || seen == seq) {
      ++counts_.repeated;
      return false;
    } else {
      --counts_.lost;
      ++counts_.late;
    }
    seen = seq;
    ++counts_.heard;
    return true;
  }

  // The last message is repeated each second: if it was lost, the peer may be waiting for it. After the whole wait the
  // peer is silent.
  std::optional<Message> wait() {
    std::chrono::duration<double> waited{0};
    auto repeat_at = repeat_every;
    while (waited + nap <= wait_) {
      std::this_thread::sleep_for(nap);
      waited += nap;
      waited_ += nap;
      if (waited >= repeat_at) {
        repeat_at += repeat_every;
        send_line();
      }
      if (auto message = fetch()) return message;
    }
    silent_ = true;
    return std::nullopt;
  }

  std::int64_t vehicle_;
  std::chrono::duration<double> wait_, waited_{0};
  std::string outbox_, last_line_;
  Inbox inbox_;
  Counts counts_;
  std::optional<std::int64_t> peer_;
  std::optional<double> newest_ms_;  // how far the peer is known
  bool peer_ended_ = false, silent_ = false;
  std::int64_t highest_seq_ = 0;
  std::array<std::int64_t, window> seen_{};
};

}  // namespace vehicle
