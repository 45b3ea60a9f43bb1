// "Did you mean …": the name that somebody who mistyped one may have meant.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fieldwork {

// The optimal string alignment distance of `a` and `b`: how many letters are left out, added, changed or swapped with
// their neighbour; upper and lower case count as equal.
[[nodiscard]] inline std::size_t typing_distance(std::string_view a, std::string_view b) {
  const auto low = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const bool same = low(a[i - 1]) == low(b[j - 1]);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (same ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && low(a[i - 1]) == low(b[j - 2]) && low(a[i - 2]) == low(b[j - 1]);
      if (swapped) cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

// Whether `part` is `whole` with letters left out: "ls" of "list", "cmd" of "command".
[[nodiscard]] inline bool abbreviates(std::string_view part, std::string_view whole) {
  if (part.size() < 2 || whole.empty() || part.front() != whole.front()) return false;
  for (const char c : whole) {
    if (!part.empty() && part.front() == c) part.remove_prefix(1);
  }
  return part.empty();
}

// The name nearest to `word`, or empty where no name is near. A name is near if at most a third of the letters of
// `word` are wrong, if one of the two begins with the other ("memory" for "memory_bytes"), or if one abbreviates the
// other. A `word` or name of more than 64 bytes is near to none.
template <class Names>
[[nodiscard]] std::string closest(std::string_view word, const Names& names) {
  std::string best;
  if (word.size() > 64) return best;
  const std::size_t near = word.size() < 3 ? 0 : word.size() / 3;  // a word of two letters tells too little
  std::size_t best_distance = 64;
  for (const std::string_view name : names) {
    if (name.size() > 64 || name == word) continue;
    const bool begins = word.size() > 2 && name.size() > 2 && (name.starts_with(word) || word.starts_with(name));
    const bool is_short = abbreviates(word, name) || abbreviates(name, word);
    const auto distance = begins ? 1 : typing_distance(word, name);
    if (distance >= best_distance || !(begins || is_short || distance <= near)) continue;
    best_distance = distance;
    best = name;
  }
  return best;
}

}  // namespace fieldwork
