// links: transfer_core GTest::gtest_main
// A sending in each of its states: what ends it, who comes back late, and what is done without a link.
#include <functional>

#include "support/transfer_core.hpp"

namespace fieldwork::transfer {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

// Brings the sending of digest_a to d1 into this state, and returns its id.
struct Stage {
  const char* name;
  std::function<TransferId(Core&)> reach;
};

TransferId running(Core& t) { return only<OpenSending>(t.want("d1", digest_a)).sending.id; }
TransferId waiting(Core& t) {
  only<OpenSending>(t.want("d2", digest_a));
  return only<SendOffer>(t.want("d1", digest_a)).sending.id;
}
TransferId parked(Core& t) {
  const auto id = running(t);
  t.step(Progressed{id, {{0, 10}}, 10, 20});
  t.now += seconds(31);
  EXPECT_EQ(only<CloseSending>(t.step(TimePassed{})).id, id);
  return id;
}
const Stage stages[] = {{"running", running}, {"waiting", waiting}, {"parked", parked}};

TEST(Sending, EndsInEachStateAsItsReceiverSays) {
  struct Case {
    ReceivedState said;
    const char* reason;
    SendingState state;
  };
  for (const auto& stage : stages) {
    for (const auto& one : {Case{ReceivedState::complete, "", SendingState::complete},
                            Case{ReceivedState::failed, "the receiver gave it up", SendingState::failed}}) {
      SCOPED_TRACE(std::string(stage.name) + (one.reason[0] == 0 ? ", complete" : ", failed"));
      Core t({.slots_max = 1}, packages_of({digest_a}));
      const auto id = stage.reach(t);
      const auto effects = t.step(Answered{d1, id, one.said, ""});
      for (const auto& ended : {only<SayEnded>(effects).id, only<CloseSending>(effects).id,
                                only<SaveSending>(effects).id, only<PublishSending>(effects).id}) {
        EXPECT_EQ(ended, id);
      }
      EXPECT_EQ(t.core->sending(id)->state, one.state);
      EXPECT_EQ(t.core->sending(id)->reason, one.reason);
      // Nothing that comes later changes it.
      t.now += hours(1) - seconds(1);
      EXPECT_TRUE(t.step(Progressed{id, {{0, 20}}, 20, 20}).empty());
      EXPECT_TRUE(t.step(SendingBroke{id, "late"}).empty());
      EXPECT_TRUE(t.step(Answered{d1, id, ReceivedState::complete, ""}).empty());
      EXPECT_TRUE(t.step(Answered{d1, id, ReceivedState::unwanted, ""}).empty());
      EXPECT_EQ(t.core->sending(id)->state, one.state);
    }
  }
}

TEST(Sending, UnwantedInAnyStateLeavesNothing) {
  for (const auto& stage : stages) {
    SCOPED_TRACE(stage.name);
    Core t({.slots_max = 1}, packages_of({digest_a}));
    const auto id = stage.reach(t);
    const auto effects = t.step(Answered{d1, id, ReceivedState::unwanted, ""});
    EXPECT_EQ(only<ClearSending>(effects).id, id);
    EXPECT_EQ(only<DropSending>(effects).id, id);
    EXPECT_EQ(count<SayEnded>(effects), 0U);
    EXPECT_FALSE(t.core->live().contains(id));
    for (int i = 0; i < 700; ++i, t.now += seconds(1)) {
      for (const auto& effect : t.step(TimePassed{})) {
        const auto* offer = std::get_if<SendOffer>(&effect);
        EXPECT_FALSE(offer != nullptr && offer->sending.id == id);
      }
    }
  }
}

// Whatever ended it: its slot goes to who waits, and the want of a receiver that still needs it begins a new transfer.
TEST(Sending, ItsEndMakesRoomAndTheNextWantBeginsAnew) {
  Core t({.slots_max = 1}, packages_of({digest_a, digest_b}));
  auto id = running(t);
  const auto other = only<SendOffer>(t.want("d2", digest_b)).sending.id;
  EXPECT_EQ(only<SayEnded>(t.step(SendingBroke{id, "the stored content cannot be read"})).id, id);
  EXPECT_EQ(t.core->sending(id)->reason, "the stored content cannot be read");
  EXPECT_EQ(only<OpenSending>(t.step(TimePassed{})).sending.id, other);
  const auto next = only<SendOffer>(t.want("d1", digest_a)).sending;
  EXPECT_NE(next.id, id);
  EXPECT_EQ(next.attempt, 2);
  EXPECT_EQ(next.acked_bytes, 0);
  // A device that lost its memory after it had all: no failure.
  t.step(Answered{d1, next.id, ReceivedState::complete, ""});
  EXPECT_EQ(only<SendOffer>(t.want("d1", digest_a)).sending.attempt, 1);
}

TEST(Sending, AParkedReceiverThatAnswersAnHourLaterGoesOn) {
  Core t({}, packages_of({digest_a}));
  const auto id = parked(t);
  EXPECT_EQ(t.core->sending(id)->reason, "the receiver is silent");
  EXPECT_EQ(t.rows.sendings.at(id).acked_bytes, 10);  // saved when it lost its slot
  t.now += hours(1);
  for (int i = 0; i < 3; ++i) t.step(Answered{d1, id, ReceivedState::receiving, ""});
  const auto effects = t.step(TimePassed{});
  EXPECT_EQ(only<OpenSending>(effects).sending.acked, (ByteRanges{{0, 10}}));
  EXPECT_EQ(only<PublishSending>(effects).id, id);
  EXPECT_EQ(t.core->sending(id)->reason, "");
  EXPECT_EQ(count<OpenSending>(t.step(TimePassed{})), 0U);
}

TEST(Sending, OffersToASilentReceiverComeAtDoublingIntervals) {
  Core t({}, packages_of({digest_a}));
  const auto id = parked(t);
  const auto gaps = [&](int offers) {
    std::vector<int> out{0};
    for (int second = 0; static_cast<int>(out.size()) <= offers && second < 5000; ++second, t.now += seconds(1)) {
      if (count<SendOffer>(t.step(TimePassed{})) > 0) out.push_back(0);
      ++out.back();
    }
    out.pop_back();
    return out;
  };
  EXPECT_EQ(gaps(7), (std::vector{30, 60, 120, 240, 480, 600, 600}));
  t.step(Answered{d1, id, ReceivedState::receiving, ""});
  t.step(TimePassed{});
  t.now += seconds(31);
  t.step(TimePassed{});
  EXPECT_EQ(gaps(2), (std::vector{30, 60}));
}

TEST(Sending, WhoIsNotServedIsOfferedNothingUntilItIsAgain) {
  for (const bool removed : {false, true}) {
    Core t({}, packages_of({digest_a}));
    parked(t);
    if (removed) t.step(DeviceHeard{"d1", std::nullopt});
    if (!removed) t.stands("d1", Lifecycle::enrolling);
    t.now += minutes(5);
    EXPECT_EQ(count<SendOffer>(t.step(TimePassed{})), 0U);
    t.stands("d1", Lifecycle::active);
    only<SendOffer>(t.step(TimePassed{}));
  }
}

TEST(Sending, AClientsSilenceEndsItsFetchAndFailuresDoNotHoldItBack) {
  Core t({}, packages_of({digest_a}));
  for (int i = 0; i < 5; ++i) {
    const auto sending = only<SendOffer>(t.want(alice, digest_a)).sending;
    EXPECT_EQ(sending.attempt, 1);
    EXPECT_EQ(sending.reply, "cli-1");
    t.step(Answered{alice, sending.id, ReceivedState::failed, "no space"});
  }
  const auto id = only<SendOffer>(t.want(alice, digest_a)).sending.id;
  t.now += minutes(10);
  EXPECT_EQ(count<SayEnded>(t.step(TimePassed{})), 0U);
  t.now += seconds(1);
  EXPECT_EQ(only<SayEnded>(t.step(TimePassed{})).id, id);
  EXPECT_EQ(t.core->sending(id)->reason, "client silent");
}

TEST(Sending, AnOfferThatCannotBeMadeIsToldAndHidesNoFailure) {
  Core t({}, packages_of({digest_a}));
  for (int i = 0; i < 3; ++i) {
    t.step(Answered{d1, only<SendOffer>(t.want("d1", digest_a)).sending.id, ReceivedState::failed, "no space"});
  }
  Output done;
  t.core->step(Wanted{d1, digest_a, pki().certificate("d1"), id_of(50)}, t.now, done);
  EXPECT_EQ(count<MakeOffer>(flat(done)), 1U);
  const auto failed = t.step(OfferFailed{id_of(50), "no random numbers", d2});
  EXPECT_EQ(only<Reject>(failed).to.party, d2.party);  // as MakeOffer said it
  EXPECT_EQ(only<Reject>(failed).error.code, Code::unavailable);
  EXPECT_EQ(only<SendOffer>(t.want("d1", digest_a)).sending.attempt, 4);
}

// --- without a link, and after a standstill ---

TEST(Sending, AfterAStandstillWhoeverWaitsKeepsItsTurn) {
  for (const bool stall : {false, true}) {
    Core t({.slots_max = 1}, packages_of({digest_a}));
    const auto busy = only<OpenSending>(t.want("d2", digest_a)).sending.id;
    const auto next = only<SendOffer>(t.want("d1", digest_a)).sending.id;
    if (!stall) t.step(LinkLost{});
    t.now += minutes(1);
    t.step(stall ? Input(Stalled{}) : Input(LinkBack{}));
    t.step(Answered{d2, busy, ReceivedState::complete, ""});
    EXPECT_EQ(only<OpenSending>(t.step(TimePassed{})).sending.id, next);
  }
}

// Its row is not saved, and it may yet prove to be impossible: nobody could clear the state.
TEST(Sending, BeforeItsOfferIsMadeNoStateOfItIsPublished) {
  Core t({}, packages_of({digest_a}));
  Output done;
  t.core->step(Wanted{d1, digest_a, pki().certificate("d1"), id_of(50)}, t.now, done);
  t.core->step(LinkLost{}, t.now, done);
  t.core->step(LinkBack{}, t.now, done);
  t.core->step(TimePassed{}, t.now + milliseconds(10), done);
  t.core->step(BatchEnded{}, t.now, done);
  EXPECT_TRUE(done.sending_states.empty());
  EXPECT_TRUE(done.sendings.empty());
}

TEST(Sending, AfterTheBrokerCameBackTheStatesThatStandAreSaidAgain) {
  Core t({}, packages_of({digest_a, digest_b}));
  const auto over = running(t);
  t.step(Answered{d1, over, ReceivedState::complete, ""});
  t.now += hours(1);
  only<ClearSending>(t.step(TimePassed{}));
  const auto settled = only<SendOffer>(t.want("d2", digest_a)).sending.id;
  t.step(Answered{d2, settled, ReceivedState::complete, ""});
  const auto live = only<SendOffer>(t.want("d1", digest_b)).sending.id;
  t.step(LinkLost{});
  t.now += seconds(1);
  EXPECT_EQ(only<SendOffer>(t.step(LinkBack{})).sending.id, live);
  std::set<TransferId> said;
  for (int i = 0; i < 10; ++i, t.now += milliseconds(1)) {
    for (const auto& effect : t.step(TimePassed{})) {
      if (const auto* state = std::get_if<PublishSending>(&effect)) said.insert(state->id);
    }
  }
  EXPECT_EQ(said, (std::set<TransferId>{settled, live}));
}

TEST(Sending, AClockThatGoesBackStopsNeitherRepeatsNorProgress) {
  Core t({}, packages_of({digest_a}));
  t.step(TimePassed{});
  t.now -= hours(2);
  const auto id = running(t);
  std::size_t packages = 0, states = 0;
  for (int second = 0; second < 180; ++second, t.now += seconds(1)) {
    t.step(Progressed{id, {{0, 10}}, 10, 1});
    t.step(Answered{d1, id, ReceivedState::receiving, ""});
    const auto effects = t.step(TimePassed{});
    packages += count<PublishPackage>(effects);
    states += count<PublishSending>(effects);
  }
  EXPECT_NEAR(static_cast<double>(packages), 3, 1);
  EXPECT_GE(states, 170U);
  EXPECT_EQ(t.rows.sendings.at(id).acked_bytes, 10);
}

}  // namespace
}  // namespace fieldwork::transfer
