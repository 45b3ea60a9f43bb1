// The cheapest path on a map of square cells, and the same path smoothed.
//
// A*: P. Hart, N. Nilsson, B. Raphael, "A formal basis for the heuristic determination of minimum cost paths" (1968),
// with a binary heap. Eight neighbours; a diagonal step needs both cells beside it free (no corner cutting). A step
// costs its length times the mean cost of both cells. The heuristic is the octile distance times the lowest cost of the
// map, which never says too much and is consistent, so that a cell is final when it leaves the heap.
//
// Smoothing goes from each corner straight on to the farthest cell of the next look_ahead that is in sight and no
// dearer than the path.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

namespace planning {

// Cell i = row * columns + column. A cost of 0 is an obstacle.
struct Map {
  static constexpr int cells_max = 262144;

  int rows = 0, columns = 0;
  int start = -1, goal = -1;
  std::vector<double> cost;
};

class Planner {
 public:
  explicit Planner(int look_ahead) : look_ahead_(look_ahead) {
    far_.reserve(Map::cells_max);
    before_.reserve(Map::cells_max);
    final_.reserve(Map::cells_max);
    heap_.reserve(Map::cells_max);
  }

  // Plans on the map, which stays there until the next call; false when the goal cannot be reached.
  bool plan(const Map& map) {
    map_ = &map;
    if (!find_path()) return false;
    smooth();
    return true;
  }

  int expanded() const { return expanded_; }  // cells that were looked at
  const std::vector<int>& path() const { return path_; }
  const std::vector<int>& smoothed() const { return smoothed_; }
  double path_cost() const { return far_[at(path_.back())]; }

  // Of a straight line between the centres of two cells; none if an obstacle is in its way.
  std::optional<double> line_cost(int from, int to) const;
  double distance(int a, int b) const {
    const double dr = row(a) - row(b), dc = column(a) - column(b);
    return std::sqrt(dr * dr + dc * dc);
  }

 private:
  static constexpr double diagonal = 1.4142135623730951;
  static constexpr double unknown = std::numeric_limits<double>::infinity();

  struct Entry {
    double key;
    int cell;
    // The standard's heaps have the greatest on top; here it is the lowest key.
    bool operator<(const Entry& other) const { return key > other.key; }
  };

  static std::size_t at(int i) { return static_cast<std::size_t>(i); }
  int row(int i) const { return i / map_->columns; }
  int column(int i) const { return i % map_->columns; }
  double cost(int i) const { return map_->cost[at(i)]; }

  double heuristic(int i) const {
    const double dr = std::abs(row(i) - goal_row_), dc = std::abs(column(i) - goal_column_);
    return cheapest_ * (dr > dc ? dr + (diagonal - 1) * dc : dc + (diagonal - 1) * dr);
  }

  void push(double key, int i) {
    heap_.push_back({key, i});
    std::push_heap(heap_.begin(), heap_.end());
  }

  int pop() {
    std::pop_heap(heap_.begin(), heap_.end());
    const int i = heap_.back().cell;
    heap_.pop_back();
    return i;
  }

  bool find_path() {
    const auto& map = *map_;
    goal_row_ = row(map.goal);
    goal_column_ = column(map.goal);
    cheapest_ = unknown;
    for (const double one : map.cost)
      if (one > 0) cheapest_ = std::min(cheapest_, one);
    far_.assign(map.cost.size(), unknown);
    final_.assign(map.cost.size(), false);
    before_.resize(map.cost.size());
    heap_.clear();
    expanded_ = 0;
    far_[at(map.start)] = 0;
    before_[at(map.start)] = -1;
    push(heuristic(map.start), map.start);
    while (!heap_.empty()) {
      const int i = pop();
      if (final_[at(i)]) continue;  // an older, dearer entry
      final_[at(i)] = true;
      ++expanded_;
      if (i == map.goal) return trace(), true;
      expand(i);
    }
    return false;
  }

