// A set of byte offsets of a content, as half-open ranges [begin, end): sorted, disjoint, never touching, at most
// ranges_max.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "model/limits.hpp"

namespace fieldwork::content {

inline constexpr std::size_t ranges_max = limits::ranges_max;

using Range = std::pair<std::uint64_t, std::uint64_t>;  // begin, end

class Ranges {
 public:
  Ranges() = default;

  /// Makes the set of a peer's list of ranges, which may be in any order and overlap. Invalid where the list has more
  /// than ranges_max members or a member is not begin < end <= total.
  [[nodiscard]] static Result<Ranges> parse(const std::vector<Range>& pairs, std::uint64_t total);

  /// Adds [begin, end) and merges. False, and nothing changed, where the set would need more than ranges_max ranges. An
  /// empty range changes nothing.
  [[nodiscard]] bool add(std::uint64_t begin, std::uint64_t end);

  /// True where every byte of [begin, end) is in the set; true for an empty range.
  [[nodiscard]] bool contains(std::uint64_t begin, std::uint64_t end) const;
  [[nodiscard]] std::uint64_t covered_bytes() const { return covered_; }

  /// True where [0, total) is covered.
  [[nodiscard]] bool complete(std::uint64_t total) const { return contains(0, total); }

  /// The ranges of [0, total) that are not in the set, in ascending order.
  [[nodiscard]] std::vector<Range> missing(std::uint64_t total) const;

  /// What both sets hold, from `from` on.
  [[nodiscard]] Ranges common(const Ranges& other, std::uint64_t from = 0) const;

  /// The first missing range that holds a byte at or after `from`, without its bytes before `from`.
  [[nodiscard]] std::optional<Range> first_missing(std::uint64_t from, std::uint64_t total) const;
  [[nodiscard]] const std::vector<Range>& as_pairs() const { return ranges_; }
  bool operator==(const Ranges&) const = default;

 private:
  std::vector<Range> ranges_;
  std::uint64_t covered_ = 0;
};

}  // namespace fieldwork::content
