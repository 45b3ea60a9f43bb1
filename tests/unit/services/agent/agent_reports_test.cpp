// links: agent_core codec nlohmann_json::nlohmann_json GTest::gtest_main
// The device's report stream: numbers and tags, what is said when, how large results travel (docs/decisions/0009,
// 0011).
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "codec/job.hpp"
#include "support/agent_world.hpp"

namespace fieldwork::agent {
namespace {

constexpr Time t0 = from_ms(1'000'000);

AttemptReport report(const std::string& job, std::size_t bytes = 0) {
  return {.key = key(job), .state = AttemptState::failed, .reason = std::string(bytes, 'x')};
}

// A stream of epoch 7 whose numbers 4 to 6 wait; 3 was acknowledged with the tag 33.
StreamState waiting() {
  StreamState out{.epoch = 7, .next_seq = 7, .acked_tag = 33, .waiting = {}};
  for (const int seq : {4, 5, 6}) out.waiting[seq] = {seq * 11, report("j" + std::to_string(seq))};
  return out;
}

struct AnswerCase {
  const char* name;
  StreamAnswer answer;
  bool begun;
  std::vector<std::int64_t> dropped, added, left;
  bool position;
  std::int64_t epoch, next_seq, acked_tag;
};

TEST(Stream, Answers) {
  constexpr std::int64_t wall = 1000;
  const std::vector<std::int64_t> old{4, 5, 6}, anew{1, 2, 3};
  const AnswerCase cases[] = {
      {"the next one", {7, 4, 44, 0}, false, {4}, {}, {5, 6}, true, 7, 7, 44},
      {"all", {7, 6, 66, 0}, false, old, {}, {}, true, 7, 7, 66},
      {"some, of a tag that was never heard", {7, 5, 0, 0}, false, {4, 5}, {}, {6}, true, 7, 7, 55},
      {"what was acknowledged before", {7, 3, 33, 0}, false, {}, {}, old, false, 7, 7, 33},
      {"less than that: the database went back", {7, 1, 11, 0}, false, {}, {}, old, false, 7, 7, 33},
      {"nothing", {7, 0, 0, 0}, false, {}, {}, old, false, 7, 7, 33},
      {"of an older epoch", {6, 6, 66, 0}, false, {}, {}, old, false, 7, 7, 33},
      {"of a later epoch", {8, 6, 66, 0}, false, {}, {}, old, false, 7, 7, 33},
      {"another report under this number", {7, 5, 99, 0}, true, old, anew, anew, true, wall, 4, 0},
      {"a number that was never given", {7, 7, 77, 0}, true, old, anew, anew, true, wall, 4, 0},
      {"to begin", {9, 2, 22, 10}, true, old, anew, anew, true, wall, 4, 0},
      {"to begin above the device's clock", {5000, 2, 22, 5001}, true, old, anew, anew, true, 5001, 4, 0},
      {"to begin what is begun", {6, 2, 22, 7}, false, {}, {}, old, false, 7, 7, 33},
  };
  for (const auto& c : cases) {
    Reports reports({}, waiting(), t0);
    Reports::Changes changes;
    EXPECT_EQ(reports.answered(c.answer, wall, t0, changes), c.begun) << c.name;
    EXPECT_EQ(changes.dropped, c.dropped) << c.name;
    EXPECT_EQ(changes.added, c.added) << c.name;
    EXPECT_EQ(changes.position, c.position) << c.name;
    const auto& state = reports.state();
    std::vector<std::int64_t> left;
    for (const auto& [seq, one] : state.waiting) left.push_back(seq);
    EXPECT_EQ(left, c.left) << c.name;
    EXPECT_EQ(state.epoch, c.epoch) << c.name;
    EXPECT_EQ(state.next_seq, c.next_seq) << c.name;
    EXPECT_EQ(state.acked_tag, c.acked_tag) << c.name;
    if (c.begun) {
      EXPECT_EQ(state.waiting.at(1).tag, 44) << c.name << ": the same reports";
      EXPECT_EQ(state.waiting.at(3).report.key, key("j6")) << c.name;
    }
    Reports::Changes again;
    EXPECT_FALSE(reports.answered(c.answer, wall, t0, again)) << c.name << ": twice";
    EXPECT_TRUE(again.dropped.empty() && again.added.empty()) << c.name << ": twice";
  }
}

TEST(Stream, ACopyThatHasNothingToSayBeginsToo) {
  Reports reports({}, {.epoch = 7, .next_seq = 7, .acked_tag = 66, .waiting = {}}, t0);
  Reports::Changes changes;
  EXPECT_FALSE(reports.answered({7, 6, 66, 0}, 1000, t0, changes));
  EXPECT_TRUE(reports.answered({7, 9, 99, 0}, 1000, t0, changes));
  EXPECT_EQ(reports.state().next_seq, 1);
  EXPECT_TRUE(reports.answered({1000, 1, 5, 0}, 900, t0, changes)) << "the same, with a clock that went back";
  EXPECT_EQ(reports.state().epoch, 1001);
}

TEST(Stream, NumbersGoOnAndTagsAreNeverNone) {
  Reports reports({}, waiting(), t0);
  std::set<std::int64_t> tags;
  std::int64_t seq = 7;
  for (std::uint64_t batch = 0; batch < 50; ++batch) {
    Reports::Changes changes;
    for (int i = 0; i < 20; ++i) reports.add(report("b" + std::to_string(batch) + "-" + std::to_string(i)));
    reports.number(batch, changes);
    ASSERT_EQ(changes.added.size(), 20U);
    for (const auto one : changes.added) {
      EXPECT_EQ(one, seq++);
      const auto tag = reports.state().waiting.at(one).tag;
      EXPECT_TRUE(tag > 0 && tag <= 0xFFFFFFFF) << tag;
      tags.insert(tag);
    }
  }
  EXPECT_EQ(tags.size(), 1000U) << "all differ";
}

// --- what is said when ----------------------------------------------------------------------------------------------

// As "1:2" for two items from number 1 on.
Words said(const std::vector<Message>& messages) {
  Words out;
  for (const auto& one : messages) out.push_back(std::to_string(one.seq) + ":" + std::to_string(one.items.size()));
  return out;
}

TEST(Sending, SaysWhatStandsBeforeEachMessage) {
  Reports reports({.items_max = 2}, waiting(), t0);
  EXPECT_TRUE(reports.due(t0, true).empty()) << "not connected";
  reports.connected(t0);
  const auto messages = reports.due(t0, true);
  ASSERT_EQ(said(messages), (Words{"4:2", "6:1"}));
  for (const auto& one : messages) {
    EXPECT_EQ(one.epoch, 7);
    EXPECT_EQ(one.first, 4);
  }
  EXPECT_EQ(messages[0].after, 33) << "of the newest that was acknowledged";
  EXPECT_EQ(messages[1].after, 55);
  Reports::Changes changes;
  EXPECT_TRUE(reports.answered({9, 0, 0, 10}, 1000, t0, changes));
  const auto anew = reports.due(t0, true);
  ASSERT_EQ(said(anew), (Words{"1:2", "3:1"})) << "at once";
  EXPECT_EQ(anew[0].after, 0);
  EXPECT_EQ(anew[0].first, 1);
}

TEST(Sending, NeverMoreThanTheWindowOnTheWay) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    const ReportLimits limits{
        .items_max = 1 + random() % 8, .message_bytes = 1000 + random() % 4000, .window_bytes = 1000 + random() % 9000};
    Reports reports(limits, {.epoch = 7, .next_seq = 1, .acked_tag = 0, .waiting = {}}, t0);
    reports.connected(t0);
    std::int64_t sent = 0;
    for (int i = 0; i < 40; ++i) {
      Reports::Changes changes;
      for (auto n = random() % 4; n > 0; --n)
        reports.add(report(std::to_string(round) + "-" + std::to_string(i) + "-" + std::to_string(n), random() % 3000));
      reports.number(random(), changes);
      for (const auto& message : reports.due(t0, true)) {
        EXPECT_EQ(message.seq, sent + 1) << "nothing twice, nothing left out";
        sent = message.seq + static_cast<std::int64_t>(message.items.size()) - 1;
        EXPECT_LE(message.items.size(), limits.items_max);
      }
      std::size_t bytes = 0;
      std::size_t items = 0;
      for (const auto& [seq, one] : reports.state().waiting) {
        if (seq > sent) break;
        bytes += size_of(one.report);
        ++items;
      }
      EXPECT_TRUE(bytes <= limits.window_bytes || items == 1) << round << ": " << bytes << " in " << items;
      EXPECT_TRUE(items > 0 || reports.state().waiting.empty()) << "one always goes";
      if (items > 0) {
        const auto upto = reports.state().waiting.begin()->first + static_cast<std::int64_t>(random() % items);
        (void)reports.answered({7, upto, 0, 0}, 0, t0, changes);
      }
    }
  }
}

