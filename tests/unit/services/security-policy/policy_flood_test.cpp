// links: security_policy_core GTest::gtest_main
// How much of a flood is in the audit: which rows are of one kind, when their window is over, what is said of the rest.
#include <gtest/gtest.h>

#include "support/policy_world.hpp"

namespace fieldwork::security_policy {
namespace {

AuditRow denial(const std::string& submitter, const std::string& reason = "no rule") {
  return {.kind = "authorise",
          .submitter = submitter,
          .job = "j1",
          .device = "edge-1",
          .decision = "deny",
          .reason = reason};
}
AuditRow certificate(const std::string& device, const std::string& reason, const std::string& decision = "invalid") {
  return {.kind = "certificate", .device = device, .decision = decision, .reason = reason};
}
FloodLimits small() {
  FloodLimits limits;
  limits.certificate_rows_max = 2;
  limits.denial_rows_max = 3;
  limits.shared_rows_max = 2;
  return limits;
}
// How many of these rows are written.
int written(Flood& flood, const AuditRow& row, int rows, double s = 0) {
  int out = 0;
  for (int i = 0; i < rows; ++i) out += flood.pass(row, at(s)) ? 1 : 0;
  return out;
}

TEST(Flood, OnlyTheLastRowThatIsWrittenSaysThatMoreAreCounted) {
  Flood flood(small());
  for (const auto* reason : {"a", "b", "c (more like this are counted)"}) {
    EXPECT_EQ(flood.pass(denial("ann", std::string(1, reason[0])), at(0)), denial("ann", reason));
  }
  EXPECT_EQ(flood.pass(denial("ann", "d"), at(0)), std::nullopt);
}

TEST(Flood, RowsOfAnotherKindAreNotCountedWithTheFirst) {
  struct Case {
    const char* name;
    AuditRow first, second;
    bool same;
  };
  auto other_job = denial("ann", "another reason");
  other_job.job = "j2";
  other_job.device = "edge-2";
  auto other_print = certificate("edge-1", "bad");
  other_print.trace = "another fingerprint";
  const Case cases[] = {
      {"each denial is about another job", denial("ann"), other_job, true},
      {"another submitter", denial("ann"), denial("bob"), false},
      {"another certificate of the device", certificate("edge-1", "bad"), other_print, true},
      {"another device", certificate("edge-1", "bad"), certificate("edge-2", "bad"), false},
      {"another reason", certificate("edge-1", "bad"), certificate("edge-1", "expired"), false},
      {"another decision", certificate("edge-1", "bad"), certificate("edge-1", "bad", "revoked"), false},
      {"another kind of row", denial("edge-1", ""), certificate("edge-1", "", "deny"), false},
  };
  for (const auto& c : cases) {
    Flood flood(small());
    (void)written(flood, c.first, 9);
    EXPECT_EQ(written(flood, c.second, 1), c.same ? 0 : 1) << c.name;
    EXPECT_EQ(flood.size(), c.same ? 1u : 2u) << c.name;
  }
}

TEST(Flood, AWindowBeginsWithItsFirstRowAndTheNextOneHasRoomAgain) {
  Flood flood(small());
  EXPECT_EQ(written(flood, denial("ann"), 4, 100), 3);
  EXPECT_EQ(written(flood, denial("bob"), 5, 200), 3);
  EXPECT_EQ(written(flood, denial("ann"), 1, 3'699), 0) << "a late row does not prolong it, nor begin another";
  EXPECT_TRUE(flood.closed(at(3'699.9)).empty());
  const auto first = flood.closed(at(3'700));
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0],
            (AuditRow{.at_ms = to_ms(at(3'700)),
                      .kind = "authorise",
                      .submitter = "ann",
                      .decision = "deny",
                      .reason = "2 more like this since " + std::to_string(to_ms(at(100))) + ", the last: no rule"}))
      << "of many jobs and devices, so none is named";
  EXPECT_EQ(written(flood, denial("ann"), 4, 3'701), 3);
  EXPECT_EQ(written(flood, denial("bob"), 1, 3'702), 0) << "its window is still open";
  const auto both = flood.closed(at(99'999));
  ASSERT_EQ(both.size(), 2u) << "an hour late";
  EXPECT_EQ(both[0].submitter, "bob") << "the older window first";
  EXPECT_TRUE(both[0].reason.starts_with("3 more like this since ")) << both[0].reason;
  EXPECT_TRUE(both[1].reason.starts_with("1 more like this since ")) << both[1].reason;
}

TEST(Flood, NothingIsSaidOfAWindowInWhichAllWasWritten) {
  Flood flood(small());
  EXPECT_EQ(written(flood, denial("ann"), 3), 3);
  EXPECT_EQ(written(flood, certificate("edge-1", "bad"), 2), 2);
  EXPECT_TRUE(flood.closed(at(3'600)).empty());
  EXPECT_EQ(flood.size(), 0u);
}

TEST(Flood, ACertificatesCountNamesItsDevice) {
  Flood flood(small());
  EXPECT_EQ(written(flood, certificate("edge-1", "bad"), 9), 2);
  const auto closed = flood.closed(at(3'600));
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_EQ(closed[0].device, "edge-1");
  EXPECT_EQ(closed[0].decision, "invalid");
  EXPECT_TRUE(closed[0].reason.starts_with("7 more like this")) << closed[0].reason;
}

// A submitter chooses words of a denial's reason.
TEST(Flood, ALongReasonIsNotKept) {
  Flood flood(small());
  (void)written(flood, denial("ann", std::string(100'000, 'x')), 4);
  const auto closed = flood.closed(at(3'600));
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_LT(closed[0].reason.size(), 400u);
}

TEST(Flood, BeyondTheBoundNewKindsShareAndOldOnesKeepTheirRoom) {
  auto limits = small();
  limits.kinds_max = 2;
  Flood flood(limits);
  EXPECT_EQ(written(flood, denial("ann"), 1), 1);
  EXPECT_EQ(written(flood, certificate("edge-1", "bad"), 1), 1);
  EXPECT_EQ(written(flood, denial("bob"), 1) + written(flood, denial("cid"), 1) + written(flood, denial("dan"), 1), 2);
  EXPECT_EQ(written(flood, certificate("edge-2", "bad"), 1), 1) << "one window for each kind and decision";
  EXPECT_EQ(written(flood, certificate("edge-2", "bad", "revoked"), 1), 1);
  EXPECT_EQ(written(flood, denial("ann"), 3), 2) << "its own three";
  EXPECT_EQ(flood.size(), 5u);
  std::vector<std::string> submitters;
  for (const auto& row : flood.closed(at(3'600))) submitters.push_back(row.submitter);
  EXPECT_EQ(submitters, (std::vector<std::string>{"ann", ""})) << "the shared one is about many";
  EXPECT_EQ(written(flood, denial("dan"), 4, 3'601), 3) << "there is room for kinds again";
}

// A repeat of a question is no further denial.
TEST(Flood, ARepeatedQuestionIsCountedOnce) {
  Limits limits;
  limits.flood.denial_rows_max = 1;
  auto core = make_core(limits);
  EXPECT_EQ(ask(core, question("ann", "ls", "", 1), 1).audit.size(), 1u);
  for (int i = 2; i < 6; ++i) {
    const auto out = ask(core, question("ann", "ls", "", 2), i);
    EXPECT_TRUE(out.audit.empty());
    EXPECT_EQ(out.decisions.size(), 1u);
    EXPECT_EQ(out.head, i == 2 ? std::nullopt : out.head) << "nothing new to publish";
  }
  const auto closed = step(core, TimePassed{}, at(3'601)).audit;
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_TRUE(closed[0].reason.starts_with("1 more like this")) << closed[0].reason;
}

// The counts are lost with the process. That there were some is in the audit, and the new process counts from nothing.
TEST(Flood, ARestartLosesTheCountsButNotThatThereAreSome) {
  Limits limits;
  limits.flood.denial_rows_max = 2;
  auto core = make_core(limits);
  std::vector<AuditRow> rows;
  const auto keep = [&](const Output& out) { rows.insert(rows.end(), out.audit.begin(), out.audit.end()); };
  for (int i = 1; i <= 5; ++i) keep(ask(core, question("ann", "ls", "", i), i));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_TRUE(rows[1].reason.ends_with("(more like this are counted)")) << rows[1].reason;
  Saved saved;
  saved.head = core.head();
  auto again = make_core(limits, saved, at(6));
  for (int i = 6; i <= 8; ++i) keep(ask(again, question("ann", "ls", "", i), i));
  EXPECT_EQ(rows.size(), 4u);
  keep(step(again, TimePassed{}, at(3'605.9)));
  EXPECT_EQ(rows.size(), 4u) << "the window begins with the first row of this process";
  keep(step(again, TimePassed{}, at(3'606)));
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_TRUE(rows[4].reason.starts_with("1 more like this")) << rows[4].reason;
  EXPECT_TRUE(verify(rows).ok());
}

}  // namespace
}  // namespace fieldwork::security_policy
