#include "agent/shell/mail.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "agent/limits.hpp"
#include "base/text.hpp"
#include "model/limits.hpp"
#include "runtime/log.hpp"

namespace fieldwork::agent {
namespace {

int make_mail_file(const std::filesystem::path& place, std::string_view ending, int flags) {
  const auto path = place.string() + std::string(ending);
  const int fd = open(path.c_str(), flags | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) log::error("a file for messages cannot be made", {{"path", path}, {"reason", std::strerror(errno)}});
  return fd;
}

}  // namespace

Mailbox::Mailbox(const std::filesystem::path& place, int lines_per_s)
    : outbox_(make_mail_file(place, outbox_ending, O_RDONLY)),
      inbox_(make_mail_file(place, inbox_ending, O_WRONLY | O_APPEND)),
      lines_per_s_(lines_per_s),
      in_hand_(lines_per_s) {}

Mailbox::~Mailbox() {
  for (const int fd : {outbox_, inbox_}) {
    if (fd >= 0) close(fd);
  }
}

void Mailbox::blame(const char* why) {
  if (wrong_.empty()) wrong_ = why;
}

void Mailbox::line(std::string text, std::vector<std::string>& out) {
  if (text.ends_with('\r')) text.pop_back();
  if (text.empty()) return;
  if (text.size() > limits::message_line_bytes_max) return blame("a line is longer than a message may be");
  if (!is_line(text)) return blame("a line is not UTF-8 text without control characters");
  out.push_back(std::move(text));
}

// Stops behind the last line that may be taken now.
void Mailbox::read(std::string_view bytes, std::vector<std::string>& out) {
  std::size_t at = 0;
  while (at < bytes.size() && in_hand_ >= 1 && out.size() < limits::message_lines_max) {
    const auto end = bytes.find('\n', at);
    rest_ += bytes.substr(at, std::min(end, bytes.size()) - at);
    at = end == bytes.npos ? bytes.size() : end + 1;
    if (rest_.size() > limits::message_line_bytes_max + 1) {  // one more for a carriage return
      blame("a line is longer than a message may be");
      rest_.clear();
      skip_ = true;
    }
    if (end == bytes.npos) break;
    const auto before = out.size();
    auto text = std::exchange(rest_, {});
    if (!std::exchange(skip_, false)) line(std::move(text), out);
    in_hand_ -= out.size() > before ? 1 : 0;
  }
  read_to_ += static_cast<std::int64_t>(at);
}

std::vector<std::string> Mailbox::look(Time now) {
  std::vector<std::string> out;
  const auto passed = counted_ == Time{} ? Duration{} : std::max(Duration{}, now - counted_);
  counted_ = now;
  in_hand_ = std::min<double>(lines_per_s_, in_hand_ + lines_per_s_ * std::chrono::duration<double>(passed).count());
  struct stat found {};
  if (outbox_ < 0 || fstat(outbox_, &found) != 0) return out;
  if (found.st_size < read_to_) {  // begun anew
    read_to_ = 0;
    rest_.clear();
    skip_ = false;
  }
  std::string bytes(mail_look_bytes_max, '\0');
  const auto got = pread(outbox_, bytes.data(), bytes.size(), read_to_);
  if (got > 0) read({bytes.data(), static_cast<std::size_t>(got)}, out);
  return out;
}

void Mailbox::add(const std::vector<std::string>& lines) {
  std::string bytes;
  for (const auto& one : lines) bytes += one + '\n';
  struct stat found {};  // the program may have emptied it
  if (inbox_ < 0 || fstat(inbox_, &found) != 0) return;
  if (found.st_size + static_cast<std::int64_t>(bytes.size()) > inbox_bytes_max) return blame("the inbox is full");
  if (write(inbox_, bytes.data(), bytes.size()) < static_cast<ssize_t>(bytes.size()))
    blame("the inbox cannot be written");
}

void Mailroom::open(const AttemptKey& key, const std::string& place, int lines_per_s) {
  boxes_.try_emplace(key, directory_ / place, lines_per_s);
}

Mail Mailroom::close(const AttemptKey& key, Time now) {
  const auto it = boxes_.find(key);
  if (it == boxes_.end()) return {};
  Mail out{key, it->second.look(now)};
  if (const auto& wrong = it->second.wrong(); !wrong.empty())
    log::warn("messages of a job were left out", {{"job", key.job.value}, {"reason", wrong}});
  boxes_.erase(it);
  return out;
}

void Mailroom::add(const AttemptKey& key, const std::vector<std::string>& lines) {
  if (const auto it = boxes_.find(key); it != boxes_.end()) it->second.add(lines);
}

std::vector<Mail> Mailroom::look(Time now) {
  std::vector<Mail> out;
  if (boxes_.empty() || now < look_at_) return out;
  look_at_ = now + look_every;
  for (auto& [key, box] : boxes_) {
    if (auto lines = box.look(now); !lines.empty()) out.push_back({key, std::move(lines)});
  }
  return out;
}

}  // namespace fieldwork::agent
