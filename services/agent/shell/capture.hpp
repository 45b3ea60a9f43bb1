// One stream of a program: its beginning and its end are kept, its lines are passed on as they come.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace fieldwork::agent {

class Capture {
 public:
  using Line = std::function<void(std::string text)>;  // whole lines, at most `bytes_max` bytes in all

  Capture(std::int64_t bytes_max, Line line);
  void add(std::string_view bytes);
  void finish();  // passes on what has no line end

  struct Kept {
    std::string bytes;
    std::int64_t cut_bytes = 0;  // between its two halves
  };
  // At most `bytes_max`; of text no half character is kept.
  [[nodiscard]] Kept kept() const;

 private:
  std::size_t head_max_;
  std::size_t tail_max_;
  std::string head_;
  std::string tail_;                // what came after the head: its last tail_max_ bytes, and some more until it is cut
  std::int64_t dropped_bytes_ = 0;  // cut from tail_
  std::size_t line_left_;
  std::string line_;
  Line on_line_;
};

// The first and the last half of `bytes`, `bytes_max` in all; of text no half character is kept.
[[nodiscard]] Capture::Kept keep_ends(std::string_view bytes, std::size_t bytes_max);

}  // namespace fieldwork::agent
