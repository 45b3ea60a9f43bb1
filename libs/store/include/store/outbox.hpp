// Commands that must arrive. They are stored in the transaction of the state from which they follow, or made again from
// that state after a restart; they are repeated until someone closes them by key.
// Pure: the caller commits the changes and publishes what is due.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "store/store.hpp"

namespace fieldwork::store {

struct Command {
  std::string key;    // names the command, e.g. assign:job:0:1
  std::string topic;  // items of one topic travel together
  std::string item;   // JSON object
  Duration life{};    // after it the outbox closes the command itself; 0: never
  // False: the command has no row of its own. It follows from other rows, and whoever loads those puts it again.
  bool kept = true;
};
struct Close {
  std::string key;
};
struct Hasten {
  std::string topic;
};
// Applied in the order in which the core gave them: a command that is put and closed in one batch is gone.
using OutboxChange = std::variant<Command, Close, Hasten>;

class Outbox {
 public:
  struct Limits {
    Duration first_repeat = seconds{2};
    Duration last_repeat = seconds{60};  // the interval doubles up to this
    Duration hasten_again = seconds{2};  // a topic is hastened at most this often
  };
  explicit Outbox(Limits limits) : limits_(limits) {}
  Outbox() : Outbox(Limits{}) {}

  // Loads the table `outbox` after a restart: every command in it is due at once.
  Result<void> load(Store& store, Time now);

  void apply(OutboxChange change, Time now, std::vector<Change>& changes);
  // Closes the commands that are older than their life.
  void expire(Time now, std::vector<Change>& changes);

  // The commands to send now; each is due again after its repeat interval.
  [[nodiscard]] std::vector<Command> due(Time now);
  // Makes every command due now: the broker came back, and may have forgotten all.
  void hasten_all(Time now);

  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Command command;
    Time due{};
    std::uint64_t turn = 0;  // the place among entries due at the same time: as they were put
    Duration repeat{};
    Time until = Time::max();
    bool stored = false;  // the command has a row
  };
  struct Topic {
    std::unordered_set<std::string> keys;
    Time hastened{};
  };
  void put(Command command, Time now, std::vector<Change>& changes);
  void close(const std::string& key, std::vector<Change>& changes);
  void hasten(const std::string& topic, Time now);
  void add(Command command, Time now, Time until, bool stored);
  void remove(const std::string& key);
  void schedule(Entry& entry, Time due);

  Limits limits_;
  std::unordered_map<std::string, Entry> entries_;
  std::unordered_map<std::string, Topic> topics_;
  std::set<std::tuple<Time, std::uint64_t, std::string>> timeline_;  // one per entry
  std::uint64_t turns_ = 0;
  std::set<std::pair<Time, std::string>> ends_;  // when the entries with a life end
};

}  // namespace fieldwork::store
