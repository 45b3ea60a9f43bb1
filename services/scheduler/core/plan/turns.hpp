// Whose turn it is: the order in which a plan goes through the lanes that are awake (docs/decisions/0019).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "scheduler/core/plan/queue.hpp"

namespace fieldwork::scheduler {

// What each submitter has, of a fleet that has `total`, with room for `attempts` attempts.
struct Shares {
  std::map<std::string, Use> given;
  Capacity total;
  std::int64_t attempts = 1;

  // The largest of its shares of the four, 0 to 1.
  [[nodiscard]] double of(const Use& use) const;
};

class Turns {
 public:
  struct Turn {
    Queue::Lane lane = 0;
    const Queue::LaneState* state = nullptr;
    std::set<QueueEntry>::const_iterator entry;
  };
  // `order`: 0, entries of one submitter and rank in the order in which they came; else another order of those that
  // came at the same time, not before `fresh_from`, by this number.
  Turns(const Queue& queue, const Shares& shares, std::uint64_t order = 0, Time fresh_from = {})
      : queue_(queue), shares_(shares), order_(order), fresh_from_(fresh_from) {}

  // The lane whose turn it is; the same again until one of the two below is called. Nothing: all had theirs.
  [[nodiscard]] std::optional<Turn> next();
  // Its entry got `need` (nothing: it only asks); the lane goes on with the next one, in its rank.
  void got(const Requirements* need);
  // The lane is not tried any more.
  void leave_out();

 private:
  struct Running {  // a lane that goes on
    Queue::Lane lane = 0;
    std::set<QueueEntry>::const_iterator entry;
    std::uint64_t tie = 0;
    bool operator<(const Running& other) const {
      return std::tie(entry->since, tie, *entry, lane) <
             std::tie(other.entry->since, other.tie, *other.entry, other.lane);
    }
  };
  struct Line {  // the lanes of one submitter and rank
    const std::string* submitter = nullptr;
    Queue::Heads::const_iterator next, end;
    std::set<Running> running;
  };
  using Key = std::tuple<double, Time, std::uint64_t, std::size_t>;  // share, the head's since and order, line

  bool begin_rank();
  void list(std::size_t line);
  [[nodiscard]] double share(const std::string& submitter) const;
  void unhead();
  void go_on(const std::vector<Running>& lanes);
  [[nodiscard]] std::uint64_t tie_of(const QueueEntry& entry) const;

  const Queue& queue_;
  const Shares& shares_;
  std::uint64_t order_;
  Time fresh_from_;
  std::optional<int> rank_;
  std::vector<Line> lines_;
  std::set<Key> keys_;
  std::map<int, std::vector<Running>> later_;  // by rank: lanes that went on into a worse one
  std::map<std::string, Use> given_;           // what each has now, of those that this plan gave something
  Turn turn_;
  bool has_turn_ = false;
};

}  // namespace fieldwork::scheduler
