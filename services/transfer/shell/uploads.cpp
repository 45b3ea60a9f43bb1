// How receivings stand, as messages; and what an end looks like, whichever way the content went.
#include <nlohmann/json.hpp>

#include "codec/transfer.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "transfer/shell/rows.hpp"
#include "transfer/shell/service.hpp"

namespace fieldwork::transfer {

void TransferService::say(const AnswerCancelled& answer, Time, runtime::Output& out) {
  this->answer(answer.to, {{"v", 1}, {"transfer", state_of(answer.receiving)}}, out);
}

void TransferService::say_event(const TransferId& id, const char* event, const std::string& reason,
                                const std::optional<TransferFailure>& failure, runtime::Output& out) {
  codec::Json json{{"v", 1}, {"transfer", id.value}, {"event", event}, {"reason", reason}};
  if (failure) json["failure"] = fieldwork::name(*failure);
  out.messages.push_back({.topic = topics_.event("transfer", id.value), .payload = codec::dump(json)});
}

void TransferService::say_ended(const Receiving& receiving, runtime::Output& out) {
  const char* event = receiving.state == SendingState::complete ? "finished" : word(receiving.state);
  log::info(std::string("upload ") + event,
            {{"transfer", receiving.id.value}, {"from", receiving.from.name}, {"reason", receiving.reason}});
  metrics::count("fieldwork_transfers_ended_total", {{"direction", "up"}, {"event", event}});
  say_event(receiving.id, event, receiving.reason, receiving.failure, out);
}

void TransferService::say_strategy(const Receiving& receiving, runtime::Output& out) {
  say_event(receiving.id, "strategy", receiving.strategy->reason, {}, out);
}

void TransferService::say_state(const Receiving& receiving, runtime::Output& out) {
  say_retained(topics_.state("transfer", receiving.id.value), codec::dump(state_of(receiving)), out);
}

codec::Json TransferService::state_of(const Receiving& receiving) {
  const auto& offer = receiving.offer;
  codec::Json state{{"v", 1},
                    {"transfer", receiving.id.value},
                    {"direction", "up"},
                    {"digest", receiving.package.digest},
                    {"state", shown_state(receiving.state, receiving.phase)},
                    {"reason", receiving.reason},
                    {"size_bytes", receiving.package.size_bytes},
                    {"encoded_bytes", offer.encoded_bytes},
                    {"acked_bytes", receiving.received_bytes},
                    {"sent_bytes", receiving.came_bytes},
                    {"resent_bytes", receiving.again_bytes},
                    {"frames_sent", receiving.came_frames},
                    {"frames_resent", receiving.again_frames},
                    {"resumed_from", receiving.resumed_from},
                    {"changed_ms", to_ms(receiving.changed)}};
  if (!offer.encoding.empty()) state["encoding"] = offer.encoding;
  if (receiving.failure) state["failure"] = fieldwork::name(*receiving.failure);
  if (receiving.bad_frames > 0) state["bad_frames"] = receiving.bad_frames;
  if (receiving.strategy) state["strategy"] = codec::encode(*receiving.strategy);
  if (receiving.bit_per_s > 0) {
    state["bit_per_s"] = receiving.bit_per_s;
    state["eta_s"] = (offer.encoded_bytes - receiving.received_bytes) * 8 / receiving.bit_per_s;
  }
  auto strategies = codec::Json::array();
  for (const auto& one : receiving.strategies) strategies.push_back({{"at_ms", to_ms(one.at)}, {"reason", one.why}});
  if (!strategies.empty()) state["strategies"] = std::move(strategies);
  state[receiving.from.kind == Party::Kind::device ? "device" : "client"] = receiving.from.name;
  return state;
}

}  // namespace fieldwork::transfer