TEST(Sending, NothingIsRepeatedThatHasNotLeft) {
  Reports reports({}, waiting(), t0);
  reports.connected(t0);
  EXPECT_EQ(said(reports.due(t0, true)), Words{"4:3"});
  Time now = t0;
  for (int i = 0; i < 100; ++i) {
    now += seconds(1);
    EXPECT_TRUE(reports.due(now, false).empty()) << i;
  }
  reports.add(report("k"));
  Reports::Changes changes;
  reports.number(1, changes);
  EXPECT_EQ(said(reports.due(now, false)), Words{"7:1"}) << "what is new goes behind it";
  now += seconds(2);
  EXPECT_EQ(said(reports.due(now, true)), Words{"4:4"});
}

TEST(Sending, IsRepeatedSoonWhenTheSchedulerIsHeard) {
  Reports reports({}, waiting(), t0);
  reports.connected(t0);
  Time now = t0;
  (void)reports.due(now, true);
  for (int i = 0; i < 8; ++i) {
    now += seconds(30);
    (void)reports.due(now, true);
  }
  now += seconds(1);
  reports.heard(now);
  EXPECT_TRUE(reports.due(now, true).empty()) << "just said";
  now += seconds(1);
  EXPECT_TRUE(reports.due(now, true).empty()) << "it waits half a minute by now";
  reports.heard(now);
  EXPECT_TRUE(reports.due(now, false).empty()) << "still on its way out";
  now += seconds(2);
  EXPECT_EQ(said(reports.due(now, true)), Words{"4:3"});
  reports.heard(now);
  EXPECT_TRUE(reports.due(now, true).empty()) << "once";
}

