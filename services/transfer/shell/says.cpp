// The core's output to rows and messages.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "codec/transfer.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "transfer/shell/rows.hpp"
#include "transfer/shell/service.hpp"

namespace fieldwork::transfer {

namespace {

// Of a transfer that failed or was cancelled: where the first part begins that has not arrived.
std::optional<std::uint64_t> missing_from(const Sending& sending) {
  if (sending.state != SendingState::failed && sending.state != SendingState::cancelled) return std::nullopt;
  const auto size = static_cast<std::uint64_t>(sending.offer.encoded_bytes);
  const auto acked = content::Ranges::parse(sending.acked, size);
  const auto gap = acked ? acked->first_missing(0, size) : std::nullopt;
  return gap ? std::optional(gap->first) : std::nullopt;
}

}  // namespace

void TransferService::apply(const Output& done, Time now, runtime::Output& out) {
  save(done, out);
  for (const auto& one : done.work) std::visit([&](const auto& work) { act(work, now, out); }, one);
  for (const auto& one : done.answers) std::visit([&](const auto& answer) { say(answer, now, out); }, one);
  for (const auto& question : done.uses) ask(question, out);
  for (const auto& package : done.removed_packages) say_removed(package);
  for (const auto& sending : done.ended) say_ended(sending, out);
  for (const auto& receiving : done.ended_receivings) say_ended(receiving, out);
  for (const auto& sending : done.new_strategies) say_strategy(sending, out);
  for (const auto& receiving : done.new_receiving_strategies) say_strategy(receiving, out);
  for (const auto& package : done.packages)
    say_retained(topics_.state("package", package.digest.substr(7)), codec::dump(codec::encode(package)), out);
  for (const auto& digest : done.cleared_packages) say_retained(topics_.state("package", digest.substr(7)), "", out);
  for (const auto& sending : done.sending_states) say_state(sending, out);
  for (const auto& receiving : done.receiving_states) say_state(receiving, out);
  for (const auto& id : done.cleared_states) say_retained(topics_.state("transfer", id.value), "", out);
  put_out(done.stages, out);
  ask(done.permits, out);
}

void TransferService::save(const Output& done, runtime::Output& out) {
  for (const auto& content : done.contents) out.upsert("content", content.package.digest, to_row(content));
  for (const auto& digest : done.dropped_contents) {
    const bool package = std::any_of(done.removed_packages.begin(), done.removed_packages.end(),
                                     [&](const auto& one) { return one.package.digest == digest; });
    if (!package) log::info("content pruned", {{"digest", digest}});
    out.remove("content", digest, {{"digest", digest}});
  }
  for (const auto& name : done.names)
    out.upsert("name", name.of.name + "@" + name.of.version + "@" + name.about.architecture, to_row(name));
  for (const auto& name : done.dropped_names)
    out.remove("name", name.of.name + "@" + name.of.version + "@" + name.about.architecture,
               {{"name", name.of.name}, {"version", name.of.version}, {"architecture", name.about.architecture}});
  for (const auto& one : done.encodings) out.upsert("encoding", one.id, to_row(one));
  for (const auto& id : done.dropped_encodings) out.remove("encoding", id, {{"content", id}});
  for (const auto& sending : done.sendings) out.upsert("sending", sending.id.value, to_row(sending));
  for (const auto& id : done.dropped_sendings) out.remove("sending", id.value, {{"transfer", id.value}});
  for (const auto& receiving : done.receivings) out.upsert("receiving", receiving.id.value, to_row(receiving));
  for (const auto& id : done.dropped_receivings) out.remove("receiving", id.value, {{"transfer", id.value}});
}

void TransferService::say(const SendOffer& answer, Time, runtime::Output& out) {
  const auto& sending = answer.sending;
  const auto text = codec::encode(sending.offer);
  if (answer.asker && sending.to.kind == Party::Kind::client && !answer.asker->answer.empty()) {
    out.messages.push_back({.topic = answer.asker->answer, .payload = text, .correlation = answer.asker->correlation});
  } else {
    out.messages.push_back({.topic = topic_to(sending.to, sending.reply, "offer"), .payload = text});
  }
}

void TransferService::say(const SayNotOffered& answer, Time, runtime::Output& out) {
  if (answer.to.party.kind == Party::Kind::client) {
    return this->answer(answer.to, codec::encode_error({Code::unknown, answer.reason, "/digest"}), out);
  }
  out.messages.push_back({.topic = topics_.down(answer.to.party.name, "offer"),
                          .payload = codec::encode(codec::NotOffered{answer.digest, answer.reason})});
}

void TransferService::say(const Reject& answer, Time now, runtime::Output& out) {
  reject(answer.to, answer.error, now, out);
}

void TransferService::say(const AnswerUpload& answer, Time, runtime::Output& out) {
  this->answer(answer.to, {{"v", 1}, {"transfer", answer.id.value}, {"certificate", settings_.certificate.to_pem()}},
               out);
}

void TransferService::say(const AnswerStored& answer, Time, runtime::Output& out) {
  const auto& party = answer.to.party;
  if (party.kind == Party::Kind::client) return this->answer(answer.to, {{"v", 1}, {"state", "stored"}}, out);
  out.messages.push_back(
      {.topic = topics_.down(party.name, "output"), .payload = codec::encode(codec::OutputStored{answer.digest, ""})});
}

void TransferService::say(const RefuseOutput& answer, Time, runtime::Output& out) {
  const auto& device = answer.to.party.name;
  log::warn("output refused", {{"device", device}, {"digest", answer.digest}, {"reason", answer.reason}});
  metrics::count("fieldwork_outputs_refused_total");
  out.messages.push_back({.topic = topics_.down(device, "output"),
                          .payload = codec::encode(codec::OutputStored{answer.digest, answer.reason})});
}

void TransferService::say(const AnswerDropped& answer, Time, runtime::Output& out) {
  const auto& device = answer.to.party.name;
  if (answer.first) {
    log::warn("output dropped by its device",
              {{"device", device}, {"digest", answer.digest}, {"reason", answer.reason}});
    metrics::count("fieldwork_device_outputs_dropped_total");
  }
  out.messages.push_back({.topic = topics_.down(device, "output"),
                          .payload = codec::encode(codec::OutputStored{answer.digest, answer.reason})});
}

void TransferService::say(const AskOutput& answer, Time, runtime::Output& out) {
  const codec::Want want{answer.digest, settings_.certificate.to_pem(), answer.under_way};
  out.messages.push_back({.topic = topics_.down(answer.from.party.name, "want"), .payload = codec::encode(want)});
}

void TransferService::say(const AnswerFinishing& answer, Time, runtime::Output& out) {
  const auto& receiving = answer.receiving;
  Received all{.transfer = receiving.id};
  all.ranges = {{0, static_cast<std::uint64_t>(receiving.offer.encoded_bytes)}};
  if (receiving.from.kind == Party::Kind::client) {
    return this->answer(answer.asker, {{"v", 1}, {"transfer", receiving.id.value}, {"ranges", all.ranges}}, out);
  }
  say_received(receiving, all, 0, out);
}

void TransferService::say(const AckHeld& answer, Time, runtime::Output& out) {
  const auto& receiving = answer.receiving;
  Received held{.transfer = receiving.id};
  held.ranges = {{0, static_cast<std::uint64_t>(receiving.offer.encoded_bytes)}};
  if (const auto it = inbounds_.find(receiving.id); it != inbounds_.end()) held.ranges = it->second.received().ranges;
  held.reason = answer.reason;
  say_received(receiving, held, 1, out);
}

void TransferService::say(const AckEnded& answer, Time, runtime::Output& out) {
  const auto& receiving = answer.receiving;
  Received last{.transfer = receiving.id};
  last.state = answer.error.empty() ? ReceivedState::complete : ReceivedState::failed;
  last.reason = answer.error;
  last.failure = answer.failure;
  if (answer.error.empty()) last.ranges = {{0, static_cast<std::uint64_t>(receiving.offer.encoded_bytes)}};
  if (answer.asker && receiving.from.kind == Party::Kind::client) {
    this->answer(*answer.asker, {{"v", 1}, {"transfer", receiving.id.value}, {"ranges", last.ranges}}, out);
  }
  say_received(receiving, last, 1, out);
}

void TransferService::say_ended(const Sending& sending, runtime::Output& out) {
  const char* event = sending.state == SendingState::complete ? "finished" : word(sending.state);
  log::info(std::string("transfer ") + event,
            {{"transfer", sending.id.value}, {"to", sending.to.name}, {"reason", sending.reason}});
  metrics::count("fieldwork_transfers_ended_total", {{"direction", "down"}, {"event", event}});
  say_event(sending.id, event, sending.reason, sending.failure, out);
}

void TransferService::say_strategy(const Sending& sending, runtime::Output& out) {
  const auto& why = sending.measured.why;
  log::info("transfer strategy", {{"transfer", sending.id.value}, {"to", sending.to.name}, {"reason", why}});
  say_event(sending.id, "strategy", why, {}, out);
}

void TransferService::say_state(const Sending& sending, runtime::Output& out) {
  say_retained(topics_.state("transfer", sending.id.value), codec::dump(state_of(sending)), out);
}

void TransferService::say(const AnswerControlled& answer, Time, runtime::Output& out) {
  this->answer(answer.to, {{"v", 1}, {"transfer", state_of(answer.sending)}}, out);
}

codec::Json TransferService::state_of(const Sending& sending) {
  codec::Json state{{"v", 1},
                    {"transfer", sending.id.value},
                    {"direction", "down"},
                    {"digest", sending.digest},
                    {"state", shown_state(sending.state, sending.phase)},
                    {"reason", sending.reason},
                    {"size_bytes", sending.offer.size_bytes},
                    {"encoding", sending.offer.encoding},
                    {"encoded_bytes", sending.offer.encoded_bytes},
                    {"acked_bytes", sending.acked_bytes},
                    {"sent_bytes", sending.sent_bytes},
                    {"resent_bytes", sending.resent_bytes},
                    {"frames_sent", sending.frames_sent},
                    {"frames_resent", sending.frames_resent},
                    {"resumed_from", sending.resumed_from},
                    {"changed_ms", to_ms(sending.changed)}};
  if (sending.tries_most > 0) state["tries_most"] = sending.tries_most;
  if (sending.bad_frames > 0) state["bad_frames"] = sending.bad_frames;
  if (sending.failure) state["failure"] = fieldwork::name(*sending.failure);
  if (sending.attempt > 1) state["attempt"] = sending.attempt;
  if (const auto from = missing_from(sending)) state["missing_from"] = *from;
  const auto& measured = sending.measured;
  if (!measured.strategy.empty())
    state["strategy"] = {{"name", measured.strategy}, {"reason", measured.why}, {"frame_bytes", measured.frame_bytes}};
  if (measured.bit_per_s > 0 && sending.state == SendingState::sending) {
    state["bit_per_s"] = measured.bit_per_s;
    state["eta_s"] = (sending.offer.encoded_bytes - sending.acked_bytes) * 8 / measured.bit_per_s;
  }
  if (sending.throttled_bit_per_s > 0 && sending.state == SendingState::sending)
    state["throttled_bit_per_s"] = sending.throttled_bit_per_s;
  if (measured.round_trip_ms > 0) state["round_trip_ms"] = measured.round_trip_ms;
  auto strategies = codec::Json::array();
  for (const auto& one : sending.strategies) strategies.push_back({{"at_ms", to_ms(one.at)}, {"reason", one.why}});
  if (!strategies.empty()) state["strategies"] = std::move(strategies);
  state[sending.to.kind == Party::Kind::device ? "device" : "client"] = sending.to.name;
  return state;
}

void TransferService::say_received(const Receiving& to, const Received& received, int qos, runtime::Output& out) {
  out.messages.push_back(
      {.topic = topic_to(to.from, to.reply, "received"), .payload = codec::encode(received), .qos = qos});
}

std::string TransferService::topic_to(const Party& party, const std::string& reply, std::string_view channel) const {
  return party.kind == Party::Kind::device ? topics_.down(party.name, channel) : topics_.reply(reply, channel);
}

void TransferService::reject(const Asker& to, const Error& error, Time now, runtime::Output& out) {
  rejections_.note(to.channel, to.party.name, error, now);
  if (to.party.kind == Party::Kind::client) return answer(to, codec::encode_error(error), out);
  say_rejected(to.party.name, to.channel, error, out);
}

void TransferService::answer(const Asker& to, const codec::Json& json, runtime::Output& out) {
  if (to.answer.empty()) return;
  out.messages.push_back({.topic = to.answer, .payload = codec::dump(json), .correlation = to.correlation});
}

}  // namespace fieldwork::transfer
