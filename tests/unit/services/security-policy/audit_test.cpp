// links: security_policy_shell GTest::gtest_main
// The audit: its chain, what is said of its end, and how much of a flood is in it.
#include <gtest/gtest.h>

#include <algorithm>

#include "security-policy/shell/rows.hpp"
#include "support/policy_world.hpp"

namespace fieldwork::security_policy {
namespace {

std::vector<AuditRow> chain(int length) {
  std::vector<AuditRow> rows;
  AuditHead head;
  for (int i = 0; i < length; ++i) {
    AuditRow row{.at_ms = i, .kind = "authorise", .submitter = "ann", .job = "j" + std::to_string(i), .reason = "r"};
    seal(row, head);
    rows.push_back(row);
  }
  return rows;
}

TEST(Audit, FindsEveryChange) {
  const auto good = chain(5);
  ASSERT_TRUE(verify(good).ok());
  EXPECT_EQ(verify(good)->hash, good.back().hash);
  EXPECT_TRUE(verify({good.begin() + 2, good.end()}, {2, good[1].hash, 1}).ok());
  auto changed = good;
  changed[2].reason = "s";
  EXPECT_EQ(verify(changed).error().path, "3");
  auto moved = good;  // a byte moved from one field to the next
  moved[2].submitter = "an";
  moved[2].job = "n" + moved[2].job;
  EXPECT_FALSE(verify(moved).ok());
  auto removed = good;
  removed.erase(removed.begin() + 2);
  EXPECT_FALSE(verify(removed).ok());
  auto swapped = good;
  std::swap(swapped[1], swapped[2]);
  EXPECT_FALSE(verify(swapped).ok());
  EXPECT_EQ(canonical({.sequence = 1, .kind = "a"}), "1:1,1:0,1:a,0:,0:,1:0,1:0,0:,0:,0:,0:,0:,0:,");
  const auto read = audit_from_row(to_row(good[3]).to_json());
  ASSERT_TRUE(read.ok()) << describe(read.error());
  EXPECT_EQ(*read, good[3]);
}

AuditHead head_of(const AuditRow& row) { return {row.sequence, row.hash, row.at_ms}; }

TEST(Audit, KnowsWhatContradictsIt) {
  const auto rows = chain(5);
  const auto end = head_of(rows[4]);
  auto other = head_of(rows[2]);
  other.hash = std::string(64, 'f');
  auto beyond = end;
  beyond.sequence = 6;
  struct Case {
    const char* name;
    AuditHead said;
    std::optional<AuditHead> row;
    const char* reason;
  };
  const Case cases[] = {
      {"the end", end, end, ""},
      {"before the end", head_of(rows[2]), head_of(rows[2]), ""},
      {"nothing was said", {}, std::nullopt, ""},
      {"that row went, it was old", other, std::nullopt, ""},
      {"a cut tail", beyond, end, "was said to be the end, and the table ended with row 5"},
      {"another row there", other, head_of(rows[2]), "in the table it has hash "},
      {"no row there", head_of(rows[2]), head_of(rows[1]), "is not in the table"},
  };
  for (const auto& c : cases) {
    const auto reason = contradiction(c.said, end, c.row);
    EXPECT_EQ(reason.empty(), *c.reason == 0) << c.name << ": " << reason;
    EXPECT_NE(reason.find(c.reason), std::string::npos) << c.name << ": " << reason;
  }
}

// The tail was cut while nobody was there. What is decided before the broker's word comes is no answer to it.
TEST(Audit, ACutTailIsSaid) {
  const auto rows = chain(5);
  Saved saved;
  saved.head = head_of(rows[2]);
  auto core = make_core({}, saved, at(0));
  std::vector<AuditRow> added;
  for (int i = 1; i <= 3; ++i) {
    const auto out = ask(core, question("operator", "ls", "", i), 1);
    EXPECT_EQ(out.head, std::nullopt) << "what the broker kept is looked at first";
    added.insert(added.end(), out.audit.begin(), out.audit.end());
  }
  const HeadKept kept{head_of(rows[4]), "jws",
                      added[1].sequence == 5 ? std::optional(head_of(added[1])) : std::nullopt};
  const auto out = step(core, kept, at(2));
  ASSERT_EQ(out.audit.size(), 1u);
  added.push_back(out.audit[0]);
  EXPECT_EQ(out.audit[0].kind, "chain");
  EXPECT_EQ(out.audit[0].decision, "broken");
  EXPECT_EQ(out.audit[0].trace, "jws") << "the evidence";
  ASSERT_TRUE(out.found);
  EXPECT_EQ(out.found->reason,
            "row 5 with hash " + rows[4].hash + " was said to be the end, and the table ended with row 3");
  EXPECT_EQ(out.found->sequence, 7);
  EXPECT_EQ(out.head, core.head()) << "with what was found in it";
  EXPECT_EQ(out.broken, out.found);
  EXPECT_TRUE(verify(added, saved.head).ok()) << "it goes on";

  EXPECT_TRUE(step(core, kept, at(3)).audit.empty()) << "once";
  const auto later = ask(core, question("operator", "ls", "", 9), 4);
  EXPECT_EQ(later.broken, out.found);
  const double days = 86'400;
  EXPECT_EQ(ask(core, question("operator", "ls", "", 10), 6 * days).broken, out.found);
  const auto no_news = ask(core, question("operator", "ls", "", 11), 8 * days);
  EXPECT_EQ(no_news.head, core.head());
  EXPECT_EQ(no_news.broken, std::nullopt);

  saved = {core.head(), out.found, {}};
  auto restarted = make_core({}, saved, at(5));
  EXPECT_EQ(step(restarted, HeadKept{core.head(), "jws", core.head()}, at(6)).broken, out.found);
}

TEST(Audit, WaitsForTheBrokersWordButNotForEver) {
  Saved saved;
  saved.head = head_of(chain(3).back());
  auto core = make_core({}, saved, at(0));
  EXPECT_EQ(step(core, TimePassed{}, at(4.9)).head, std::nullopt);
  EXPECT_EQ(step(core, TimePassed{}, at(5)).head, saved.head);
  // An older word of this life, which a broker had kept: all is well, since what was said is in the table.
  const auto row = ask(core, question("operator", "ls", ""), 6).audit.at(0);
  (void)ask(core, question("operator", "ls", "", 2), 7);
  EXPECT_EQ(step(core, HeadKept{head_of(row), "jws", head_of(row)}, at(8)).found, std::nullopt);
}

TEST(Audit, GoesOnAfterARestart) {
  std::vector<AuditRow> rows;
  Saved saved;
  for (int life = 0; life < 3; ++life) {
    auto core = make_core({}, saved);
    (void)step(core, DeviceSeen{edge, Lifecycle::active, ""}, at(0));
    for (const auto& one : ask(core, question("operator", "ls")).audit) rows.push_back(one);
    saved.head = core.head();
  }
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_TRUE(verify(rows).ok());
}

TEST(Audit, PublishesTheHeadAtMostOnceASecond) {
  auto core = make_core();
  EXPECT_EQ(step(core, TimePassed{}, at(0)).head, std::nullopt);  // nothing to say
  EXPECT_EQ(ask(core, question("operator", "ls", ""), 1).head, core.head()) << "with what it is the head of";
  EXPECT_EQ(ask(core, question("operator", "ls", "", 2), 1.2).head, std::nullopt);
  EXPECT_EQ(step(core, TimePassed{}, at(1.9)).head, std::nullopt);
  EXPECT_EQ(step(core, TimePassed{}, at(2.1)).head, core.head());
  EXPECT_EQ(step(core, TimePassed{}, at(9)).head, std::nullopt);
  EXPECT_EQ(step(core, LinkBack{}, at(10)).head, core.head()) << "the broker may have lost it";
}

// A device that makes up certificates, its good one in between, and a submitter who may nothing: a bounded number of
// rows each, and one that says how many more there were.
TEST(Flood, IsCountedAndNotWritten) {
  Limits limits;
  limits.flood.certificate_rows_max = 3;
  limits.flood.denial_rows_max = 4;
  auto core = make_core(limits);
  std::vector<AuditRow> rows;
  const auto keep = [&](const Output& out) {
    rows.insert(rows.end(), out.audit.begin(), out.audit.end());
    return out;
  };
  const auto& pki = Pki::get();
  for (int i = 0; i < 100; ++i) {
    for (const auto* shown : {"edge-2", "stranger", "edge-1"}) {
      EXPECT_EQ(keep(step(core, ChecksArrived{{{edge, pki.pem(shown)}}}, at(i))).answers.size(), 1u);
    }
    EXPECT_EQ(keep(ask(core, question("ann", "ls" + std::to_string(i), "", i + 1), i)).decisions.size(), 1u)
        << "it is answered all the same";
    keep(ask(core, question("operator", "ls", "", 1'000 + i), i));
  }
  const auto count = [&](const std::string& decision, const std::string& reason) {
    return std::count_if(rows.begin(), rows.end(), [&](const AuditRow& row) {
      return row.decision == decision && row.reason.find(reason) != std::string::npos;
    });
  };
  EXPECT_EQ(count("invalid", "the certificate is for another name"), 3) << "two certificates, one reason";
  EXPECT_EQ(count("deny", "no rule allows ann"), 4);
  EXPECT_EQ(count("deny", "ls3 (more like this are counted)"), 1);
  EXPECT_EQ(count("allow", ""), 100) << "what is done is all in the audit";
  const auto before = rows.size();
  keep(step(core, TimePassed{}, at(3'599)));
  EXPECT_EQ(rows.size(), before);
  keep(step(core, TimePassed{}, at(3'700)));
  const auto since = " more like this since " + std::to_string(to_ms(at(0)));
  EXPECT_EQ(count("deny", "96" + since + ", the last: no rule allows ann to run ls99"), 1);
  EXPECT_TRUE(verify(rows).ok());
  const auto told = rows.size();
  keep(step(core, TimePassed{}, at(9'000)));
  EXPECT_EQ(rows.size(), told) << "once";
}

TEST(Flood, IsBoundedInMemory) {
  FloodLimits limits;
  limits.kinds_max = 10;
  limits.shared_rows_max = 5;
  Flood flood(limits);
  std::size_t written = 0;
  for (int i = 0; i < 1'000; ++i) {
    AuditRow row{.kind = "certificate", .device = "edge-" + std::to_string(i), .decision = "invalid", .reason = "bad"};
    written += flood.pass(std::move(row), at(0)) ? 1 : 0;
  }
  EXPECT_EQ(written, 15u);
  EXPECT_EQ(flood.size(), 11u);
  const auto closed = flood.closed(at(3'600));
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_EQ(closed[0].device, "") << "of many";
  EXPECT_TRUE(closed[0].reason.starts_with("985 more like this since ")) << closed[0].reason;
  EXPECT_EQ(flood.size(), 0u);
}

}  // namespace
}  // namespace fieldwork::security_policy
