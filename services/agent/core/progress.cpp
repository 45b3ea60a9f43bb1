#include "agent/core/progress.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "agent/limits.hpp"
#include "base/text.hpp"
#include "model/limits.hpp"

namespace fieldwork::agent {
namespace {

std::string_view next_word(std::string_view& text) {
  const auto begin = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(begin);
  const auto word = text.substr(0, text.find_first_of(" \t"));
  text.remove_prefix(word.size());
  return word;
}

std::string message_of(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  return begin == text.npos ? "" : clamp_text(text.substr(begin), limits::progress_message_bytes_max);
}

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number out{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty() ? std::optional(out) : std::nullopt;
}

// "progress 3 12 MESSAGE" and "progress 25% MESSAGE", without the first word.
std::optional<RunProgress> progress_of(std::string_view text) {
  RunProgress out;
  const auto first = next_word(text);
  if (first.ends_with('%')) {
    const auto percent = number_of<double>(first.substr(0, first.size() - 1));
    if (!percent || !(*percent >= 0 && *percent <= 100)) return std::nullopt;
    out.fraction = *percent / 100;
  } else {
    out.done = number_of<std::int64_t>(first);
    out.total = number_of<std::int64_t>(next_word(text));
    if (!out.done || !out.total || *out.done < 0 || *out.total < 1 || *out.done > *out.total ||
        *out.total > limits::integer_max)
      return std::nullopt;
    out.fraction = static_cast<double>(*out.done) / static_cast<double>(*out.total);
  }
  out.message = message_of(text);
  return out;
}

}  // namespace

bool ProgressLines::add(std::string_view bytes) {
  bool sign = false;
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto part = bytes.substr(0, end);
    rest_ += part.substr(0, progress_line_bytes_max - std::min(progress_line_bytes_max, rest_.size()));
    if (end == bytes.npos) break;
    bytes.remove_prefix(end + 1);
    const auto text = std::exchange(rest_, {});
    if (std::exchange(skip_, false)) continue;
    ++lines_;
    sign = line(text) || sign;
  }
  return sign;
}

void ProgressLines::begin_anew(bool within) {
  rest_.clear();
  skip_ = within;
  if (!within) lines_ = 0;
}

bool ProgressLines::line(std::string_view text) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  auto left = text;
  const auto word = next_word(left);
  if (word.empty()) return false;
  if (word == "progress") {
    if (auto said = progress_of(left)) {
      said->step = std::move(said_.step);
      said_ = std::move(*said);
      return true;
    }
  } else if (word == "step") {
    if (const auto step = next_word(left); !step.empty()) {
      said_.step = clamp_text(step, limits::step_bytes_max);
      said_.message = message_of(left);
      return true;
    }
  }
  if (wrong_.empty()) wrong_ = "line " + std::to_string(lines_) + ": \"" + clamp_text(text, 100) + "\"";
  return false;
}

}  // namespace fieldwork::agent
