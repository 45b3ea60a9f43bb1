// The sending half of moving contents, for the agent (outputs) and the CLI (packages): when to announce a content, how
// many are sent at once, when one is given up. Pure: bytes, keys and files belong to the shell (outbound.hpp), which
// reports what came of them as inputs. The other half is the transfer service's core.
//
//   Add -> Announce … Wanted -> Make -> Made … Heard … Delivered -> ended
//                        silence, or the link was gone: Close, Announce … Wanted -> Resume
//
// An offer stands while the receiver wants the content under the same terms: after silence, and after an outage, the
// transfer goes on where the receiver says. A transfer that failed begins anew. Every input may come twice, late or
// never.
//
// Contents are announced in the order in which they were added, also after an outage. While the link is there and
// nobody answers, each has its turn.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/core.hpp"

namespace fieldwork::exchange::deliver {

struct Limits {
  std::size_t at_once = 4;              // contents announced and not yet answered, or being sent; the others wait
  int failures_max = 4;                 // failed transfers of one content; then the content counts as refused
  Duration announce_first{seconds(5)};  // wait after the first announcement without an answer; doubles
  Duration announce_last{std::chrono::minutes(5)};  // the longest wait between two announcements
  Duration silent{seconds(60)};                     // longest silence of the receiver while a content is sent to it
  std::optional<Duration> give_up{};                // longest silence; then the content counts as refused. None: never
};

// --- inputs
struct Add {  // the content is here and must be delivered
  std::string digest;
};
struct Wanted {  // the receiver wants the content now
  std::string digest;
  std::string terms;  // receiver and transfer of the want; an offer stands only for the same terms
};
struct Made {  // the offer is made, and its frames are being sent
  std::string digest;
};
struct Heard {  // the receiver said what it has
  std::string digest;
};
struct Delivered {
  std::string digest;
};
struct Refused {  // the receiver will never take the content
  std::string digest;
  std::string reason;
};
struct Failed {  // the offer cannot be made, the file cannot be read, or the receiver gave the transfer up
  std::string digest;
  std::string reason;
};
using Input = std::variant<Add, Wanted, Made, Heard, Delivered, Refused, Failed, LinkBack, TimePassed>;

// --- what must follow
struct Make {  // make a new key and offer, and open the transfer. Made or Failed follows
  std::string digest;
};
struct Resume {  // publish the standing offer again, and open the transfer where the receiver left it
  std::string digest;
};
struct Close {  // send no more frames of the content; its offer stands
  std::string digest;
};
using Work = std::variant<Make, Resume, Close>;
struct Announce {
  std::string digest;
};
struct Ended {  // the delivery has ended, and so has its offer
  std::string digest;
  std::optional<std::string> refused{};  // why; none: the content is delivered
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
  // The content's offer is being made, or its frames are being sent.
  [[nodiscard]] bool busy(const std::string& digest) const;
  [[nodiscard]] std::size_t size() const { return all_.size(); }

 private:
  enum class State { waiting, making, sending };
  struct One {
    State state = State::waiting;
    std::uint64_t added = 0;  // how many were added before it
    Time announce_at{};
    Duration wait{};              // to the next announcement; grows while nobody answers
    std::optional<Time> asked{};  // the content is announced, and until then counts as being sent
    Time silent_at{};             // while the content is sent: when the receiver counts as silent
    Time heard{};
    std::string terms{};  // terms of the standing offer; empty: there is none
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
  std::deque<std::string> turns_;   // all contents, the next one to announce first
  std::uint64_t added_ = 0;
};

static_assert(Core<Deliveries>);

}  // namespace fieldwork::exchange::deliver
