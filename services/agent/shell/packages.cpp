#include "agent/shell/packages.hpp"

#include <sys/stat.h>

#include "codec/transfer.hpp"
#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "crypto/seal.hpp"
#include "runtime/log.hpp"

namespace fieldwork::agent {
namespace {

namespace fs = std::filesystem;
constexpr Duration ask_again = seconds(5);
constexpr Duration silent_for = seconds(20);                // a transfer that says nothing this long is asked for again
constexpr Duration leftovers_kept = std::chrono::hours(1);  // after the start

std::set<TransferId> parts_in(const fs::path& directory) {
  std::set<TransferId> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const auto stem = entry.path().stem().string();
    if (entry.path().extension() == ".part" && crypto::is_hex(stem, 32)) out.insert(TransferId(stem));
  }
  return out;
}

// What the file takes of the disk, which is more than its size where it was reserved.
std::int64_t on_disk(const fs::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::int64_t>(status.st_blocks) * 512 : 0;
}

}  // namespace

Packages::Packages(fs::path directory, Identity identity, crypto::TrustStore releases, Topics topics,
                   std::int64_t size_max)
    : Packages(std::move(directory), std::move(identity), std::move(releases), std::move(topics), size_max, Options{}) {
}

Packages::Packages(fs::path directory, Identity identity, crypto::TrustStore releases, Topics topics,
                   std::int64_t size_max, Options options)
    : directory_(std::move(directory)),
      identity_(std::move(identity)),
      releases_(std::move(releases)),
      topics_(std::move(topics)),
      size_max_(size_max),
      cache_((PackageCache::prepare(directory_, options.measure), directory_), options.cache_bytes_max,
             options.measure),
      leftovers_(parts_in(directory_)) {
  if (options.thread) worker_ = std::make_unique<exchange::Worker>();
}

fs::path Packages::archive(const std::string& digest) {
  cache_.used(digest, now_);
  return cache_.path(digest);
}

void Packages::fetch(const std::string& digest, Time now) {
  now_ = now;
  if (cache_.has(digest)) {
    cache_.added(digest, now);
    news_.push_back({digest, std::nullopt});
    return;
  }
  fetching_.try_emplace(digest, Fetching{.ask_due = now});
}

void Packages::unfetch(const std::string& digest) {
  cache_.unneeded(digest);
  const auto it = fetching_.find(digest);
  if (it == fetching_.end()) return;
  const auto transfer = it->second.offer.transfer;
  const bool open = it->second.inbound.has_value();
  fetching_.erase(it);  // one that is being finished will be a package that nobody needs now
  if (!open) return;
  discard(transfer);
  answer(transfer, ReceivedState::unwanted);
}

void Packages::run(std::function<void()> job) {
  if (worker_) return worker_->run(std::move(job));
  job();
}

void Packages::discard(const TransferId& transfer) {
  run([directory = directory_, transfer] { exchange::Inbound::discard(directory, transfer); });
}

void Packages::answer(const TransferId& transfer, ReceivedState state, std::string reason) {
  const Received answer{.transfer = transfer, .state = state, .ranges = {}, .reason = std::move(reason)};
  last_words_.push_back({.topic = topics_.up(identity_.device, "received"), .payload = codec::encode(answer)});
}

void Packages::refuse(const std::string& digest, std::string reason, bool work_fault) {
  log::warn("package refused", {{"package", digest}, {"reason", reason}});
  const auto it = fetching_.find(digest);
  if (it != fetching_.end() && !it->second.offer.transfer.empty()) {
    answer(it->second.offer.transfer, ReceivedState::failed, reason);
    discard(it->second.offer.transfer);
  }
  if (it != fetching_.end()) fetching_.erase(it);
  news_.push_back({digest, std::move(reason), work_fault});
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
    if (fetching_.contains(unknown->digest)) refuse(std::string(unknown->digest), unknown->reason);
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
  const bool here = cache_.has(offer.digest);
  if (!here) discard(offer.transfer);
  answer(offer.transfer, here ? ReceivedState::complete : ReceivedState::unwanted);
}

std::optional<std::string> Packages::no_room(const Offer& offer, Time now) {
  const auto plain = [](const Offer& one) { return one.encoding == "zstd" ? one.size_bytes : 0; };
  // What is received has its place already (reserve()); what it will be decoded to has not.
  auto wanted = offer.encoded_bytes + plain(offer);
  for (const auto& [digest, other] : fetching_) {
    if (digest != offer.digest && !other.offer.transfer.empty()) wanted += plain(other.offer);
  }
  wanted -= std::min(offer.encoded_bytes, on_disk(directory_ / (offer.transfer.value + ".part")));
  auto room = cache_.make_room(offer.size_bytes, wanted, now);
  if (!room && !leftovers_.empty()) {
    for (const auto& transfer : std::exchange(leftovers_, {})) {
      if (transfer != offer.transfer) exchange::Inbound::discard(directory_, transfer);
    }
    room = cache_.make_room(offer.size_bytes, wanted, now);
  }
  if (room) return std::nullopt;
  return room.error().reason;
}

