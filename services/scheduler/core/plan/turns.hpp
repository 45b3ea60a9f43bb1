// Whose turn it is: the order in which a plan goes through the lanes that are awake (docs/decisions/0019).
#pragma once

#include <map>
#include <string>
#include <string_view>
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
  Turns(const Queue& queue, const Shares& shares) : queue_(queue), shares_(shares) {}

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
    bool operator<(const Running& other) const {
      if (*entry != *other.entry) return *entry < *other.entry;
      return lane < other.lane;
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

  const Queue& queue_;
  const Shares& shares_;
  std::optional<int> rank_;
  std::vector<Line> lines_;
  std::set<Key> keys_;
  std::map<int, std::vector<Running>> later_;  // by rank: lanes that went on into a worse one
  std::map<std::string, Use> given_;           // what each has now, of those that this plan gave something
  Turn turn_;
  bool has_turn_ = false;
};

}  // namespace fieldwork::scheduler