// A partition that heals without a reconnect: whatever comes through shows it.
TEST(Sending, AnyWordOfAServiceBringsTheNextRepeatForward) {
  World world;
  world.step({Connected{}, assignment(key("j"))});
  for (int i = 0; i < 5; ++i) world.pass(seconds(30));
  world.pass(seconds(5));
  ASSERT_TRUE(world.said.messages.empty()) << "it waits half a minute by now";
  world.step({InquireArrived{{key("other"), ""}}});
  EXPECT_FALSE(world.said.messages.empty());
  EXPECT_EQ(said(world.said.messages).front().front(), '1') << "from the first";
}

TEST(Sending, AreSentWhenConnectedAndRepeatedFromTheFirst) {
  World world;
  world.step({assignment(key("j"))});
  EXPECT_TRUE(world.said.messages.empty());
  world.step({Connected{}});
  EXPECT_EQ(said(world.said.messages), Words{"1:1"});
  world.step({ended(key("j"))});
  EXPECT_EQ(said(world.said.messages), Words{"2:1"}) << "only what is new";
  for (const int wait : {2, 2, 4, 8, 16, 30, 30}) {
    world.pass(seconds(wait) - milliseconds(1));
    EXPECT_TRUE(world.said.messages.empty()) << wait;
    world.pass(milliseconds(1));
    EXPECT_EQ(said(world.said.messages), Words{"1:2"}) << wait;
  }
  world.step({Disconnected{}});
  world.pass(seconds(100));
  EXPECT_TRUE(world.quiet());
  world.step({Connected{}});
  EXPECT_EQ(said(world.said.messages), Words{"1:2"}) << "and at once after a reconnect";
}

TEST(Sending, AcknowledgementDropsUpToItself) {
  World world;
  world.step({Connected{}});
  for (const auto* job : {"j", "k", "l"}) world.step({assignment(key(job))});
  ASSERT_EQ(world.core.unacknowledged(), 3U);
  world.step({AckArrived{{6, 3, 0, 0}}});
  EXPECT_TRUE(world.quiet()) << "of another epoch";
  world.step({AckArrived{{7, 0, 0, 0}}});
  EXPECT_TRUE(world.quiet()) << "of nothing";
  world.step({world.acknowledge(2)});
  EXPECT_EQ(world.core.unacknowledged(), 1U);
  EXPECT_EQ(world.said.reports.size(), 2U);
  world.pass(seconds(2));
  EXPECT_EQ(said(world.said.messages), Words{"3:1"});
  world.acknowledge_all();
  EXPECT_EQ(world.core.unacknowledged(), 0U);
  world.step({Disconnected{}, Connected{}});
  EXPECT_TRUE(world.said.messages.empty());
}

