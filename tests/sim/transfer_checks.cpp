#include "transfer_checks.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "codec/transfer.hpp"
#include "content/archive.hpp"
#include "content/sender.hpp"
#include "crypto/digest.hpp"

namespace fieldwork::sim {
namespace {

namespace fs = std::filesystem;

constexpr const char* window = "no frame is sent beyond the window";
constexpr const char* goes_on = "a transfer goes on from what was saved";
constexpr const char* arrived_whole = "no byte is acknowledged that did not arrive undamaged";
constexpr const char* released = "what a job finds is what was released";
constexpr const char* verified = "complete is said of what is verified and on the disk";
constexpr const char* one_transfer = "a receiver gets a package under one transfer at a time";
constexpr const char* transfer_ends = "every transfer ends well once the faults stop";

// No sender takes a piece for lost sooner after sending it (content::SenderConfig).
constexpr Duration lost_after = milliseconds(200);
// For so long after a failed commit, messages that it held back look newer than they are.
constexpr Duration late_for = lost_after + milliseconds(100);
// For so long after an answer, frames may leave that the sender handed over before it heard the answer.
constexpr Duration turn = milliseconds(100);

bool contains(const content::Ranges& all, const ByteRanges& some) {
  return std::all_of(some.begin(), some.end(), [&](const auto& one) { return all.contains(one.first, one.second); });
}

std::string text(const ByteRanges& ranges) { return codec::Json(ranges).dump(); }

content::Ranges ranges_of(const ByteRanges& pairs) { return content::Ranges::parse(pairs, INT64_MAX).value(); }

// The Received in a message: on a channel `received`, or in the answer to start, where it has no state.
std::optional<Received> received_of(const Topic& topic, const std::string& payload) {
  if (topic.channel == "received") {
    auto received = codec::decode_received(payload);
    return received ? std::optional(std::move(*received)) : std::nullopt;
  }
  if (topic.kind != Topic::Kind::reply || topic.channel != "start") return std::nullopt;
  const auto answer = codec::Json::parse(payload);
  if (!answer.contains("ranges")) return std::nullopt;
  return Received{.transfer = TransferId(answer.at("transfer").get<std::string>()),
                  .ranges = answer.at("ranges").get<ByteRanges>()};
}

// The client that fetches and pushes asks in the name of an operator.
constexpr const char* client = "cli";
std::string party_of(const std::string& name) { return name == "operator" ? client : name; }
std::string receiver_of(const Topic& topic) { return std::string(topic.name); }
std::string sender_of(const Topic& topic) {
  return topic.kind == Topic::Kind::device ? std::string(topic.name) : client;
}

}  // namespace

TransferChecks::TransferChecks(World& world, const Checks& checks, std::uint64_t window_bytes)
    : world_(world), checks_(checks), window_bytes_(window_bytes) {}

void TransferChecks::add_receiver(const std::string& party, Shelf shelf) { shelves_[party] = std::move(shelf); }

bool TransferChecks::is_on_the_shelf(const std::string& party, const std::string& digest) const {
  const auto path = shelves_.at(party).content(digest);
  return fs::exists(path) && crypto::digest_of_file(path).value() == digest;
}

// --- what a party finds when it comes back --------------------------------------------------------------------------

void TransferChecks::starts(const Party& party) {
  for (auto& [id, transfer] : transfers_) {
    if (transfer.sender != party.name()) continue;
    transfer.in_flight.clear();
    transfer.anew = false;
    transfer.known = {};
  }
  if (shelves_.contains(party.name())) find_records(party.name());
  if (party.name() != "transfer") return;
  for (const auto& [id, row] : checks_.rows("transfer", "sending")) {
    if (row.at("state") != "sending") continue;
    // The frames of a transfer may go out before its offer: the offer may have died with the service.
    begins(codec::decode_offer(row.at("offer").get<std::string>()).value(), party.name(), party_of(row.at("receiver")));
    transfers_.at(id).known = ranges_of(codec::decode_received(row.at("received").get<std::string>())->ranges);
  }
}

void TransferChecks::find_records(const std::string& party) {
  const auto& shelf = shelves_.at(party);
  // The transfer service keeps no file that its rows do not name.
  const auto named = [&](const char* table, const std::string& key) {
    const auto& rows = checks_.rows("transfer", table);
    const auto row = rows.find(key);
    return party != "transfer" || (row != rows.end() && row->second.value("state", "sending") == "sending");
  };
  for (auto& [id, transfer] : transfers_) {
    if (transfer.receiver != party) continue;
    std::ifstream file(shelf.parts / (id + ".ranges"));
    std::string content, record;
    transfer.kept = {};
    if (named("receiving", id) && std::getline(file, content) && std::getline(file, record))
      transfer.kept = ranges_of(codec::decode_received(record)->ranges);
    // The content is verified and in its place, though nobody may have heard of it.
    const bool kept = named("content", transfer.digest) || named("receiving", id);
    if (kept && is_on_the_shelf(party, transfer.digest)) transfer.kept = ranges_of({{0, transfer.encoded_bytes}});
  }
}

void TransferChecks::stalls(const Party& party) { late_until_[party.name()] = world_.now() + late_for; }

void TransferChecks::begins(const Offer& offer, const std::string& sender, const std::string& receiver) {
  const auto [it, fresh] = transfers_.try_emplace(offer.transfer.value);
  if (!fresh) return;
  it->second.sender = sender;
  it->second.receiver = receiver;
  it->second.digest = offer.digest;
  it->second.content = offer.envelope.content;
  it->second.number = transfers_.size();
  it->second.encoded_bytes = static_cast<std::uint64_t>(offer.encoded_bytes);
  it->second.anew = true;  // the content may have been asked for twice at once
}

// --- what is said ---------------------------------------------------------------------------------------------------

void TransferChecks::says(const Party& party, const bus::Message& message) {
  const auto topic = topics_.parse(message.topic);
  if (!topic || message.payload.empty()) return;
  if (is_frame(message) && topic->kind == Topic::Kind::content)
    return sends_to_all(crypto::sealed_frame_header(message.payload)->content_id_hex);
  if (is_frame(message)) {
    const auto receiver = party.name() == "transfer" ? receiver_of(*topic) : "transfer";
    return sends(party, receiver, crypto::sealed_frame_header(message.payload).value());
  }
  const bool device = topic->kind == Topic::Kind::device;
  if (const auto received = received_of(*topic, message.payload)) return answers(party, *received);
  if (device && topic->channel == "want") {
    const auto want = codec::decode_want(message.payload);
    const bool has = is_on_the_shelf(party.name(), want->digest);
    return require(!has, goes_on, party.name() + " wants " + want->digest + ", which it has");
  }
  const bool to_client = topic->kind == Topic::Kind::reply && topic->channel == "fetch";
  const bool from_client = topic->kind == Topic::Kind::service && topic->channel == "start";
  if (!to_client && !from_client && (!device || topic->channel != "offer")) return;
  const bool from_service = to_client || topic->direction == "down";
  const auto offer = codec::decode_offer(message.payload);
  if (offer) offers(party, *offer, from_service ? std::string(topic->name) : "transfer");
}

void TransferChecks::offers(const Party& party, const Offer& offer, const std::string& to) {
  for (const auto& [id, row] : checks_.rows("transfer", "sending")) {
    const bool other = party.name() == "transfer" && id != offer.transfer.value && row.at("state") == "sending";
    require(!other || party_of(row.at("receiver")) != to || row.at("digest") != offer.digest, one_transfer,
            offer.transfer.value + " beside " + id);
  }
  begins(offer, party.name(), to);
}

TransferChecks::Transfer* TransferChecks::of(const std::string& sender, const std::string& receiver,
                                             const std::string& content) {
  Transfer* newest = nullptr;
  for (auto& [id, transfer] : transfers_) {
    if (transfer.sender != sender || transfer.receiver != receiver || transfer.content != content) continue;
    if (newest == nullptr || newest->number < transfer.number) newest = &transfer;
  }
  return newest;
}

void TransferChecks::sends(const Party& party, const std::string& receiver, const crypto::SealedFrameHeader& frame) {
  auto* found = of(party.name(), receiver, frame.content_id_hex);
  require(found != nullptr, one_transfer, party.name() + " sends a frame");
  auto& transfer = *found;
  const auto place = frame.content_id_hex + " [" + std::to_string(frame.offset) + ",+" + std::to_string(frame.length);
  // The first piece is also sent to ask the receiver how it stands.
  const bool known = transfer.known.contains(frame.offset, frame.offset + frame.length);
  require(frame.offset == 0 || !known || world_.now() < transfer.known_since + turn, goes_on,
          place + ") is sent again, and was acknowledged");
  auto& in_flight = transfer.in_flight;
  while (!in_flight.empty() && in_flight.front().sent + lost_after <= world_.now()) in_flight.pop_front();
  std::erase_if(in_flight, [&](const Piece& piece) { return piece.at.offset == frame.offset; });  // it was lost
  in_flight.push_back({frame, world_.now()});
  std::uint64_t bytes = 0;
  for (const auto& piece : in_flight) bytes += piece.at.length;
  const auto late = late_until_.find(party.name());
  if (late != late_until_.end() && world_.now() < late->second) return;
  const auto most = party.is_device ? content::PaceConfig{}.window_max : window_bytes_;
  require(bytes <= most, window, place + "): " + std::to_string(bytes) + " bytes are on their way");
}

// Who needs a frame for many cannot be told from outside. Somebody does.
void TransferChecks::sends_to_all(const std::string& content) const {
  const auto gets_it = [&](const auto& one) {
    return one.second.sender == "transfer" && one.second.content == content;
  };
  require(std::any_of(transfers_.begin(), transfers_.end(), gets_it), one_transfer, "a frame of " + content);
}

void TransferChecks::answers(const Party& party, const Received& received) {
  const auto it = transfers_.find(received.transfer.value);
  require(it != transfers_.end() && it->second.receiver == party.name(), one_transfer,
          party.name() + " answers to " + received.transfer.value);
  auto& transfer = it->second;
  if (received.state == ReceivedState::unwanted) transfer.kept = {};
  const auto who = party.name() + " " + received.transfer.value + " ";
  // A content that is in its place came under another transfer, before the rows went back.
  const bool arrived = contains(transfer.arrived, received.ranges) || is_on_the_shelf(party.name(), transfer.digest);
  require(arrived, arrived_whole, who + text(received.ranges));
  if (received.state == ReceivedState::complete) {
    require(is_on_the_shelf(party.name(), transfer.digest), verified, who);
    const bool stored = party.name() != "transfer" || checks_.rows("transfer", "content").contains(transfer.digest);
    require(stored, verified, who + "has no row");
  } else if (received.state == ReceivedState::receiving) {
    require(contains(ranges_of(received.ranges), transfer.kept.as_pairs()), goes_on,
            who + "has " + text(received.ranges) + ", had " + text(transfer.kept.as_pairs()));
  }
}

// --- what is heard --------------------------------------------------------------------------------------------------

void TransferChecks::hears(const Party& party, const bus::Message& message, bool whole) {
  const auto topic = topics_.parse(message.topic);
  if (!topic || message.payload.empty()) return;
  if (is_frame(message)) {
    if (!whole) return;
    const auto frame = crypto::sealed_frame_header(message.payload).value();
    const bool here = party.name() == "transfer";
    const auto sender = here ? sender_of(*topic) : "transfer";
    if (auto* transfer = of(sender, party.name(), frame.content_id_hex))
      (void)transfer->arrived.add(frame.offset, frame.offset + frame.length);
    return;
  }
  if (const auto received = received_of(*topic, message.payload)) {
    if (topic->channel == "start") transfers_.at(received->transfer.value).anew = true;
    return is_answered(party, *received);
  }
  if (party.name() != "transfer" || topic->channel != "want") return;
  is_asked(std::string(topic->name), codec::decode_want(message.payload)->digest);
}

void TransferChecks::is_answered(const Party& party, const Received& received) {
  auto& transfer = transfers_.at(received.transfer.value);
  if (transfer.sender != party.name()) return;
  const auto ranges = ranges_of(received.ranges);
  // Less than before: an older answer that comes late, or the answer of a receiver that has lost some bytes. The sender
  // then may begin anew.
  if (!contains(ranges, transfer.known.as_pairs())) {
    transfer.known = {};
    transfer.in_flight.clear();
  }
  if (std::exchange(transfer.anew, false)) {
    transfer.known = ranges;
    transfer.known_since = world_.now();
    transfer.in_flight.clear();
  }
  // What has arrived, and what was sent before that: it is lost.
  const auto arrived = [&](const Piece& piece) {
    return ranges.contains(piece.at.offset, piece.at.offset + piece.at.length);
  };
  auto& in_flight = transfer.in_flight;
  const auto newest = std::find_if(in_flight.rbegin(), in_flight.rend(), arrived);
  in_flight.erase(in_flight.begin(), newest.base());
}

// The receiver asks anew: the sender begins anew, with the ranges that it knows.
void TransferChecks::is_asked(const std::string& device, const std::string& digest) {
  for (auto& [id, transfer] : transfers_) {
    if (transfer.receiver != device || transfer.digest != digest) continue;
    transfer.in_flight.clear();
    transfer.anew = true;
  }
}

// --- what is done ---------------------------------------------------------------------------------------------------

void TransferChecks::uses(const std::string& device, const Package& package, const Path& archive,
                          const Path& place) const {
  const auto who = device + " " + package.name;
  require(fs::exists(archive), released, who + " is not here");
  const auto size = static_cast<std::uint64_t>(package.size_bytes);
  require(fs::file_size(archive) == size && is_on_the_shelf(device, package.digest), released, who);
  const auto unpacked = content::unpack(archive, place / "unpacked", size);
  require(unpacked.ok(), released, who);
  const auto again = content::pack(place / "unpacked", place / "again.tar");
  require(again.ok() && *again == package.digest, released, who + " unpacked");
}

void TransferChecks::at_the_end() const {
  for (const auto& [id, row] : checks_.rows("transfer", "sending")) {
    require(row.at("state") == "complete", transfer_ends,
            id + " is " + row.at("state").dump() + " " + row.at("reason").dump());
  }
  for (const auto& [id, row] : checks_.rows("transfer", "receiving"))
    require(row.at("state") != "sending", transfer_ends, id + " is still being received");
}

}  // namespace fieldwork::sim
