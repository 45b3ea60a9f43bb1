// links: alerts GTest::gtest_main
// What a file of rules may say, what it is told when it is wrong, and the rules that come with the program.
#include "alerts/rules.hpp"

#include <gtest/gtest.h>

namespace fieldwork::alerts {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

RuleBook read(const std::string& text) {
  auto book = read_rules(text, "f.toml");
  EXPECT_TRUE(book) << text << "\n" << (book ? "" : describe(book.error()));
  return book ? *book : RuleBook{};
}

// A rule of three lines, from line 1; `more` begins at line 5.
std::string rule(const std::string& more, const std::string& when = "use > 90%") {
  return "[[rule]]\nname = \"mine\"\nover = \"disk\"\nwhen = \"" + when + "\"\n" + more;
}

std::string target(const std::string& more, const std::string& type = "webhook") {
  return "[[target]]\nname = \"ops\"\ntype = \"" + type + "\"\n" + more;
}

std::string mail(const std::string& more) { return target("url = \"smtp://mail:25\"\n" + more, "smtp"); }

struct Bad {
  std::string text;
  std::string path;
  std::string reason;  // a piece of it
};

void expect(const std::vector<Bad>& cases) {
  for (const auto& one : cases) {
    const auto book = read_rules(one.text, "f.toml");
    ASSERT_FALSE(book) << one.text;
    EXPECT_EQ(book.error().code, Code::invalid) << one.text;
    EXPECT_EQ(book.error().path, one.path) << one.text << "\n" << book.error().reason;
    EXPECT_NE(book.error().reason.find(one.reason), std::string::npos) << one.text << "\n" << book.error().reason;
  }
}

TEST(Rules, AMistakeIsNamedWithItsLineAndKey) {
  expect({
      {"[[rule]\n", "f.toml:1", ""},
      {"\n\nname = \n", "f.toml:3", ""},
      {"\n[[rules]]\nname = \"a\"\n", "f.toml:2 rules", "did you mean rule?"},
      {"\nwhen = 1\n", "f.toml:2 when", "there are [[rule]], [[target]], [[inhibit]] and [notify]"},
      {"rule = 1\n", "f.toml:1 rule", "must be tables"},
      {"\nrule = [1]\n", "f.toml:2 rule", "must be tables"},
      {"\ntarget = 1\n", "f.toml:2 target", "tables: [[target]]"},
      {"\ninhibit = \"x\"\n", "f.toml:2 inhibit", "tables: [[inhibit]]"},
      {rule("\nseverty = \"info\"\n"), "f.toml:6 severty", "is no key of a rule; did you mean severity?"},
      {rule("colour = 1\n"), "f.toml:5 colour", "is no key of a rule"},
      {"\n[[rule]]\nover = \"disk\"\nwhen = \"use > 1%\"\n", "f.toml:2 name", "is missing"},
      {"\n[[rule]]\nname = \"mine\"\nwhen = \"use > 1%\"\n", "f.toml:2 over", "is missing"},
      {"\n[[rule]]\nname = \"mine\"\nover = \"disk\"\n", "f.toml:2 when", "is missing"},
      {"[[rule]]\nname = \"a b\"\nover = \"disk\"\nwhen = \"use > 1%\"\n", "f.toml:2 name", "letters, digits"},
      {"[[rule]]\nname = \"" + std::string(65, 'a') + "\"\nover = \"disk\"\n", "f.toml:2 name", "1 to 64 bytes"},
      {"[[rule]]\nname = \"\"\nover = \"disk\"\n", "f.toml:2 name", "1 to 64 bytes"},
      {"[[rule]]\nname = \"mine\"\nover = \"disc\"\nwhen = \"use > 1%\"\n", "f.toml:3 over", "execution, transfer"},
      {"[[rule]]\nname = 7\nover = \"disk\"\nwhen = \"use > 1%\"\n", "f.toml:2 name", "a text in quotes"},
      {rule("severity = \"loud\"\n"), "f.toml:5 severity", "info, warning, critical"},
      {rule("severity = 2\n"), "f.toml:5 severity", "a text in quotes"},
      {rule("enabled = \"no\"\n"), "f.toml:5 enabled", "true or false"},
      {rule("by = \"path\"\nwithin = \"1min\"\ncount = \"3\"\n"), "f.toml:7 count", "a whole number"},
      {rule("within = \"1min\"\ncount = 1001\n"), "f.toml:6 count", "from 1 to 1000"},
      {rule("within = \"1min\"\ncount = 0\n"), "f.toml:6 count", "from 1 to 1000"},
      {rule("text = \"\"\n"), "f.toml:5 text", "1 to 512 bytes"},
      {rule("many = \"" + std::string(513, 'x') + "\"\n"), "f.toml:5 many", "1 to 512 bytes"},
      {rule("labels = \"path\"\n"), "f.toml:5 labels", "a list of 1 to 16 texts"},
      {rule("labels = [\n\"path\",\n7]\n"), "f.toml:7 labels", "texts of 1 to 256 bytes"},
      {rule("set = 1\n"), "f.toml:5 set", "a table of labels"},
      {rule("[rule.set]\n1st = \"a\"\n"), "f.toml:6 1st", "must be a label"},
      {rule("[rule.set]\nteam = 1\n"), "f.toml:6 team", "must be a label"},
  });
}

TEST(Rules, ADurationHasAUnitAndAShareABound) {
  std::vector<Bad> cases;
  for (const auto* one : {"\"10\"", "\"ten s\"", "\"10 s\"", "\"-1s\"", "\"0s\"", "\"\"", "\"1w\"", "\"367d\"",
                          "\"infs\"", "\"nans\"", "\"1e300d\"", "10", "true"}) {
    const auto line = std::string(" = ") + one + "\n";
    cases.push_back({rule("for" + line), "f.toml:5 for", "must be a duration"});
    cases.push_back({rule("forget" + line), "f.toml:5 forget", "must be a duration"});
  }
  for (const auto* one : {"\"90\"", "\"%\"", "\"0%\"", "\"101%\"", "\"-1%\"", "\"nan%\"", "\"90 %\"", "0", "0.0", "2",
                          "1.5", "nan", "inf", "true"}) {
    cases.push_back({rule(std::string("by = \"path\"\nshare = ") + one + "\n"), "f.toml:6 share", "must be a share"});
  }
  expect(cases);
  EXPECT_EQ(read(rule("for = \"1.5min\"\n")).find("mine")->hold, seconds{90});
  EXPECT_EQ(read(rule("for = \"250ms\"\n")).find("mine")->hold, milliseconds{250});
  EXPECT_EQ(read(rule("forget = \"2d\"\n")).find("mine")->forget, hours{48});
  EXPECT_EQ(read(rule("by = \"path\"\nshare = \"90%\"\n")).find("mine")->share, 0.9);
  EXPECT_EQ(read(rule("by = \"path\"\nshare = 0.25\n")).find("mine")->share, 0.25);
  EXPECT_EQ(read(rule("by = \"path\"\nshare = 1\n")).find("mine")->share, 1);
}

TEST(Rules, ExpressionsAndAttributesAreOfTheRulesOwnThing) {
  expect({
      {rule("", "use >"), "f.toml:4 when", "column 6"},
      {rule("", "use > 1% and presence == lost"), "f.toml:4 when", "column 14"},
      {rule("", "use > 5min"), "f.toml:4 when", "column"},
      {rule("until = \"usee < 1%\"\n"), "f.toml:5 until", "did you mean use?"},
      {rule("text = \"{uses}\"\n"), "f.toml:5 text", "there is no attribute uses; did you mean use?"},
      {rule("text = \"{health}\"\n"), "f.toml:5 text", "there is no attribute health"},
      {rule("text = \"{}\"\n"), "f.toml:5 text", "there is no attribute"},
      {rule("text = \"all of {use is used\"\n"), "f.toml:5 text", "a { has no }"},
      {rule("next = \"df {paht}\"\n"), "f.toml:5 next", "did you mean path?"},
      {rule("labels = [\"path\", \"site\"]\n"), "f.toml:5 labels", "there is no attribute site"},
      {rule("count = 2\nwithin = \"1min\"\nby = \"site\"\n"), "f.toml:7 by", "there is no attribute site"},
      {rule("value = \"uze\"\n"), "f.toml:5 value", "did you mean use?"},
      {rule("value = \"path\"\n"), "f.toml:5 value", "is no number"},
      {rule("since = \"path\"\n"), "f.toml:5 since", "is no number"},
      {target("url = \"http://a\"\nwhen = \"presence == lost\"\n"), "f.toml:5 when", "column 1"},
      {"[[inhibit]]\nwhen = \"rule == a\"\nmutes = \"rul == b\"\n", "f.toml:3 mutes", "did you mean rule?"},
      {"[[inhibit]]\nwhen = \"rule == a\"\n", "f.toml:1 mutes", "is missing"},
      {"[[inhibit]]\nmutes = \"rule == a\"\n", "f.toml:1 when", "is missing"},
      {"[[inhibit]]\nwhen = \"rule == a\"\nmutes = \"rule == b\"\nsame = [\"x\"]\n", "f.toml:4 same", "an inhibition"},
  });
}

TEST(Rules, ARuleHasOneCondition) {
  const std::string rate = "count = 2\nwithin = \"1min\"\n";
  const std::string share = "share = \"50%\"\n";
  expect({
      {rule(rate + "absent = \"1min\"\n"), "f.toml:1", "more than one"},
      {rule(rate + share + "by = \"path\"\n"), "f.toml:1", "more than one"},
      {rule(share + "by = \"path\"\nabsent = \"1min\"\n"), "f.toml:1", "more than one"},
      {rule("count = 2\n"), "f.toml:1", "`count` and `within`"},
      {rule("within = \"1min\"\n"), "f.toml:1", "`count` and `within`"},
      {rule(share), "f.toml:1", "`by`"},
      {rule("by = \"path\"\n"), "f.toml:5 by", "`count` or `share`"},
      {rule("absent = \"1min\"\nby = \"path\"\n"), "f.toml:6 by", "`count` or `share`"},
      {rule(rate + "until = \"use < 1%\"\n"), "f.toml:7 until", "belongs to a rule without"},
      {rule(share + "by = \"path\"\nuntil = \"use < 1%\"\n"), "f.toml:7 until", "belongs to a rule without"},
      {rule("absent = \"1min\"\nuntil = \"use < 1%\"\n"), "f.toml:6 until", "belongs to a rule without"},
      {rule(rate + "for = \"1min\"\n"), "f.toml:7 for", "belongs to a rule without"},
      {rule("absent = \"1min\"\nfor = \"1min\"\n"), "f.toml:6 for", "belongs to a rule without"},
  });
  EXPECT_TRUE(read(rule("until = \"use < 1%\"\nfor = \"1min\"\n")).find("mine")->is_state());
  EXPECT_EQ(read(rule(rate)).find("mine")->count, 2);
  EXPECT_EQ(read(rule(share + "by = \"path\"\nfor = \"1min\"\n")).find("mine")->hold, minutes{1});
  const auto book = read("[[rule]]\nname = \"mine\"\nover = \"disk\"\nabsent = \"1min\"\n");
  EXPECT_EQ(book.find("mine")->absent, minutes{1});
  EXPECT_FALSE(book.find("mine")->when) << "an absence needs no `when`";
}

TEST(Rules, TargetsAreChecked) {
  const std::string url = "url = \"http://a\"\n";
  expect({
      {"[[target]]\ntype = \"ntfy\"\n" + url, "f.toml:1 name", "is missing"},
      {"[[target]]\nname = \"a/b\"\ntype = \"ntfy\"\n" + url, "f.toml:2 name", "letters, digits"},
      {"[[target]]\nname = \"ops\"\n" + url, "f.toml:1 type", "is missing"},
      {target(url, "pager"), "f.toml:3 type", "webhook, alertmanager, smtp, ntfy"},
      {target(""), "f.toml:1 url", "is missing"},
      {target("url = \"ftp://a\"\n"), "f.toml:4 url", "must be http://"},
      {target("url = \"http://\"\n"), "f.toml:4 url", "must be http://"},
      {target("url = \"http:///path\"\n"), "f.toml:4 url", "must be http://"},
      {target("url = \"http://a b\"\n"), "f.toml:4 url", "must be http://"},
      {target("url = \"http://a\\r\\nX: y\"\n"), "f.toml:4 url", "must be http://"},
      {target("url = \"smtp://a\"\n"), "f.toml:4 url", "must be http://"},
      {target(url, "smtp"), "f.toml:4 url", "must be smtp://"},
      {target(url + "repeat = \"9s\"\n"), "f.toml:5 repeat", "must be 0s or at least 10s"},
      {target(url + "timeout_s = 0\n"), "f.toml:5 timeout_s", "from 1 to 300"},
      {target(url + "tiemout_s = 1\n"), "f.toml:5 tiemout_s", "is no key of a target; did you mean timeout_s?"},
      {mail(""), "f.toml:1", "`from` and `to`"},
      {mail("from = \"a@x\"\n"), "f.toml:1", "`from` and `to`"},
      {mail("to = [\"a@x\"]\n"), "f.toml:1", "`from` and `to`"},
      {mail("from = \"a@x\"\nto = \"b@x\"\n"), "f.toml:6 to", "a list of 1 to 32 texts"},
      {mail("from = \"a@x\"\nto = [\"b@x\\r\\nBcc: c@x\"]\n"), "f.toml:6 to", "must be addresses"},
      {mail("from = \"a@x\"\nto = [\"b@x\", \"c@x\\n\"]\n"), "f.toml:6 to", "must be addresses"},
      {mail("from = \"a@x>\\r\\nTo: c@x\"\nto = [\"b@x\"]\n"), "f.toml:5 from", "must be an address"},
      {target(url) + target(url), "f.toml:6 name", "another target"},
  });
  std::string many;
  for (std::size_t i = 0; i <= targets_max; ++i)
    many += "[[target]]\nname = \"t" + std::to_string(i) + "\"\ntype = \"ntfy\"\n" + url;
  expect({{many, "f.toml:1 target", "at most 16 tables"}});
}

TEST(Rules, AFileIsBounded) {
  const std::string large = "#" + std::string(file_bytes_max - 2, ' ') + "\n";
  EXPECT_EQ(read(large).rules.size(), shipped().rules.size());
  expect({{large + " ", "f.toml", "more than 262144 bytes"}});
  std::string many;
  for (std::size_t i = 0; i <= rules_max; ++i)
    many += "[[rule]]\nname = \"r" + std::to_string(i) + "\"\nover = \"disk\"\nwhen = \"use > 1%\"\n";
  expect({{many, "f.toml:1 rule", "more than 256 rules"}});
}

TEST(Rules, ANameStandsOnce) {
  const std::string off = "[[rule]]\nname = \"device_lost\"\nenabled = false\n";
  const std::string own = "[[rule]]\nname = \"device_lost\"\nover = \"disk\"\nwhen = \"use > 1%\"\n";
  expect({
      {rule("") + rule(""), "f.toml:6 name", "another rule of this name"},
      {off + off, "f.toml:5 name", "another rule of this name"},
      {off + own, "f.toml:5 name", "another rule of this name"},
      {own + off, "f.toml:6 name", "another rule of this name"},
      {"\n[[rule]]\nname = \"devices_lost\"\nenabled = false\n", "f.toml:3 name", "no shipped rule"},
      {"[[rule]]\nname = \"device_lost\"\nenabled = 0\n", "f.toml:3 enabled", "true or false"},
      {"[[rule]]\nname = \"mine\"\nwhen = \"use > 1%\"\n", "f.toml:1 over", "is missing"},
      {"[[rule]]\nname = \"mine\"\nover = \"disk\"\nwhn = \"use > 1%\"\n", "f.toml:4 whn", "did you mean when?"},
  });
}

TEST(Rules, ARuleChangesTheKeysThatItHasOfAShippedOneInItsPlace) {
  const auto book = read(
      "[[rule]]\nname = \"job_failed\"\nover = \"job\"\nwhen = \"state == failed\"\nseverity = \"info\"\n"
      "[[rule]]\nname = \"mine\"\nover = \"disk\"\nwhen = \"use > 1%\"\n");
  ASSERT_EQ(book.rules.size(), shipped().rules.size() + 1);
  for (std::size_t i = 0; i < shipped().rules.size(); ++i) EXPECT_EQ(book.rules[i].name, shipped().rules[i].name);
  EXPECT_EQ(book.rules.back().name, "mine");
  const auto& failed = *book.find("job_failed");
  EXPECT_EQ(failed.severity, Severity::info);
  EXPECT_EQ(failed.forget, shipped().find("job_failed")->forget);
  EXPECT_FALSE(failed.text.empty());
  const auto unwell = *read("[[rule]]\nname = \"device_health\"\nwhen = \"health < 0.5\"\n").find("device_health");
  EXPECT_EQ(unwell.when->text(), "health < 0.5");
  EXPECT_FALSE(unwell.until) << "it belonged to the other `when`";
  const auto other =
      *read("[[rule]]\nname = \"device_health\"\nover = \"disk\"\nwhen = \"use > 1%\"\n").find("device_health");
  EXPECT_TRUE(other.text.empty()) << "of another sort of thing nothing is left";
  EXPECT_EQ(other.all, "fieldwork alert ls -f 'rule == device_health'");
  EXPECT_EQ(book.find("nothing"), nullptr);
}

TEST(Rules, AShippedRuleIsSwitchedOff) {
  const auto book = read("[[rule]]\nname = \"device_lost\"\nenabled = false\n");
  ASSERT_EQ(book.rules.size(), shipped().rules.size());
  for (const auto& one : book.rules) {
    EXPECT_EQ(one.enabled, one.name != "device_lost") << one.name;
    EXPECT_EQ(one.when, shipped().find(one.name)->when) << one.name;
  }
  EXPECT_TRUE(shipped().find("device_lost")->enabled);
  EXPECT_FALSE(read(rule("enabled = false\n")).find("mine")->enabled);
}

TEST(Rules, ARuleIsReadWhole) {
  const auto book =
      read(rule("until = \"use < 80%\"\nfor = \"1min\"\nforget = \"1h\"\nsince = \"free\"\nvalue = \"use\"\nseverity = "
                "\"critical\"\n"
                "text = \"{use} of {path}\"\nnext = \"df {subject}\"\nall = \"df\"\nmany = \"more disks\"\n"
                "labels = [\"path\"]\nset = {team = \"ops\"}\n"));
  const auto& mine = *book.find("mine");
  EXPECT_EQ(mine.over, Over::disk);
  EXPECT_EQ(mine.when->text(), "use > 90%");
  EXPECT_EQ(mine.until->text(), "use < 80%");
  EXPECT_EQ(mine.hold, minutes{1});
  EXPECT_EQ(mine.forget, hours{1});
  EXPECT_EQ(fleet::to_text(*mine.since), "free");
  EXPECT_EQ(fleet::to_text(*mine.value), "use");
  EXPECT_EQ(mine.severity, Severity::critical);
  EXPECT_EQ(mine.all, "df");
  EXPECT_EQ(mine.many, "more disks");
  ASSERT_EQ(mine.label.size(), 1U);
  EXPECT_EQ(mine.label[0].first, "path");
  EXPECT_EQ(mine.labels, (Labels{{"team", "ops"}}));
  const auto names = read(
      "[[rule]]\nname = \"mine\"\nover = \"device\"\nwhen = \"has battery\"\n"
      "labels = [\"label.zone\", \"label.a-b\", \"cpu.use\"]\n");
  std::vector<std::string> labels;
  for (const auto& [label, attribute] : names.find("mine")->label) labels.push_back(label);
  EXPECT_EQ(labels, (std::vector<std::string>{"zone", "a_b", "cpu_use"}));
}

TEST(Rules, TargetsHaveDefaults) {
  const auto book = read(
      "[[target]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"https://a:1/b\"\n"
      "[[target]]\nname = \"am\"\ntype = \"alertmanager\"\nurl = \"http://am:9093\"\n"
      "[[target]]\nname = \"mail\"\ntype = \"smtp\"\nurl = \"smtps://mail\"\nfrom = \"a@x\"\nto = [\"b@x\", \"c@x\"]\n"
      "user = \"u\"\npassword_file = \"/p\"\ntimeout_s = 30\n"
      "[[target]]\nname = \"phone\"\ntype = \"ntfy\"\nurl = \"http://n/t\"\nafter = \"15min\"\nrepeat = \"1h\"\n"
      "when = \"severity == critical\"\n");
  ASSERT_EQ(book.targets.size(), 4U);
  const int timeout_s = book.targets[0].timeout_s;
  const std::vector<Target> wanted{{.name = "hook",
                                    .type = Target::Type::webhook,
                                    .url = "https://a:1/b",
                                    .repeat = hours{4},
                                    .timeout_s = timeout_s},
                                   {.name = "am",
                                    .type = Target::Type::alertmanager,
                                    .url = "http://am:9093",
                                    .repeat = seconds{60},
                                    .timeout_s = timeout_s},
                                   {.name = "mail",
                                    .type = Target::Type::smtp,
                                    .url = "smtps://mail",
                                    .repeat = hours{4},
                                    .from = "a@x",
                                    .to = {"b@x", "c@x"},
                                    .user = "u",
                                    .password_file = "/p",
                                    .timeout_s = 30},
                                   {.name = "phone",
                                    .type = Target::Type::ntfy,
                                    .url = "http://n/t",
                                    .when = *fleet::Expression::parse("severity == critical", alert_vocabulary()),
                                    .after = minutes{15},
                                    .repeat = hours{1},
                                    .timeout_s = timeout_s}};
  EXPECT_EQ(book.targets, wanted);
  EXPECT_EQ(name(Target::Type::alertmanager), "alertmanager");
}

TEST(Rules, NotifySaysHowTargetsAreTold) {
  const auto usual = read("");
  EXPECT_EQ(usual.group_by, std::vector<std::string>{"rule"});
  EXPECT_EQ(usual.wait, seconds{10});
  EXPECT_EQ(usual.interval, seconds{60});
  EXPECT_EQ(usual.give_up, hours{6});
  const auto book =
      read("[notify]\ngroup_by = [\"severity\", \"site\"]\nwait = \"0s\"\ninterval = \"2min\"\ngive_up = \"1d\"\n");
  EXPECT_EQ(book.group_by, (std::vector<std::string>{"severity", "site"}));
  EXPECT_EQ(book.wait, Duration{});
  EXPECT_EQ(book.interval, minutes{2});
  EXPECT_EQ(book.give_up, hours{24});
  expect({
      {"[notify]\nwiat = \"1s\"\n", "f.toml:2 wiat", "did you mean wait?"},
      {"[notify]\ngive_up = \"59s\"\n", "f.toml:2 give_up", "must be a duration"},
      {"[notify]\ngroup_by = []\n", "f.toml:2 group_by", "a list of"},
  });
}

TEST(Rules, NotifyIsATable) {
  expect({
      {"\nnotify = 1\n", "f.toml:2 notify", ""},
      {"\n[[notify]]\nwait = \"1s\"\n", "f.toml:2 notify", ""},
  });
}

TEST(Rules, ATargetsTimeoutIsThatOfTheHeader) {
  EXPECT_EQ(read(target("url = \"http://a\"\n")).targets.at(0).timeout_s, Target{}.timeout_s);
}

TEST(Rules, TheShippedOnesHaveWordsForPeople) {
  const auto& book = shipped();
  EXPECT_EQ(book.rules.size(), 26U);
  EXPECT_TRUE(book.targets.empty());
  ASSERT_EQ(book.inhibitions.size(), 1U);
  EXPECT_EQ(book.inhibitions[0].equal, std::vector<std::string>{"site"});
  for (const auto& one : book.rules) {
    EXPECT_TRUE(one.enabled) << one.name;
    EXPECT_FALSE(one.text.empty()) << one.name;
    EXPECT_FALSE(one.next.empty()) << one.name;
    EXPECT_FALSE(one.many.empty()) << one.name;
    const auto command = one.all.substr(0, one.all.find(' '));
    EXPECT_TRUE(command == "fieldwork" || command == "df") << one.name << ": " << one.all;
  }
}

Text text(const std::string& words) {
  auto out = Text::parse(words, vocabulary(Over::disk));
  EXPECT_TRUE(out) << words;
  return *out;
}

TEST(Text, SaysValuesAndWhatIsSaidWhereTheyAreAbsent) {
  fleet::NamedValues values;
  values.set("path", "/data");
  values.set("use", 93.0);
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},
      {"full", "full"},
      {"{path}", "/data"},
      {"{path} is full", "/data is full"},
      {"{use} of {path}", "93 % of /data"},
      {"{path|nowhere}", "/data"},
      {"of {subject}: {free} left", "of d1:  left"},
      {"{free|nothing} left", "nothing left"},
      {"{free|a | b}", "a | b"},
      {"{subject|x}", "d1"},
      {"a } b", "a } b"},
  };
  for (const auto& [words, said] : cases) EXPECT_EQ(text(words).of(values, "d1"), said) << words;
  EXPECT_TRUE(text("").empty());
  EXPECT_FALSE(text("{path}").empty());
}

TEST(Text, IsCut) {
  fleet::NamedValues values;
  values.set("path", std::string(text_max, 'p'));
  EXPECT_EQ(text("{path}").of(values, "d1"), std::string(text_max, 'p'));
  EXPECT_EQ(text("{path}!").of(values, "d1"), std::string(text_max - 3, 'p') + "...");
  EXPECT_EQ(text("{path}{path}").of(values, "d1").size(), text_max);
  std::string umlauts;
  for (int i = 0; i < 300; ++i) umlauts += "\xC3\xA4";
  fleet::NamedValues wide;
  wide.set("path", umlauts);
  EXPECT_EQ(text("{path}").of(wide, "d1"), umlauts.substr(0, 508) + "...") << "between two letters";
  EXPECT_FALSE(Text::parse(std::string(text_max + 1, 'x'), vocabulary(Over::disk)));
}

}  // namespace
}  // namespace fieldwork::alerts
