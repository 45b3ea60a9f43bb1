// links: transfer_core GTest::gtest_main
// Who gets how much of a bandwidth, and who gets a slot first.
#include "support/transfer_core.hpp"

namespace fieldwork::transfer {
namespace {

using std::chrono::minutes;
using Rates = std::vector<double>;
using Paced = std::map<TransferId, std::int64_t>;

// --- fair_shares ---

TEST(FairShares, WithoutABudgetEachHasWhatItWants) {
  EXPECT_EQ(fair_shares({}, {}), Rates{});
  EXPECT_EQ(fair_shares({{}, {.wants = 7}}, {5}), (Rates{unlimited, 7}));
}

TEST(FairShares, DivideABudgetByWeight) {
  EXPECT_EQ(fair_shares({{.weight = 4, .of = {0}}, {.weight = 2, .of = {0}}, {.of = {0}}, {}}, {70}),
            (Rates{40, 20, 10, unlimited}));
}

TEST(FairShares, LeaveToOthersWhatOneDoesNotWant) {
  EXPECT_EQ(fair_shares({{.wants = 10, .of = {0}}, {.wants = 40, .of = {0}}, {.of = {0}}}, {120}), (Rates{10, 40, 70}));
  EXPECT_EQ(fair_shares({{.wants = 10, .of = {0}}, {.wants = 20, .of = {0}}}, {120}), (Rates{10, 20}));
}

// A device of 10 in a site of 30 in a whole of 100: what the inner ones cannot use goes to those outside of them.
TEST(FairShares, HoldEveryBudgetThatAFlowDrawsOn) {
  const std::vector<Flow> flows{{.of = {0, 1, 2}}, {.of = {0, 1}}, {.of = {0}}, {.of = {0}}};
  EXPECT_EQ(fair_shares(flows, {100, 30, 10}), (Rates{10, 20, 35, 35}));
  EXPECT_EQ(fair_shares(flows, {20, 30, 10}), (Rates{5, 5, 5, 5}));
  EXPECT_EQ(fair_shares(flows, {0, 30, 10}), (Rates{0, 0, 0, 0}));
}

// Whatever the flows: no budget is exceeded, and each flow has what it wants or draws on a budget that is used up.
TEST(FairShares, WasteNothingAndExceedNothing) {
  std::uint32_t seed = 1;
  const auto below = [&](std::uint32_t n) { return (seed = seed * 1664525 + 1013904223) / 65536 % n; };
  for (int round = 0; round < 300; ++round) {
    Rates budgets(1 + below(5));
    for (auto& one : budgets) one = 1 + below(1000);
    std::vector<Flow> flows(1 + below(30));
    for (auto& one : flows) {
      one.weight = 1 + below(4);
      if (below(2) == 0) one.wants = below(200);
      for (std::size_t i = 0; i < budgets.size(); ++i) {
        if (below(3) == 0) one.of.push_back(i);
      }
    }
    const auto rates = fair_shares(flows, budgets);
    Rates used(budgets.size());
    for (std::size_t i = 0; i < flows.size(); ++i) {
      for (const auto one : flows[i].of) used[one] += rates[i];
    }
    for (std::size_t i = 0; i < budgets.size(); ++i) EXPECT_LE(used[i], budgets[i] * (1 + 1e-9));
    for (std::size_t i = 0; i < flows.size(); ++i) {
      EXPECT_LE(rates[i], flows[i].wants);
      const bool held_back = rates[i] < flows[i].wants;
      const bool full = std::any_of(flows[i].of.begin(), flows[i].of.end(),
                                    [&](std::size_t one) { return used[one] >= budgets[one] * (1 - 1e-9); });
      EXPECT_TRUE(!held_back || full) << "round " << round << " flow " << i;
    }
  }
}

// --- budgets of the core ---

Paced paced(const Effects& effects) {
  Paced out;
  for (const auto& effect : effects) {
    if (const auto* one = std::get_if<PaceSending>(&effect)) out[one->id] = one->bit_per_s_max;
  }
  return out;
}

void stands_at(Core& t, const std::string& device, const std::string& site, std::int64_t bit_per_s_max = 0) {
  t.step(DeviceHeard{device, Standing{Lifecycle::active, "", "", bit_per_s_max, false, site}});
}

Effects want(Core& t, const std::string& device, const std::string& digest, int priority = 5) {
  return t.step(Wanted{Asker{.party = {Party::Kind::device, device}, .channel = "want"}, digest,
                       pki().certificate("d1"), made_id(t.next_id++), Accepts{}, priority, 1});
}

TransferId opened(const Effects& effects) { return only<OpenSending>(effects).sending.id; }

// The network of d1 is under pressure: what is sent to it shares one rate.
TEST(Budget, OfADeviceIsSharedByItsOpenSendings) {
  Core t({}, packages_of({digest_a, digest_b}));
  const auto standing = [&](std::int64_t bit_per_s_max) {
    return t.step(DeviceHeard{"d1", Standing{Lifecycle::active, "", "", bit_per_s_max}});
  };
  const auto first = t.want("d1", digest_a);
  EXPECT_EQ(paced(first), Paced{}) << "nobody asked for a limit";
  const auto a = opened(first);
  const auto other = opened(t.want("d2", digest_a));
  EXPECT_EQ(paced(standing(1000)), (Paced{{a, 1000}}));
  EXPECT_EQ(paced(standing(1000)), Paced{}) << "as before";
  EXPECT_EQ(t.core->sending(a)->throttled_bit_per_s, 1000);
  const auto second = t.want("d1", digest_b);
  const auto b = opened(second);
  EXPECT_EQ(paced(second), (Paced{{a, 500}, {b, 500}}));
  EXPECT_EQ(paced(t.step(Answered{d1, b, ReceivedState::complete, ""})), (Paced{{a, 1000}}));
  EXPECT_EQ(paced(standing(0)), (Paced{{a, 0}}));
  EXPECT_EQ(t.core->sending(a)->throttled_bit_per_s, 0);
  EXPECT_EQ(paced(t.step(Answered{d2, other, ReceivedState::complete, ""})), Paced{});
}

// d1 has two sendings and d2 one: the devices have the same, but what is urgent counts more.
TEST(Budget, OfASiteIsSharedByItsDevices) {
  Core t({.site_bit_per_s_max = 1'200'000, .sites = {{"paris", 600'000}}}, packages_of({digest_a, digest_b}));
  for (const auto* device : {"d1", "d2"}) stands_at(t, device, "berlin");
  stands_at(t, "d3", "paris");
  stands_at(t, "d4", "");
  const auto a = opened(want(t, "d1", digest_a));
  const auto b = opened(want(t, "d1", digest_b));
  auto effects = want(t, "d2", digest_a);
  const auto c = opened(effects);
  EXPECT_EQ(paced(effects), (Paced{{a, 300'000}, {b, 300'000}, {c, 600'000}}));
  effects = want(t, "d3", digest_a);
  EXPECT_EQ(paced(effects), (Paced{{opened(effects), 600'000}}));
  EXPECT_EQ(paced(want(t, "d4", digest_a)), Paced{}) << "nothing is known of where it stands";
  effects = want(t, "d2", digest_b, 9);
  EXPECT_EQ(paced(effects), (Paced{{a, 200'000}, {b, 200'000}, {c, 266'666}, {opened(effects), 533'333}}));
}

// A link that takes less than its share leaves the rest to the others; what only its share holds back gets more again.
TEST(Budget, IsDividedAnewAsLinksAreMeasured) {
  Core t({.bit_per_s_max = 1'000'000}, packages_of({digest_a}));
  const auto slow = opened(t.want("d1", digest_a));
  const auto fast = opened(t.want("d2", digest_a));
  const auto measured = [&](const TransferId& id, std::int64_t bit_per_s) {
    t.step(Progressed{id, {{0, 1}}, 1, 1, 0, Measurements{.bit_per_s = bit_per_s}});
  };
  const auto next = [&] {
    t.now += seconds(1);
    return paced(t.step(TimePassed{}));
  };
  measured(slow, 80'000);
  measured(fast, 5'000'000);
  EXPECT_EQ(next(), (Paced{{slow, 100'000}, {fast, 900'000}}));
  EXPECT_EQ(next(), Paced{});
  measured(slow, 95'000);
  EXPECT_EQ(next(), (Paced{{slow, 500'000}, {fast, 500'000}}));
}

TEST(Budget, OpensNoMoreThanItCanFeed) {
  Core t({.site_bit_per_s_max = 70'000}, packages_of({digest_a}));
  for (const auto* device : {"d1", "d2", "d3"}) stands_at(t, device, "berlin");
  stands_at(t, "d4", "paris");
  const auto first = opened(want(t, "d1", digest_a));
  EXPECT_EQ(count<OpenSending>(want(t, "d2", digest_a)), 1U);
  EXPECT_EQ(count<OpenSending>(want(t, "d3", digest_a)), 0U);
  EXPECT_EQ(count<OpenSending>(want(t, "d4", digest_a)), 1U);
  t.step(Answered{d1, first, ReceivedState::complete, ""});
  EXPECT_EQ(only<OpenSending>(t.step(TimePassed{})).sending.to.name, "d3");
}

// --- priorities of slots ---

TEST(Slots, GoToTheUrgentFirstButNobodyWaitsForEver) {
  Core t({.slots_max = 1, .slot_silence = minutes(60)}, packages_of({digest_a, digest_b}));
  for (const auto* device : {"d3", "d4"}) t.stands(device, Lifecycle::active);
  const auto next = [&](const TransferId& done) {
    t.step(Answered{Asker{.party = t.core->sending(done)->to}, done, ReceivedState::complete, ""});
    return only<OpenSending>(t.step(TimePassed{})).sending;
  };
  const auto first = opened(want(t, "d1", digest_a));
  want(t, "d2", digest_a, 1);
  want(t, "d3", digest_a, 5);
  want(t, "d1", digest_b, 5);
  want(t, "d4", digest_a, 9);
  const auto urgent = next(first);
  EXPECT_EQ(urgent.to.name, "d4");
  t.now += minutes(20);  // the low one counts as high by now, as the others do
  want(t, "d4", digest_b, 9);
  std::vector<std::string> order;
  for (auto last = next(urgent.id);; last = next(last.id)) {
    order.push_back(last.to.name);
    if (order.size() == 4) break;
  }
  EXPECT_EQ(order, (std::vector<std::string>{"d1", "d2", "d3", "d4"})) << "in turn";
}

// A package that waits at low priority is needed by an urgent job, too.
TEST(Slots, AnUrgentWantRaisesWhatWaits) {
  Core t({.slots_max = 1}, packages_of({digest_a, digest_b}));
  const auto first = opened(want(t, "d1", digest_a));
  want(t, "d2", digest_a, 1);
  want(t, "d1", digest_b, 5);
  const auto again = only<SendOffer>(want(t, "d2", digest_a, 9)).sending;
  EXPECT_EQ(t.rows.sendings.at(again.id).priority, 9);
  t.step(Answered{d1, first, ReceivedState::complete, ""});
  EXPECT_EQ(only<OpenSending>(t.step(TimePassed{})).sending.to.name, "d2");
  EXPECT_EQ(only<SendOffer>(want(t, "d2", digest_a, 1)).sending.priority, 9);
}

}  // namespace
}  // namespace fieldwork::transfer