TEST(Sending, AnotherHistoryIsANewEpoch) {
  World world;
  world.step({Connected{}, assignment(key("j"))});
  world.acknowledge_all();
  world.step({ended(key("j"))});
  world.step({AckArrived{{7, 99, 5, 0}, 0, 4000}});
  EXPECT_EQ(world.core.stream().epoch, 4000);
  EXPECT_EQ(said(world.said.messages), Words{"1:1"});
  ASSERT_EQ(world.said.notices.size(), 1U);
  EXPECT_NE(world.said.notices[0].text.find("another history"), std::string::npos);
  world.restart();
  world.step({Connected{}});
  ASSERT_EQ(said(world.said.messages), Words{"1:1"}) << "also after a restart";
  EXPECT_EQ(world.said.messages[0].epoch, 4000);
}

// A row of the journal could not be read: what follows keeps its number.
TEST(Sending, AMissingNumberEndsTheMessage) {
  auto state = waiting();
  state.waiting.erase(5);
  Reports reports({}, state, t0);
  reports.connected(t0);
  const auto messages = reports.due(t0, true);
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].seq, 4);
  EXPECT_EQ(messages[0].items.size(), 1U);
  EXPECT_EQ(messages[1].seq, 6);
  EXPECT_EQ(messages[1].items.size(), 1U);
}

TEST(Sending, SurvivesARestart) {
  World world;
  world.step({assignment(key("j")), ended(key("j"))});
  world.restart();
  world.step({assignment(key("k"))});
  world.step({Connected{}});
  ASSERT_EQ(said(world.said.messages), Words{"1:2"});
  EXPECT_EQ(world.said.messages[0].items[0].report.state, AttemptState::succeeded);
  EXPECT_EQ(world.said.messages[0].items[1].report.key, key("k"));
}

TEST(Sending, IsSplitBySizeAndNumber) {
  Limits limits;
  limits.reports = {.items_max = 2, .message_bytes = 1500};
  World world(limits);
  for (const auto* job : {"j", "k", "l", "m"}) {
    auto end = ended(key(job));
    if (job[0] == 'l') end.result->stdout_text = std::string(5000, 'x');
    world.step({assignment(key(job)), end});
  }
  world.step({Connected{}});
  EXPECT_EQ(said(world.said.messages), (Words{"1:2", "3:1", "4:1"}));
}

// --- large results --------------------------------------------------------------------------------------------------

std::string bytes(std::mt19937_64& random, std::size_t count) {
  std::string out(count, '\0');
  // All kinds: any bytes, controls that take six bytes as JSON, plain text.
  const auto kind = random() % 3;
  for (char& c : out) {
    const auto x = random();
    c = static_cast<char>(kind == 0 ? x % 256 : kind == 1 ? 1 + x % 31 : 'a' + x % 26);
  }
  return out;
}

