// links: transfer_shell GTest::gtest_main
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>

#include "codec/device.hpp"
#include "codec/transfer.hpp"
#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "crypto/seal.hpp"
#include "exchange/inbound.hpp"
#include "exchange/outbound.hpp"
#include "runtime/engine.hpp"
#include "store/memory.hpp"
#include "transfer/shell/service.hpp"

namespace fieldwork::transfer {
namespace {

namespace fs = std::filesystem;
using codec::Json;

class TempDir {
 public:
  TempDir() {
    std::string name = (fs::temp_directory_path() / "transfer-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TempDir() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] fs::path operator/(const std::string& name) const { return path_ / name; }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void write(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }
std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Half noise, half not: zstd makes it smaller and leaves many frames.
std::string make_bytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string out(size, 'x');
  for (std::size_t i = 0; i < size / 2; ++i) out[i] = static_cast<char>(random());
  return out;
}

std::size_t files_in(const fs::path& directory) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

// Authorities and certificates, made once with the openssl command.
class Pki {
 public:
  Pki() {
    authority("device-ca");
    authority("operator-ca");
    for (const char* name : {"d1", "d2"}) issue("device-ca", name);
    for (const char* name : {"transfer", "alice", "bob"}) issue("operator-ca", name);
    write(dir_ / "releases.pem", releaser.public_key().to_pem());
  }
  [[nodiscard]] fs::path path(const std::string& name) const { return dir_ / name; }
  [[nodiscard]] std::string pem(const std::string& name) const { return read(dir_ / (name + ".crt")); }
  [[nodiscard]] crypto::Certificate certificate(const std::string& name) const {
    return crypto::Certificate::from_pem(pem(name)).value();
  }
  [[nodiscard]] crypto::PrivateKey key(const std::string& name) const {
    return crypto::PrivateKey::load(dir_ / (name + ".key")).value();
  }
  crypto::PrivateKey releaser = crypto::PrivateKey::generate();

 private:
  void run(const std::string& command) const {
    const std::string all = "cd " + dir_.path().string() + " && (" + command + ") >/dev/null 2>&1";
    if (std::system(all.c_str()) != 0) throw std::runtime_error(command);
  }
  void authority(const std::string& name) const {
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=" + name +
        " -keyout " + name + ".key -out " + name + ".crt -addext basicConstraints=critical,CA:TRUE");
  }
  void issue(const std::string& ca, const std::string& name) const {
    run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=" + name + " -keyout " + name +
        ".key -out " + name + ".csr && openssl x509 -req -days 30 -in " + name + ".csr -CA " + ca + ".crt -CAkey " +
        ca + ".key -CAcreateserial -out " + name + ".crt");
  }
  TempDir dir_;
};

const Pki& pki() {
  static const Pki made;
  return made;
}

Time wall() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }
TransferId id_of(unsigned char byte) { return TransferId(crypto::to_hex(std::string(16, static_cast<char>(byte)))); }

// --- libs/exchange ---

struct Ends {
  TempDir dir;
  std::string bytes;
  Offer offer;
  std::string key = crypto::generate_content_key();
  exchange::Encoded encoded;

