#include "downloads.hpp"

#include <nlohmann/json.hpp>

#include "codec/json.hpp"
#include "codec/transfer.hpp"
#include "crypto/sealed.hpp"
#include "said.hpp"
#include "world.hpp"

namespace fieldwork::sim {
namespace {

constexpr Duration ask_again_after = seconds(3);
constexpr std::int64_t content_bytes_max = 1 << 20;

}  // namespace

Downloads::Downloads(const agent::Identity& identity, std::filesystem::path directory, std::vector<Fetch>& wanted)
    : identity_(identity), directory_(std::move(directory)), wanted_(wanted) {
  std::filesystem::create_directories(directory_);
}

void Downloads::tick(Time now, runtime::Output& out) {
  const Topics topics(root);
  for (const auto& [digest, done] : wanted_) {
    if (inbounds_.contains(digest)) answer(digest, now, out);
    if (done || inbounds_.contains(digest) || now < ask_again_[digest]) continue;
    ask_again_[digest] = now + ask_again_after;
    const codec::Json question{{"v", 1}, {"digest", digest}, {"certificate", identity_.certificate_pem}};
    out.messages.push_back({.topic = topics.service("transfer", "fetch", "operator"),
                            .payload = codec::dump(question),
                            .response_topic = topics.reply("cli", "fetch"),
                            .correlation = digest});
  }
}

void Downloads::offered(const std::string& payload, Time now, runtime::Output& out) {
  const auto offer = codec::decode_offer(payload);
  if (!offer) return;  // it does not have the content yet
  if (!inbounds_.contains(offer->digest)) {
    auto inbound =
        exchange::Inbound::open(*offer, *identity_.key, identity_.fingerprint, directory_, content_bytes_max);
    if (!inbound) throw Violation("what arrives is what was released", describe(inbound.error()));
    inbounds_.emplace(offer->digest, std::move(*inbound));
  }
  answer(offer->digest, now, out);
}

void Downloads::frame(const std::string& payload, Time now, runtime::Output& out) {
  const auto header = crypto::sealed_frame_header(payload);
  for (auto& [digest, inbound] : inbounds_) {
    if (!header || inbound.offer().envelope.content != header->content_id_hex) continue;
    (void)inbound.frame(payload, now);
    return answer(std::string(digest), now, out);  // which may forget the inbound, with its key
  }
}

void Downloads::answer(const std::string& digest, Time now, runtime::Output& out) {
  auto& inbound = inbounds_.at(digest);
  const auto say = [&](const Received& received) {
    out.messages.push_back(
        {.topic = Topics(root).service("transfer", "received", "operator"), .payload = codec::encode(received)});
  };
  if (const auto due = inbound.ack_due(now)) say(*due);
  if (!inbound.complete()) return;
  if (auto done = inbound.finish(directory_ / digest.substr(7)); !done)
    throw Violation("what arrives is what was released", describe(done.error()));
  say({.transfer = inbound.offer().transfer, .state = ReceivedState::complete});
  inbounds_.erase(digest);
  for (auto& fetch : wanted_) fetch.done = fetch.done || fetch.digest == digest;
}

}  // namespace fieldwork::sim
