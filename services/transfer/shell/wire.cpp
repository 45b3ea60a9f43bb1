// MQTT messages to inputs, and the requests that only read.
#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "codec/transfer.hpp"
#include "crypto/bytes.hpp"
#include "crypto/content_key.hpp"
#include "crypto/sealed.hpp"
#include "runtime/metrics.hpp"
#include "transfer/shell/service.hpp"

namespace fieldwork::transfer {
namespace {

constexpr const char* release_type = "fieldwork-release+jws";

// The certificate, if `authority` issued it to `name`.
Result<crypto::Certificate> verify(const crypto::CertificateAuthority& authority, const std::string& pem,
                                   const std::string& name, Time now) {
  auto certificate = crypto::Certificate::from_pem(pem);
  if (!certificate) return Error{Code::invalid, certificate.error().reason, "/certificate"};
  if (auto good = authority.verify(*certificate, now); !good) {
    return Error{Code::denied, good.error().reason, "/certificate"};
  }
  if (certificate->common_name() != name) return Error{Code::denied, "is not the sender's own", "/certificate"};
  return certificate;
}

// The package, if a trusted releaser signed exactly its digest, size, name and version.
Result<Package> verify(const crypto::TrustStore& releases, const codec::Upload& upload) {
  const auto denied = [](std::string reason) { return Error{Code::denied, std::move(reason), "/release"}; };
  const auto signed_by = releases.verify_signer(upload.release, release_type);
  if (!signed_by) return denied(signed_by.error().reason);
  const auto release = codec::decode_release(signed_by->payload);
  if (!release) return denied(describe(release.error()));
  if (release->digest != upload.digest || release->size_bytes != upload.size_bytes || release->name != upload.name ||
      release->version != upload.version) {
    return denied("is for another package");
  }
  return Package{.digest = upload.digest,
                 .name = upload.name,
                 .version = upload.version,
                 .size_bytes = upload.size_bytes,
                 .release = upload.release,
                 .released_by = signed_by->kid,
                 .about = release->about};
}

void count_bad(const char* direction, std::int64_t frames) {
  metrics::count("fieldwork_transfer_bad_frames_total", {{"direction", direction}}, static_cast<double>(frames));
}

}  // namespace

TransferId random_transfer_id() { return TransferId(crypto::to_hex(crypto::random_bytes(16))); }

std::vector<std::pair<std::string, int>> TransferService::subscriptions() const {
  std::vector<std::pair<std::string, int>> out;
  for (const auto* channel : {"want", "received", "output", "offer", "frame", "stage"})
    out.emplace_back(topics_.up("+", channel), 1);
  out.emplace_back(topics_.service("transfer", "+", "+"), 1);
  out.emplace_back(topics_.state("device", "+"), 1);
  return out;
}

void TransferService::message(const bus::Message& message, Time now, runtime::Output& out) {
  const auto topic = topics_.parse(message.topic);
  if (!topic) return;
  Asker from;
  from.channel = topic->channel;
  if (topic->kind == Topic::Kind::state) return device_state(topic->name, message, now);
  if (topic->kind == Topic::Kind::service && topic->name == "transfer" && topic->channel == "used")
    return used(*topic, message, now);
  if (topic->kind == Topic::Kind::device && topic->direction == "up") {
    from.party = {Party::Kind::device, std::string(topic->name)};
  } else if (topic->kind == Topic::Kind::service && topic->name == "transfer") {
    from.party = {Party::Kind::client, std::string(topic->from)};
    if (const auto reply = topics_.reply_to(*topic, message.response_topic, message.correlation)) {
      from.answer = message.response_topic;
      from.correlation = message.correlation;
      from.client = reply->name;
    }
  } else {
    return;
  }
  if (!is_id(from.party.name)) {
    reject(from, {Code::invalid, "the topic names no id"}, now, out);
  } else if (message.retain) {
    reject(from, {Code::invalid, "a request is not retained"}, now, out);
  } else if (from.party.kind == Party::Kind::device) {
    from_device(from, message, now, out);
  } else {
    from_client(from, message, now, out);
  }
}

void TransferService::device_state(std::string_view device, const bus::Message& message, Time now) {
  if (message.payload.empty()) return step(DeviceHeard{std::string(device), std::nullopt}, now);
  const auto value = codec::parse(message.payload);
  const auto state = value ? codec::decode_device(*value) : Result<Device>(value.error());
  if (!state) return rejections_.note("state/device", std::string(device), state.error(), now);
  if (state->id.value != device) return;
  const auto most = is_pressed(state->pressure, Resource::network) ? state->about.uplink.bit_per_s * 6 / 10 : 0;
  const bool here = state->presence == Presence::starting || state->presence == Presence::online;
  step(DeviceHeard{state->id.value, Standing{state->lifecycle, state->reason, state->fingerprint, most, !here,
                                             state->about.site, state->session}},
       now);
}

void TransferService::from_device(const Asker& from, const bus::Message& message, Time now, runtime::Output& out) {
  const auto& channel = from.channel;
  Result<void> done;
  if (channel == "want") done = want(from, message.payload, now);
  if (channel == "received") done = received(from, message.payload, now);
  if (channel == "output") done = output(from, message.payload, now);
  if (channel == "offer") done = offer(from, message.payload, now);
  if (channel == "frame") done = frame(from, message.payload, now);
  if (channel == "stage") done = staged(from, message.payload, now);
  if (!done) reject(from, done.error(), now, out);
}

void TransferService::from_client(const Asker& from, const bus::Message& message, Time now, runtime::Output& out) {
  const auto& channel = from.channel;
  Result<void> done = Error{Code::unknown, "the transfer service has no such operation"};
  if (channel == "offer") done = upload(from, message.payload, now);
  if (channel == "start") done = offer(from, message.payload, now);
  if (channel == "frame") done = frame(from, message.payload, now);
  if (channel == "fetch") done = want(from, message.payload, now);
  if (channel == "received") done = received(from, message.payload, now);
  if (channel == "show") done = show(from, message.payload, out);
  if (channel == "list") done = list(from, message.payload, now, out);
  if (channel == "remove") done = remove(from, message.payload, now);
  if (channel == "transfer") done = transfer(from, message.payload, out);
  if (channel == "transfers") done = transfers(from, message.payload, out);
  if (channel == "stage") done = stage(from, message.payload, now);
  if (channel == "unstage") done = unstage(from, message.payload, now);
  if (channel == "permitted") done = permitted(from, message.payload, now, out);
  if (channel == "stages") done = stages(from, message.payload, out);
  if (channel == "pause" || channel == "resume" || channel == "cancel") done = control(from, message.payload, now);
  if (!done) reject(from, done.error(), now, out);
}

Result<void> TransferService::want(const Asker& from, std::string_view payload, Time now) {
  const bool device = from.party.kind == Party::Kind::device;
  if (!device && from.client.empty()) return Error{Code::invalid, "needs a response topic"};
  auto want = codec::decode_want(payload);
  if (!want) return want.error();
  auto certificate =
      verify(device ? settings_.device_ca : settings_.operator_ca, want->certificate, from.party.name, now);
  if (!certificate) return certificate.error();
  step(Wanted{from, want->digest, std::move(*certificate), settings_.fresh_id(), std::move(want->accepts),
              want->priority, want->receivers},
       now);
  return {};
}

Result<void> TransferService::received(const Asker& from, std::string_view payload, Time now) {
  const auto received = codec::decode_received(payload);
  if (!received) return received.error();
  const auto* sending = core_->sending(received->transfer);
  const auto it = outbounds_.find(received->transfer);
  const bool ours = sending != nullptr && sending->to == from.party;
  if (ours && it == outbounds_.end() && received->state == ReceivedState::receiving) {
    auto* shared = shared_of(received->transfer);
    if (shared != nullptr) shared->received(*received, now);
    note_received(*sending, *received, shared != nullptr ? measured(shared->sender(), true) : Measurements{}, now);
  }
  if (ours && it != outbounds_.end()) {
    auto& outbound = it->second;
    outbound.link(true, now);  // whatever the registry has heard
    outbound.received(*received, now);
    step(Progressed{received->transfer, outbound.acked().as_pairs(), static_cast<std::int64_t>(outbound.acked_bytes()),
                    0, 0, measured(outbound.sender(), outbound.linked())},
         now);
  }
  if (ours && received->bad_frames > sending->bad_frames) count_bad("down", received->bad_frames - sending->bad_frames);
  step(Answered{from, received->transfer, received->state, received->reason, received->failure, received->bad_frames},
       now);
  return {};
}

// Of a sending without a slot: what has arrived is not sent again when the sending gets one.
void TransferService::note_received(const Sending& sending, const Received& received, Measurements measured, Time now) {
  const auto size = static_cast<std::uint64_t>(sending.offer.encoded_bytes);
  auto acked = content::Ranges::parse(sending.acked, size);
  const auto more = content::Ranges::parse(received.ranges, size);
  if (!acked || !more) return;
  for (const auto& [begin, end] : more->as_pairs()) (void)acked->add(begin, end);
  step(Progressed{sending.id, acked->as_pairs(), static_cast<std::int64_t>(acked->covered_bytes()), 0, 0,
                  std::move(measured)},
       now);
}

// device/{device}/up/offer and service/transfer/start/{from}.
Result<void> TransferService::offer(const Asker& from, std::string_view payload, Time now) {
  const bool device = from.party.kind == Party::Kind::device;
  if (!device && from.client.empty()) return Error{Code::invalid, "needs a response topic"};
  auto offer = codec::decode_offer(payload);
  if (!offer) return offer.error();
  if (offer->envelope.key_encryption_algorithm == crypto::public_algorithm)
    return Error{Code::invalid, "must not be none: what comes here is sealed for this service alone",
                 "/envelope/key_encryption_algorithm"};
  const auto good = exchange::check_offer(*offer, settings_.key, settings_.certificate.fingerprint(),
                                          settings_.limits.content_bytes_max);
  if (!good) return good.error();
  if (offer->envelope.content != offer->transfer.value)
    return Error{Code::invalid, "must be the id of the transfer", "/envelope/content"};
  step(Offered{from, std::move(*offer)}, now);
  return {};
}

Result<void> TransferService::frame(const Asker& from, std::string_view payload, Time now) {
  const auto header = crypto::sealed_frame_header(payload);
  if (!header) return header.error();
  const TransferId id(header->content_id_hex);  // what comes here is sealed under the id of its transfer
  const auto* receiving = core_->receiving(id);
  if (receiving == nullptr || receiving->from != from.party) {
    step(StrayFrame{from, id, static_cast<std::int64_t>(header->offset + header->length)}, now);
    return {};
  }
  auto it = inbounds_.find(id);
  if (it == inbounds_.end()) return {};  // being verified, or the disk refused it: the sender repeats
  const auto bad_before = it->second.bad_frames();
  const auto fresh = it->second.frame(payload, now);
  if (const auto bad = it->second.bad_frames() - bad_before; bad > 0) count_bad("up", bad);
  if (!fresh && fresh.error().code == Code::unavailable)
    return step(FrameNotKept{id, fresh.error()}, now), Result<void>{};
  if (!fresh) return fresh.error();
  if (*fresh) metrics::count("fieldwork_transfer_received_bytes_total", {}, static_cast<double>(header->length));
  if (it->second.complete()) step(AllReceived{id}, now);
  return {};
}

Result<void> TransferService::output(const Asker& from, std::string_view payload, Time now) {
  const auto output = codec::decode_output_offer(payload);
  if (!output) return output.error();
  if (output->dropped.empty()) {
    step(OutputAnnounced{from, output->digest, output->size_bytes, output->strategy}, now);
  } else {
    step(OutputDropped{from, output->digest, output->dropped}, now);
  }
  return {};
}

Result<void> TransferService::upload(const Asker& from, std::string_view payload, Time now) {
  const auto upload = codec::decode_upload(payload);
  if (!upload) return upload.error();
  auto package = verify(settings_.releases, *upload);
  if (!package) return package.error();
  step(PackageAnnounced{from, std::move(*package), settings_.fresh_id(), upload->strategy}, now);
  return {};
}

}  // namespace fieldwork::transfer
