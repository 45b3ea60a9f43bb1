#include "agent/shell/outputs.hpp"

#include <chrono>
#include <fstream>

#include "codec/transfer.hpp"
#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "crypto/seal.hpp"
#include "runtime/log.hpp"

namespace fieldwork::agent {
namespace fs = std::filesystem;
namespace {

constexpr Duration announce_again = seconds(5);
constexpr Duration silent_for = seconds(60);
constexpr std::int64_t frame_bytes = 65536;

}  // namespace

Outputs::Outputs(fs::path directory, Identity identity, crypto::CertificateAuthority transfer_ca, Topics topics)
    : directory_(std::move(directory)),
      identity_(std::move(identity)),
      transfer_ca_(std::move(transfer_ca)),
      topics_(std::move(topics)) {
  fs::create_directories(directory_);
  for (const auto& entry : fs::directory_iterator(directory_)) {
    const auto name = entry.path().filename().string();
    if (!crypto::is_hex(name, 64)) continue;
    // <digest>.of says for which attempt; without it the death came between the two writes, and nobody will ask.
    AttemptKey key;
    if (std::ifstream(entry.path().string() + ".of") >> key.job.value >> key.execution >> key.fence)
      add(entry.path(), key);
  }
}

void Outputs::add(const fs::path& kept, const AttemptKey& key) {
  std::error_code error;
  const auto size = fs::file_size(kept, error);
  if (error) return;
  std::ofstream(kept.string() + ".of") << key.job.value << ' ' << key.execution << ' ' << key.fence << '\n';
  outputs_.try_emplace(
      "sha256:" + kept.filename().string(),
      Output{.key = key, .size_bytes = static_cast<std::int64_t>(size), .announce_due = {}, .outbound = std::nullopt});
}

void Outputs::connected(Time now) {
  for (auto& [digest, output] : outputs_) output.announce_due = now;
}

Result<void> Outputs::want(std::string_view payload, Time now) {
  const auto want = codec::decode_want(payload);
  if (!want) return want.error();
  const auto it = outputs_.find(want->digest);
  if (it == outputs_.end() || it->second.outbound) return {};
  const auto receiver = crypto::Certificate::from_pem(want->certificate);
  const auto wall = std::chrono::system_clock::now();
  if (!receiver || receiver->common_name() != "transfer" || !transfer_ca_.verify(*receiver, wall)) {
    return Error{Code::denied, "is not the transfer service's", "/certificate"};
  }
  send(it->first, it->second, *receiver, now);
  return {};
}

void Outputs::send(const std::string& digest, Output& output, const crypto::Certificate& receiver, Time now) {
  const auto encoded = exchange::encode_beside(file(digest));
  if (!encoded) {
    log::error("an output cannot be encoded", {{"digest", digest}, {"reason", describe(encoded.error())}});
    return;
  }
  const TransferId transfer(crypto::to_hex(crypto::random_bytes(16)));
  const auto key = crypto::generate_content_key();  // one per transfer id
  const auto offer = exchange::make_offer(transfer, digest, output.size_bytes, encoded->encoding,
                                          encoded->encoded_bytes, frame_bytes, key, receiver, "");
  if (!offer) return log::error("an output cannot be offered", {{"reason", describe(offer.error())}});
  auto outbound = exchange::Outbound::open(*offer, key, encoded->path, {}, {}, now);
  if (!outbound) return log::error("an output cannot be sent", {{"reason", describe(outbound.error())}});
  output.outbound = std::move(*outbound);
  output.announce_due = now + silent_for;
  offers_.push_back({.topic = topics_.up(identity_.device, "offer"), .payload = codec::encode(*offer)});
}

Result<void> Outputs::received(std::string_view payload, Time now) {
  const auto received = codec::decode_received(payload);
  if (!received) return received.error();
  for (auto& [digest, output] : outputs_) {
    if (!output.outbound || output.outbound->offer().transfer != received->transfer) continue;
    output.outbound->received(*received, now);
    output.announce_due = now + silent_for;
    if (output.outbound->finished()) {
      finish(std::string(digest));
    } else if (output.outbound->failed()) {
      log::warn("an output was refused", {{"digest", digest}, {"reason", output.outbound->reason()}});
      output.outbound.reset();  // announced again, sent under a new id and key
    }
    break;
  }
  return {};
}

Result<void> Outputs::stored(std::string_view payload) {
  const auto stored = codec::decode_output_stored(payload);
  if (!stored) return stored.error();
  if (outputs_.contains(stored->digest)) finish(stored->digest);
  return {};
}

void Outputs::finish(const std::string& digest) {
  outputs_.erase(digest);
  std::error_code ignored;
  for (const char* ending : {"", ".zst", ".of"}) fs::remove(file(digest).string() + ending, ignored);
}

std::vector<bus::Message> Outputs::due(Time now) {
  std::vector<bus::Message> out;
  out.swap(offers_);
  std::size_t active = 0;
  for (auto& [digest, output] : outputs_) {
    if (++active > sending_max) break;
    if (now >= output.announce_due) {
      output.outbound.reset();
      const codec::OutputOffer announcement{digest, output.size_bytes, output.key.job.value, output.key.execution,
                                            output.key.fence};
      out.push_back({.topic = topics_.up(identity_.device, "output"), .payload = codec::encode(announcement)});
      output.announce_due = now + announce_again;
    }
    if (!output.outbound) continue;
    for (auto& frame : output.outbound->due(now)) {
      out.push_back({.topic = topics_.up(identity_.device, "frame"), .payload = std::move(frame), .qos = 0});
    }
  }
  return out;
}

}  // namespace fieldwork::agent
