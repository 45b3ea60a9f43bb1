#include "client.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "codec/job.hpp"
#include "codec/transfer.hpp"
#include "crypto/seal.hpp"
#include "world.hpp"

namespace fieldwork::sim {
namespace {

constexpr Duration patience = seconds(3);
constexpr Duration patience_max = seconds(20);

void require_well_formed(bool good, const std::string& detail) {
  if (!good) throw Violation("every message is well formed", detail);
}

}  // namespace

Client::Client(const Supplies& supplies, TransferBounds bounds, std::vector<Wish>& wishes, bool& push_again)
    : supplies_(supplies), bounds_(bounds), wishes_(wishes), push_again_(push_again) {
  push_all();
}

void Client::push_all() {
  push_again_ = false;
  pushes_.clear();
  for (const auto& released : supplies_.packages()) pushes_.push_back({.released = &released});
}

std::vector<std::pair<std::string, int>> Client::subscriptions() const { return {{topics_.reply("cli", "+"), 1}}; }

bool Client::pushed() const {
  return !push_again_ && std::all_of(pushes_.begin(), pushes_.end(), [](const Push& push) { return push.stored; });
}

void Client::ask(const char* service, const char* operation, std::string payload, const std::string& correlation,
                 runtime::Output& out) const {
  out.messages.push_back({.topic = topics_.service(service, operation, "operator"),
                          .payload = std::move(payload),
                          .response_topic = topics_.reply("cli", operation),
                          .correlation = correlation});
}

void Client::tick(Time now, runtime::Output& out) {
  if (push_again_) push_all();
  for (auto& one : pushes_) push(one, now, out);
  for (const auto& wish : wishes_) {
    if (now < wish.submit_at || now < ask_again_[wish.request]) continue;
    if (wish.job.empty()) {
      codec::Json item{{"request", wish.request}, {"job", codec::encode(wish.spec)}};
      item["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
      ask("scheduler", "submit", codec::dump({{"v", 1}, {"items", codec::Json::array({std::move(item)})}}),
          wish.request, out);
    } else if (wish.cancel_at && now >= *wish.cancel_at && !wish.cancelled) {
      ask("scheduler", "cancel", codec::dump({{"v", 1}, {"job", wish.job}}), wish.request, out);
    } else {
      continue;
    }
    auto& wait = patience_[wish.request];
    wait = std::clamp(wait * 2, patience, patience_max);
    ask_again_[wish.request] = now + wait;
  }
}

void Client::message(const bus::Message& message, Time now, runtime::Output& out) {
  const auto answer = codec::Json::parse(message.payload);
  const auto topic = topics_.parse(message.topic);
  if (topic->channel == "received") {
    const auto received = codec::decode_received(message.payload);
    require_well_formed(received.ok(), message.payload);
    return acknowledged(*received, false, now);
  }
  if (topic->channel == "start") {
    if (answer.contains("error")) return;  // of a transfer that is over; offered again soon
    const Received first{.transfer = TransferId(answer.at("transfer").get<std::string>()),
                         .ranges = answer.at("ranges").get<ByteRanges>()};
    return acknowledged(first, true, now);
  }
  if (topic->channel != "offer") return submitted(message, answer);
  for (auto& push : pushes_) {
    if (push.released->package.digest == message.correlation) offered(push, answer, now, out);
  }
}

// --- packages -------------------------------------------------------------------------------------------------------

void Client::push(Push& push, Time now, runtime::Output& out) {
  if (push.stored) return;
  if (now >= push.ask_again) {
    const auto& package = push.released->package;
    const codec::Upload upload{package.digest, package.size_bytes, package.name, package.version, package.release};
    ask("transfer", "offer", codec::encode(upload), package.digest, out);
    push.ask_again = now + patience;
  }
  if (!push.started) return;
  for (auto& frame : push.outbound->due(now)) {
    out.messages.push_back(
        {.topic = topics_.service("transfer", "frame", "operator"), .payload = std::move(frame), .qos = 0});
  }
}

// The content key is made for the certificate that comes with the answer, once it is known to be transfer's.
void Client::offered(Push& push, const codec::Json& answer, Time now, runtime::Output& out) {
  require_well_formed(!answer.contains("error"), answer.dump());
  push.stored = push.stored || answer.contains("state");
  if (push.stored) return;
  const TransferId id(answer.at("transfer").get<std::string>());
  if (!push.outbound || push.outbound->offer().transfer != id) {
    const auto certificate = crypto::Certificate::from_pem(answer.at("certificate").get<std::string>()).value();
    require_well_formed(supplies_.services().verify(certificate, now).ok(), "a certificate that is not transfer's");
    const auto& [package, encoded] = *push.released;
    auto key = crypto::generate_content_key();
    const auto offer =
        exchange::make_offer(id, package.digest, package.size_bytes, encoded.encoding, encoded.encoded_bytes,
                             bounds_.frame_bytes, key, certificate, package.release)
            .value();
    push.outbound =
        exchange::Outbound::open(offer, std::move(key), encoded.path, {}, {.window_bytes = bounds_.window_bytes}, now)
            .value();
    push.started = false;
  }
  ask("transfer", "start", codec::encode(push.outbound->offer()), id.value, out);
}

void Client::acknowledged(const Received& received, bool first, Time now) {
  for (auto& push : pushes_) {
    if (push.stored || !push.outbound || push.outbound->offer().transfer != received.transfer) continue;
    if (first) push.outbound->asked_again(now);
    push.started = push.started || first;
    push.outbound->received(received, now);
    push.stored = push.outbound->finished();
    push.ask_again = now + patience;
    if (push.outbound->failed()) throw Violation("what arrives is what was released", push.outbound->reason());
  }
}

// --- jobs -----------------------------------------------------------------------------------------------------------

void Client::submitted(const bus::Message& message, const codec::Json& answer) {
  for (auto& wish : wishes_) {
    if (wish.request != message.correlation) continue;
    patience_.erase(wish.request);
    if (message.topic == topics_.reply("cli", "cancel")) {
      if (!answer.contains("error")) wish.cancelled = true;
      continue;
    }
    require_well_formed(!answer.contains("error"), answer.dump());
    for (const auto& item : answer.at("items")) {
      if (!item.contains("job")) {  // no such package, no device with these labels: not yet; asked again
        require_well_formed(item.at("error").at("code") == "unknown", item.dump());
        continue;
      }
      const auto job = item.at("job").get<std::string>();
      if (!wish.job.empty() && wish.job != job) throw Violation("one request is one job", wish.job + " and " + job);
      wish.job = job;
    }
  }
}

}  // namespace fieldwork::sim