void Packages::accept(Fetching& fetching, const Offer& offer, Time now) {
  fetching.ask_due = now + silent_for;
  if (fetching.finishing) return;  // it hears of the outcome
  if (fetching.inbound && fetching.offer.transfer == offer.transfer) return;
  if (fetching.inbound) discard(fetching.offer.transfer);
  fetching.inbound.reset();
  fetching.checkpointing = false;
  fetching.offer = offer;
  leftovers_.erase(offer.transfer);
  const auto digest = offer.digest;  // refuse() ends `fetching`
  if (auto bad = bad_release(offer)) return refuse(digest, std::move(*bad));
  if (auto none = no_room(offer, now)) return refuse(digest, std::move(*none));
  auto inbound = exchange::Inbound::open(offer, *identity_.key, identity_.fingerprint, directory_, size_max_);
  const auto reserved = inbound ? inbound->reserve() : Result<void>(inbound.error());
  if (!reserved) {
    const bool disk = reserved.error().code == Code::unavailable;
    return refuse(digest, (disk ? "disk: " : "") + describe(reserved.error()));
  }
  inbound->checkpoint_elsewhere();
  fetching.inbound = std::move(*inbound);
  if (fetching.inbound->complete()) finish(digest, fetching);
}

Result<void> Packages::frame(std::string_view payload, Time now) {
  now_ = now;
  const auto header = crypto::frame_header(payload);
  if (!header) return header.error();
  for (auto& [digest, fetching] : fetching_) {
    if (fetching.offer.transfer.value != header->transfer_id_hex) continue;
    fetching.ask_due = now + silent_for;
    if (fetching.finishing) {  // the sender asks what keeps us
      const auto all = static_cast<std::uint64_t>(fetching.offer.encoded_bytes);
      const Received busy{.transfer = fetching.offer.transfer, .ranges = {{0, all}}};
      last_words_.push_back({.topic = topics_.up(identity_.device, "received"), .payload = codec::encode(busy)});
      return {};
    }
    const auto fresh = fetching.inbound->frame(payload, now);
    if (!fresh && fresh.error().code == Code::unavailable) {
      refuse(std::string(digest), "disk: " + describe(fresh.error()));
      return {};
    }
    if (!fresh) return fresh.error();
    if (fetching.inbound->complete()) {
      finish(digest, fetching);
    } else {
      checkpoint(digest, fetching, now);
    }
    return {};
  }
  return {};  // of a transfer that is over for us: the sender missed our last word, and will offer it again
}

void Packages::checkpoint(const std::string& digest, Fetching& fetching, Time now) {
  if (fetching.checkpointing) return;
  auto job = fetching.inbound->checkpoint_due(now);
  if (!job) return;
  fetching.checkpointing = true;
  run([outcomes = outcomes_, job = std::move(job), digest, transfer = fetching.offer.transfer] {
    outcomes->put({Outcome::Of::checkpoint, digest, transfer, job()});
  });
}

void Packages::finish(const std::string& digest, Fetching& fetching) {
  fetching.finishing = true;
  auto inbound = std::make_shared<exchange::Inbound>(std::move(*fetching.inbound));
  fetching.inbound.reset();
  run([outcomes = outcomes_, inbound, digest, transfer = fetching.offer.transfer, path = cache_.path(digest)] {
    const auto done = inbound->finish(path);
    outcomes->put({Outcome::Of::finish, digest, transfer, done ? Result<void>() : done.error(), inbound});
  });
}

void Packages::take_outcomes() {
  for (const auto& outcome : outcomes_->take()) {
    if (outcome.of == Outcome::Of::finish) {
      finished(outcome);
      continue;
    }
    const auto it = fetching_.find(outcome.digest);
    if (it != fetching_.end() && it->second.offer.transfer == outcome.transfer) it->second.checkpointing = false;
    if (!outcome.done) log::warn("no checkpoint", {{"reason", describe(outcome.done.error())}});
  }
}

void Packages::finished(const Outcome& outcome) {
  const auto it = fetching_.find(outcome.digest);
  const bool wanted = it != fetching_.end() && it->second.offer.transfer == outcome.transfer;
  if (outcome.done) {
    cache_.added(outcome.digest, now_);
    if (!wanted) cache_.unneeded(outcome.digest);
    answer(outcome.transfer, ReceivedState::complete);
    if (it != fetching_.end()) {
      news_.push_back({outcome.digest, std::nullopt});
      fetching_.erase(it);
    }
    return;
  }
  const auto& error = outcome.done.error();
  const bool disk = error.code == Code::unavailable;
  if (!wanted) return discard(outcome.transfer);
  auto& fetching = it->second;
  if (disk && !std::exchange(fetching.tried_again, true) && !no_room(fetching.offer, now_)) {
    fetching.inbound = std::move(*outcome.inbound);  // something was evicted, or the disk has recovered
    return finish(outcome.digest, fetching);
  }
  refuse(outcome.digest, (disk ? "disk: " : "") + describe(error), !disk);
}

// Parts of an earlier life whose sender did not come back.
void Packages::sweep(Time now) {
  if (!started_) started_ = now;
  if (leftovers_.empty() || now - *started_ < leftovers_kept) return;
  for (const auto& transfer : std::exchange(leftovers_, {})) discard(transfer);
}

std::vector<bus::Message> Packages::due(Time now) {
  now_ = now;
  take_outcomes();
  sweep(now);
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
    if (!fetching.finishing && now >= fetching.ask_due) {
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
  take_outcomes();
  std::vector<PackageNews> out;
  out.swap(news_);
  return out;
}

}  // namespace fieldwork::agent