AttemptReport any_end(std::mt19937_64& random) {
  const std::size_t sizes[] = {0, 1, 500, 4000, 7900, 32U << 10, 100'000, 1U << 20};
  const auto size = [&](std::size_t max) { return std::min(max, sizes[random() % 8] + random() % 3); };
  AttemptReport end{.key = key(std::string(64, 'j'), limits::fence_max), .state = AttemptState::failed};
  end.reason = bytes(random, size(3000));
  std::replace(end.reason.begin(), end.reason.end(), '\0', ' ');
  for (char& c : end.reason) c = static_cast<char>(c & 0x7F);
  end.traceparent = "00-" + std::string(32, 'a') + "-" + std::string(16, 'b') + "-01";
  end.result = RunResult{.exit_code = 1};
  end.result->stdout_text = bytes(random, size(limits::output_bytes_max));
  end.result->stderr_text = bytes(random, size(limits::output_bytes_max));
  for (auto i = random() % 17; i > 0; --i) {
    OutputFile file{.path = std::string(250, 'p') + std::to_string(100000 + i),
                    .digest = "sha256:" + std::string(64, 'd')};
    if (random() % 4 != 0) file.content = bytes(random, size(limits::content_bytes_max));
    file.size_bytes = static_cast<std::int64_t>(file.content ? file.content->size() : 1U << 30);
    end.result->files.push_back(std::move(file));
  }
  return end;
}

TEST(LargeResults, EveryItemIsBelowAMessageAndThePartsAreTheWhole) {
  for (unsigned seed = 0; seed < 12; ++seed) {
    std::mt19937_64 random(seed);
    const auto end = any_end(random);
    const auto items = in_parts(end);
    std::map<std::string, std::string> parts;
    for (std::size_t i = 0; i < items.size(); ++i) {
      const auto& item = items[i];
      EXPECT_LT(codec::dump(codec::encode(item)).size(), limits::report_bytes_max) << seed;
      EXPECT_EQ(item.key, end.key);
      EXPECT_EQ(item.traceparent, end.traceparent);
      ASSERT_EQ(item.part.has_value(), i + 1 < items.size()) << seed << ": how it ended comes last, and once";
      if (!item.part) continue;
      EXPECT_EQ(item.state, AttemptState::running) << "it goes on until its last item";
      EXPECT_LE(item.part->bytes.size(), limits::part_bytes_max);
      EXPECT_EQ(item.part->offset, static_cast<std::int64_t>(parts[item.part->of].size())) << seed << " in order";
      parts[item.part->of] += item.part->bytes;
      const auto read = codec::decode_attempt_report(codec::Json::parse(codec::dump(codec::encode(item))));
      ASSERT_TRUE(read.ok()) << describe(read.error());
      EXPECT_TRUE(read->part == item.part) << seed << ": byte for byte";
    }
    const auto& last = items.back();
    EXPECT_EQ(last.state, end.state);
    ASSERT_TRUE(last.result.has_value());
    EXPECT_EQ(last.result->files.size(), end.result->files.size());
    auto whole = end;
    whole.reason = last.reason;  // cut
    EXPECT_EQ(last.result->in_parts, size_of(whole) > limits::result_inline_bytes_max) << seed;
    if (!last.result->in_parts) {
      EXPECT_TRUE(last.result == end.result) << seed;
      continue;
    }
    EXPECT_TRUE(parts["stdout"] == end.result->stdout_text) << seed;
    EXPECT_TRUE(parts["stderr"] == end.result->stderr_text) << seed;
    EXPECT_EQ(last.result->stdout_bytes, static_cast<std::int64_t>(end.result->stdout_text.size()));
    EXPECT_EQ(last.result->stderr_bytes, static_cast<std::int64_t>(end.result->stderr_text.size()));
    EXPECT_TRUE(end.result->stdout_text.ends_with(last.result->stdout_text)) << seed;
    for (std::size_t i = 0; i < end.result->files.size(); ++i) {
      const auto& file = end.result->files[i];
      EXPECT_TRUE(parts["file:" + file.path] == file.content.value_or("")) << seed;
      EXPECT_EQ(last.result->files[i].content, file.content == "" ? file.content : std::nullopt) << seed;
    }
  }
}

TEST(LargeResults, InShortIsOneItem) {
  for (unsigned seed = 0; seed < 12; ++seed) {
    std::mt19937_64 random(seed);
    const auto end = any_end(random);
    const auto one = in_short(end);
    EXPECT_LT(codec::dump(codec::encode(one)).size(), limits::report_bytes_max) << seed;
    EXPECT_EQ(one.state, end.state);
    ASSERT_TRUE(one.result.has_value());
    EXPECT_EQ(one.result->exit_code, end.result->exit_code);
    EXPECT_FALSE(one.result->in_parts) << "its parts do not come with it";
  }
}

TEST(LargeResults, HowItEndedComesBehindTheParts) {
  World world;
  world.step({assignment(key("j"))});
  world.acknowledge_all();
  auto end = ended(key("j"));
  end.result->stdout_text = std::string(100'000, 'a');
  // Asked in the same batch: that answer is not numbered yet when it ends.
  world.step({InquireArrived{{key("j"), ""}}, end});
  Words states;
  for (const auto& save : world.said.reports) states.push_back(save.report->report.part ? "part" : "end");
  EXPECT_EQ(states, (Words{"part", "part", "part", "part", "end"}));
}

}  // namespace
}  // namespace fieldwork::agent