  explicit Ends(std::string content, const std::string& receiver = "d1", std::int64_t frame_bytes = 4096)
      : bytes(std::move(content)) {
    write(dir / "plain", bytes);
    encoded = exchange::encode_beside(dir / "plain").value();
    offer =
        exchange::make_offer(id_of(7), crypto::digest_of(bytes), static_cast<std::int64_t>(bytes.size()),
                             encoded.encoding, encoded.encoded_bytes, frame_bytes, key, pki().certificate(receiver), "")
            .value();
  }
  [[nodiscard]] exchange::Outbound outbound(content::Ranges acked, Time now) const {
    return exchange::Outbound::open(offer, key, encoded.path, std::move(acked), {.window_bytes = 64 << 10}, now)
        .value();
  }
  [[nodiscard]] Result<exchange::Inbound> inbound(const std::string& receiver = "d1") const {
    return exchange::Inbound::open(offer, pki().key(receiver), pki().certificate(receiver).fingerprint(), dir / "in",
                                   1 << 30);
  }
  // Every frame, once.
  [[nodiscard]] std::vector<std::string> frames() const {
    auto sender = exchange::Outbound::open(offer, key, encoded.path, {}, {.window_bytes = 1 << 30}, wall()).value();
    std::vector<std::string> all;
    Received received{.transfer = offer.transfer};
    while (sender.acked_bytes() < sender.total_bytes()) {
      for (auto& frame : sender.due(wall())) {
        const auto header = crypto::frame_header(frame).value();
        received.ranges.emplace_back(header.offset, header.offset + header.length);
        all.push_back(std::move(frame));
      }
      sender.received(received, wall());
    }
    return all;
  }
};

TEST(Exchange, BringsTheBytesThroughAStorm) {
  for (unsigned seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Ends ends(make_bytes(600'000 + seed, seed));
    std::mt19937 random(seed);
    const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
    Time now = wall();
    auto sender = ends.outbound({}, now);
    auto receiver = ends.inbound().value();
    std::vector<std::string> to_receiver;
    std::vector<Received> to_sender;
    bool stored = false;
    content::Ranges checkpoint;
    for (int round = 0; !sender.finished(); ++round) {
      ASSERT_LT(round, 200'000);
      ASSERT_FALSE(sender.failed()) << sender.reason();
      now += milliseconds(10);
      for (auto& frame : sender.due(now)) {
        for (int copies = chance(20) ? 0 : chance(10) ? 2 : 1; copies > 0; --copies) to_receiver.push_back(frame);
      }
      std::shuffle(to_receiver.begin(), to_receiver.end(), random);
      while (!to_receiver.empty() && chance(85)) {
        if (!stored) {
          ASSERT_TRUE(receiver.frame(to_receiver.back(), now).ok());
        }
        // A receiver that is done says so again whenever it is asked.
        if (stored && !chance(30))
          to_sender.push_back({.transfer = ends.offer.transfer, .state = ReceivedState::complete});
        to_receiver.pop_back();
      }
      if (!stored) {
        if (const auto answer = receiver.ack_due(now); answer && !chance(30)) to_sender.push_back(*answer);
        if (receiver.complete()) stored = receiver.finish(ends.dir / "final").ok();
      }
      std::shuffle(to_sender.begin(), to_sender.end(), random);
      while (!to_sender.empty() && chance(80)) {
        sender.received(to_sender.back(), now);
        to_sender.pop_back();
      }
      if (!stored && random() % 150 == 0) receiver = ends.inbound().value();  // killed: only its files are left
      if (random() % 200 == 0) {                                              // as of an older save
        sender = ends.outbound(checkpoint, now);
      } else if (chance(5)) {
        checkpoint = sender.acked();
      }
    }
    EXPECT_TRUE(stored);
    EXPECT_EQ(read(ends.dir / "final"), ends.bytes);
    EXPECT_EQ(files_in(ends.dir / "in"), 0U);
  }
}

TEST(Exchange, GoesOnFromWhatWasCheckpointed) {
  const Ends ends(make_bytes(300'000, 3));
  const auto frames = ends.frames();
  {
    auto first = ends.inbound().value();
    for (std::size_t i = 0; i < 10; ++i) ASSERT_TRUE(first.frame(frames[i], wall()).value());
    ASSERT_TRUE(first.checkpoint().ok());
    ASSERT_TRUE(first.frame(frames[10], wall()).value());  // lost with the kill
  }
  auto second = ends.inbound().value();
  EXPECT_EQ(second.received_bytes(), 10U * 4096);
  EXPECT_EQ(second.ack_due(wall())->ranges, (ByteRanges{{0, 10 * 4096}}));  // announced
  EXPECT_FALSE(second.ack_due(wall()));
  ASSERT_TRUE(second.frame(frames[10], wall() + seconds(1)).value());
  ASSERT_TRUE(second.frame(frames[11], wall() + seconds(4)).value());  // time for a checkpoint
  EXPECT_EQ(ends.inbound()->received_bytes(), 12U * 4096);
}

TEST(Exchange, TakesARangesFileOnlyForTheSameContent) {
  Ends ends(make_bytes(300'000, 3));
  {
    auto first = ends.inbound().value();
    for (const auto& frame : ends.frames()) ASSERT_TRUE(first.frame(frame, wall()).value());
  }
  EXPECT_TRUE(ends.inbound()->complete());
  ends.offer.encoded_bytes -= 1;
  EXPECT_EQ(ends.inbound()->received_bytes(), 0U);
  ends.offer.encoded_bytes += 1;
  fs::remove(ends.dir / "in" / (ends.offer.transfer.value + ".part"));
  EXPECT_EQ(ends.inbound()->received_bytes(), 0U);
}

TEST(Exchange, AReceiverThatLostWhatItHadIsServedAgain) {
  const Ends ends(make_bytes(100'000, 4));
  const Time t0 = wall();
  auto sender = ends.outbound({}, t0);
  (void)sender.due(t0);
  Received all{.transfer = ends.offer.transfer, .ranges = {{0, static_cast<std::uint64_t>(ends.offer.encoded_bytes)}}};
  sender.received(all, t0);
  EXPECT_TRUE(sender.due(t0 + milliseconds(500)).empty());
  EXPECT_EQ(sender.due(t0 + seconds(1)).size(), 1U);  // asks
  EXPECT_TRUE(sender.due(t0 + milliseconds(1500)).empty());
  EXPECT_EQ(sender.due(t0 + seconds(2)).size(), 1U);
  EXPECT_TRUE(sender.due(t0 + seconds(3)).empty());
  all.ranges = {{0, 4096}};
  sender.received(all, t0 + seconds(1));
  EXPECT_EQ(sender.acked_bytes(), 4096U);
  EXPECT_GT(sender.due(t0 + seconds(1)).size(), 1U);
  all.state = ReceivedState::failed;
  all.reason = "no space";
  sender.received(all, t0);
  EXPECT_TRUE(sender.failed());
  EXPECT_EQ(sender.reason(), "no space");
  EXPECT_FALSE(sender.next_due());
}

TEST(Exchange, KeepsOutWhatIsNotForItOrNotWhole) {
  const Ends ends(make_bytes(50'000, 5));
  EXPECT_EQ(ends.inbound("d2").error().code, Code::denied);
  auto inbound = ends.inbound().value();
  auto frame = ends.frames().front();
  for (const std::size_t at : {std::size_t{0}, std::size_t{5}, std::size_t{27}, std::size_t{40}, frame.size() - 1}) {
    auto bad = frame;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_FALSE(inbound.frame(bad, wall()).ok()) << at;
  }
  EXPECT_FALSE(inbound.frame("FW", wall()).ok());
  EXPECT_FALSE(inbound.frame(frame.substr(0, frame.size() - 1), wall()).ok());
  const auto beyond = crypto::seal_frame(ends.key, ends.offer.transfer.value,
                                         static_cast<std::uint64_t>(ends.offer.encoded_bytes) - 1, "12");
  EXPECT_EQ(inbound.frame(beyond, wall()).error().code, Code::invalid);
  EXPECT_EQ(inbound.received_bytes(), 0U);
  EXPECT_EQ(inbound.finish(ends.dir / "final").error().code, Code::conflict);
  EXPECT_FALSE(fs::exists(ends.dir / "final"));
}

TEST(Exchange, AWrongContentNeverGetsAFinalFile) {
  struct Case {
    const char* name;
    std::function<void(Ends&)> change;
  };
  const Case cases[] = {
      {"digest", [](Ends& e) { e.offer.digest = crypto::digest_of("other"); }},
      {"smaller than announced", [](Ends& e) { e.offer.size_bytes += 1; }},
      {"larger than announced", [](Ends& e) { e.offer.size_bytes -= 1; }},
      {"not zstd",
       [](Ends& e) {
         e.encoded.path = e.dir / "plain";
         e.offer.encoded_bytes = e.offer.size_bytes;
       }},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.name);
    Ends ends(make_bytes(50'000, 6));
    one.change(ends);
    auto inbound = ends.inbound().value();
    for (const auto& frame : ends.frames()) ASSERT_TRUE(inbound.frame(frame, wall()).ok());
    ASSERT_TRUE(inbound.complete());
    EXPECT_EQ(inbound.finish(ends.dir / "final").error().code, Code::denied);
    EXPECT_FALSE(fs::exists(ends.dir / "final"));
    EXPECT_EQ(files_in(ends.dir / "in"), 0U);
  }
}

TEST(Exchange, RefusesImplausibleOffers) {
  struct Case {
    const char* path;
    std::function<void(Offer&)> change;
  };
  const Case cases[] = {
      {"/size_bytes", [](Offer& o) { o.size_bytes = (1 << 30) + 1; }},
      {"/encoded_bytes", [](Offer& o) { o.encoded_bytes = exchange::encoded_bytes_max(o.size_bytes) + 1; }},
      {"/encoded_bytes", [](Offer& o) { o.encoding = "identity"; }},
      {"/encoding", [](Offer& o) { o.encoding = "gzip"; }},
      {"/digest", [](Offer& o) { o.digest = "sha256:"; }},
      {"/key/wrapped", [](Offer& o) { o.key.wrapped = "AAAA"; }},
      {"/transfer", [](Offer& o) { o.transfer = TransferId("../../etc/passwd"); }},
  };
  for (const auto& one : cases) {
    Ends ends(make_bytes(50'000, 6));
    one.change(ends.offer);
    const auto opened = ends.inbound();
    ASSERT_FALSE(opened.ok()) << one.path;
    EXPECT_EQ(opened.error().path, one.path) << describe(opened.error());
    EXPECT_FALSE(fs::exists(ends.dir / "in"));
  }
}

TEST(Exchange, SendsWhatDoesNotShrinkAsItIsAndNothingAsAStream) {
  const Ends noise(make_bytes(2000, 1).substr(0, 1000));
  EXPECT_EQ(noise.encoded.encoding, "identity");
  EXPECT_FALSE(fs::exists(noise.dir / "plain.zst"));
  for (const auto& content : {noise.bytes, std::string(), std::string("a")}) {
    const Ends ends(content);
    auto inbound = ends.inbound().value();
    for (const auto& frame : ends.frames()) ASSERT_TRUE(inbound.frame(frame, wall()).ok());
    EXPECT_EQ(inbound.finish(ends.dir / "final").value(), (ends.dir / "final").string());
    EXPECT_EQ(read(ends.dir / "final"), content);
  }
}

// --- the core ---

struct Core {
  Limits limits;
  std::optional<Transfers> core;
  Time now = wall();
  unsigned char next_id = 1;

  explicit Core(Limits with = {}, Saved saved = {}) : limits(with) { core.emplace(limits, std::move(saved), now); }
  Effects step(const Input& input) { return core->step(input, now); }
  Effects want(const std::string& device, const std::string& digest) {
    auto effects = step(Wanted{{Party::Kind::device, device}, "", digest, pki().certificate(device), id_of(next_id++)});
    for (const auto& effect : Effects(effects)) {
      const auto* begin = std::get_if<BeginSending>(&effect);
      if (begin == nullptr) continue;
      const Offer offer{.transfer = begin->id, .digest = digest, .encoded_bytes = 100};
      for (auto& more : step(OfferMade{begin->id, offer, "key"})) effects.push_back(std::move(more));
    }
    return effects;
  }
};

const std::string digest_a = crypto::digest_of("a");
const std::string digest_b = crypto::digest_of("b");
const Party d1{Party::Kind::device, "d1"};
const Party alice{Party::Kind::client, "alice"};

Content content_of(const std::string& digest, ContentKind kind = ContentKind::package) {
  return {
      .kind = kind, .package = {.digest = digest, .name = "n", .version = "1", .size_bytes = 1}, .encoded_bytes = 100};
}

template <class E>
std::size_t count(const Effects& effects) {
  return static_cast<std::size_t>(
      std::count_if(effects.begin(), effects.end(), [](const Effect& e) { return std::holds_alternative<E>(e); }));
}

template <class E>
const E& only(const Effects& effects) {
  EXPECT_EQ(count<E>(effects), 1U);
  for (const auto& effect : effects) {
    if (const auto* one = std::get_if<E>(&effect)) return *one;
  }
  throw std::runtime_error("no such effect");
}

TEST(Core, GivesOneTransferToEachWantAndRepeatsIt) {
  Core t({}, {.contents = {content_of(digest_a), content_of(digest_b, ContentKind::output)}});
  const auto first = t.want("d1", digest_a);
  const auto id = only<SendOffer>(first).id;
  only<SaveSending>(first);
  const auto again = t.want("d1", digest_a);
  EXPECT_EQ(only<SendOffer>(again).id, id);
  only<AskedAgain>(again);
  EXPECT_EQ(count<BeginSending>(again), 0U);
  EXPECT_EQ(t.core->live().size(), 1U);
  EXPECT_NE(only<SendOffer>(t.want("d2", digest_a)).id, id);
  only<SayNotOffered>(t.want("d1", crypto::digest_of("unknown")));
  only<SayNotOffered>(t.want("d1", digest_b));  // another device's output
}

TEST(Core, ANewCertificateIsANewTransfer) {
  Core t({}, {.contents = {content_of(digest_a)}});
  const auto id = only<SendOffer>(t.want("d1", digest_a)).id;
  const auto effects = t.step(Wanted{d1, "", digest_a, pki().certificate("d2"), id_of(99)});
  EXPECT_EQ(only<CloseSending>(effects).id, id);
  EXPECT_EQ(only<BeginSending>(effects).id, id_of(99));
  EXPECT_EQ(t.core->sending(id)->state, SendingState::failed);
}

TEST(Core, CompleteEndsItOnce) {
  Core t({}, {.contents = {content_of(digest_a)}});
  const auto id = only<SendOffer>(t.want("d1", digest_a)).id;
  only<Reject>(t.step(Answered{{Party::Kind::device, "d2"}, id, ReceivedState::complete, ""}));
  only<Reject>(t.step(Answered{{Party::Kind::client, "d1"}, id, ReceivedState::complete, ""}));
  EXPECT_EQ(t.core->live().size(), 1U);
  const auto effects = t.step(Answered{d1, id, ReceivedState::complete, ""});
  only<SayEnded>(effects);
  only<CloseSending>(effects);
  EXPECT_EQ(t.core->sending(id)->acked_bytes, 100);
  EXPECT_TRUE(t.core->sending(id)->content_key.empty());
  EXPECT_TRUE(t.step(Answered{d1, id, ReceivedState::complete, ""}).empty());
  EXPECT_TRUE(t.step(Answered{d1, id, ReceivedState::failed, "late"}).empty());
}

TEST(Core, ForgetsATransferThatNobodyWants) {
  Core t({}, {.contents = {content_of(digest_a)}});
  const auto id = only<SendOffer>(t.want("d1", digest_a)).id;
  const auto effects = t.step(Answered{d1, id, ReceivedState::unwanted, ""});
  only<CloseSending>(effects);
  only<ClearSending>(effects);
  only<DropSending>(effects);
  EXPECT_EQ(t.core->sending(id), nullptr);
  EXPECT_TRUE(t.step(Answered{d1, id, ReceivedState::unwanted, ""}).empty());
  EXPECT_EQ(t.core->sending(only<SendOffer>(t.want("d1", digest_a)).id)->attempt, 1);
}

TEST(Core, GivesUpAfterFourFailuresForAWhile) {
  Core t({}, {.contents = {content_of(digest_a)}});
  for (int attempt = 1; attempt <= 4; ++attempt) {
    const auto id = only<SendOffer>(t.want("d1", digest_a)).id;
    EXPECT_EQ(t.core->sending(id)->attempt, attempt);
    only<SayEnded>(t.step(Answered{d1, id, ReceivedState::failed, "no space"}));
  }
  EXPECT_EQ(only<SayNotOffered>(t.want("d1", digest_a)).reason, "4 transfers failed, the last: no space");
  t.now += std::chrono::minutes(10);
  EXPECT_EQ(t.core->sending(only<SendOffer>(t.want("d1", digest_a)).id)->attempt, 1);
}

TEST(Core, SavesAndSaysProgressNowAndThen) {
  Core t({}, {.contents = {content_of(digest_a)}});
  const auto id = only<SendOffer>(t.want("d1", digest_a)).id;
  t.step(Progressed{id, {{0, 10}}, 10, 20});
  EXPECT_TRUE(t.step(TimePassed{}).empty());
  t.now += seconds(1);
  only<PublishSending>(t.step(TimePassed{}));
  EXPECT_TRUE(t.step(TimePassed{}).empty());
  t.now += seconds(1);
  only<SaveSending>(t.step(TimePassed{}));
  t.step(Progressed{id, {{0, 5 << 20}}, 5 << 20, 0});
  EXPECT_EQ(count<SaveSending>(t.step(TimePassed{})), 1U);
  EXPECT_EQ(t.core->sending(id)->sent_bytes, 20);
}

TEST(Core, SaysItsPackagesNowAndThen) {
  Core t({}, {.contents = {content_of(digest_a), content_of(digest_b)}});
  std::map<std::string, int> said;
  for (int second = 0; second < 300; ++second, t.now += seconds(1)) {
    for (const auto& effect : t.step(TimePassed{})) ++said[std::get<PublishPackage>(effect).digest];
  }
  EXPECT_EQ(said.size(), 2U);
  for (const auto& [digest, times] : said) EXPECT_NEAR(times, 5, 1);
}

TEST(Core, ForgetsByAndBy) {
  Core t({}, {.contents = {content_of(digest_a)}});
  const auto id = only<SendOffer>(t.want("d1", digest_a)).id;
  t.now += std::chrono::hours(25);
  only<SayEnded>(t.step(TimePassed{}));
  EXPECT_EQ(t.core->sending(id)->reason, "device silent");
  t.now += std::chrono::hours(1);
  only<ClearSending>(t.step(TimePassed{}));
  EXPECT_EQ(count<ClearSending>(t.step(TimePassed{})), 0U);
  t.now += std::chrono::hours(24 * 30);
  only<DropSending>(t.step(TimePassed{}));
  EXPECT_EQ(t.core->sending(id), nullptr);
}

TEST(Core, IsBounded) {
  Core t({.live_max = 3, .party_max = 2, .ended_max = 2});
  for (const char* text : {"1", "2", "3"}) {
    const auto digest = crypto::digest_of(text);
    const auto effects = t.step(PackageAnnounced{alice, "r", {.digest = digest, .size_bytes = 1}, TransferId(text)});
    EXPECT_EQ(count<AnswerUpload>(effects), std::string(text) == "3" ? 0U : 1U);
  }
  only<Reject>(
      t.step(PackageAnnounced{alice, "r", {.digest = digest_a, .size_bytes = std::int64_t{5} << 30}, id_of(1)}));
  t.now += std::chrono::minutes(11);
  EXPECT_EQ(count<DropReceiving>(t.step(TimePassed{})), 2U);  // announced, and never started
  Core s({.ended_max = 2}, {.contents = {content_of(digest_a)}});
  for (int i = 0; i < 4; ++i) {
    s.step(Answered{d1, only<SendOffer>(s.want("d1", digest_a)).id, ReceivedState::complete, ""});
  }
  EXPECT_EQ(count<DropSending>(s.step(TimePassed{})), 2U);
  EXPECT_EQ(s.core->sendings_of(digest_a, 100).size(), 2U);
}

TEST(Core, TakesOnlyWhatWasAnnounced) {
  Core t;
  const auto announce = t.step(PackageAnnounced{alice, "r", {.digest = digest_a, .size_bytes = 10}, id_of(1)});
  EXPECT_EQ(only<AnswerUpload>(announce).id, id_of(1));
  EXPECT_EQ(
      only<AnswerUpload>(t.step(PackageAnnounced{alice, "r", {.digest = digest_a, .size_bytes = 10}, id_of(2)})).id,
      id_of(1));
  Offer offer{.transfer = id_of(1), .digest = digest_a, .size_bytes = 10, .encoded_bytes = 10};
  struct Case {
    const char* path;
    Party from;
    std::function<void(Offer&)> change;
  };
  const Case cases[] = {
      {"/transfer", {Party::Kind::client, "bob"}, [](Offer&) {}},
      {"/transfer", {Party::Kind::device, "alice"}, [](Offer&) {}},
      {"/transfer", alice, [](Offer& o) { o.transfer = id_of(9); }},
      {"/digest", alice, [](Offer& o) { o.digest = digest_b; }},
      {"/size_bytes", alice, [](Offer& o) { o.size_bytes = 11; }},
  };
  for (const auto& one : cases) {
    auto bad = offer;
    one.change(bad);
    const auto effects = t.step(Offered{one.from, "r", bad});
    ASSERT_EQ(effects.size(), 1U) << one.path;
    EXPECT_EQ(only<Reject>(effects).error.path, one.path);
  }
  only<OpenReceiving>(t.step(Offered{alice, "r", offer}));
  only<FinishReceiving>(t.step(AllReceived{id_of(1)}));
  EXPECT_TRUE(t.step(AllReceived{id_of(1)}).empty());
  only<AnswerFinishing>(t.step(Offered{alice, "r", offer}));
  const auto arrived = t.step(ContentArrived{id_of(1), "identity", 10});
  only<SaveContent>(arrived);
  only<PublishPackage>(arrived);
  only<AckEnded>(arrived);
  EXPECT_EQ(only<AckEnded>(t.step(Offered{alice, "r", offer})).error, "");
  only<AnswerStored>(t.step(PackageAnnounced{alice, "r", {.digest = digest_a, .size_bytes = 10}, id_of(2)}));
}

TEST(Core, ADeviceThatBeginsAnewReplacesItsTransfer) {
  Core t;
  Offer offer{.transfer = id_of(1), .digest = digest_a, .size_bytes = 10, .encoded_bytes = 10};
  EXPECT_EQ(only<Reject>(t.step(Offered{d1, "", offer})).error.code, Code::unknown);
  only<AskOutput>(t.step(OutputAnnounced{d1, digest_a, 10}));
  only<OpenReceiving>(t.step(Offered{d1, "", offer}));
  offer.transfer = id_of(2);
  const auto effects = t.step(Offered{d1, "", offer});
  EXPECT_EQ(only<CloseReceiving>(effects).id, id_of(1));
  EXPECT_EQ(only<OpenReceiving>(effects).id, id_of(2));
  const auto refused = t.step(ContentRefused{id_of(2), {Code::denied, "wrong digest"}});
  EXPECT_EQ(only<AckEnded>(refused).error, "wrong digest");
  EXPECT_TRUE(t.core->receivings().empty());
}

// --- the service ---

class World : public ::testing::Test, public bus::Bus {
 protected:
  Topics topics{"fieldwork/v1"};
  TempDir dir;
  store::MemoryStore store;
  Time now = wall();
  std::deque<bus::Message> said;
  std::map<std::string, std::string> retained;
  std::unique_ptr<TransferService> service;
  std::unique_ptr<runtime::Engine> engine;
  std::mt19937 random{42};
  unsigned loss_percent = 0;

  void SetUp() override { restart(); }

  Result<void> publish(bus::Message message) override {
    if (message.retain) retained[message.topic] = message.payload;
    said.push_back(std::move(message));
    return {};
  }

  void restart(Limits limits = {}) {
    engine.reset();
    service.reset();
    Settings settings{.store = ContentStore::open(dir / "store").value(),
                      .device_ca = crypto::CertificateAuthority::load(pki().path("device-ca.crt")).value(),
                      .operator_ca = crypto::CertificateAuthority::load(pki().path("operator-ca.crt")).value(),
                      .releases = crypto::TrustStore::load(pki().path("releases.pem")).value(),
                      .certificate = pki().certificate("transfer"),
                      .key = pki().key("transfer"),
                      .limits = limits,
                      .frame_bytes = 4096,
                      .window_bytes = 64 << 10};
    service = std::make_unique<TransferService>("fieldwork/v1", std::move(settings), runtime::Post{});
    engine = std::make_unique<runtime::Engine>(*service, store, *this);
    ASSERT_TRUE(engine->load(now).ok());
    run({runtime::Connected{}});
  }

  void run(const std::vector<runtime::Input>& batch) { ASSERT_TRUE(engine->run(batch, now).ok()); }
  void hear(const std::string& topic, const std::string& payload) { run({bus::Message{topic, payload}}); }
  void pass(Duration time) {
    now += time;
    run({});
  }

  // All messages to `topic` so far; they are taken.
  std::vector<std::string> take(const std::string& topic) {
    std::vector<std::string> out;
    std::erase_if(said, [&](const bus::Message& message) {
      if (message.topic != topic) return false;
      out.push_back(message.payload);
      return true;
    });
    return out;
  }

  Json ask(const std::string& operation, const std::string& from, const std::string& payload) {
    const auto reply = topics.reply("cli-" + from, "answer");
    run({bus::Message{.topic = topics.service("transfer", operation, from),
                      .payload = payload,
                      .response_topic = reply,
                      .correlation = "c1"}});
    const auto answers = take(reply);
    EXPECT_EQ(answers.size(), 1U) << operation;
    return answers.empty() ? Json::object() : Json::parse(answers.front());
  }

  codec::Upload upload_of(const std::string& bytes) const {
    codec::Upload upload{crypto::digest_of(bytes), static_cast<std::int64_t>(bytes.size()), "demo", "1", ""};
    const codec::Release release{upload.digest, upload.size_bytes, upload.name, upload.version, 1};
    upload.release = crypto::sign_jws(pki().releaser, "fieldwork-release+jws", codec::encode(release));
    return upload;
  }

  bool lost() { return random() % 100 < loss_percent; }

  // The CLI: returns when the service has said that it is stored.
  void push(
      const std::string& bytes, const std::function<void(int round)>& each = [](int) {}) {
    const auto upload = upload_of(bytes);
    const auto answer = ask("offer", "alice", codec::encode(upload));
    if (answer.value("state", "") == "stored") return;
    const TransferId id(answer.at("transfer").get<std::string>());
    write(dir / "upload", bytes);
    fs::remove(dir / "upload.zst");
    const auto encoded = exchange::encode_beside(dir / "upload").value();
    auto key = crypto::generate_content_key();
    const auto offer =
        exchange::make_offer(id, upload.digest, upload.size_bytes, encoded.encoding, encoded.encoded_bytes, 4096, key,
                             crypto::Certificate::from_pem(answer.at("certificate").get<std::string>()).value(),
                             upload.release)
            .value();
    EXPECT_EQ(ask("start", "alice", codec::encode(offer)).at("transfer"), id.value);
    auto sender = exchange::Outbound::open(offer, key, encoded.path, {}, {.window_bytes = 32 << 10}, now).value();
    send(sender, topics.service("transfer", "frame", "alice"), topics.reply("cli-alice", "received"), each);
  }

  void send(
      exchange::Outbound& sender, const std::string& frames, const std::string& acks,
      const std::function<void(int round)>& each = [](int) {}) {
    for (int round = 0; !sender.finished(); ++round) {
      ASSERT_LT(round, 20'000);
      ASSERT_FALSE(sender.failed()) << sender.reason();
      for (auto& frame : sender.due(now)) {
        if (!lost()) hear(frames, frame);
      }
      each(round);
      pass(milliseconds(60));
      for (const auto& ack : take(acks)) {
        if (!lost()) sender.received(codec::decode_received(ack).value(), now);
      }
    }
  }

  std::string want_of(const std::string& digest, const std::string& who) {
    return codec::encode(codec::Want{digest, pki().pem(who)});
  }
};

// One that receives: a device, or an operator that fetches.
class Receiver {
 public:
  Receiver(fs::path directory, std::string name) : directory_(std::move(directory)), name_(std::move(name)) {}
  void offer(const std::string& payload) {
    const auto offer = codec::decode_offer(payload).value();
    if (done_) return;
    if (inbound_ && inbound_->offer().transfer == offer.transfer) return;
    inbound_.emplace(
        exchange::Inbound::open(offer, pki().key(name_), pki().certificate(name_).fingerprint(), directory_, 1 << 30)
            .value());
  }
  void frame(const std::string& payload, Time now) {
    if (inbound_ && !done_) (void)inbound_->frame(payload, now);
    if (inbound_ && !done_ && inbound_->complete()) done_ = inbound_->finish(final_path()).ok();
    say_done_ = done_;
  }
  std::optional<std::string> answer(Time now) {
    if (done_) {
      if (!std::exchange(say_done_, false)) return std::nullopt;
      return codec::encode(Received{.transfer = inbound_->offer().transfer, .state = ReceivedState::complete});
    }
    if (!inbound_) return std::nullopt;
    const auto due = inbound_->ack_due(now);
    return due ? std::optional(codec::encode(*due)) : std::nullopt;
  }
  void restart() { inbound_.reset(); }
  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] bool open() const { return inbound_.has_value(); }
  [[nodiscard]] fs::path final_path() const { return directory_.string() + "-" + name_ + ".final"; }
  [[nodiscard]] TransferId transfer() const { return inbound_->offer().transfer; }

 private:
  fs::path directory_;
  std::string name_;
  std::optional<exchange::Inbound> inbound_;
  bool done_ = false;
  bool say_done_ = false;
};

TEST_F(World, StoresAPackageAndSendsItThroughRestartsOfBothSides) {
  const auto bytes = make_bytes(400'000, 9);
  const auto digest = crypto::digest_of(bytes);
  loss_percent = 10;
  push(bytes, [&](int round) {
    if (round % 12 == 5) restart();
  });
  EXPECT_EQ(read(dir / "store/content/" / digest.substr(7)), bytes);
  EXPECT_EQ(files_in(dir / "store/incoming"), 0U);
  const auto package =
      codec::decode_package(Json::parse(retained.at(topics.state("package", digest.substr(7))))).value();
  EXPECT_EQ(package.name, "demo");
  EXPECT_EQ(package.released_by, pki().releaser.public_key().id());
  EXPECT_EQ(ask("offer", "bob", codec::encode(upload_of(bytes))), (Json{{"v", 1}, {"state", "stored"}}));

  Receiver device(dir / "device", "d1");
  std::set<std::string> transfers;
  Time ask_at = now;
  const auto live = [&] { return !service->core().live().empty(); };
  for (int round = 0; !device.done() || live(); ++round) {
    ASSERT_LT(round, 20'000);
    if (!device.done() && now >= ask_at) {
      hear(topics.up("d1", "want"), want_of(digest, "d1"));
      ask_at = now + seconds(5);
    }
    for (const auto& offer : take(topics.down("d1", "offer"))) {
      transfers.insert(codec::decode_offer(offer)->transfer.value);
      device.offer(offer);
    }
    for (const auto& frame : take(topics.down("d1", "frame"))) {
      if (!lost()) device.frame(frame, now);
    }
    if (const auto answer = device.answer(now); answer && !lost()) hear(topics.up("d1", "received"), *answer);
    pass(milliseconds(20));
    if (round % 40 == 20) restart();
    if (round % 50 == 25 && !device.done()) {
      device.restart();
      ask_at = now;
    }
  }
  EXPECT_EQ(transfers.size(), 1U);  // the same offer all along
  EXPECT_EQ(read(device.final_path()), bytes);
  const auto id = *transfers.begin();
  const auto state = Json::parse(retained.at(topics.state("transfer", id)));
  EXPECT_EQ(state.at("state"), "complete");
  EXPECT_EQ(state.at("device"), "d1");
  EXPECT_EQ(state.at("acked_bytes"), state.at("encoded_bytes"));
  EXPECT_EQ(Json::parse(take(topics.event("transfer", id)).at(0)).at("event"), "finished");
  const auto shown = ask("show", "bob", R"({"v":1,"digest":")" + digest + R"("})");
  EXPECT_EQ(shown.at("package").at("transfers").at(0).at("state"), "complete");
  EXPECT_EQ(ask("list", "bob", R"({"v":1})").at("items").size(), 1U);
  pass(std::chrono::hours(1));
  EXPECT_EQ(retained.at(topics.state("transfer", id)), "");
}

// Killed between the content's rename and its row's commit.
TEST_F(World, FindsContentThatItHadNoTimeToSave) {
  const auto bytes = make_bytes(100'000, 15);
  const auto digest = crypto::digest_of(bytes);
  std::string receiving;
  push(bytes, [&](int) {
    const auto rows = store.select({.table = "receiving"}).value();
    if (!rows.empty()) receiving = rows.front();
  });
  const auto id = Json::parse(receiving).at("transfer").get<std::string>();
  ASSERT_TRUE(store
                  .commit({{"content", digest, Json{{"digest", digest}}.dump(), store::Change::Kind::remove},
                           {"receiving", id, receiving}})
                  .ok());
  restart();
  EXPECT_EQ(service->core().contents().size(), 1U);
  EXPECT_TRUE(service->core().receivings().empty());
  EXPECT_EQ(read(dir / "store/content/" / digest.substr(7)), bytes);
  EXPECT_EQ(codec::decode_received(take(topics.reply("cli-alice", "received")).back())->state, ReceivedState::complete);
}

TEST_F(World, OffersAgainToAReceiverThatSaysNothing) {
  const auto bytes = make_bytes(30'000, 10);
  push(bytes);
  hear(topics.up("d1", "want"), want_of(crypto::digest_of(bytes), "d1"));
  const auto first = take(topics.down("d1", "offer")).at(0);
  std::vector<std::string> offers;
  for (int round = 0; round < 300 && offers.empty(); ++round) {
    pass(milliseconds(100));
    offers = take(topics.down("d1", "offer"));
  }
  ASSERT_EQ(offers, std::vector{first});
  const auto id = codec::decode_offer(first)->transfer;
  hear(topics.up("d1", "received"), codec::encode(Received{.transfer = id, .state = ReceivedState::unwanted}));
  EXPECT_TRUE(service->core().live().empty());
  EXPECT_EQ(retained.at(topics.state("transfer", id.value)), "");
}

TEST_F(World, SaysSoWhenItHasNoSuchContent) {
  hear(topics.up("d1", "want"), want_of(digest_a, "d1"));
  const auto offers = take(topics.down("d1", "offer"));
  ASSERT_EQ(offers.size(), 1U);
  EXPECT_EQ(codec::decode_not_offered(offers[0])->digest, digest_a);
}

TEST_F(World, TakesAnOutputFromADeviceAndGivesItToAnOperator) {
  const auto bytes = make_bytes(100'000, 11);
  const auto digest = crypto::digest_of(bytes);
  const auto announce =
      codec::encode(codec::OutputOffer{digest, static_cast<std::int64_t>(bytes.size()), "job-1", 0, 1});
  hear(topics.up("d1", "output"), announce);
  const auto wants = take(topics.down("d1", "want"));
  ASSERT_EQ(wants.size(), 1U);
  const auto want = codec::decode_want(wants[0]).value();
  write(dir / "result", bytes);
  const auto encoded = exchange::encode_beside(dir / "result").value();
  auto key = crypto::generate_content_key();
  const auto offer = exchange::make_offer(id_of(3), digest, static_cast<std::int64_t>(bytes.size()), encoded.encoding,
                                          encoded.encoded_bytes, 4096, key,
                                          crypto::Certificate::from_pem(want.certificate).value(), "")
                         .value();
  hear(topics.up("d2", "offer"), codec::encode(offer));  // not announced by this one
  EXPECT_EQ(take(topics.down("d2", "rejected")).size(), 1U);
  hear(topics.up("d1", "offer"), codec::encode(offer));
  auto sender = exchange::Outbound::open(offer, key, encoded.path, {}, {.window_bytes = 16 << 10}, now).value();
  hear(topics.up("d2", "frame"), crypto::seal_frame(key, offer.transfer.value, 0, "foreign"));
  loss_percent = 10;
  send(sender, topics.up("d1", "frame"), topics.down("d1", "received"), [&](int round) {
    if (round % 5 == 3) restart();
  });
  EXPECT_EQ(read(dir / "store/content/" / digest.substr(7)), bytes);
  // Repeats of what is over.
  hear(topics.up("d1", "output"), announce);
  EXPECT_EQ(codec::decode_output_stored(take(topics.down("d1", "output")).at(0))->digest, digest);
  hear(topics.up("d1", "frame"), crypto::seal_frame(key, offer.transfer.value, 0, "x"));
  EXPECT_EQ(codec::decode_received(take(topics.down("d1", "received")).at(0))->state, ReceivedState::complete);
  hear(topics.up("d1", "offer"), codec::encode(offer));
  EXPECT_EQ(codec::decode_received(take(topics.down("d1", "received")).at(0))->state, ReceivedState::complete);
  EXPECT_FALSE(retained.contains(topics.state("package", digest.substr(7))));
  EXPECT_EQ(ask("show", "bob", R"({"v":1,"digest":")" + digest + R"("})").at("error").at("code"), "unknown");

  EXPECT_EQ(ask("fetch", "alice", want_of(digest, "bob")).at("error").at("code"), "denied");
  Receiver fetcher(dir / "fetched", "alice");
  fetcher.offer(ask("fetch", "alice", want_of(digest, "alice")).dump());
  for (int round = 0; !service->core().live().empty(); ++round) {
    ASSERT_LT(round, 5000);
    for (const auto& frame : take(topics.reply("cli-alice", "frame"))) {
      if (!lost()) fetcher.frame(frame, now);
    }
    if (const auto answer = fetcher.answer(now)) hear(topics.service("transfer", "received", "alice"), *answer);
    pass(milliseconds(20));
  }
  EXPECT_EQ(read(fetcher.final_path()), bytes);
}

TEST_F(World, ABrokenUploadIsRefusedAndLeavesNothing) {
  const auto bytes = make_bytes(30'000, 12);
  auto upload = upload_of(bytes);
  const auto answer = ask("offer", "alice", codec::encode(upload));
  const TransferId id(answer.at("transfer").get<std::string>());
  write(dir / "upload", bytes + "!");  // not what was signed
  auto key = crypto::generate_content_key();
  fs::resize_file(dir / "upload", bytes.size());
  auto wrong = bytes;
  wrong[5] = static_cast<char>(wrong[5] ^ 1);
  write(dir / "upload", wrong);
  const auto offer = exchange::make_offer(id, upload.digest, upload.size_bytes, "identity", upload.size_bytes, 4096,
                                          key, pki().certificate("transfer"), "")
                         .value();
  ask("start", "alice", codec::encode(offer));
  auto sender = exchange::Outbound::open(offer, key, dir / "upload", {}, {}, now).value();
  for (int round = 0; !sender.failed() && round < 100; ++round) {
    for (auto& frame : sender.due(now)) hear(topics.service("transfer", "frame", "alice"), frame);
    pass(milliseconds(60));
    for (const auto& ack : take(topics.reply("cli-alice", "received"))) {
      sender.received(codec::decode_received(ack).value(), now);
    }
  }
  EXPECT_TRUE(sender.failed());
  EXPECT_EQ(files_in(dir / "store/content"), 0U);
  EXPECT_EQ(files_in(dir / "store/incoming"), 0U);
  EXPECT_TRUE(service->core().contents().empty());
}

TEST_F(World, BadMessagesChangeNothingAndAreAnswered) {
  push(make_bytes(10'000, 13));
  const auto commits = store.commits();
  said.clear();
  auto unsigned_upload = upload_of("content");
  unsigned_upload.name = "other";
  auto forged = upload_of("content");
  forged.release = crypto::sign_jws(crypto::PrivateKey::generate(), "fieldwork-release+jws", "{}");
  struct Case {
    std::string operation, payload, path;
  };
  const Case requests[] = {
      {"offer", "not json", ""},
      {"offer", codec::encode(unsigned_upload), "/release"},
      {"offer", codec::encode(forged), "/release"},
      {"start", "{}", "/v"},
      {"frame", "FW", ""},
      {"show", R"({"v":2,"digest":"x"})", "/v"},
      {"show", R"({"v":1,"digest":"x"})", "/digest"},
      {"list", R"({"v":1,"more":1})", "/more"},
      {"fetch", want_of(digest_a, "d1"), "/certificate"},
      {"fetch", want_of(digest_a, "alice"), "/digest"},
      {"received", codec::encode(Received{.transfer = id_of(1)}), "/transfer"},
      {"nonsense", "{}", ""},
  };
  for (const auto& one : requests) {
    const auto error = codec::decode_error(ask(one.operation, "alice", one.payload));
    ASSERT_TRUE(error) << one.operation;
    EXPECT_EQ(error->path, one.path) << one.operation << ": " << error->reason;
  }
  const Case messages[] = {
      {"want", std::string(40'000, '['), ""},
      {"want", want_of(digest_a, "d2"), "/certificate"},
      {"want", want_of(digest_a, "alice"), "/certificate"},
      {"received", "{", ""},
      {"offer", "[]", ""},
      {"output", R"({"v":1})", "/digest"},
      {"frame", "", ""},
  };
  for (const auto& one : messages) {
    hear(topics.up("d1", one.operation), one.payload);
    const auto answers = take(topics.down("d1", "rejected"));
    ASSERT_EQ(answers.size(), 1U) << one.operation;
    const auto rejected = codec::decode_rejected(answers[0]).value();
    EXPECT_EQ(rejected.channel, one.operation);
    EXPECT_EQ(rejected.path, one.path) << one.operation << ": " << rejected.reason;
  }
  // Answers go to reply topics alone.
  for (const char* topic : {"fieldwork/v1/device/d1/down/command", "other/reply/x/y", "fieldwork/v1/reply/+/y"}) {
    run({bus::Message{
        .topic = topics.service("transfer", "list", "alice"), .payload = R"({"v":1})", .response_topic = topic}});
  }
  EXPECT_TRUE(said.empty());
  EXPECT_EQ(store.commits(), commits);
}

TEST_F(World, BigContentIsVerifiedOnTheWorkersThread) {
  std::mutex mutex;
  std::deque<runtime::Task> tasks;
  engine.reset();
  service.reset();
  Settings settings{.store = ContentStore::open(dir / "store").value(),
                    .device_ca = crypto::CertificateAuthority::load(pki().path("device-ca.crt")).value(),
                    .operator_ca = crypto::CertificateAuthority::load(pki().path("operator-ca.crt")).value(),
                    .releases = crypto::TrustStore::load(pki().path("releases.pem")).value(),
                    .certificate = pki().certificate("transfer"),
                    .key = pki().key("transfer"),
                    .inline_bytes_max = 0};
  service =
      std::make_unique<TransferService>("fieldwork/v1", std::move(settings), runtime::Post{[&](runtime::Task task) {
                                          const std::lock_guard lock(mutex);
                                          tasks.push_back(std::move(task));
                                        }});
  engine = std::make_unique<runtime::Engine>(*service, store, *this);
  ASSERT_TRUE(engine->load(now).ok());
  const auto bytes = make_bytes(200'000, 14);
  push(bytes, [&](int) {
    const std::lock_guard lock(mutex);
    for (; !tasks.empty(); tasks.pop_front()) run({tasks.front()});
  });
  EXPECT_EQ(service->core().contents().size(), 1U);
  service.reset();
}

}  // namespace
}  // namespace fieldwork::transfer
