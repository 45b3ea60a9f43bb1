#include "transfer/shell/service.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "codec/transfer.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "transfer/shell/rows.hpp"

namespace fieldwork::transfer {
namespace {

constexpr Duration offer_again = seconds(5);  // of silence

template <class Row, class FromRow>
Result<std::vector<Row>> load_table(store::Store& store, const std::string& table, FromRow from_row) {
  auto rows = store.select({.table = table});
  if (!rows) return rows.error();
  std::vector<Row> out;
  for (const auto& text : *rows) {
    auto row = from_row(text);
    if (!row) return Error{Code::invalid, describe(row.error()), "table " + table};
    out.push_back(std::move(*row));
  }
  return out;
}

}  // namespace

TransferService::TransferService(std::string root, Settings settings, runtime::Post post)
    : topics_(std::move(root)), settings_(std::move(settings)), post_(std::move(post)) {
  if (post_.task) worker_ = std::make_unique<exchange::Worker>();
}

Result<void> TransferService::load(store::Store& store, Time now) {
  auto contents = load_table<Content>(store, "content", content_from_row);
  if (!contents) return contents.error();
  auto names = load_table<Name>(store, "name", name_from_row);
  if (!names) return names.error();
  auto sendings = load_table<Sending>(store, "sending", sending_from_row);
  if (!sendings) return sendings.error();
  auto receivings = load_table<Receiving>(store, "receiving", receiving_from_row);
  if (!receivings) return receivings.error();
  core_.emplace(settings_.limits,
                Saved{std::move(*contents), std::move(*names), std::move(*sendings), std::move(*receivings)}, now);
  check_files(now);
  log::info("loaded", {{"contents", std::to_string(core_->contents().size())},
                       {"sendings", std::to_string(core_->live().size())},
                       {"receivings", std::to_string(core_->receivings().size())}});
  return {};
}

// Takes up what was on its way. What cannot be, ends with the first batch: load() itself says nothing.
void TransferService::check_files(Time now) {
  std::set<std::string> digests;
  std::set<TransferId> incoming;
  for (const auto& [digest, content] : core_->contents()) digests.insert(digest);
  for (const auto& [id, receiving] : core_->receivings()) {
    incoming.insert(id);
    digests.insert(receiving.package.digest);  // it may be in its place, and its row not
  }
  settings_.store.sweep(digests, incoming);
  runtime::Output nothing;
  for (const auto& [id, receiving] : core_->receivings()) {
    if (!receiving.offer.transfer.empty()) act(OpenReceiving{{.party = receiving.from}, id}, now, nothing);
  }
}

void TransferService::tick(Time now, runtime::Output& out) {
  for (const auto& id : std::exchange(broken_, {}))
    take(SendingBroke{id, "the stored content cannot be read"}, now, out);
  for (const auto& id : std::exchange(all_received_, {})) take(AllReceived{id}, now, out);
  take(TimePassed{}, now, out);
}

void TransferService::connected(Time now, runtime::Output& out) { take(BrokerReturned{}, now, out); }

void TransferService::flush(Time now, runtime::Output& out) {
  acknowledge(now, out);
  std::uint64_t in_flight = 0;
  std::vector<TransferId> order;
  for (const auto& [id, outbound] : outbounds_) {
    in_flight += outbound.in_flight_bytes();
    const auto due = outbound.next_due();
    if ((due && *due <= now) || outbound.failed()) order.push_back(id);
  }
  const auto next = std::find_if(order.begin(), order.end(), [&](const auto& id) { return id.value > last_pumped_; });
  std::rotate(order.begin(), next, order.end());
  for (const auto& id : order) {
    if (in_flight >= settings_.in_flight_bytes_max) break;
    const auto before = outbounds_.at(id).in_flight_bytes();
    last_pumped_ = id.value;
    pump(id, now, out);
    if (const auto it = outbounds_.find(id); it != outbounds_.end()) in_flight += it->second.in_flight_bytes() - before;
  }
  save_rows(out);
  for (const auto& digest : std::exchange(unsaid_packages_, {})) {
    const auto* content = core_->content(digest);
    if (content == nullptr || content->kind != ContentKind::package) continue;
    out.messages.push_back({.topic = topics_.state("package", digest.substr(7)),
                            .payload = codec::dump(codec::encode(content->package)),
                            .retain = true});
  }
  say_sendings(out);
  metrics::gauge("fieldwork_transfers_live", static_cast<double>(core_->live().size()));
  metrics::gauge("fieldwork_transfers_running", static_cast<double>(outbounds_.size()));
}

void TransferService::save_rows(runtime::Output& out) {
  for (const auto& digest : std::exchange(unsaved_contents_, {})) {
    const auto* content = core_->content(digest);
    if (content != nullptr) {
      out.upsert("content", digest, to_row(*content));
    } else {
      out.remove("content", digest, codec::dump({{"digest", digest}}));
    }
  }
  for (const auto& id : std::exchange(unsaved_sendings_, {})) {
    const auto* sending = core_->sending(id);
    if (sending != nullptr) {
      out.upsert("sending", id.value, to_row(*sending));
    } else {
      out.remove("sending", id.value, codec::dump({{"transfer", id.value}}));
    }
  }
  for (const auto& id : std::exchange(unsaved_receivings_, {})) {
    const auto* receiving = core_->receiving(id);
    if (receiving != nullptr) {
      out.upsert("receiving", id.value, to_row(*receiving));
    } else {
      out.remove("receiving", id.value, codec::dump({{"transfer", id.value}}));
    }
  }
}

void TransferService::say_sendings(runtime::Output& out) {
  for (const auto& id : std::exchange(unsaid_sendings_, {})) {
    const auto* sending = core_->sending(id);
    if (sending == nullptr || !sending->said) continue;
    codec::Json state{{"v", 1},
                      {"transfer", id.value},
                      {"digest", sending->digest},
                      {"state", word(sending->state)},
                      {"reason", sending->reason},
                      {"encoded_bytes", sending->offer.encoded_bytes},
                      {"acked_bytes", sending->acked_bytes},
                      {"sent_bytes", sending->sent_bytes},
                      {"changed_ms", to_ms(sending->changed)}};
    state[sending->to.kind == Party::Kind::device ? "device" : "client"] = sending->to.name;
    out.messages.push_back(
        {.topic = topics_.state("transfer", id.value), .payload = codec::dump(state), .retain = true});
  }
}

// Frames are repeated by our own window: QoS 0. They leave after the commit with the rest of the batch: until then the
// key of a new transfer is not saved, and a restart would seal other frames under its id.
void TransferService::pump(const TransferId& id, Time now, runtime::Output& out) {
  auto& outbound = outbounds_.at(id);
  const auto* sending = core_->sending(id);
  const auto before = outbound.sent_bytes();
  auto frames = outbound.due(now);
  if (outbound.failed()) return take(SendingBroke{id, outbound.reason()}, now, out);
  if (frames.empty()) return;
  // All is there, and no word of it; or no word at all: the offer asks a receiver that has forgotten the transfer.
  const bool silent = now - outbound.heard() >= offer_again;
  if (silent || outbound.acked_bytes() == outbound.total_bytes()) act(SendOffer{id, std::nullopt}, now, out);
  const auto topic = topic_to(sending->to, sending->reply, "frame");
  for (auto& frame : frames) out.messages.push_back({.topic = topic, .payload = std::move(frame), .qos = 0});
  const auto sent = outbound.sent_bytes() - before;
  metrics::count("fieldwork_transfer_sent_bytes_total", {}, static_cast<double>(sent));
  take(Progressed{id, outbound.acked().as_pairs(), static_cast<std::int64_t>(outbound.acked_bytes()),
                  static_cast<std::int64_t>(sent)},
       now, out);
}

void TransferService::acknowledge(Time now, runtime::Output& out) {
  for (auto& [id, inbound] : inbounds_) {
    const auto due = inbound.ack_due(now);
    const auto* receiving = core_->receiving(id);
    if (!due || receiving == nullptr) continue;
    say_received(*receiving, *due, 0, out);
    take(ReceivingHeard{id}, now, out);
  }
}

void TransferService::say_received(const Receiving& to, const Received& received, int qos, runtime::Output& out) {
  out.messages.push_back(
      {.topic = topic_to(to.from, to.reply, "received"), .payload = codec::encode(received), .qos = qos});
}

std::string TransferService::topic_to(const Party& party, const std::string& reply, std::string_view channel) const {
  return party.kind == Party::Kind::device ? topics_.down(party.name, channel) : topics_.reply(reply, channel);
}

void TransferService::finished(const TransferId& id, std::shared_ptr<exchange::Inbound> inbound,
                               const Result<exchange::Encoded>& encoded, Time now, runtime::Output& out) {
  if (encoded) return take(ContentArrived{id, encoded->encoding, encoded->encoded_bytes}, now, out);
  log::warn("content refused", {{"transfer", id.value}, {"reason", describe(encoded.error())}});
  if (inbound && encoded.error().code == Code::unavailable) inbounds_.insert_or_assign(id, std::move(*inbound));
  take(ContentRefused{id, encoded.error()}, now, out);
}

}  // namespace fieldwork::transfer
