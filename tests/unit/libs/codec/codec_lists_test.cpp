// links: codec GTest::gtest_main
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "codec/job.hpp"
#include "codec/policy.hpp"

namespace fieldwork::codec {
namespace {

// Of each list: a bad item is told by its key, or by its place when that is bad too, and its neighbours are there.
template <class T, class Key>
void expect_item_by_item(Result<Items<T, Key>> (*decode)(std::string_view), const Json& good, const char* broken,
                         const char* key_field, const Key& key) {
  auto bad = good;
  bad[broken] = Json::array({7});
  auto nameless = good;
  nameless[key_field] = "";
  Json list{{"v", 1}, {"items", Json::array({good, bad, 7, nameless, good})}};
  const auto read = decode(dump(list));
  ASSERT_TRUE(read.ok()) << describe(read.error());
  EXPECT_EQ(read->good.size(), 2U);
  ASSERT_EQ(read->bad.size(), 3U);
  EXPECT_EQ(read->bad[0].key, std::optional(key));
  EXPECT_EQ(read->bad[0].error.path, "/items/1/" + std::string(broken));
  EXPECT_EQ(read->bad[1].key, std::nullopt);
  EXPECT_EQ(read->bad[1].error.path, "/items/2");
  EXPECT_EQ(read->bad[2].key, std::nullopt);
  EXPECT_EQ(read->bad[2].error.path, "/items/3/" + std::string(key_field));
  list["v"] = 2;
  EXPECT_EQ(decode(dump(list)).error().path, "/v") << "the list itself is of another version";
  EXPECT_EQ(decode(R"({"v":1,"items":[]})").error().path, "/items");
}

TEST(ListTest, ABadItemSpoilsNothingButItself) {
  const AttemptKey key{JobId("j"), 2, 3};
  const DeviceId device("d");
  const Question question{.key = key, .submitter = "ann", .command = {"ls"}, .device = device};
  expect_item_by_item(decode_questions, encode(question), "command", "job", QuestionKey{key, device});
  const Decision decision{.key = key, .device = device, .reason = "no"};
  expect_item_by_item(decode_decisions, encode(decision), "reason", "job", key);
  expect_item_by_item(decode_certificate_checks, encode(CertificateCheck{device, "PEM"}), "certificate", "device",
                      device);
  const CertificateAnswer answer{device, "ab", CertificateState::valid, "good"};
  expect_item_by_item(decode_certificate_answers, encode(answer), "state", "device", device);
  const PermitQuestion wish{7, "ann", "stage", device, "sha256:" + std::string(64, 'a'), "f"};
  expect_item_by_item(decode_permit_questions, encode(wish), "package", "device", PermitKey{7, device});
  expect_item_by_item(decode_permits, encode(Permit{7, device, true, "yes"}), "reason", "device", PermitKey{7, device});
  expect_item_by_item(decode_commands, encode(Command(Cancel{key, ""})), "type", "job", key);
  const auto progress = Json::parse(encode(std::vector<ProgressItem>{{key, {.fraction = 0.5}}}));
  expect_item_by_item(decode_progress, progress.at("items").at(0), "progress", "job", key);
  const auto sent = Json::parse(encode(std::vector<SentItem>{{key, {"l"}}}));
  expect_item_by_item(decode_sent, sent.at("items").at(0), "lines", "job", key);
  expect_item_by_item(decode_heard, encode(HeardItem{key, 1, {"l"}}), "lines", "job", key);
}

TEST(ListTest, ABadAttemptSpoilsNoHeartbeat) {
  const AttemptKey key{JobId("j"), 2, 3};
  Heartbeat heartbeat;
  heartbeat.session = 1;
  heartbeat.attempts = {key, key};
  auto text = Json::parse(encode(heartbeat));
  const Json bad{{"job", "j"}, {"execution", 0}, {"fence", 0}};
  text["attempts"].insert(text["attempts"].begin() + 1, bad);
  const auto read = decode_heartbeat(dump(text));
  ASSERT_TRUE(read.ok()) << describe(read.error());
  EXPECT_EQ(read->attempts, heartbeat.attempts);
  ASSERT_EQ(read->bad_attempts.size(), 1U);
  EXPECT_EQ(read->bad_attempts[0].path, "/attempts/1/fence");
}

}  // namespace
}  // namespace fieldwork::codec
