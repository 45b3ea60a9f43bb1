#include "content/ranges.hpp"

#include <algorithm>

namespace fieldwork::content {
namespace {

/// The first range that ends at or after `at` (touching counts), in a sorted list.
template <class List>
auto first_ending_from(List& ranges, std::uint64_t at) {
  return std::lower_bound(ranges.begin(), ranges.end(), at,
                          [](const Range& range, std::uint64_t value) { return range.second < value; });
}

}  // namespace

Result<Ranges> Ranges::parse(const std::vector<Range>& pairs, std::uint64_t total) {
  if (pairs.size() > ranges_max) return Error{Code::invalid, "there are too many ranges"};
  Ranges ranges;
  for (const auto& [begin, end] : pairs) {
    if (begin >= end) return Error{Code::invalid, "a range is empty or turned around"};
    if (end > total) return Error{Code::invalid, "a range ends after the content"};
    if (!ranges.add(begin, end)) return Error{Code::invalid, "there are too many ranges"};
  }
  return ranges;
}

bool Ranges::add(std::uint64_t begin, std::uint64_t end) {
  if (begin >= end) return true;
  const auto first = first_ending_from(ranges_, begin);
  auto last = first;
  std::uint64_t replaced = 0;
  for (; last != ranges_.end() && last->first <= end; ++last) {
    begin = std::min(begin, last->first);
    end = std::max(end, last->second);
    replaced += last->second - last->first;
  }
  if (first == last) {
    if (ranges_.size() >= ranges_max) return false;
    ranges_.insert(first, {begin, end});
  } else {
    *first = {begin, end};
    ranges_.erase(first + 1, last);
  }
  covered_ += end - begin - replaced;
  return true;
}

bool Ranges::contains(std::uint64_t begin, std::uint64_t end) const {
  if (begin >= end) return true;
  const auto range = first_ending_from(ranges_, end);
  return range != ranges_.end() && range->first <= begin;
}

std::vector<Range> Ranges::missing(std::uint64_t total) const {
  std::vector<Range> gaps;
  std::uint64_t at = 0;
  while (const auto gap = first_missing(at, total)) {
    gaps.push_back(*gap);
    at = gap->second;
  }
  return gaps;
}

Ranges Ranges::common(const Ranges& other, std::uint64_t from) const {
  Ranges out;
  auto a = ranges_.begin(), b = other.ranges_.begin();
  while (a != ranges_.end() && b != other.ranges_.end()) {
    const auto begin = std::max({a->first, b->first, from});
    const auto end = std::min(a->second, b->second);
    // The common parts of two sets may be more than one set holds: then the last ones are left out.
    if (begin < end && !out.add(begin, end)) break;
    ++(a->second < b->second ? a : b);
  }
  return out;
}

std::optional<Range> Ranges::first_missing(std::uint64_t from, std::uint64_t total) const {
  auto range = first_ending_from(ranges_, from);
  if (range != ranges_.end() && range->first <= from) {
    from = range->second;
    ++range;
  }
  if (from >= total) return std::nullopt;
  return Range{from, range == ranges_.end() ? total : std::min(total, range->first)};
}

}  // namespace fieldwork::content
