// links: security_policy_shell GTest::gtest_main
#include <gtest/gtest.h>

#include "crypto/digest.hpp"
#include "model/limits.hpp"
#include "policy/policy.hpp"
#include "security-policy/shell/rows.hpp"
#include "security-policy/shell/rules.hpp"
#include "support/policy_world.hpp"

namespace fieldwork::security_policy {
namespace {

using policy::Miss;
using policy::Packages;
using policy::Rule;

TEST(Policy, MatchesPatterns) {
  struct Case {
    const char *pattern, *text;
    bool yes;
  };
  for (const auto& c : {Case{"*", "", true}, Case{"*", "abc", true}, Case{"", "", true}, Case{"", "a", false},
                        Case{"operator*", "operator", true}, Case{"operator*", "operator-ann", true},
                        Case{"operator*", "an-operator", false}, Case{"?", "", false}, Case{"a?c", "abc", true},
                        Case{"*.py", "run.py", true}, Case{"*.py", "run.pyc", false}, Case{"a*b*c", "aXbYbZc", true},
                        Case{"a*b*c", "aXbYbZ", false}, Case{"[a]", "a", false}, Case{"[a]", "[a]", true}}) {
    EXPECT_EQ(policy::matches(c.pattern, c.text), c.yes) << c.pattern << " " << c.text;
  }
  EXPECT_FALSE(policy::matches("*a*a*a*a*a*a*a*b", std::string(5000, 'a')));  // not exponential
}

TEST(Policy, Evaluates) {
  const std::string digest = crypto::digest_of("p");
  const Rule operators{.name = "operators", .effect = policy::Effect::allow, .submitters = {"operator*"}};
  const Rule shell{.name = "no-shell", .effect = policy::Effect::deny, .commands = {"*sh"}};
  const Rule plant{.name = "plant", .effect = policy::Effect::deny, .devices = {"plant-*"}};
  const Rule packaged{.name = "packaged", .effect = policy::Effect::allow, .packages = Packages::required};
  const Rule bare{.name = "bare", .effect = policy::Effect::allow, .packages = Packages::none};
  const Rule listed{
      .name = "listed", .effect = policy::Effect::allow, .packages = Packages::listed, .digests = {digest}};
  const Rule edges{.name = "edges", .effect = policy::Effect::allow, .devices = {"edge-*"}};
  struct Case {
    std::vector<Rule> rules;
    std::string submitter, program, package, device;
    bool allow;
    std::string reason;
    std::vector<Miss> misses;
  };
  const Case cases[] = {
      {{}, "ann", "ls", "", "", false, "no rule allows ann to run ls", {}},
      {{operators}, "ann", "ls", "", "d", false, "no rule allows ann to run ls on d", {Miss::submitter}},
      {{operators}, "operator-1", "ls", "", "", true, "allowed by rule operators", {Miss::none}},
      {{operators, shell}, "operator", "/bin/sh", "", "", false, "denied by rule no-shell", {Miss::none, Miss::none}},
      {{shell, operators}, "operator", "ls", "", "", true, "allowed by rule operators", {Miss::command, Miss::none}},
      {{packaged}, "a", "ls", "", "", false, "no rule allows a to run ls", {Miss::package}},
      {{packaged}, "a", "ls", digest, "", true, "allowed by rule packaged", {Miss::none}},
      {{bare}, "a", "ls", digest, "", false, "no rule allows a to run ls", {Miss::package}},
      {{listed}, "a", "ls", digest, "", true, "allowed by rule listed", {Miss::none}},
      {{listed}, "a", "ls", crypto::digest_of("q"), "", false, "no rule allows a to run ls", {Miss::package}},
      {{edges}, "a", "ls", "", "edge-1", true, "allowed by rule edges", {Miss::none}},
      {{edges}, "a", "ls", "", "plant-1", false, "no rule allows a to run ls on plant-1", {Miss::device}},
      {{edges}, "a", "ls", "", "", true, "allowed by rule edges", {Miss::none}},  // not placed yet
      {{operators, plant}, "operator", "ls", "", "", true, "allowed by rule operators", {Miss::none, Miss::device}},
      {{operators, plant}, "operator", "ls", "", "plant-1", false, "denied by rule plant", {Miss::none, Miss::none}},
  };
  int index = 0;
  for (const auto& c : cases) {
    auto asked = question(c.submitter, c.program, c.device);
    asked.package = c.package;
    const auto got = policy::evaluate(c.rules, asked);
    EXPECT_EQ(got.allow, c.allow) << index;
    EXPECT_EQ(got.reason, c.reason) << index;
    EXPECT_EQ(got.misses, c.misses) << index;
    ++index;
  }
}

// Which rules are about what is done, and what the reason says where only that is missing.
TEST(Policy, ARuleIsAboutItsActions) {
  const auto digest = crypto::digest_of("p");
  const auto allow = [](const char* name, std::vector<std::string> actions) {
    return Rule{.name = name, .effect = policy::Effect::allow, .commands = {"./a"}, .actions = std::move(actions)};
  };
  const auto deny = [](const char* name, std::vector<std::string> actions) {
    return Rule{.name = name, .effect = policy::Effect::deny, .actions = std::move(actions)};
  };
  const Rule as_ever{.name = "as-ever", .effect = policy::Effect::allow};
  const Rule denies{.name = "denies", .effect = policy::Effect::deny};
  Rule others = allow("others", {"stage"});
  others.devices = {"plant-*"};
  others.packages = Packages::listed;
  others.digests = {crypto::digest_of("q")};
  const auto none = "no rule allows ann to stage " + digest.substr(0, 19) + " on edge-1";
  const auto lacks = [&](const std::string& rule) {
    return none + "; the actions of rule " + rule + " do not include \"stage\"";
  };
  struct Case {
    std::vector<Rule> rules;
    std::string stage, run;    // the reason of each
    std::vector<Miss> misses;  // of stage
  };
  const std::string runs = "allowed by rule ", not_run = "no rule allows ann to run ./a on edge-1";
  const Case cases[] = {
      {{as_ever}, lacks("as-ever"), runs + "as-ever", {Miss::action}},
      {{allow("both", {"run", "stage"})}, "allowed by rule both", runs + "both", {Miss::none}},
      {{allow("all", {"*"})}, "allowed by rule all", runs + "all", {Miss::none}},
      {{allow("only", {"stage"})},
       "allowed by rule only",
       not_run + "; the actions of rule only do not include \"run\"",
       {Miss::none}},
      {{allow("both", {"run", "stage"}), denies},
       "allowed by rule both",
       "denied by rule denies",
       {Miss::none, Miss::action}},
      {{allow("both", {"run", "stage"}), deny("no", {"stage"})},
       "denied by rule no",
       runs + "both",
       {Miss::none, Miss::none}},
      {{allow("both", {"run", "stage"}), deny("no", {"*"})},
       "denied by rule no",
       "denied by rule no",
       {Miss::none, Miss::none}},
      {{denies}, none, "denied by rule denies", {Miss::action}},
      {{others}, none, not_run, {Miss::package}},
      {{others, as_ever, allow("next", {"run"})},
       lacks("as-ever"),
       runs + "as-ever",
       {Miss::package, Miss::action, Miss::action}},
  };
  int index = 0;
  for (const auto& c : cases) {
    const PermitQuestion asked{1, "ann", "stage", edge, digest, ""};
    const auto staged = policy::evaluate(c.rules, asked);
    EXPECT_EQ(staged.reason, c.stage) << index;
    EXPECT_EQ(staged.allow, c.stage.starts_with("allowed")) << index;
    EXPECT_EQ(staged.misses, c.misses) << index;
    auto job = question("ann", "./a");
    job.package = digest;
    const auto ran = policy::evaluate(c.rules, job);
    EXPECT_EQ(ran.reason, c.run) << index;
    EXPECT_EQ(ran.allow, c.run.starts_with("allowed")) << index;
    ++index;
  }
}

// The conditions of a rule hold for what is staged as for what is run; but it has no program.
TEST(Policy, StagesAreMatchedBySubmitterPackageAndDevice) {
  const auto digest = crypto::digest_of("p");
  const Rule whole{.name = "whole",
                   .effect = policy::Effect::allow,
                   .submitters = {"ann"},
                   .commands = {"nothing"},
                   .packages = Packages::listed,
                   .digests = {digest},
                   .devices = {"edge-*"},
                   .actions = {"stage"}};
  const auto miss = [&](const char* principal, const std::string& package, const char* device) {
    return policy::evaluate({whole}, PermitQuestion{1, principal, "stage", DeviceId(device), package, ""}).misses.at(0);
  };
  EXPECT_EQ(miss("ann", digest, "edge-1"), Miss::none);
  EXPECT_EQ(miss("bob", digest, "edge-1"), Miss::submitter);
  EXPECT_EQ(miss("ann", crypto::digest_of("q"), "edge-1"), Miss::package);
  EXPECT_EQ(miss("ann", digest, "plant-1"), Miss::device);
}

// What an audit row keeps of them: whatever the number of rules, no more than a line.
TEST(Policy, TracesTheRulesThatMattered) {
  const Rule operators{.name = "operators", .effect = policy::Effect::allow, .submitters = {"operator*"}};
  const Rule shell{.name = "no-shell", .effect = policy::Effect::deny, .commands = {"*sh"}};
  const auto trace = [](const std::vector<Rule>& rules, const Question& asked) {
    return policy::trace_text(rules, policy::evaluate(rules, asked));
  };
  EXPECT_EQ(trace({operators, shell}, question("operator", "bash", "")), "no-shell decides; operators matched");
  EXPECT_EQ(trace({operators, shell}, question("ann", "bash", "")), "no-shell decides");
  EXPECT_EQ(trace({operators, shell}, question("ann", "ls", "")), "none of 2 rules matched");
  EXPECT_EQ(trace({}, question("ann", "ls", "")), "none of 0 rules matched");
  std::vector<Rule> many(rules_max, Rule{.name = "r", .effect = policy::Effect::allow});
  EXPECT_EQ(trace(many, question("ann", "ls", "")),
            "r decides; r matched; r matched; r matched; r matched; r matched; r matched; r matched; 248 more matched");
  for (auto& rule : many) rule.name = std::string(64, 'n');
  many.back().effect = policy::Effect::deny;
  many.back().name = "last";
  const auto long_names = trace(many, question("ann", "ls", ""));
  EXPECT_TRUE(long_names.starts_with("last decides; nnn")) << long_names;
  EXPECT_TRUE(long_names.ends_with("; 249 more matched")) << long_names;
  EXPECT_LE(long_names.size(), limits::trace_bytes_max + 32);
}

TEST(Rules, AreReadFromFiles) {
  const TempDir dir;
  dir.write("b.toml", "[[rule]]\nname = \"two\"\neffect = \"deny\"\npackages = [\"" + crypto::digest_of("p") + "\"]\n");
  dir.write("a.toml", "[[rule]]\nname = \"one\"\neffect = \"allow\"\nsubmitters = [\"op*\"]\npackages = \"none\"\n");
  dir.write("ignored.txt", "nonsense [");
  const auto rules = load_rules(dir.path());
  ASSERT_TRUE(rules.ok()) << describe(rules.error());
  ASSERT_EQ(rules->size(), 2u);
  EXPECT_EQ((*rules)[0].name, "one");
  EXPECT_EQ((*rules)[0].packages, Packages::none);
  EXPECT_EQ((*rules)[1].digests.size(), 1u);
  EXPECT_FALSE(load_rules(dir / "none").ok());
  EXPECT_EQ((*rules)[0].actions, std::vector<std::string>{"run"}) << "of both effects";
  EXPECT_EQ((*rules)[1].actions, std::vector<std::string>{"run"});
  dir.write("a.toml", "[[rule]]\nname = \"one\"\neffect = \"allow\"\nactions = [\"stage\", \"run\", \"*\"]\n");
  EXPECT_EQ(load_rules(dir.path()).value().at(0).actions, (std::vector<std::string>{"stage", "run", "*"}));
  dir.write("a.toml", "[[rule]]\nname = \"one\"\neffect = \"allow\"\nactions = [\"fly\"]\n");
  EXPECT_EQ(load_rules(dir.path()).error().reason, "must hold \"run\", \"stage\" or \"*\", not \"fly\"");
}

TEST(Rules, SayWhereTheMistakeIs) {
  const std::string good = "[[rule]]\nname = \"one\"\neffect = \"allow\"\n";
  struct Case {
    std::string text, line_and_key;
  };
  const Case cases[] = {{good + "colour = \"red\"\n", "4 colour"},
                        {"[[rule]]\nname = \"x\"\neffect = \"perhaps\"\n", "1 effect"},
                        {"[[rule]]\neffect = \"deny\"\n", "1 name"},
                        {good + "submitters = \"ann\"\n", "4 submitters"},
                        {good + "commands = []\n", "4 commands"},
                        {good + "devices = [7]\n", "4 devices"},
                        {good + "packages = \"some\"\n", "4 packages"},
                        {good + "actions = [\"run\", \"fly\"]\n", "4 actions"},
                        {good + "actions = [\"st*\"]\n", "4 actions"},
                        {good + "actions = []\n", "4 actions"},
                        {good + "actions = \"stage\"\n", "4 actions"},
                        {good + "packages = [\"sha256:1\"]\n", "4 packages"},
                        {good + good, "1 rule"},
                        {"rules = 1\n", "1 rules"},
                        {"rule = 1\n", "1 rule"},
                        {"[[rule\n", "1"}};
  for (const auto& c : cases) {
    const TempDir dir;
    dir.write("p.toml", c.text);
    const auto rules = load_rules(dir.path());
    ASSERT_FALSE(rules.ok()) << c.text;
    const auto where = (dir / "p.toml").string() + ":" + c.line_and_key;
    EXPECT_TRUE(rules.error().path.starts_with(where)) << rules.error().path << " for " << c.text;
  }
}

TEST(Rules, TheDefaultOnesAreGood) {
  const auto here = fs::path(FIELDWORK_SOURCE_DIR) / "deploy/policies";
  const auto rules = load_rules(here);
  ASSERT_TRUE(rules.ok()) << describe(rules.error());
  EXPECT_TRUE(policy::evaluate(*rules, question("operator", "ls")).allow);
  EXPECT_FALSE(policy::evaluate(*rules, question("visitor", "ls")).allow);
  const auto stages = [&](const char* principal) {
    return policy::evaluate(*rules, PermitQuestion{1, principal, "stage", edge, crypto::digest_of("p"), ""}).allow;
  };
  EXPECT_TRUE(stages("operator"));
  EXPECT_FALSE(stages("visitor"));
}

TEST(SecurityPolicy, DecidesAndGrants) {
  struct Case {
    const char* name;
    std::optional<Lifecycle> seen;
    Question asked;
    bool allow;
    std::string reason;
    std::string grant;
  };
  const Case cases[] = {
      {"allow", Lifecycle::active, question("operator", "ls"), true, "allowed by rule operators",
       "grant edge-1 100000"},
      {"suspect", Lifecycle::active, question("operator", "ls"), true, "allowed by rule operators",
       "grant edge-1 100000"},
      {"not placed", std::nullopt, question("operator", "ls", ""), true, "allowed by rule operators", ""},
      {"deny", Lifecycle::active, question("ann", "ls"), false, "no rule allows ann to run ls on edge-1", ""},
      {"refused", Lifecycle::refused, question("operator", "ls"), false, "device edge-1 is refused", ""},
  };
  for (const auto& c : cases) {
    auto core = make_core();
    if (c.seen) (void)step(core, DeviceSeen{edge, *c.seen, ""}, at(0));
    const auto out = ask(core, c.asked);
    const auto& decisions = out.decisions;
    const auto& rows = out.audit;
    ASSERT_EQ(decisions.size(), 1u) << c.name;
    ASSERT_EQ(rows.size(), 1u) << c.name;
    EXPECT_EQ(decisions[0].allow, c.allow) << c.name;
    EXPECT_EQ(decisions[0].reason, c.reason) << c.name;
    EXPECT_EQ(decisions[0].grant, c.grant) << c.name;
    EXPECT_EQ(rows[0].grant_digest, c.grant.empty() ? "" : crypto::digest_of(c.grant)) << c.name;
    EXPECT_EQ(rows[0].decision, c.allow ? "allow" : "deny") << c.name;
    EXPECT_FALSE(rows[0].trace.empty()) << c.name;
  }
}

TEST(SecurityPolicy, WaitsForDevicesThatAreOnTheirWay) {
  auto core = make_core();
  EXPECT_EQ(ask(core, question("operator", "ls")), Output{});  // none seen at all
  (void)step(core, LinkBack{}, at(10));
  (void)step(core, DeviceSeen{DeviceId{"edge-2"}, Lifecycle::active, ""}, at(10));
  EXPECT_EQ(ask(core, question("operator", "ls"), 11), Output{});  // others are still arriving
  (void)step(core, DeviceSeen{edge, Lifecycle::enrolling, ""}, at(12));
  EXPECT_EQ(ask(core, question("operator", "ls"), 60), Output{});  // who asks has seen more than we have
  (void)step(core, DeviceSeen{edge, Lifecycle::active, ""}, at(60));
  EXPECT_EQ(ask(core, question("operator", "ls"), 60).decisions.size(), 1u);
}

TEST(SecurityPolicy, AnswersRepeatsFromMemory) {
  Limits limits;
  limits.remembered_max = 2;
  auto core = make_core(limits);
  (void)step(core, DeviceSeen{edge, Lifecycle::active, ""}, at(0));
  const auto first = ask(core, question("operator", "ls"));
  const auto again = ask(core, question("operator", "ls"), 50);
  EXPECT_EQ(again.decisions, first.decisions);
  EXPECT_TRUE(again.audit.empty());
  EXPECT_EQ(ask(core, question("operator", "ls", "edge-1", 2)).audit.size(), 1u);
  EXPECT_EQ(ask(core, question("operator", "ls", "edge-1", 3)).audit.size(), 1u);
  EXPECT_EQ(ask(core, question("operator", "ls", "edge-1", 1)).audit.size(), 1u);  // forgotten
  // Refused since: what was allowed is decided anew.
  (void)step(core, DeviceSeen{edge, Lifecycle::refused, ""}, at(60));
  const auto after = ask(core, question("operator", "ls", "edge-1", 3), 61);
  EXPECT_FALSE(after.decisions[0].allow);
  EXPECT_TRUE(ask(core, question("operator", "ls", "edge-1", 3), 62).audit.empty());
}

TEST(SecurityPolicy, DeniesByItsKeyWhatItCannotRead) {
  auto core = make_core();
  const QuestionUnreadable bad{{JobId{"j1"}, 0, 1}, edge, "/items/1/command: is missing"};
  const auto out = step(core, bad, at(1));
  ASSERT_EQ(out.decisions.size(), 1u);
  EXPECT_EQ(out.decisions[0].key, bad.key);
  EXPECT_EQ(out.decisions[0].device, edge);
  EXPECT_FALSE(out.decisions[0].allow);
  EXPECT_EQ(out.decisions[0].reason, "the question could not be read: /items/1/command: is missing");
  ASSERT_EQ(out.audit.size(), 1u);
  EXPECT_EQ(out.audit[0].decision, "deny");
  const auto again = step(core, bad, at(2));
  EXPECT_EQ(again.decisions, out.decisions);
  EXPECT_TRUE(again.audit.empty());
}

TEST(Certificates, AreChecked) {
  const auto& pki = Pki::get();
  struct Case {
    const char *device, *certificate, *crl;
    CertificateState state;
  };
  for (const auto& c : {Case{"edge-1", "edge-1", "empty.crl", CertificateState::valid},
                        Case{"edge-1", "edge-1", "revoked.crl", CertificateState::revoked},
                        Case{"edge-2", "edge-2", "revoked.crl", CertificateState::valid},
                        Case{"edge-2", "edge-1", "empty.crl", CertificateState::invalid},
                        Case{"stranger", "stranger", "empty.crl", CertificateState::invalid},
                        Case{"edge-1", "none", "empty.crl", CertificateState::invalid}}) {
    auto core = make_core();
    (void)step(core, AuthorityReplaced{pki.authority(c.crl)}, at(0));
    const auto out = step(core, ChecksArrived{{{DeviceId{c.device}, pki.pem(c.certificate)}}}, at(1));
    const auto answers = out.answers;
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].state, c.state) << c.device << " " << answers[0].reason;
    EXPECT_EQ(out.audit.size(), 1u);
    const auto again = step(core, ChecksArrived{{{DeviceId{c.device}, pki.pem(c.certificate)}}}, at(2));
    EXPECT_EQ(again.answers.size(), 1u);
    EXPECT_TRUE(again.audit.empty()) << c.device;
  }
}