  void expand(int i) {
    const int columns = map_->columns, r = row(i), c = column(i);
    const bool north = r > 0 && cost(i - columns) > 0, south = r < map_->rows - 1 && cost(i + columns) > 0;
    const bool west = c > 0 && cost(i - 1) > 0, east = c < columns - 1 && cost(i + 1) > 0;
    if (north) relax(i, i - columns, 1);
    if (south) relax(i, i + columns, 1);
    if (west) relax(i, i - 1, 1);
    if (east) relax(i, i + 1, 1);
    if (north && west) relax(i, i - columns - 1, diagonal);
    if (north && east) relax(i, i - columns + 1, diagonal);
    if (south && west) relax(i, i + columns - 1, diagonal);
    if (south && east) relax(i, i + columns + 1, diagonal);
  }

  void relax(int i, int j, double length) {
    if (cost(j) <= 0 || final_[at(j)]) return;
    const double reach = far_[at(i)] + length * (cost(i) + cost(j)) / 2;
    if (far_[at(j)] <= reach) return;
    far_[at(j)] = reach;
    before_[at(j)] = i;
    push(reach + heuristic(j), j);
  }

  void trace() {
    path_.clear();
    for (int i = map_->goal; i >= 0; i = before_[at(i)]) path_.push_back(i);
    std::reverse(path_.begin(), path_.end());
  }

  void smooth() {
    smoothed_.assign(1, path_.front());
    const int steps = static_cast<int>(path_.size());
    for (int from = 0, best = 0; from < steps - 1; from = best) {
      best = from + 1;
      for (int n = from + 2; n < steps && n <= from + look_ahead_; ++n) {
        const auto straight = line_cost(path_[at(from)], path_[at(n)]);
        if (straight && *straight <= far_[at(path_[at(n)])] - far_[at(path_[at(from)])] + 1e-9) best = n;
      }
      smoothed_.push_back(path_[at(best)]);
    }
  }

  int look_ahead_;
  const Map* map_ = nullptr;
  int goal_row_ = 0, goal_column_ = 0, expanded_ = 0;
  double cheapest_ = 0;
  std::vector<double> far_;
  std::vector<int> before_, path_, smoothed_;
  std::vector<char> final_;
  std::vector<Entry> heap_;
};

// Walks through the cells that the line between two centres crosses (J. Amanatides and A. Woo, "A fast voxel traversal
// algorithm", 1987), with the crossings compared as whole numbers: the line leaves row step i at (2 i + 1) / (2
// rows_away) of its length. Through a corner it needs both cells beside it free. For a step to a neighbour it is the
// cost of the path.
inline std::optional<double> Planner::line_cost(int from, int to) const {
  const int rows_away = row(to) - row(from), columns_away = column(to) - column(from);
  const int up = rows_away < 0 ? -map_->columns : map_->columns, left = columns_away < 0 ? -1 : 1;
  const int dr = std::abs(rows_away), dc = std::abs(columns_away);
  double sum = 0, last = 0;
  int a = from, i = 0, j = 0;
  while (a != to) {
    const int row_next = (2 * i + 1) * dc, column_next = (2 * j + 1) * dr;
    const bool corner = i < dr && j < dc && row_next == column_next;
    const bool by_row = i < dr && (j >= dc || row_next < column_next);
    const double t = by_row ? (2.0 * i + 1) / (2 * dr) : (2.0 * j + 1) / (2 * dc);
    sum += cost(a) * (t - last);
    last = t;
    if (corner && (cost(a + up) <= 0 || cost(a + left) <= 0)) return std::nullopt;
    if (corner || by_row) a += up, ++i;
    if (corner || !by_row) a += left, ++j;
    if (cost(a) <= 0) return std::nullopt;
  }
  return (sum + cost(to) * (1 - last)) * std::sqrt(static_cast<double>(dr * dr + dc * dc));
}

}  // namespace planning
