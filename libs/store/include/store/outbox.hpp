// Commands that must arrive: kept with the state that ordered them, or made again from it after a restart; repeated
// until someone closes them by key.
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
  Duration life{};    // dropped after this long, should nobody answer; 0: never
  // False: no row of its own. It follows from other rows, and who loads those puts it again.
  bool kept = true;
};
struct Close {
  std::string key;
};
struct Hasten {
  std::string topic;
};
// Applied in the order they were said: what was put and settled in one batch is gone.
using OutboxChange = std::variant<Command, Close, Hasten>;

class Outbox {
 public:
  struct Limits {
    Duration first_repeat = seconds{2};
    Duration last_repeat = seconds{60};  // doubles up to this
    Duration hasten_again = seconds{2};  // a topic is hastened at most this often
  };
  explicit Outbox(Limits limits) : limits_(limits) {}
  Outbox() : Outbox(Limits{}) {}

  // From the table `outbox`, after a restart: everything is due at once.
  Result<void> load(Store& store, Time now);

  void apply(OutboxChange change, Time now, std::vector<Change>& changes);
  // Drops what outlived its life.
  void expire(Time now, std::vector<Change>& changes);

  // What to send now; each is due again after its repeat interval.
  [[nodiscard]] std::vector<Command> due(Time now);
  // Everything is due now: the broker came back, and may have forgotten all.
  void hasten_all(Time now);

  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Command command;
    Time due{};
    std::uint64_t turn = 0;  // among those due at the same time: as they were put
    Duration repeat{};
    Time until = Time::max();
    bool stored = false;  // has a row
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
  std::set<std::pair<Time, std::string>> ends_;  // of those with a life
};

}  // namespace fieldwork::store