TEST(Certificates, AreCheckedAgainBecauseTheyExpire) {
  const auto& pki = Pki::get();
  auto core = make_core();
  ASSERT_EQ(step(core, ChecksArrived{{{edge, pki.pem("edge-1")}}}, at(1)).answers[0].state, CertificateState::valid);
  EXPECT_TRUE(step(core, TimePassed{}, at(2)).outbox.empty());
  const double days = 86'400;
  EXPECT_TRUE(step(core, TimePassed{}, at(29 * days)).outbox.empty());
  EXPECT_TRUE(step(core, TimePassed{}, at(29 * days + 3'599)).outbox.empty());
  const auto out = step(core, TimePassed{}, at(31 * days));
  ASSERT_EQ(out.outbox.size(), 1u);
  EXPECT_EQ(std::get<AnnounceRevocation>(out.outbox[0]).answer.state, CertificateState::invalid);
}

TEST(Certificates, AreCheckedAgainWhenTheListChanges) {
  const auto& pki = Pki::get();
  auto core = make_core();
  Saved saved;
  const auto checked =
      step(core, ChecksArrived{{{edge, pki.pem("edge-1")}, {DeviceId{"edge-2"}, pki.pem("edge-2")}}}, at(1));
  for (const auto& one : checked.certificates) {
    auto read = certificate_from_row(to_row(one.checked).to_json());
    ASSERT_TRUE(read.ok()) << describe(read.error());
    saved.certificates.push_back(*read);
  }
  ASSERT_EQ(saved.certificates.size(), 2u);
  saved.head = core.head();
  // The list changed while nobody was there: the start finds it.
  SecurityPolicy after(
      {}, rulebook(), pki.authority("revoked.crl"), [](auto&&...) { return std::vector<std::string>(); }, saved);
  auto out = step(after, TimePassed{}, at(5));
  const auto said = all<AnnounceRevocation>(out);
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(said[0].answer.device, edge);
  EXPECT_EQ(said[0].answer.state, CertificateState::revoked);
  EXPECT_EQ(out.certificates.size(), 1u);
  EXPECT_EQ(out.audit.size(), 1u);
  EXPECT_EQ(step(after, TimePassed{}, at(6)), Output{});
  const auto fingerprint = said[0].answer.fingerprint;
  EXPECT_EQ(step(after, DeviceSeen{edge, Lifecycle::active, fingerprint}, at(7)), Output{});
  EXPECT_EQ(all<CloseRevocation>(step(after, DeviceSeen{edge, Lifecycle::refused, fingerprint}, at(8))).size(), 1u);
}

}  // namespace
}  // namespace fieldwork::security_policy
