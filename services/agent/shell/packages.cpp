#include "agent/shell/packages.hpp"

#include "codec/transfer.hpp"
#include "crypto/digest.hpp"
#include "crypto/seal.hpp"
#include "runtime/log.hpp"

namespace fieldwork::agent {
namespace {

constexpr Duration ask_again = seconds(5);
constexpr Duration silent_for = seconds(20);  // a transfer that says nothing this long is asked for again

}  // namespace

Packages::Packages(std::filesystem::path directory, Identity identity, crypto::TrustStore releases, Topics topics,
                   std::int64_t size_max)
    : directory_(std::move(directory)),
      identity_(std::move(identity)),
      releases_(std::move(releases)),
      topics_(std::move(topics)),
      size_max_(size_max) {
  std::filesystem::create_directories(directory_);
}

std::filesystem::path Packages::archive(const std::string& digest) const {
  return directory_ / (digest.substr(7) + ".tar");
}

void Packages::fetch(const std::string& digest, Time now) {
  if (std::filesystem::exists(archive(digest))) {
    news_.push_back({digest, std::nullopt});
    return;
  }
  fetching_.try_emplace(digest, Fetching{.ask_due = now, .inbound = std::nullopt, .heard = now});
}

void Packages::refuse(const std::string& digest, std::string reason) {
  log::warn("package refused", {{"package", digest}, {"reason", reason}});
  news_.push_back({digest, std::move(reason)});
  fetching_.erase(digest);
}

void Packages::connected(Time now) {
  for (auto& [digest, fetching] : fetching_) fetching.ask_due = now;
}

std::optional<std::string> Packages::bad_release(const Offer& offer) const {
  const auto payload = releases_.verify(offer.release, "fieldwork-release+jws");
  if (!payload) return "release: " + describe(payload.error());
  const auto release = codec::decode_release(*payload);
  if (!release) return "release: " + describe(release.error());
  if (release->digest != offer.digest || release->size_bytes != offer.size_bytes)
    return "release: is for another package";
  return std::nullopt;
}

Result<void> Packages::offer(std::string_view payload, Time now) {
  if (const auto unknown = codec::decode_not_offered(payload)) {
    if (fetching_.contains(unknown->digest)) refuse(unknown->digest, unknown->reason);
    return {};
  }
  const auto offer = codec::decode_offer(payload);
  if (!offer) return offer.error();
  const auto it = fetching_.find(offer->digest);
  if (it != fetching_.end()) {
    accept(it->second, *offer, now);
  } else {
    unasked_.push_back(*offer);
  }
  return {};
}

// Here already: the sender missed our last word. Or wanted by an attempt that was over when we came back.
void Packages::decline(const Offer& offer) {
  const bool here = std::filesystem::exists(archive(offer.digest));
  if (!here) exchange::Inbound::discard(directory_, offer.transfer);
  const Received answer{.transfer = offer.transfer,
                        .state = here ? ReceivedState::complete : ReceivedState::unwanted,
                        .ranges = {},
                        .reason = ""};
  last_words_.push_back({.topic = topics_.up(identity_.device, "received"), .payload = codec::encode(answer)});
}

void Packages::accept(Fetching& fetching, const Offer& offer, Time now) {
  fetching.heard = now;
  fetching.ask_due = now + silent_for;
  if (fetching.inbound && fetching.inbound->offer().transfer == offer.transfer) return;
  if (auto bad = bad_release(offer)) return refuse(offer.digest, std::move(*bad));
  auto inbound = exchange::Inbound::open(offer, *identity_.key, identity_.fingerprint, directory_, size_max_);
  if (!inbound) {
    if (inbound.error().code == Code::unavailable) return;  // the disk; asked again later
    return refuse(offer.digest, describe(inbound.error()));
  }
  fetching.inbound = std::move(*inbound);
  if (fetching.inbound->complete()) finish(offer.digest, fetching);
}

Result<void> Packages::frame(std::string_view payload, Time now) {
  const auto header = crypto::frame_header(payload);
  if (!header) return header.error();
  for (auto& [digest, fetching] : fetching_) {
    if (!fetching.inbound || fetching.inbound->offer().transfer.value != header->transfer_id_hex) continue;
    const auto fresh = fetching.inbound->frame(payload, now);
    if (!fresh) return fresh.error();
    fetching.heard = now;
    fetching.ask_due = now + silent_for;
    if (fetching.inbound->complete()) {
      const auto done = digest;
      finish(done, fetching);
    }
    return {};
  }
  return {};  // of a transfer that is over for us: the sender missed our last word, and will offer it again
}

void Packages::finish(const std::string& digest, Fetching& fetching) {
  auto answer = fetching.inbound->received();
  const auto done = fetching.inbound->finish(archive(digest));
  if (!done && done.error().code == Code::unavailable)
    return;  // the disk: the sender repeats a frame, we come here again
  answer.state = done ? ReceivedState::complete : ReceivedState::failed;
  if (!done) answer.reason = describe(done.error());
  last_words_.push_back({.topic = topics_.up(identity_.device, "received"), .payload = codec::encode(answer)});
  if (!done) return refuse(digest, answer.reason);
  news_.push_back({digest, std::nullopt});
  fetching_.erase(digest);
}

std::vector<bus::Message> Packages::due(Time now) {
  // Only now is it known what is wanted: of a start, the first batch may hold offers.
  for (const auto& offer : std::exchange(unasked_, {})) {
    const auto it = fetching_.find(offer.digest);
    if (it != fetching_.end()) {
      accept(it->second, offer, now);
    } else {
      decline(offer);
    }
  }
  std::vector<bus::Message> out;
  out.swap(last_words_);
  for (auto& [digest, fetching] : fetching_) {
    if (now >= fetching.ask_due) {
      out.push_back({.topic = topics_.up(identity_.device, "want"),
                     .payload = codec::encode(codec::Want{digest, identity_.certificate_pem})});
      fetching.ask_due = now + ask_again;
    }
    if (!fetching.inbound) continue;
    if (const auto answer = fetching.inbound->ack_due(now)) {
      out.push_back({.topic = topics_.up(identity_.device, "received"), .payload = codec::encode(*answer), .qos = 0});
    }
  }
  return out;
}

std::vector<PackageNews> Packages::news() {
  std::vector<PackageNews> out;
  out.swap(news_);
  return out;
}

}  // namespace fieldwork::agent
