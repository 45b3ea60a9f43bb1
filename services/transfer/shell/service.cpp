#include "transfer/shell/service.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "codec/transfer.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "transfer/shell/rows.hpp"

namespace fieldwork::transfer {
namespace {

store::Query all_of(const std::string& table) {
  return {.table = table, .where = {}, .order_by = "", .descending = false, .limit = 0};
}

}  // namespace

TransferService::TransferService(std::string root, Settings settings, runtime::Post post)
    : Shell(std::move(root)), settings_(std::move(settings)), post_(std::move(post)) {
  if (!post_.task) return;
  worker_ = std::make_unique<exchange::Worker>();
  encoder_ = std::make_unique<exchange::Worker>();
  ahead_encoder_ = std::make_unique<exchange::Worker>();
}

Result<void> TransferService::load(store::Store& store, Time now) {
  auto contents = rows(store, all_of("content"), content_from_row);
  if (!contents) return contents.error();
  auto names = rows(store, all_of("name"), name_from_row);
  if (!names) return names.error();
  auto encodings = rows(store, all_of("encoding"), encoding_from_row);
  if (!encodings) return encodings.error();
  auto sendings = rows(store, all_of("sending"), sending_from_row);
  if (!sendings) return sendings.error();
  auto receivings = rows(store, all_of("receiving"), receiving_from_row);
  if (!receivings) return receivings.error();
  auto stages = rows(store, all_of("stage"), stage_from_row);
  if (!stages) return stages.error();
  core_.emplace(settings_.limits,
                Saved{std::move(*contents), std::move(*names), std::move(*encodings), std::move(*sendings),
                      std::move(*receivings), std::move(*stages)},
                now);
  step(LinkLost{}, now);  // until the first connection nobody can be heard
  check_files(now);
  running_ = true;
  log::info("loaded", {{"contents", std::to_string(core_->contents().size())},
                       {"sendings", std::to_string(core_->live().size())},
                       {"receivings", std::to_string(core_->receivings().size())}});
  return {};
}

// Takes up the receivings that were on their way. load() says nothing: a receiving that cannot be taken up ends with a
// later batch.
void TransferService::check_files(Time now) {
  std::set<std::string> digests;
  std::set<TransferId> incoming;
  for (const auto& [digest, content] : core_->contents()) digests.insert(digest);
  for (const auto& [id, receiving] : core_->receivings()) {
    incoming.insert(id);
    digests.insert(receiving.package.digest);  // the content may be in its place without a row
  }
  std::set<std::filesystem::path> encoded;
  for (const auto& [id, one] : core_->encodings())
    encoded.insert(settings_.store.encoded(one.digest, one.encoded.encoding));
  settings_.store.sweep(digests, incoming, encoded);
  for (const auto& [digest, content] : core_->contents()) {
    if (!settings_.store.holds(content)) lose(digest);
  }
  runtime::Output nothing;
  for (const auto& [id, receiving] : core_->receivings()) {
    if (!receiving.offer.transfer.empty()) act(OpenReceiving{receiving}, now, nothing);
  }
}

// In the next batch, as the outcomes of work.
void TransferService::lose(const std::string& digest) {
  log::error("a stored file is lost; push it again", {{"digest", digest}});
  later(ContentLost{digest});
}

void TransferService::tick(Time now, runtime::Output& out) {
  for (const auto& outcome : std::exchange(outcomes_, {})) step(outcome, now);
  Shell::tick(now, out);
}

void TransferService::flush(Time now, runtime::Output& out) {
  give_up_making(now);
  acknowledge(now, out);
  Shell::flush(now, out);
  pump_shared(now, out);
  send_frames(now, out);  // behind the offers; the core puts out what follows with the next batch
  metrics::gauge("fieldwork_transfers_live", static_cast<double>(core_->live().size()));
  metrics::gauge("fieldwork_transfers_running", static_cast<double>(outbounds_.size() + group_of_.size()));
}

std::uint64_t TransferService::in_flight_bytes() const {
  std::uint64_t out = 0;
  for (const auto& [id, outbound] : outbounds_) out += outbound.in_flight_bytes();
  for (const auto& [key, group] : groups_) out += group.shared.sender().pieces().in_flight_bytes();
  return out;
}

// Sends frames of each transfer in turn, until in_flight_bytes_max of all together are on their way. Those of a higher
// priority come first, but for every fourth round: so nobody waits for ever.
void TransferService::send_frames(Time now, runtime::Output& out) {
  const bool by_priority = ++rounds_ % 4 != 0;
  auto& last_pumped = last_pumped_[by_priority ? 0 : 1];
  auto in_flight = in_flight_bytes();
  std::vector<TransferId> order;
  for (const auto& [id, outbound] : outbounds_) {
    const auto due = outbound.next_due();
    if ((due && *due <= now) || outbound.failed()) order.push_back(id);
  }
  const auto next = std::find_if(order.begin(), order.end(), [&](const auto& id) { return id.value > last_pumped; });
  std::rotate(order.begin(), next, order.end());
  if (by_priority) {
    const auto priority = [&](const TransferId& id) {
      const auto* sending = core_->sending(id);
      return sending == nullptr ? PriorityClass::low : class_of(sending->priority);
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](const auto& a, const auto& b) { return priority(a) > priority(b); });
  }
  for (const auto& id : order) {
    if (in_flight >= settings_.in_flight_bytes_max) break;
    const auto& outbound = outbounds_.at(id);
    const auto before = outbound.in_flight_bytes();
    last_pumped = id.value;
    pump(id, now, out);
    in_flight += outbound.in_flight_bytes() - before;
  }
}

