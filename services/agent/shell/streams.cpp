#include "agent/shell/streams.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "agent/limits.hpp"

namespace fieldwork::agent {
namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t hour_us = 3600 * second_us;

std::int64_t lines_in(std::string_view text) {
  return std::max<std::int64_t>(1, std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

KeptLog::KeptLog(const std::filesystem::path& path, std::int64_t bytes_max) : left_(bytes_max) {
  if (path.empty()) return;
  fd_ = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd_ < 0) wrong_ = std::strerror(errno);
}

void KeptLog::add(std::string_view bytes) {
  if (fd_ < 0 || !wrong_.empty()) return;
  const auto fits = bytes.substr(0, static_cast<std::size_t>(left_));
  left_ -= static_cast<std::int64_t>(fits.size());
  missing_ += static_cast<std::int64_t>(bytes.size() - fits.size());
  if (!write_all(fits)) wrong_ = std::strerror(errno);
}

bool KeptLog::write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto done = write(fd_, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

void KeptLog::finish() {
  if (fd_ < 0) return;
  if (missing_ > 0 && wrong_.empty())
    write_all("\n[" + std::to_string(missing_) + " more bytes are not kept: limits/log_bytes]\n");
  close(std::exchange(fd_, -1));
}

Streams::Streams(const RunLimits& limits, const std::array<std::filesystem::path, 2>& files, Tell tell)
    : streams_{Stream("stdout", limits.output_bytes, files[0], limits.log_bytes),
               Stream("stderr", limits.output_bytes, files[1], limits.log_bytes)},
      tell_(std::move(tell)),
      in_hand_(told_at_once_bytes_max) {}

void Streams::add(std::size_t which, std::string_view bytes, std::int64_t now_us) {
  auto& stream = streams_[which];
  stream.kept.add(bytes);
  stream.log.add(bytes);
  if (!tell_) return;
  stream.line += bytes;
  const auto end = stream.line.rfind('\n');
  if (end != std::string::npos) {
    tell(stream, std::string_view(stream.line).substr(0, end + 1), false, now_us);
    stream.line.erase(0, end + 1);
  }
  if (stream.line.size() >= told_line_bytes_max) tell(stream, std::exchange(stream.line, {}), false, now_us);
}

void Streams::follow(std::int64_t until_us, bool begin, std::int64_t now_us) {
  until_us_ = until_us;
  if (!begin || !tell_) return;
  for (auto& stream : streams_) {
    if (const auto text = stream.kept.last_lines(told_begin_bytes_max, stream.line.size()); !text.empty())
      tell(stream, text, true, now_us);
  }
}

// What has come into hand since the last look; the rest of a byte counts with the next one.
void Streams::count_time(std::int64_t now_us) {
  const auto elapsed_us = std::min(now_us - counted_us_, hour_us);
  const auto more = elapsed_us * told_bytes_per_s_max / second_us;
  if (more <= 0) return;
  in_hand_ = std::min(told_at_once_bytes_max, in_hand_ + more);
  counted_us_ = elapsed_us == hour_us ? now_us : counted_us_ + more * second_us / told_bytes_per_s_max;
}

// In pieces of at most told_line_bytes_max, which end where a line ends if one does.
void Streams::tell(Stream& stream, std::string_view text, bool begin, std::int64_t now_us) {
  if (now_us >= until_us_) {
    stream.dropped = 0;
    return;
  }
  count_time(now_us);
  while (!text.empty()) {
    auto piece = text.substr(0, told_line_bytes_max);
    if (const auto end = piece.rfind('\n'); piece.size() < text.size() && end != piece.npos)
      piece = piece.substr(0, end + 1);
    text.remove_prefix(piece.size());
    tell_piece(stream, std::string(piece), begin);
  }
}

void Streams::tell_piece(Stream& stream, std::string text, bool begin) {
  const auto size = static_cast<std::int64_t>(text.size()) + told_around_bytes;
  const auto lines = lines_in(text);
  if (size > in_hand_ || !tell_({stream.name, std::move(text), stream.dropped, begin})) {
    stream.dropped += lines;
    return;
  }
  in_hand_ -= size;
  stream.dropped = 0;
}

void Streams::finish(std::int64_t now_us) {
  for (auto& stream : streams_) {
    if (!stream.line.empty()) tell(stream, std::exchange(stream.line, {}), false, now_us);
    stream.log.finish();
  }
}

void Streams::fill(RunResult& result) const {
  auto out = streams_[0].kept.kept();
  auto err = streams_[1].kept.kept();
  result.stdout_text = std::move(out.bytes);
  result.stderr_text = std::move(err.bytes);
  result.stdout_cut_bytes = out.cut_bytes;
  result.stderr_cut_bytes = err.cut_bytes;
  result.truncated = out.cut_bytes > 0 || err.cut_bytes > 0;
}

std::string Streams::wrong() const {
  std::string out;
  for (const auto& stream : streams_) {
    if (!stream.log.wrong().empty())
      out +=
          std::string(out.empty() ? "" : "; ") + std::string(stream.name) + ".log is not whole: " + stream.log.wrong();
  }
  return out;
}

}  // namespace fieldwork::agent
