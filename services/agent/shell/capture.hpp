// One output stream of a program: its beginning and its end are kept.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fieldwork::agent {

class Capture {
 public:
  explicit Capture(std::int64_t bytes_max);
  void add(std::string_view bytes);

  struct Kept {
    std::string bytes;
    std::int64_t cut_bytes = 0;  // missing between the two halves
  };
  // At most `bytes_max` bytes; of text no half character is kept.
  [[nodiscard]] Kept kept() const;
  // The last whole lines of what is kept without its last `without` bytes, at most `bytes_max` bytes.
  [[nodiscard]] std::string last_lines(std::size_t bytes_max, std::size_t without) const;

 private:
  std::size_t head_max_;
  std::size_t tail_max_;
  std::string head_;
  std::string tail_;                // what follows the head: the last tail_max_ bytes, and at most as many more
  std::int64_t dropped_bytes_ = 0;  // dropped from tail_
};

// The beginning and the end of `bytes`, half of `bytes_max` each; of text no half character is kept.
[[nodiscard]] Capture::Kept keep_ends(std::string_view bytes, std::size_t bytes_max);

}  // namespace fieldwork::agent
