// links: transfer_core GTest::gtest_main
// What operators do with sendings, and sendings of one encoding to many receivers.
#include "support/transfer_core.hpp"

namespace fieldwork::transfer {
namespace {

using std::chrono::minutes;
using Verb = Controlled::Verb;

TransferId running(Core& t) { return only<OpenSending>(t.want("d1", digest_a)).sending.id; }

TEST(Control, PausesAndGoesOnWhereItWas) {
  Core t({.slots_max = 1}, packages_of({digest_a, digest_b}));
  const auto id = running(t);
  t.step(Progressed{id, {{0, 10}}, 10, 20});
  auto effects = t.control(Verb::pause, id);
  EXPECT_EQ(only<CloseSending>(effects).id, id);
  EXPECT_EQ(only<AnswerControlled>(effects).sending.phase, Phase::suspended);
  EXPECT_EQ(t.core->sending(id)->reason, "paused by alice");
  EXPECT_EQ(count<OpenSending>(t.want("d2", digest_b)), 1U) << "its slot is free";
  t.step(Answered{d1, id, ReceivedState::receiving, ""});
  t.now += minutes(1);
  EXPECT_EQ(count<OpenSending>(t.step(TimePassed{})), 0U);
  EXPECT_EQ(only<SendOffer>(t.want("d1", digest_a)).sending.id, id) << "the receiver need not begin anew";
  t.restart();
  EXPECT_EQ(count<OpenSending>(t.step(LinkBack{})) + count<OpenSending>(t.step(TimePassed{})), 1U) << "d2's alone";
  t.step(Answered{Asker{.party = {Party::Kind::device, "d2"}}, t.core->sendings_of(digest_b, 1).front()->id,
                  ReceivedState::complete, ""});
  effects = t.control(Verb::resume, id);
  EXPECT_EQ(only<OpenSending>(effects).sending.acked, (ByteRanges{{0, 10}}));
  EXPECT_TRUE(t.core->sending(id)->reason.empty());
  EXPECT_EQ(count<OpenSending>(t.control(Verb::resume, id)), 0U) << "twice changes nothing";
}

// A client asks again on its own, when it hears nothing.
TEST(Control, CancelsForAClientToo) {
  Core t({}, packages_of({digest_a}));
  const auto id = only<OpenSending>(t.want(alice, digest_a)).sending.id;
  t.control(Verb::cancel, id);
  EXPECT_EQ(only<SayNotOffered>(t.want(alice, digest_a)).reason, "cancelled by alice");
}

TEST(Control, CancelsForWhoWaitsAndForAWhile) {
  Core t({}, packages_of({digest_a}));
  const auto id = running(t);
  const auto effects = t.control(Verb::cancel, id);
  EXPECT_EQ(only<CloseSending>(effects).id, id);
  EXPECT_EQ(only<SayEnded>(effects).id, id);
  EXPECT_EQ(only<SayNotOffered>(effects).to.party.name, "d1");
  EXPECT_EQ(only<AnswerControlled>(effects).sending.state, SendingState::cancelled);
  EXPECT_EQ(only<SayNotOffered>(t.want("d1", digest_a)).reason, "cancelled by alice");
  t.now += minutes(10);
  EXPECT_EQ(count<OpenSending>(t.want("d1", digest_a)), 1U);
  for (const auto verb : {Verb::pause, Verb::resume, Verb::cancel}) {
    EXPECT_EQ(only<Reject>(t.control(verb, id)).error.code, Code::conflict);
    EXPECT_EQ(only<Reject>(t.control(verb, made_id(77))).error.code, Code::unknown);
  }
}

TEST(Sharing, WaitsUntilNoOtherHasComeForAMoment) {
  Core t({}, packages_of({digest_a}));
  EXPECT_EQ(count<OpenSending>(t.want_with("d1", digest_a, 3)), 0U);
  t.now += milliseconds(200);
  EXPECT_EQ(count<OpenSending>(t.step(TimePassed{})) + count<OpenSending>(t.want_with("d2", digest_a, 3)), 0U);
  t.now += milliseconds(299);
  EXPECT_EQ(count<OpenSending>(t.step(TimePassed{})), 0U);
  t.now += milliseconds(1);
  const auto begun = t.step(TimePassed{});
  EXPECT_EQ(count<OpenSending>(begun), 2U);
  for (const auto& effect : begun) {
    if (const auto* open = std::get_if<OpenSending>(&effect)) {
      EXPECT_TRUE(open->shared);
    }
  }
}

TEST(Sharing, WaitsNoLongerThanTwoSeconds) {
  Core t({}, packages_of({digest_a}));
  std::size_t opened = 0;
  for (int i = 1; i <= 12; ++i) {
    opened += count<OpenSending>(t.want_with("d" + std::to_string(i), digest_a, 100));
    t.now += milliseconds(200);
    opened += count<OpenSending>(t.step(TimePassed{}));
    if (i == 9) {
      EXPECT_EQ(opened, 0U);
    }
  }
  EXPECT_GE(opened, 10U);
}

TEST(Sharing, IsForDevicesThatAreNotAlone) {
  Core t({}, packages_of({digest_a}));
  EXPECT_FALSE(only<OpenSending>(t.want("d1", digest_a)).shared);
  EXPECT_FALSE(only<SendOffer>(t.want("d1", digest_a)).sending.offer.shared);
}

// Who was in a group goes on alone: the service does not know who of the others still wants it.
TEST(Sharing, EndsWithARestart) {
  Core t({}, packages_of({digest_a}));
  t.want_with("d1", digest_a, 2);
  t.want_with("d2", digest_a, 2);
  t.now += seconds(1);
  const auto shared = [&](const Effects& effects) {
    std::vector<bool> out;
    for (const auto& effect : effects) {
      if (const auto* one = std::get_if<OpenSending>(&effect)) out.push_back(one->shared);
    }
    return out;
  };
  EXPECT_EQ(shared(t.step(TimePassed{})), (std::vector{true, true}));
  t.restart();
  EXPECT_EQ(shared(t.step(TimePassed{})), (std::vector{false, false}));
}

// Its receiver would go on hearing the frames for many.
TEST(Sharing, WhoLeavesHearsAnOfferForItAlone) {
  Core t({}, packages_of({digest_a}));
  const auto id = only<SendOffer>(t.want_with("d1", digest_a, 2)).sending.id;
  t.want_with("d2", digest_a, 2);
  t.now += seconds(1);
  EXPECT_TRUE(t.core->sending(id)->offer.shared);
  t.step(TimePassed{});
  auto effects = t.step(LeftGroup{id});
  EXPECT_FALSE(only<SendOffer>(effects).sending.offer.shared);
  EXPECT_FALSE(t.rows.sendings.at(id).offer.shared);
  EXPECT_EQ(count<SendOffer>(t.step(LeftGroup{id})), 0U) << "once";
  const auto other = t.core->sendings_of(digest_a, 2);
  const auto second = other[0]->id == id ? other[1]->id : other[0]->id;
  effects = t.control(Verb::pause, second);
  EXPECT_FALSE(only<SendOffer>(effects).sending.offer.shared);
  effects = t.control(Verb::resume, second);
  EXPECT_FALSE(only<OpenSending>(effects).shared);
}

// Slots that come free one after the other do not make a pass of one each.
TEST(Sharing, GathersAgainWhoWaitedForASlot) {
  Core t({.slots_max = 1}, packages_of({digest_a, digest_b}));
  const auto first = only<OpenSending>(t.want("d1", digest_b)).sending.id;
  t.want_with("d1", digest_a, 2);
  t.want_with("d2", digest_a, 2);
  t.now += seconds(5);
  t.step(TimePassed{});  // what they gathered for is over
  t.step(Answered{d1, first, ReceivedState::complete, ""});
  EXPECT_EQ(count<OpenSending>(t.step(TimePassed{})), 0U);
  t.now += milliseconds(300);
  EXPECT_EQ(count<OpenSending>(t.step(TimePassed{})), 1U);
}

}  // namespace
}  // namespace fieldwork::transfer
