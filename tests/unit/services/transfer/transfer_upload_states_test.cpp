// links: transfer_shell GTest::gtest_main
// What the service says of contents on their way to it, as messages.
#include <gtest/gtest.h>

#include "runtime/metrics.hpp"
#include "support/transfer_world.hpp"

namespace fieldwork::transfer {
namespace {

// A package on its way from alice, whose plain bytes are sent.
struct Way {
  TransferId id;
  std::optional<exchange::Outbound> sender{};
};

double bad_frames_counted() {
  const auto text = metrics::text();
  const auto at = text.find("\nfieldwork_transfer_bad_frames_total{direction=\"up\"} ");
  return at == std::string::npos ? 0.0 : std::stod(text.substr(text.find(' ', at)));
}

class Uploads : public World {
 protected:
  const std::string frames = topics.service("transfer", "frame", "alice");

  // `file`: what is sent for `bytes`.
  Way start(const std::string& bytes, const std::string& file, const std::string& version = "1") {
    const auto upload = upload_of(bytes, version);
    const auto answer = ask("offer", "alice", codec::encode(upload));
    Way way{TransferId(answer.at("transfer").get<std::string>())};
    write(dir / "upload", file);
    const exchange::Encoded encoded{"identity", dir / "upload", upload.size_bytes, upload.digest};
    const auto sealing = exchange::seal_for_one(way.id.value, crypto::Cipher::aes_256_gcm);
    const auto offer = exchange::make_offer(way.id, upload.digest, upload.size_bytes, encoded, sealing,
                                            pki().certificate("transfer"), "")
                           .value();
    ask("start", "alice", codec::encode(offer));
    way.sender.emplace(exchange::Outbound::open(offer, sealing.key, encoded.path, {}, {}, now).value());
    return way;
  }
  // The answers that came meanwhile.
  std::vector<Received> round(Way& way) {
    for (auto& frame : way.sender->due(now)) hear(frames, frame);
    pass(milliseconds(60));
    std::vector<Received> out;
    for (const auto& ack : take(topics.reply("cli-alice", "received"))) {
      out.push_back(codec::decode_received(ack).value());
      way.sender->received(out.back(), now);
    }
    return out;
  }
  Json state(const TransferId& id) { return Json::parse(retained.at(topics.state("transfer", id.value))); }
  std::vector<Json> events(const TransferId& id) {
    std::vector<Json> out;
    for (const auto& text : take(topics.event("transfer", id.value))) out.push_back(Json::parse(text));
    return out;
  }
};

TEST_F(Uploads, SayHowTheyGoAndThatTheyAreStored) {
  const auto bytes = make_bytes(60'000, 3);
  auto way = start(bytes, bytes);
  pass(seconds(2));
  EXPECT_EQ(state(way.id).at("state"), "offered");
  EXPECT_EQ(state(way.id).at("direction"), "up");
  EXPECT_EQ(state(way.id).at("client"), "alice");
  EXPECT_EQ(state(way.id).at("encoded_bytes"), 60'000);
  auto pieces = way.sender->due(now);
  hear(frames, pieces.at(0));
  pass(seconds(2));
  const auto part = state(way.id);
  EXPECT_EQ(part.at("state"), "sending");
  EXPECT_GT(part.at("acked_bytes").get<int>(), 0);
  EXPECT_EQ(part.at("frames_sent"), 1);
  EXPECT_GT(part.at("bit_per_s").get<int>(), 0);
  EXPECT_GE(part.at("eta_s").get<int>(), 1);
  for (int i = 0; i < 1000 && !way.sender->finished(); ++i) {
    round(way);
    if (way.sender->sender().suspended()) way.sender->asked_again(now);
  }
  ASSERT_TRUE(way.sender->finished());
  EXPECT_EQ(state(way.id).at("state"), "completed");
  EXPECT_EQ(state(way.id).at("acked_bytes"), 60'000);
  EXPECT_FALSE(state(way.id).contains("failure"));
  EXPECT_EQ(events(way.id).back().at("event"), "finished");
  restart();
  EXPECT_EQ(ask("transfer", "bob", codec::dump({{"v", 1}, {"transfer", way.id.value}})).at("transfer").at("state"),
            "completed");
}

TEST_F(Uploads, ABadFrameIsCountedAskedForAgainAndSaid) {
  const auto bytes = make_bytes(60'000, 4);
  auto way = start(bytes, bytes);
  const auto before = bad_frames_counted();
  auto pieces = way.sender->due(now);
  ASSERT_GE(pieces.size(), 2U);
  pieces[0].back() = static_cast<char>(pieces[0].back() ^ 1);
  for (const auto& piece : pieces) hear(frames, piece);
  std::int64_t bad = 0;
  for (int i = 0; i < 200 && !way.sender->finished(); ++i) {
    for (const auto& answer : round(way)) bad = std::max(bad, answer.bad_frames);
  }
  EXPECT_TRUE(way.sender->finished());
  EXPECT_EQ(bad, 1);
  EXPECT_EQ(state(way.id).at("bad_frames"), 1);
  EXPECT_EQ(bad_frames_counted(), before + 1);
  EXPECT_EQ(way.sender->resent_frames(), 1U);
  EXPECT_EQ(way.sender->tries_most(), 2U);
}

TEST_F(Uploads, AWrongContentSaysWhichPartWasWrong) {
  const auto bytes = make_bytes(30'000, 12);
  auto wrong = bytes;
  wrong[5] = static_cast<char>(wrong[5] ^ 1);
  auto way = start(bytes, wrong);
  std::vector<Received> answers;
  for (int i = 0; i < 100 && !way.sender->failed(); ++i) answers = round(way);
  ASSERT_FALSE(answers.empty());
  EXPECT_EQ(answers.back().failure, TransferFailure::verification_failed);
  EXPECT_NE(answers.back().reason.find("digest:"), std::string::npos) << answers.back().reason;
  EXPECT_EQ(state(way.id).at("state"), "failed");
  EXPECT_EQ(state(way.id).at("failure"), "verification_failed");
  EXPECT_EQ(state(way.id).at("reason"), answers.back().reason);
  EXPECT_EQ(events(way.id).back().at("failure"), "verification_failed");
}

TEST_F(Uploads, TheSendersStrategyIsInTheStateAndAnEvent) {
  const auto bytes = make_bytes(60'000, 5);
  auto way = start(bytes, bytes);
  auto upload = upload_of(bytes);
  upload.strategy = SaidStrategy{"far", "round trip 300 ms > 100 ms: zstd 9, frames of 16 KiB", 16'384};
  for (int i = 0; i < 2; ++i) hear(topics.service("transfer", "offer", "alice"), codec::encode(upload));
  pass(seconds(1));
  EXPECT_EQ(state(way.id).at("strategy"), codec::encode(*upload.strategy));
  EXPECT_EQ(state(way.id).at("strategies").size(), 1U);
  const auto told = events(way.id);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].at("event"), "strategy");
  EXPECT_EQ(told[0].at("reason"), upload.strategy->reason);
}

TEST_F(Uploads, AreListedBesideDownloadsAndCanBeCancelled) {
  const auto stored = make_bytes(1000, 6);
  push(stored);
  hear(topics.up("d1", "want"), want_of(crypto::digest_of(stored), "d1"));
  pass(seconds(1));
  auto way = start(make_bytes(60'000, 7), make_bytes(60'000, 7), "2");
  auto listed = ask("transfers", "bob", R"({"v":1})").at("items");
  std::vector<std::string> directions;
  for (const auto& one : listed) directions.push_back(one.at("direction"));
  EXPECT_EQ(directions, (std::vector<std::string>{"up", "down", "up"})) << "the newest first";
  EXPECT_EQ(ask("transfers", "bob", R"({"v":1,"limit":1})").at("items").size(), 1U);
  listed = ask("transfers", "bob", R"({"v":1,"live":true})").at("items");
  EXPECT_EQ(listed.size(), 2U);
  EXPECT_EQ(ask("transfers", "bob", R"({"v":1,"device":"d1"})").at("items").size(), 1U);
  const auto request = codec::dump({{"v", 1}, {"transfer", way.id.value}});
  EXPECT_EQ(ask("pause", "bob", request).at("error").at("code"), "invalid");
  EXPECT_EQ(ask("cancel", "bob", request).at("transfer").at("state"), "cancelled");
  const auto acks = take(topics.reply("cli-alice", "received"));
  ASSERT_FALSE(acks.empty());
  const auto last = codec::decode_received(acks.back()).value();
  EXPECT_EQ(last.failure, TransferFailure::cancelled);
  EXPECT_EQ(last.reason, "cancelled by bob");
  EXPECT_EQ(state(way.id).at("state"), "cancelled");
  EXPECT_EQ(files_in(dir / "store/incoming"), 0U);
}

}  // namespace
}  // namespace fieldwork::transfer