// QoS 0: the sender's window repeats frames. Frames leave after the commit, with the rest of the batch: before it the
// key of a new transfer is not saved, and a restart would seal other frames under the same id.
void TransferService::pump(const TransferId& id, Time now, runtime::Output& out) {
  auto& outbound = outbounds_.at(id);
  const auto* sending = core_->sending(id);
  if (sending == nullptr || sending->state != SendingState::sending) return;  // this batch closed it
  const auto before = outbound.sent_bytes();
  const auto resent_before = outbound.resent_bytes();
  const auto frames_before = outbound.sent_frames();
  const auto frames_again_before = outbound.resent_frames();
  const bool suspended_before = outbound.sender().suspended();
  auto frames = outbound.due(now);
  if (outbound.failed()) return step(SendingBroke{id, outbound.reason()}, now);
  if (frames.empty() && outbound.sender().suspended() == suspended_before) return;
  const auto topic = topic_to(sending->to, sending->reply, "frame");
  for (auto& frame : frames) out.messages.push_back({.topic = topic, .payload = std::move(frame), .qos = 0});
  const auto sent = outbound.sent_bytes() - before;
  metrics::count("fieldwork_transfer_sent_bytes_total", {}, static_cast<double>(sent));
  step(Progressed{id, outbound.acked().as_pairs(), static_cast<std::int64_t>(outbound.acked_bytes()),
                  static_cast<std::int64_t>(sent), static_cast<std::int64_t>(outbound.resent_bytes() - resent_before),
                  measured(outbound.sender(), outbound.linked()),
                  static_cast<std::int64_t>(outbound.sent_frames() - frames_before),
                  static_cast<std::int64_t>(outbound.resent_frames() - frames_again_before), outbound.tries_most()},
       now);
}

Measurements TransferService::measured(const content::Sender& sender, bool linked) {
  const auto& link = sender.measured();
  return {.strategy = std::string(content::name_of(sender.strategy().row)),
          .why = content::reason(sender.strategy(), link),
          .frame_bytes = sender.strategy().frame_bytes,
          .bit_per_s = static_cast<std::int64_t>(link.bit_per_s.value_or(0)),
          .round_trip_ms = link.round_trip ? static_cast<double>(link.round_trip->count()) / 1000 : 0,
          .suspended = sender.suspended() || !linked};
}

void TransferService::acknowledge(Time now, runtime::Output& out) {
  for (auto& [id, inbound] : inbounds_) {
    const auto due = inbound.ack_due(now);
    const auto* receiving = core_->receiving(id);
    if (!due || receiving == nullptr) continue;
    say_received(*receiving, *due, 0, out);
    const auto came = inbound.take_came();
    step(ReceivingHeard{id, static_cast<std::int64_t>(inbound.received_bytes()), came.bytes, came.again_bytes,
                        came.frames, came.again_frames, inbound.bad_frames()},
         now);
  }
}

}  // namespace fieldwork::transfer
