#include "transfer/shell/rows.hpp"

#include <nlohmann/json.hpp>

#include "codec/manifest.hpp"
#include "codec/transfer.hpp"
#include "crypto/bytes.hpp"
#include "transfer/limits.hpp"

namespace fieldwork::transfer {
namespace {

using codec::Json;
using codec::Reader;

const char* word(Party::Kind kind) { return kind == Party::Kind::device ? "device" : "client"; }
const char* word(ContentKind kind) { return kind == ContentKind::package ? "package" : "output"; }

// Reads one of two words; true: the first.
bool is_first(Reader& reader, const char* field, const char* first, const char* second) {
  const auto text = reader.text(field);
  if (reader.ok() && text != first && text != second) reader.fail(field, "is not a word of this table");
  return text == first;
}

Party read_party(Reader& reader, const char* name_field) {
  const auto kind = is_first(reader, "party", "device", "client") ? Party::Kind::device : Party::Kind::client;
  return {kind, reader.text(name_field)};
}

ContentKind read_kind(Reader& reader) {
  return is_first(reader, "kind", "package", "output") ? ContentKind::package : ContentKind::output;
}

Time read_time(Reader& reader, const char* field) { return from_ms(reader.integer(field, 0, INT64_MAX / 1000)); }

PackageAbout read_about(Reader& reader) {
  auto about = codec::decode_about(reader.text("about", row_text_max));
  if (!about) return reader.fail("about", describe(about.error())), PackageAbout{};
  return std::move(*about);
}

Package read_package(Reader& reader) {
  return {.digest = reader.digest("digest"),
          .name = reader.text("name"),
          .version = reader.text("version"),
          .size_bytes = reader.integer("size_bytes", 0, INT64_MAX),
          .release = reader.text("release", row_text_max),
          .released_by = reader.text("released_by"),
          .about = read_about(reader)};
}

// An empty text is no offer yet.
Offer read_offer(Reader& reader) {
  const auto text = reader.text("offer", row_text_max);
  if (text.empty()) return {};
  auto offer = codec::decode_offer(text);
  if (!offer) return reader.fail("offer", describe(offer.error())), Offer{};
  return std::move(*offer);
}

Json strategies_of(const std::vector<StrategyNote>& strategies) {
  auto out = Json::array();
  for (const auto& one : strategies) out.push_back({{"at_ms", to_ms(one.at)}, {"why", one.why}});
  return out;
}

std::vector<StrategyNote> read_strategies(Reader& reader) {
  std::vector<StrategyNote> out;
  const auto value = codec::parse(reader.text("strategies", row_text_max));
  if (!value || !value->is_array()) return reader.fail("strategies", "is not a list"), out;
  for (std::size_t i = 0; i < value->size(); ++i) {
    Reader one(reader, "strategies", i, (*value)[i]);
    const auto at = read_time(one, "at_ms");
    out.push_back({at, one.text("why", 1024)});
    one.finish();
  }
  return out;
}

SendingState read_state(Reader& reader) {
  const auto text = reader.text("state");
  for (const auto state :
       {SendingState::sending, SendingState::complete, SendingState::failed, SendingState::cancelled}) {
    if (text == transfer::word(state)) return state;
  }
  reader.fail("state", "is not a word of this table");
  return SendingState::failed;
}

std::string word_of(const std::optional<TransferFailure>& failure) {
  return failure ? std::string(fieldwork::name(*failure)) : "";
}

std::optional<TransferFailure> read_failure(Reader& reader) {
  const auto text = reader.text("failure");
  const auto out = transfer_failure(text);
  if (reader.ok() && !text.empty() && !out) reader.fail("failure", "is not a word of this table");
  return out;
}

}  // namespace

const char* word(SendingState state) {
  switch (state) {
    case SendingState::sending: return "sending";
    case SendingState::complete: return "complete";
    case SendingState::failed: return "failed";
    case SendingState::cancelled: return "cancelled";
  }
  return "failed";
}

const char* shown_state(SendingState state, Phase phase) {
  if (state == SendingState::complete) return "completed";
  if (state != SendingState::sending) return word(state);
  switch (phase) {
    case Phase::offered: return "offered";
    case Phase::sending: return "sending";
    case Phase::suspended: return "suspended";
    case Phase::verifying: return "verifying";
  }
  return "sending";
}

store::Row to_row(const Content& content) {
  return {{"digest", content.package.digest},         {"kind", word(content.kind)},
          {"size_bytes", content.package.size_bytes}, {"encoding", content.encoding},
          {"encoded_bytes", content.encoded_bytes},   {"party", word(content.brought_by.kind)},
          {"brought_by", content.brought_by.name},    {"transfer", content.transfer.value},
          {"stored_ms", to_ms(content.stored)},       {"used_ms", to_ms(content.used)}};
}

Result<Content> content_from_row(std::string_view text) {
  auto row = codec::parse(text);
  if (!row) return row.error();
  Reader reader(*row);
  Content out;
  out.kind = read_kind(reader);
  out.package.digest = reader.digest("digest");
  out.package.size_bytes = reader.integer("size_bytes", 0, INT64_MAX);
  out.encoding = reader.text("encoding");
  out.encoded_bytes = reader.integer("encoded_bytes", 0, INT64_MAX);
  out.brought_by = read_party(reader, "brought_by");
  out.transfer = TransferId(reader.text("transfer"));
  out.stored = read_time(reader, "stored_ms");
  out.used = read_time(reader, "used_ms");
  if (!reader.finish()) return reader.error();
  return out;
}

store::Row to_row(const Name& name) {
  return {{"name", name.of.name},
          {"version", name.of.version},
          {"architecture", name.about.architecture},
          {"digest", name.digest},
          {"release", name.release},
          {"released_by", name.released_by},
          {"about", codec::encode(name.about)},
          {"named_ms", to_ms(name.named)},
          {"removed_ms", to_ms(name.removed)}};
}

Result<Name> name_from_row(std::string_view text) {
  auto row = codec::parse(text);
  if (!row) return row.error();
  Reader reader(*row);
  Name out;
  out.of = {reader.text("name"), reader.text("version")};
  out.digest = reader.digest("digest");
  out.release = reader.text("release", row_text_max);
  out.released_by = reader.text("released_by");
  out.about = read_about(reader);
  if (reader.text("architecture", limits::architecture_bytes_max) != out.about.architecture && reader.ok())
    reader.fail("architecture", "is not that of about");
  out.named = read_time(reader, "named_ms");
  out.removed = read_time(reader, "removed_ms");
  if (!reader.finish()) return reader.error();
  return out;
}

store::Row to_row(const SealedEncoding& one) {
  const auto& encoded = one.encoded;
  return {{"content", one.id},
          {"digest", one.digest},
          {"kind", content::name(encoded.encoding.kind)},
          {"level", encoded.encoding.level},
          {"base", encoded.encoding.base},
          {"window_log", encoded.encoding.window_log},
          {"encoded_bytes", encoded.bytes},
          {"encoded_digest", encoded.digest},
          {"needs_window_log", encoded.window_log},
          {"cipher", one.cipher},
          {"epoch", one.epoch},
          {"content_key", crypto::to_hex(one.key)},
          {"header", one.header},
          {"made_ms", to_ms(one.made)},
          {"used_ms", to_ms(one.used)}};
}

Result<SealedEncoding> encoding_from_row(std::string_view text) {
  auto row = codec::parse(text);
  if (!row) return row.error();
  Reader reader(*row);
  SealedEncoding out;
  out.id = reader.text("content");
  out.digest = reader.digest("digest");
  const auto kind = content::encoding_kind(reader.text("kind"));
  if (!kind) reader.fail("kind", "is not a word of this table");
  out.encoded.encoding = {kind.value_or(content::EncodingKind::identity),
                          static_cast<int>(reader.integer("level", 0, 99)), reader.text("base"),
                          static_cast<int>(reader.integer("window_log", 0, 31))};
  out.encoded.bytes = reader.integer("encoded_bytes", 0, INT64_MAX);
  out.encoded.digest = reader.digest("encoded_digest");
  out.encoded.window_log = static_cast<int>(reader.integer("needs_window_log", 0, 99));
  out.cipher = reader.text("cipher");
  out.epoch = reader.integer("epoch", 1, INT64_MAX);
  const auto key = crypto::from_hex(reader.text("content_key"));
  if (!key) reader.fail("content_key", "is not hex");
  out.header = reader.text("header", row_text_max);
  out.made = read_time(reader, "made_ms");
  out.used = read_time(reader, "used_ms");
  if (!reader.finish()) return reader.error();
  out.key = *key;
  return out;
}

store::Row to_row(const Sending& sending) {
  const Received received{.transfer = sending.id, .ranges = sending.acked};
  return {{"transfer", sending.id.value},
          {"party", word(sending.to.kind)},
          {"receiver", sending.to.name},
          {"reply", sending.reply},
          {"digest", sending.digest},
          {"fingerprint", sending.fingerprint},
          {"state", word(sending.state)},
          {"reason", sending.reason},
          {"attempt", sending.attempt},
          {"offer", sending.offer.transfer.empty() ? "" : codec::encode(sending.offer)},
          {"priority", sending.priority},
          {"received", codec::encode(received)},
          {"acked_bytes", sending.acked_bytes},
          {"sent_bytes", sending.sent_bytes},
          {"resent_bytes", sending.resent_bytes},
          {"resumed_from", sending.resumed_from},
          {"frames_sent", sending.frames_sent},
          {"frames_resent", sending.frames_resent},
          {"tries_most", sending.tries_most},
          {"bad_frames", sending.bad_frames},
          {"failure", word_of(sending.failure)},
          {"paused_by", sending.paused_by},
          {"strategies", codec::dump(strategies_of(sending.strategies))},
          {"said", sending.said},
          {"started_ms", to_ms(sending.started)},
          {"heard_ms", to_ms(sending.heard)},
          {"changed_ms", to_ms(sending.changed)}};
}

Result<Sending> sending_from_row(std::string_view text) {
  auto row = codec::parse(text);
  if (!row) return row.error();
  Reader reader(*row);
  Sending out;
  out.id = TransferId(reader.text("transfer"));
  out.to = read_party(reader, "receiver");
  out.reply = reader.text("reply");
  out.digest = reader.digest("digest");
  out.fingerprint = reader.text("fingerprint");
  out.state = read_state(reader);
  out.reason = reader.text("reason", row_text_max);
  out.attempt = static_cast<int>(reader.integer("attempt", 1, INT32_MAX));
  out.offer = read_offer(reader);
  out.priority = static_cast<int>(reader.integer("priority", 0, 9));
  const auto received = codec::decode_received(reader.text("received", row_text_max));
  if (!received) reader.fail("received", describe(received.error()));
  out.acked_bytes = reader.integer("acked_bytes", 0, INT64_MAX);
  out.sent_bytes = reader.integer("sent_bytes", 0, INT64_MAX);
  out.resent_bytes = reader.integer("resent_bytes", 0, INT64_MAX);
  out.resumed_from = reader.integer("resumed_from", 0, INT64_MAX);
  out.frames_sent = reader.integer("frames_sent", 0, INT64_MAX);
  out.frames_resent = reader.integer("frames_resent", 0, INT64_MAX);
  out.tries_most = reader.integer("tries_most", 0, INT64_MAX);
  out.bad_frames = reader.integer("bad_frames", 0, INT64_MAX);
  out.failure = read_failure(reader);
  out.paused_by = reader.text("paused_by");
  out.strategies = read_strategies(reader);
  out.said = reader.boolean_or("said", false);
  out.started = read_time(reader, "started_ms");
  out.heard = read_time(reader, "heard_ms");
  out.changed = read_time(reader, "changed_ms");
  if (!reader.finish()) return reader.error();
  out.acked = received->ranges;
  return out;
}

store::Row to_row(const Receiving& receiving) {
  const auto& package = receiving.package;
  return {{"transfer", receiving.id.value},
          {"party", word(receiving.from.kind)},
          {"sender", receiving.from.name},
          {"reply", receiving.reply},
          {"kind", word(receiving.kind)},
          {"digest", package.digest},
          {"size_bytes", package.size_bytes},
          {"name", package.name},
          {"version", package.version},
          {"release", package.release},
          {"released_by", package.released_by},
          {"about", codec::encode(package.about)},
          {"offer", receiving.offer.transfer.empty() ? "" : codec::encode(receiving.offer)},
          {"heard_ms", to_ms(receiving.heard)},
          {"state", word(receiving.state)},
          {"reason", receiving.reason},
          {"failure", word_of(receiving.failure)},
          {"received_bytes", receiving.received_bytes},
          {"came_bytes", receiving.came_bytes},
          {"again_bytes", receiving.again_bytes},
          {"came_frames", receiving.came_frames},
          {"again_frames", receiving.again_frames},
          {"bad_frames", receiving.bad_frames},
          {"resumed_from", receiving.resumed_from},
          {"strategies", codec::dump(strategies_of(receiving.strategies))},
          {"said", receiving.said},
          {"started_ms", to_ms(receiving.started)},
          {"changed_ms", to_ms(receiving.changed)}};
}

Result<Receiving> receiving_from_row(std::string_view text) {
  auto row = codec::parse(text);
  if (!row) return row.error();
  Reader reader(*row);
  Receiving out;
  out.id = TransferId(reader.text("transfer"));
  out.from = read_party(reader, "sender");
  out.reply = reader.text("reply");
  out.kind = read_kind(reader);
  out.package = read_package(reader);
  out.offer = read_offer(reader);
  out.heard = read_time(reader, "heard_ms");
  out.state = read_state(reader);
  out.reason = reader.text("reason", row_text_max);
  out.failure = read_failure(reader);
  out.received_bytes = reader.integer("received_bytes", 0, INT64_MAX);
  out.came_bytes = reader.integer("came_bytes", 0, INT64_MAX);
  out.again_bytes = reader.integer("again_bytes", 0, INT64_MAX);
  out.came_frames = reader.integer("came_frames", 0, INT64_MAX);
  out.again_frames = reader.integer("again_frames", 0, INT64_MAX);
  out.bad_frames = reader.integer("bad_frames", 0, INT64_MAX);
  out.resumed_from = reader.integer("resumed_from", 0, INT64_MAX);
  out.strategies = read_strategies(reader);
  out.said = reader.boolean_or("said", false);
  out.started = read_time(reader, "started_ms");
  out.changed = read_time(reader, "changed_ms");
  if (!reader.finish()) return reader.error();
  return out;
}

}  // namespace fieldwork::transfer
