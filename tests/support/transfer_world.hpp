// A transfer service on a bus that is a list, with a store in memory; and the parties that push to it and fetch from
// it.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>

#include "../support/pki.hpp"
#include "codec/device.hpp"
#include "codec/policy.hpp"
#include "codec/transfer.hpp"
#include "crypto/digest.hpp"
#include "crypto/sealed.hpp"
#include "exchange/inbound.hpp"
#include "exchange/outbound.hpp"
#include "exchange/sealing.hpp"
#include "runtime/engine.hpp"
#include "store/memory.hpp"
#include "transfer/shell/service.hpp"

namespace fieldwork::transfer {

using codec::Json;
using namespace support;

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
  PublicPackages public_packages{};
  std::optional<std::string> permits =
      "allow";        // security-policy's decision about everything; none: it does not answer
  bool slow = false;  // what is sent to d1 and d2 shares 600 kbit/s each

  void SetUp() override { restart(); }

  Result<void> publish(bus::Message message) override {
    if (message.retain) retained[message.topic] = message.payload;
    said.push_back(std::move(message));
    return {};
  }

  // The settings of a service that keeps its content in this directory.
  [[nodiscard]] Settings settings_here() const {
    return {.store = ContentStore::open(dir / "store").value(),
            .device_ca = crypto::CertificateAuthority::load(pki().path("device-ca.crt")).value(),
            .operator_ca = crypto::CertificateAuthority::load(pki().path("operator-ca.crt")).value(),
            .releases = crypto::TrustStore::load(pki().path("releases.pem")).value(),
            .certificate = pki().certificate("transfer"),
            .key = pki().key("transfer")};
  }

  void restart(Limits limits = {}) {
    engine.reset();
    service.reset();
    auto settings = settings_here();
    settings.limits = limits;
    settings.public_packages = public_packages;
    settings.window_bytes = 64 << 10;
    service = std::make_unique<TransferService>("fieldwork/v1", std::move(settings), runtime::Post{});
    engine = std::make_unique<runtime::Engine>(*service, store, *this);
    ASSERT_TRUE(engine->load(now).ok());
    run({runtime::Connected{}});
    for (const char* device : {"d1", "d2"}) stands(device, Lifecycle::active);
  }

  // The registry publishes this state of the device.
  void stands(const std::string& device, Lifecycle state) {
    Device said_of{.id = DeviceId(device),
                   .lifecycle = state,
                   .about = {.capacity = {1000, 1, 0}, .agent = "0.1.0"},
                   .fingerprint = pki().certificate(device).fingerprint()};
    if (slow) {
      said_of.about.uplink.bit_per_s = 1'000'000;
      said_of.pressure = {"network"};
    }
    said_of.changed_ms = to_ms(now);
    hear(topics.state("device", device), codec::dump(codec::encode(said_of)));
  }

  // Runs the batch, and the batches in which what follows is done: an encoding made, an offer made, a transfer opened,
  // its first frames.
  void run(const std::vector<runtime::Input>& batch) {
    ASSERT_TRUE(engine->run(batch, now).ok());
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(engine->run({}, now).ok());
    if (permits) answer_permits();
  }
  void answer_permits() {
    for (const auto& payload : take(topics.service("security-policy", "permit", "transfer"))) {
      auto message = Json::parse(payload);
      for (auto& item : message.at("items"))
        item = {{"question", item.at("question")},
                {"device", item.at("device")},
                {"decision", *permits},
                {"reason", "rule r"}};
      hear(topics.service("transfer", "permitted", "security-policy"), message.dump());
    }
  }
  void hear(const std::string& topic, const std::string& payload) { run({bus::Message{topic, payload}}); }
  void pass(Duration time) {
    now += time;
    run({});
  }

  // Takes all messages to `topic` so far out of `said`.
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

  PackageAbout about{};  // of what is pushed

  codec::Upload upload_of(const std::string& bytes, const std::string& version = "1") const {
    codec::Upload upload{crypto::digest_of(bytes), static_cast<std::int64_t>(bytes.size()), "demo", version, ""};
    const codec::Release release{upload.digest, upload.size_bytes, upload.name, upload.version, 1, about};
    upload.release = crypto::sign_jws(pki().releaser, "fieldwork-release+jws", codec::encode(release));
    return upload;
  }

  bool lost() { return random() % 100 < loss_percent; }

  // Pushes content as the CLI does: returns when the service has said that the content is stored.
  void push(
      const std::string& bytes, const std::function<void(int round)>& each = [](int) {},
      const std::string& version = "1") {
    const auto upload = upload_of(bytes, version);
    const auto answer = ask("offer", "alice", codec::encode(upload));
    if (answer.value("state", "") == "stored") return;
    const TransferId id(answer.at("transfer").get<std::string>());
    write(dir / "upload", bytes);
    fs::remove(dir / "upload.zst");
    const auto encoded = exchange::encode_beside(dir / "upload", upload.digest).value();
    const auto sealing = exchange::seal_for_one(id.value, crypto::Cipher::aes_256_gcm);
    const auto offer =
        exchange::make_offer(id, upload.digest, upload.size_bytes, encoded, sealing,
                             crypto::Certificate::from_pem(answer.at("certificate").get<std::string>()).value(),
                             upload.release)
            .value();
    EXPECT_EQ(ask("start", "alice", codec::encode(offer)).at("transfer"), id.value);
    auto sender =
        exchange::Outbound::open(offer, sealing.key, encoded.path, {}, {.pace = {.window_max = 32 << 10}}, now).value();
    send(sender, topics.service("transfer", "frame", "alice"), topics.reply("cli-alice", "received"), each);
  }

  void send(
      exchange::Outbound& sender, const std::string& frames, const std::string& acks,
      const std::function<void(int round)>& each = [](int) {}) {
    sender.limit(400'000);
    for (int round = 0; !sender.finished(); ++round) {
      ASSERT_LT(round, 20'000);
      ASSERT_FALSE(sender.failed()) << sender.reason();
      if (sender.sender().suspended()) sender.asked_again(now);  // whoever sends asks again after a silence
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

// A receiver: a device, or an operator that fetches.
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

}  // namespace fieldwork::transfer
