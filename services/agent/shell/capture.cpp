#include "agent/shell/capture.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"

namespace fieldwork::agent {
namespace {

// `head` without an incomplete UTF-8 character at its end.
std::string_view whole_at_end(std::string_view head) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, head.size()); ++back) {
    const auto byte = static_cast<unsigned char>(head[head.size() - back]);
    if (byte < 0x80) break;
    if (byte < 0xC0) continue;
    const std::size_t bytes = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
    return bytes > back ? head.substr(0, head.size() - back) : head;
  }
  return head;
}

std::string_view whole_at_begin(std::string_view tail) {
  std::size_t skip = 0;
  while (skip < std::min<std::size_t>(3, tail.size()) && (static_cast<unsigned char>(tail[skip]) & 0xC0) == 0x80)
    ++skip;
  return tail.substr(skip);
}

// Joins head and tail. Of text the incomplete characters at the cut are dropped; other bytes stay as they are.
Capture::Kept join(std::string_view head, std::string_view tail, std::int64_t between) {
  const auto begin = whole_at_end(head);
  const auto end = whole_at_begin(tail);
  if (is_text(begin) && is_text(end)) {
    between += static_cast<std::int64_t>(head.size() - begin.size() + tail.size() - end.size());
    head = begin;
    tail = end;
  }
  return {std::string(head).append(tail), between};
}

}  // namespace

Capture::Capture(std::int64_t bytes_max)
    : head_max_(static_cast<std::size_t>(bytes_max + 1) / 2), tail_max_(static_cast<std::size_t>(bytes_max) / 2) {}

void Capture::add(std::string_view bytes) {
  const auto first = bytes.substr(0, head_max_ - head_.size());
  head_ += first;
  tail_ += bytes.substr(first.size());
  if (tail_.size() > 2 * tail_max_) {
    const auto excess = tail_.size() - tail_max_;
    tail_.erase(0, excess);
    dropped_bytes_ += static_cast<std::int64_t>(excess);
  }
}

Capture::Kept Capture::kept() const {
  const auto excess = tail_.size() > tail_max_ ? tail_.size() - tail_max_ : 0;
  const auto between = dropped_bytes_ + static_cast<std::int64_t>(excess);
  if (between == 0) return {head_ + tail_, 0};
  return join(head_, std::string_view(tail_).substr(excess), between);
}

std::string Capture::last_lines(std::size_t bytes_max, std::size_t without) const {
  auto text = dropped_bytes_ > 0 ? tail_ : head_ + tail_;
  text.resize(text.size() - std::min(text.size(), without));
  if (text.size() <= bytes_max && dropped_bytes_ == 0) return text;
  const auto begin = text.find('\n', text.size() - std::min(text.size(), bytes_max));
  return begin == std::string::npos ? "" : text.substr(begin + 1);
}

Capture::Kept keep_ends(std::string_view bytes, std::size_t bytes_max) {
  if (bytes.size() <= bytes_max) return {std::string(bytes), 0};
  const auto head = (bytes_max + 1) / 2;
  return join(bytes.substr(0, head), bytes.substr(bytes.size() - bytes_max / 2),
              static_cast<std::int64_t>(bytes.size() - bytes_max));
}

}  // namespace fieldwork::agent
