// links: security_policy_shell GTest::gtest_main
// A core that is started again from its rows, and what the broker kept of the audit's end meanwhile.
#include <gtest/gtest.h>

#include <random>

#include "crypto/digest.hpp"
#include "support/policy_table.hpp"

namespace fieldwork::security_policy {
namespace {

constexpr double days = 86'400;

// The rows of `count` decisions, from one process.
Table decided(int count) {
  Table table;
  auto core = make_core();
  for (int i = 1; i <= count; ++i) (void)table.keep(ask(core, question("operator", "ls", "", i), i));
  return table;
}
AuditHead head_of(const AuditRow& row) { return {row.sequence, row.hash, row.at_ms}; }
SecurityPolicy restarted(const Table& table, double s) { return make_core({}, table.saved(), at(s)); }

TEST(Restart, DecidesTheSameQuestionAnewAndAuditsItAgain) {
  auto table = decided(2);
  auto core = restarted(table, 10);
  const auto out = table.keep(ask(core, question("operator", "ls", "", 2), 11));
  EXPECT_EQ(out.decisions.size(), 1u);
  ASSERT_EQ(out.audit.size(), 1u);
  EXPECT_EQ(out.audit[0].sequence, 3);
  EXPECT_TRUE(verify(table.rows()).ok());
}

TEST(Restart, KnowsNoDeviceUntilItsStateArrives) {
  auto core = make_core();
  (void)step(core, DeviceSeen{edge, Lifecycle::active, ""}, at(0));
  Table table;
  (void)table.keep(ask(core, question("operator", "ls"), 1));
  auto again = restarted(table, 2);
  EXPECT_EQ(ask(again, question("operator", "ls"), 3).decisions.size(), 0u) << "it may be refused by now";
  (void)step(again, DeviceSeen{edge, Lifecycle::refused, ""}, at(4));
  EXPECT_FALSE(ask(again, question("operator", "ls"), 5).decisions.at(0).allow);
}

TEST(Restart, NothingIsPublishedWithoutALink) {
  SecurityPolicy core(
      {}, rulebook(), nullptr, [](auto&&...) { return std::vector<std::string>(); }, decided(3).saved());
  EXPECT_EQ(step(core, TimePassed{}, at(99)).head, std::nullopt) << "nobody could have said what the broker kept";
  EXPECT_EQ(step(core, LinkBack{}, at(100)).head, std::nullopt);
  EXPECT_EQ(step(core, LinkBack{}, at(103)).head, std::nullopt);
  EXPECT_EQ(step(core, TimePassed{}, at(105)).head, core.head()) << "the wait began with the first connection";
}

TEST(Restart, AHeadIsPublishedAgainAfterEachConnectionButOnceASecond) {
  auto core = restarted(decided(3), 0);
  EXPECT_EQ(step(core, HeadKept{core.head(), "jws", core.head()}, at(1)).head, core.head()) << "the wait is over";
  EXPECT_EQ(step(core, HeadKept{core.head(), "jws", core.head()}, at(3)).head, std::nullopt) << "our own";
  EXPECT_EQ(step(core, LinkBack{}, at(4)).head, core.head());
  EXPECT_EQ(step(core, LinkBack{}, at(4.5)).head, std::nullopt);
  EXPECT_EQ(step(core, TimePassed{}, at(5)).head, core.head()) << "that one may be lost, too";
  EXPECT_EQ(step(core, TimePassed{}, at(7)).head, std::nullopt);
}

TEST(Restart, AnEmptyTableIsABreakWhereAHeadWasKept) {
  Table table;
  auto core = restarted(table, 0);
  const auto said = head_of(decided(3).rows().back());
  const auto out = table.keep(step(core, HeadKept{said, "jws", std::nullopt}, at(1)));
  ASSERT_TRUE(out.found);
  EXPECT_EQ(out.found->sequence, 1);
  EXPECT_EQ(out.found->at_ms, to_ms(at(1)));
  EXPECT_EQ(out.found->reason,
            "row 3 with hash " + said.hash + " was said to be the end, and the table ended with row 0");
  ASSERT_EQ(out.audit.size(), 1u);
  EXPECT_EQ(out.audit[0].reason, out.found->reason);
  EXPECT_EQ(out.broken, out.found);
  EXPECT_TRUE(verify(table.rows()).ok());
}

// The process ended between the commit and the publication: the broker still keeps the old head.
TEST(Restart, ABreakWhoseHeadWasNeverPublishedIsSaidByTheNextProcess) {
  auto table = decided(3);
  const auto said = head_of(decided(5).rows().back());
  auto core = restarted(table, 10);
  const auto first = table.keep(step(core, HeadKept{said, "jws", core.head()}, at(11)));
  ASSERT_TRUE(first.found);
  auto again = restarted(table, 12);
  const auto out = step(again, TimePassed{}, at(17));
  EXPECT_EQ(out.head, again.head());
  EXPECT_EQ(out.broken, first.found) << "from its row";
}

TEST(Restart, ABreakIsToldForAWeekWhoeverRunsThen) {
  auto table = decided(3);
  auto core = restarted(table, 10);
  const auto found = table.keep(step(core, HeadKept{{9, audit_genesis, 0}, "jws", core.head()}, at(11))).found;
  ASSERT_TRUE(found);
  for (const auto& [s, told] : {std::pair(6.9 * days, true), std::pair(7.1 * days, false)}) {
    auto again = restarted(table, s);
    const auto out = step(again, HeadKept{again.head(), "jws", again.head()}, at(s + 1));
    EXPECT_EQ(out.head, again.head());
    EXPECT_EQ(out.found, std::nullopt) << "it is the same one";
    EXPECT_EQ(out.broken, told ? found : std::nullopt) << s;
  }
  // The clock was set back between the two processes: it is still news.
  auto early = restarted(table, -5 * days);
  EXPECT_EQ(step(early, HeadKept{early.head(), "jws", early.head()}, at(-5 * days + 1)).broken, found);
}

TEST(Restart, ASecondBreakTakesThePlaceOfTheFirst) {
  auto table = decided(3);
  auto core = restarted(table, 10);
  const auto first = table.keep(step(core, HeadKept{{9, audit_genesis, 0}, "jws", core.head()}, at(11))).found;
  auto again = restarted(table, 3 * days);
  const auto row = head_of(table.rows()[1]);
  const HeadKept kept{{2, std::string(64, 'f'), row.at_ms}, "other", row};
  const auto second = table.keep(step(again, kept, at(3 * days + 1))).found;
  ASSERT_TRUE(first && second);
  EXPECT_EQ(second->sequence, 5);
  EXPECT_EQ(table.rows().back().trace, "other");
  EXPECT_TRUE(verify(table.rows()).ok());
  auto third = restarted(table, 8 * days);
  EXPECT_EQ(step(third, HeadKept{third.head(), "jws", third.head()}, at(8 * days + 1)).broken, second)
      << "its own week";
}

// Rows went because they were old, all that the head named among them: that is no break.
TEST(Restart, WhatRetentionDeletedIsNoBreak) {
  const auto rows = decided(5).rows();
  Table table;
  for (std::size_t i = 3; i < rows.size(); ++i) table.audit.push_back(to_row(rows[i]).to_json());
  auto core = restarted(table, 10);
  const auto out = step(core, HeadKept{head_of(rows[1]), "jws", std::nullopt}, at(11));
  EXPECT_EQ(out.found, std::nullopt);
  EXPECT_TRUE(out.audit.empty());
  EXPECT_EQ(out.head, head_of(rows[4]));
}

// Inputs in any order, with restarts at any time, in which the last output may be lost unpublished.
class Storm {
 public:
  explicit Storm(unsigned seed) : random_(seed) {}
  void run() {
    for (int i = 0; i < 400; ++i) {
      now_ += std::uniform_real_distribution<double>(0, i % 50 == 0 ? 4'000 : 3)(random_);
      if (pick(20) == 0) restart();
      check(table_.keep(step(core_, input(), at(now_))));
    }
    EXPECT_TRUE(verify(table_.rows()).ok());
  }

 private:
  int pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  DeviceId device() { return DeviceId{pick(2) == 0 ? "edge-1" : "edge-2"}; }
  void restart() {
    core_ = make_core({}, table_.saved(), at(now_));
    states_.clear();
  }
  Input input() {
    const auto asked = [&] { return question(pick(4) == 0 ? "ann" : "operator", "ls", device().value, 1 + pick(9)); };
    switch (pick(8)) {
      case 0: return QuestionUnreadable{{JobId{"j1"}, 0, 1 + pick(9)}, device(), "bad"};
      case 1: {
        const auto one = device();
        states_[one] = std::array{Lifecycle::active, Lifecycle::refused, Lifecycle::enrolling}.at(
            static_cast<std::size_t>(pick(3)));
        return DeviceSeen{one, states_[one], ""};
      }
      case 2: {
        const auto one = device();
        states_.erase(one);
        return DeviceGone{one};
      }
      case 3: return ChecksArrived{{{device(), Pki::get().pem(pick(2) == 0 ? "edge-1" : "edge-2")}}};
      case 4: return LinkBack{};
      case 5: {
        if (published_.empty()) return TimePassed{};
        const auto kept = published_.at(static_cast<std::size_t>(pick(static_cast<int>(published_.size()))));
        return HeadKept{kept, "jws", kept};
      }
      default: return QuestionsArrived{{asked(), asked(), asked()}};
    }
  }
  void check(const Output& out) {
    EXPECT_EQ(out.found, std::nullopt) << "whatever head of ours comes back";
    if (out.head) {
      EXPECT_EQ(*out.head, table_.saved().head) << "it covers what is saved, and no more";
      published_.push_back(*out.head);
    }
    for (const auto& row : out.audit) granted_.insert(row.grant_digest);
    for (const auto& one : out.decisions) {
      if (!one.allow) continue;
      EXPECT_TRUE(granted_.contains(crypto::digest_of(one.grant))) << "every grant is in the audit";
      EXPECT_EQ(states_.at(one.device), Lifecycle::active);
    }
  }

  std::mt19937 random_;
  Table table_;
  SecurityPolicy core_ = make_core();
  double now_ = 0;
  std::map<DeviceId, Lifecycle> states_;  // as this process was told
  std::vector<AuditHead> published_;
  std::set<std::string> granted_;
};

TEST(Restart, AStormOfInputsAndRestartsLeavesOneChain) {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    Storm(seed).run();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace fieldwork::security_policy
