// The receiving half of moving contents, for the agent (packages) and the CLI (outputs): when to ask, which offer to
// take, when the last word is said. Pure: bytes and files belong to the shell (inbound.hpp), which reports what came of
// them as inputs. The other half is the transfer service's core.
//
//   Want -> Ask … OfferCame -> Open … FrameCame(all) -> Finish -> Finished -> Word(complete), ended
//
// The sender repeats until it hears a last word (complete, failed or unwanted). Every input may come twice, late or
// never.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/core.hpp"
#include "base/result.hpp"
#include "model/package.hpp"

namespace fieldwork::exchange::fetch {

struct Limits {
  Duration ask_again{seconds(5)};     // between two questions while there is no offer
  Duration silent{seconds(20)};       // longest silence with an offer; then the content is asked for again
  std::optional<Duration> not_yet{};  // after NotOffered: ask again after this. None: the content is refused
  std::optional<Duration> give_up{};  // longest silence; then the content is refused. None: never
  int fetched_again_max = 3;          // times that a content is fetched anew whose bytes were changed on their way
};

// --- inputs
struct Want {
  std::string digest;
};
struct Unwant {  // nobody needs the content any more
  std::string digest;
};
struct OfferCame {  // a well-formed offer; whether it can be taken, Open will show
  std::string digest;
  TransferId transfer;
  bool here = false;  // the content is here already
};
struct NotOffered {
  std::string digest;
  std::string reason;
};
struct FrameCame {
  std::string digest;
  bool all = false;  // all encoded bytes are here
};
struct CannotReceive {  // the offer is bad, there is no room, the disk refuses
  std::string digest;
  std::string reason;
  TransferFailure failure = TransferFailure::verification_failed;
};
struct Finished {  // the outcome of Finish, later; no error: the content is verified and in its place
  std::string digest;
  TransferId transfer;
  // unavailable: the disk failed; conflict: bytes were changed on their way; else: the content is not what was offered
  std::optional<Error> error{};
  bool again = false;  // after the disk failed: there may be room now
};
using Input = std::variant<Want, Unwant, OfferCame, NotOffered, FrameCame, CannotReceive, Finished, LinkBack,
                           TimePassed, BatchEnded>;

// --- what must follow
struct Open {  // take frames of the content, going on from the bytes that are here. FrameCame or CannotReceive follows
  std::string digest;
  TransferId transfer;
};
struct Finish {
  std::string digest;
};
struct Discard {  // delete the bytes that this transfer received
  TransferId transfer;
};
using Work = std::variant<Open, Finish, Discard>;
struct Ask {
  std::string digest;
};
struct Word {  // what the sender is told
  TransferId transfer;
  ReceivedState state = ReceivedState::receiving;  // receiving: all bytes are here and are being verified
  std::string reason{};
  std::optional<TransferFailure> failure{};  // only of failed
};
using Say = std::variant<Ask, Word>;
struct Ended {
  std::string digest;
  std::optional<std::string> refused{};  // why; none: the content is here
  bool work_fault = false;               // the content is not what was offered: asking somewhere else gives the same
};
struct Output {
  std::vector<Work> work;  // in order
  std::vector<Say> say;
  std::vector<Ended> ended;
};

class Fetches {
 public:
  using Input = fetch::Input;
  using Output = fetch::Output;

  explicit Fetches(Limits limits) : limits_(limits) {}

  void step(const Input& input, Time now, Output& out);

  [[nodiscard]] bool wants(const std::string& digest) const { return all_.contains(digest); }
  [[nodiscard]] bool finishing(const std::string& digest) const;
  [[nodiscard]] std::size_t size() const { return all_.size(); }

 private:
  struct One {
    Time ask_at{};
    Time heard{};
    TransferId transfer;  // transfer of the offer that was taken; empty: none yet
    bool finishing = false;
    bool tried_again = false;
    int fetched_again = 0;
  };
  using Place = std::map<std::string, One>::iterator;

  void on(const Want& input, Time now, Output& out);
  void on(const Unwant& input, Time now, Output& out);
  void on(const OfferCame& input, Time now, Output& out);
  void on(const NotOffered& input, Time now, Output& out);
  void on(const FrameCame& input, Time now, Output& out);
  void on(const CannotReceive& input, Time now, Output& out);
  void on(const Finished& input, Time now, Output& out);
  void on(const LinkBack& input, Time now, Output& out);
  void on(const TimePassed& input, Time now, Output& out);
  void on(const BatchEnded& input, Time now, Output& out);
  void accept(One& one, const OfferCame& offer, Time now, Output& out) const;
  void refuse(Place at, std::string reason, TransferFailure failure, bool work_fault, Output& out);

  Limits limits_;
  std::map<std::string, One> all_;  // by digest
  std::vector<OfferCame> unasked_;  // offers of this batch for contents not yet wanted: its end shows which are
};

static_assert(Core<Fetches>);

}  // namespace fieldwork::exchange::fetch
