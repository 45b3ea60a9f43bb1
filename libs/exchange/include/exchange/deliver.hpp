// The sending side's half of the conversation, for the agent (outputs) and the CLI (packages): when to say what is
// here, how many are on their way at once, when one is given up. Pure: bytes, keys and files are the shell's
// (outbound.hpp), which steps in what came of them. The other half is the transfer service's core.
//
//   Add -> Announce … Wanted -> Make -> Made … Heard … Delivered -> ended
//                        silence, or the link was gone: Close, Announce … Wanted -> Resume
//
// An offer stands while what it was made for does: after silence, and after an outage, the transfer goes on where the
// receiver says. A transfer that failed begins anew. Every input may come twice, late or never.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/core.hpp"

namespace fieldwork::exchange::deliver {

struct Limits {
  std::size_t at_once = 4;              // announced and not yet answered, or sent; the others have their turn later
  int failures_max = 4;                 // of transfers of one content; then it is taken for refused
  Duration announce_first{seconds(5)};  // to an answer; doubled up to
  Duration announce_last{std::chrono::minutes(5)};  // between two announcements of one content
  Duration silent{seconds(60)};                     // of the receiver, while it is sent
  std::optional<Duration> give_up{};                // of silence. None: never
};

// --- inputs
struct Add {  // it is here, to be delivered
  std::string digest;
};
struct Wanted {  // now
  std::string digest;
  std::string terms;  // who wants it, under which transfer: a standing offer was made for the same, or it falls
};
struct Made {  // the offer: it is sent
  std::string digest;
};
struct Heard {  // the receiver said how it stands
  std::string digest;
};
struct Delivered {
  std::string digest;
};
struct Refused {  // the receiver will never take it
  std::string digest;
  std::string reason;
};
struct Failed {  // the offer cannot be made, the file cannot be read, the receiver gave it up
  std::string digest;
  std::string reason;
};
using Input = std::variant<Add, Wanted, Made, Heard, Delivered, Refused, Failed, LinkBack, TimePassed>;

// --- what must follow
struct Make {  // a new key and offer, and open it. Made or Failed follows
  std::string digest;
};
struct Resume {  // say the standing offer again, and open it where the receiver left it
  std::string digest;
};
struct Close {  // send no more of it; its offer stands
  std::string digest;
};
using Work = std::variant<Make, Resume, Close>;
struct Announce {
  std::string digest;
};
struct Ended {  // it is not open any more, and its offer falls
  std::string digest;
  std::optional<std::string> refused{};  // why; none: it is delivered
};
struct Output {
  std::vector<Work> work;  // in order
  std::vector<Announce> announcements;
  std::vector<Ended> ended;
};

class Deliveries {
 public:
  using Input = deliver::Input;
  using Output = deliver::Output;

  explicit Deliveries(Limits limits) : limits_(limits) {}

  void step(const Input& input, Time now, Output& out);

  [[nodiscard]] bool has(const std::string& digest) const { return all_.contains(digest); }
  // Its offer is being made, or its frames are sent.
  [[nodiscard]] bool busy(const std::string& digest) const;
  [[nodiscard]] std::size_t size() const { return all_.size(); }

 private:
  enum class State { waiting, making, sending };
  struct One {
    State state = State::waiting;
    Time announce_at{};
    Duration wait{};              // to the next announcement; grows while nobody answers
    std::optional<Time> asked{};  // announced, and counted as sent until then
    Time silent_at{};             // while it is sent
    Time heard{};
    std::string terms{};  // of the standing offer; empty: there is none
    int failures = 0;
  };

  void on(const Add& input, Time now, Output& out);
  void on(const Wanted& input, Time now, Output& out);
  void on(const Made& input, Time now, Output& out);
  void on(const Heard& input, Time now, Output& out);
  void on(const Delivered& input, Time now, Output& out);
  void on(const Refused& input, Time now, Output& out);
  void on(const Failed& input, Time now, Output& out);
  void on(const LinkBack& input, Time now, Output& out);
  void on(const TimePassed& input, Time now, Output& out);
  void give_up(Time now, Output& out);
  void close(const std::string& digest, One& one, Time now, Output& out) const;
  void settle(const std::string& digest, std::optional<std::string> refused, Output& out);
  One* find(const std::string& digest);

  Limits limits_;
  std::map<std::string, One> all_;  // by digest
  std::deque<std::string> turns_;   // all of them, the next one first
};

static_assert(Core<Deliveries>);

}  // namespace fieldwork::exchange::deliver
