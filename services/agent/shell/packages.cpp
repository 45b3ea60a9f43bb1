#include "agent/shell/packages.hpp"

#include <algorithm>

#include "agent/limits.hpp"
#include "codec/transfer.hpp"
#include "content/archive.hpp"
#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "crypto/sealed.hpp"
#include "exchange/drive.hpp"
#include "runtime/log.hpp"

namespace fieldwork::agent {
namespace {

namespace fs = std::filesystem;

std::set<TransferId> parts_in(const fs::path& directory) {
  std::set<TransferId> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const auto stem = entry.path().stem().string();
    if (entry.path().extension() == ".part" && crypto::is_hex(stem, 32)) out.insert(TransferId(stem));
  }
  return out;
}

// Whether the package says the same of itself as its release does. That it is no archive is found when it is unpacked.
Result<void> says(const fs::path& archive, const PackageAbout& about) {
  const auto manifest = content::read_manifest(archive);
  if (!manifest && about == PackageAbout{}) return {};
  if (!manifest) return manifest.error();
  if ((*manifest ? (*manifest)->about : PackageAbout{}) == about) return {};
  return Error{Code::denied, "its manifest and its release do not say the same architecture, entry and needs"};
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

void Packages::fetch(const Fetch& what, Time now) {
  for_work_.insert(what.digest);
  want(what, now);
}

void Packages::stage(const Fetch& what, Time now) {
  staged_.insert(what.digest);
  cache_.pin(what.digest);
  want(what, now);
}

void Packages::unstage(const std::string& digest) {
  staged_.erase(digest);
  cache_.unpin(digest);
  if (for_work_.contains(digest)) return;
  fetching_.erase(digest);
  step(exchange::fetch::Unwant{digest});
}

void Packages::want(const Fetch& what, Time now) {
  now_ = now;
  const auto& digest = what.digest;
  if (cache_.has(digest)) {
    cache_.added(digest, now);
    for_work_.erase(digest);
    news_.push_back({digest, std::nullopt});
    return;
  }
  auto& most = fetching_.try_emplace(digest, what).first->second;
  most.priority = std::max(most.priority, what.priority);
  most.receivers = std::max(most.receivers, what.receivers);
  step(exchange::fetch::Want{digest});
}

void Packages::unfetch(const std::string& digest) {
  cache_.unneeded(digest);
  for_work_.erase(digest);
  if (staged_.contains(digest)) return;
  fetching_.erase(digest);
  step(exchange::fetch::Unwant{digest});
}

void Packages::step(exchange::fetch::Input input) {
  exchange::drive(
      core_, std::move(input), [this] { return now_; },
      [&](exchange::fetch::Output& done, Inputs& inputs) {
        for (const auto& one : done.work) std::visit([&](const auto& work) { act(work, inputs); }, one);
        for (const auto& one : done.say) std::visit([&](const auto& word) { say(word); }, one);
        for (auto& ended : done.ended) {
          if (ended.refused) log::warn("package refused", {{"package", ended.digest}, {"reason", *ended.refused}});
          fetching_.erase(ended.digest);
          for_work_.erase(ended.digest);
          news_.push_back({ended.digest, std::move(ended.refused), ended.work_fault});
        }
      });
}

void Packages::run(std::function<void()> job) {
  if (worker_) return worker_->run(std::move(job));
  job();
}

Accepts Packages::accepts() const {
  Accepts out{.decoders = {"identity", "zstd", "zstd-patch"}, .bases = cache_.newest(limits::bases_max)};
  std::erase_if(out.bases, [&](const auto& base) { return bad_bases_.contains(base); });
  if (!crypto::has_aes()) std::reverse(out.ciphers.begin(), out.ciphers.end());
  out.round_trip_ms = round_trip_ms_;
  const auto goodput = figures_.goodput_bit_per_s;  // an old figure is a better guess than none
  if (goodput && *goodput > 0) out.goodput_bit_per_s = goodput;
  return out;
}

void Packages::say(const exchange::fetch::Ask& ask) {
  codec::Want want{ask.digest, identity_.certificate_pem};
  want.accepts = accepts();
  if (const auto it = fetching_.find(ask.digest); it != fetching_.end()) {
    want.priority = it->second.priority;
    want.receivers = it->second.receivers;
  }
  to_say_.push_back({.topic = topics_.up(identity_.device, "want"), .payload = codec::encode(want)});
}

void Packages::say(const exchange::fetch::Word& word) {
  Received answer{
      .transfer = word.transfer, .state = word.state, .ranges = {}, .reason = word.reason, .failure = word.failure};
  const auto it = incoming_.find(word.transfer);
  if (word.state == ReceivedState::receiving) {  // every byte has arrived
    if (it == incoming_.end()) return;
    answer.ranges = {{0, static_cast<std::uint64_t>(it->second.offer.encoded_bytes)}};
  } else if (it != incoming_.end()) {
    incoming_.erase(it);  // this is the last word of the transfer
  }
  to_say_.push_back({.topic = topics_.up(identity_.device, "received"), .payload = codec::encode(answer)});
}

void Packages::connected(Time now) {
  now_ = now;
  step(LinkBack{});
}

Result<codec::Release> Packages::release_of(const Offer& offer) const {
  const auto bad = [](const std::string& why) { return Error{Code::denied, "release: " + why}; };
  const auto payload = releases_.verify(offer.release, "fieldwork-release+jws");
  if (!payload) return bad(describe(payload.error()));
  auto release = codec::decode_release(*payload);
  if (!release) return bad(describe(release.error()));
  if (release->digest != offer.digest || release->size_bytes != offer.size_bytes) return bad("is for another package");
  return release;
}

Result<void> Packages::offer(std::string_view payload, Time now) {
  now_ = now;
  if (auto unknown = codec::decode_not_offered(payload)) {
    step(exchange::fetch::NotOffered{std::string(unknown->digest), std::move(unknown->reason)});
    return {};
  }
  auto offer = codec::decode_offer(payload);
  if (!offer) return offer.error();
  if (!offer->base.empty() && !cache_.has(offer->base)) {  // evicted since it was named: the next want names it no more
    const Received word{.transfer = offer->transfer, .state = ReceivedState::unwanted, .ranges = {}, .reason = {}};
    to_say_.push_back({.topic = topics_.up(identity_.device, "received"), .payload = codec::encode(word)});
    return {};
  }
  if (const auto it = incoming_.find(offer->transfer); it != incoming_.end()) it->second.offer.shared = offer->shared;
  const exchange::fetch::OfferCame came{offer->digest, offer->transfer, cache_.has(offer->digest)};
  offers_.insert_or_assign(offer->transfer, std::move(*offer));
  step(came);
  return {};
}

void Packages::act(const exchange::fetch::Open& work, Inputs& then) {
  const auto before = incoming_.find(work.transfer);
  if (before != incoming_.end() && !before->second.inbound) return;  // it is being finished: Finished follows
  auto& incoming = incoming_[work.transfer];
  incoming = Incoming{.offer = offers_.at(work.transfer)};
  leftovers_.erase(work.transfer);
  if (auto bad = open(incoming)) {
    then.push_back(exchange::fetch::CannotReceive{work.digest, std::move(bad->reason), bad->failure});
  } else if (incoming.inbound->complete()) {
    then.push_back(exchange::fetch::FrameCame{work.digest, true});
  }
}

std::optional<Packages::NotOpened> Packages::open(Incoming& incoming) {
  const auto& offer = incoming.offer;
  if (const auto release = release_of(offer); !release) return NotOpened{release.error().reason};
  if (identity_.transfer_ca) {
    const auto good =
        exchange::check_header(offer, *identity_.transfer_ca, "transfer", std::chrono::system_clock::now());
    if (!good) return NotOpened{describe(good.error())};
  }
  const auto base = offer.base.empty() ? fs::path() : cache_.path(offer.base);
  if (!offer.base.empty()) cache_.used(offer.base, now_);  // it is not evicted to make room
  if (auto none = no_room(offer)) return NotOpened{std::move(*none), TransferFailure::unavailable};
  auto inbound = exchange::Inbound::open(offer, *identity_.key, identity_.fingerprint, directory_, size_max_, base);
  const auto reserved = inbound ? inbound->reserve() : Result<void>(inbound.error());
  if (!reserved) {
    const bool disk = reserved.error().code == Code::unavailable;
    return NotOpened{(disk ? "disk: " : "") + describe(reserved.error()), exchange::failure_of(reserved.error())};
  }
  inbound->checkpoint_elsewhere();
  incoming.inbound = std::move(*inbound);
  return std::nullopt;
}

Result<void> Packages::frame(std::string_view payload, Time now) {
  now_ = now;
  const auto header = crypto::sealed_frame_header(payload);
  if (!header) return header.error();
  const auto it = std::find_if(incoming_.begin(), incoming_.end(), [&](const auto& one) {
    return one.second.offer.envelope.content == header->content_id_hex;
  });
  // The transfer is over here: the sender missed its last word, and will make the offer again.
  if (it == incoming_.end()) return {};
  auto& incoming = it->second;
  const auto digest = incoming.offer.digest;
  if (!incoming.inbound) return step(exchange::fetch::FrameCame{digest}), Result<void>{};
  const auto fresh = incoming.inbound->frame(payload, now);
  if (!fresh && fresh.error().code == Code::unavailable) {
    step(exchange::fetch::CannotReceive{digest, "disk: " + describe(fresh.error()), TransferFailure::unavailable});
    return {};
  }
  if (!fresh) return fresh.error();
  if (const auto goodput = incoming.inbound->goodput_bit_per_s()) figures_.goodput_bit_per_s = goodput;
  if (const auto loss = incoming.inbound->loss()) figures_.loss = loss;
  figures_at_ = now;
  const bool all = incoming.inbound->complete();
  if (!all) checkpoint(it->first, incoming);
  decode(it->first, incoming);
  step(exchange::fetch::FrameCame{digest, all});
  return {};
}

void Packages::checkpoint(const TransferId& transfer, Incoming& incoming) {
  if (incoming.checkpointing) return;
  auto job = incoming.inbound->checkpoint_due(now_);
  if (!job) return;
  incoming.checkpointing = true;
  run([outcomes = outcomes_, job = std::move(job), digest = incoming.offer.digest, transfer] {
    outcomes->put({Outcome::Of::checkpoint, digest, transfer, job()});
  });
}

// Of one package at a time: a decoder needs up to 8 MB.
void Packages::decode(const TransferId& transfer, Incoming& incoming) {
  const auto now = std::find_if(incoming_.begin(), incoming_.end(), [](const auto& one) { return one.second.decodes; });
  if (incoming.decoding || (now != incoming_.end() && now->first != transfer)) return;
  auto job = incoming.inbound->decode_due();
  if (!job) return;
  incoming.decodes = incoming.decoding = true;
  run([outcomes = outcomes_, job = std::move(job), digest = incoming.offer.digest, transfer] {
    job();
    outcomes->put({Outcome::Of::decode, digest, transfer, {}});
  });
}

void Packages::act(const exchange::fetch::Finish& work, Inputs& /*then*/) {
  const auto it = std::find_if(incoming_.begin(), incoming_.end(), [&](const auto& one) {
    return one.second.offer.digest == work.digest && one.second.inbound;
  });
  if (it == incoming_.end()) return;
  auto inbound = std::make_shared<exchange::Inbound>(std::move(*it->second.inbound));
  it->second.inbound.reset();
  const auto release = release_of(it->second.offer);
  run([outcomes = outcomes_, inbound, digest = work.digest, transfer = it->first, path = cache_.path(work.digest),
       about = release ? release->about : PackageAbout{}] {
    const auto done = inbound->finish(path, [&](const fs::path& content) { return says(content, about); });
    outcomes->put({Outcome::Of::finish, digest, transfer, done ? Result<void>() : done.error(), inbound});
  });
}

void Packages::act(const exchange::fetch::Discard& work, Inputs& /*then*/) {
  incoming_.erase(work.transfer);
  discard(work.transfer);
}

void Packages::hear_outcomes() {
  for (const auto& outcome : outcomes_->take()) {
    if (outcome.of == Outcome::Of::finish) {
      finished(outcome);
      continue;
    }
    if (const auto it = incoming_.find(outcome.transfer); it != incoming_.end())
      (outcome.of == Outcome::Of::decode ? it->second.decoding : it->second.checkpointing) = false;
    if (!outcome.done) log::warn("no checkpoint", {{"reason", describe(outcome.done.error())}});
  }
}

void Packages::finished(const Outcome& outcome) {
  exchange::fetch::Finished input{outcome.digest, outcome.transfer};
  if (outcome.done) {
    cache_.added(outcome.digest, now_);
    if (!core_.wants(outcome.digest)) cache_.unneeded(outcome.digest);
  } else {
    input.error = outcome.done.error();
    const auto it = incoming_.find(outcome.transfer);
    if (input.error->code == Code::conflict && it != incoming_.end()) bad_bases_.insert(it->second.offer.base);
    if (input.error->code == Code::unavailable && it != incoming_.end()) {
      it->second.inbound = std::move(*outcome.inbound);
      input.again = !no_room(it->second.offer);  // something was evicted, or the disk has recovered
    }
  }
  step(std::move(input));
}

std::vector<bus::Message> Packages::due(Time now) {
  now_ = now;
  hear_outcomes();
  sweep();
  step(fieldwork::TimePassed{});
  step(fieldwork::BatchEnded{});
  offers_.clear();
  std::vector<bus::Message> out;
  out.swap(to_say_);
  for (auto& [transfer, incoming] : incoming_) {
    if (!incoming.inbound) continue;
    if (const auto answer = incoming.inbound->ack_due(now)) {
      out.push_back({.topic = topics_.up(identity_.device, "received"), .payload = codec::encode(*answer), .qos = 0});
    }
  }
  return out;
}

std::vector<bus::Subscription> Packages::subscriptions() {
  std::set<std::string> wanted;
  for (const auto& [transfer, incoming] : incoming_) {
    if (incoming.offer.shared && incoming.inbound)
      wanted.insert(topics_.content(incoming.offer.envelope.content, "frame"));
  }
  std::vector<bus::Subscription> out;
  for (const auto& topic : wanted) {
    if (!shared_.contains(topic)) out.push_back({topic, 0, true});
  }
  for (const auto& topic : shared_) {
    if (!wanted.contains(topic)) out.push_back({topic, 0, false});
  }
  shared_ = std::move(wanted);
  return out;
}

std::vector<PackageNews> Packages::news() {
  hear_outcomes();
  std::vector<PackageNews> out;
  out.swap(news_);
  return out;
}

}  // namespace fieldwork::agent
