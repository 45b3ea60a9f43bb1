#include "transfer/shell/rows.hpp"

#include <nlohmann/json.hpp>

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

Package read_package(Reader& reader) {
  return {.digest = reader.digest("digest"),
          .name = reader.text("name"),
          .version = reader.text("version"),
          .size_bytes = reader.integer("size_bytes", 0, INT64_MAX),
          .release = reader.text("release", row_text_max),
          .released_by = reader.text("released_by")};
}

// An empty text is no offer yet.
Offer read_offer(Reader& reader) {
  const auto text = reader.text("offer", row_text_max);
  if (text.empty()) return {};
  auto offer = codec::decode_offer(text);
  if (!offer) return reader.fail("offer", describe(offer.error())), Offer{};
  return std::move(*offer);
}

SendingState read_state(Reader& reader) {
  const auto text = reader.text("state");
  for (const auto state : {SendingState::sending, SendingState::complete, SendingState::failed}) {
    if (text == transfer::word(state)) return state;
  }
  reader.fail("state", "is not a word of this table");
  return SendingState::failed;
}

}  // namespace

const char* word(SendingState state) {
  switch (state) {
    case SendingState::sending: return "sending";
    case SendingState::complete: return "complete";
    case SendingState::failed: return "failed";
  }
  return "failed";
}

store::Row to_row(const Content& content) {
  return {{"digest", content.package.digest},         {"kind", word(content.kind)},
          {"size_bytes", content.package.size_bytes}, {"encoding", content.encoding},
          {"encoded_bytes", content.encoded_bytes},   {"party", word(content.brought_by.kind)},
          {"brought_by", content.brought_by.name},    {"transfer", content.transfer.value},
          {"stored_ms", to_ms(content.stored)}};
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
  if (!reader.finish()) return reader.error();
  return out;
}

store::Row to_row(const Name& name) {
  return {{"name", name.of.name},    {"version", name.of.version},      {"digest", name.digest},
          {"release", name.release}, {"released_by", name.released_by}, {"named_ms", to_ms(name.named)}};
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
  out.named = read_time(reader, "named_ms");
  if (!reader.finish()) return reader.error();
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
          {"offer", codec::encode(sending.offer)},
          {"content_key", crypto::to_hex(sending.content_key)},
          {"received", codec::encode(received)},
          {"acked_bytes", sending.acked_bytes},
          {"sent_bytes", sending.sent_bytes},
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
  const auto key = crypto::from_hex(reader.text("content_key"));
  if (!key) reader.fail("content_key", "is not hex");
  const auto received = codec::decode_received(reader.text("received", row_text_max));
  if (!received) reader.fail("received", describe(received.error()));
  out.acked_bytes = reader.integer("acked_bytes", 0, INT64_MAX);
  out.sent_bytes = reader.integer("sent_bytes", 0, INT64_MAX);
  out.said = reader.boolean_or("said", false);
  out.started = read_time(reader, "started_ms");
  out.heard = read_time(reader, "heard_ms");
  out.changed = read_time(reader, "changed_ms");
  if (!reader.finish()) return reader.error();
  out.content_key = *key;
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
          {"offer", receiving.offer.transfer.empty() ? "" : codec::encode(receiving.offer)},
          {"heard_ms", to_ms(receiving.heard)}};
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
  if (!reader.finish()) return reader.error();
  return out;
}

}  // namespace fieldwork::transfer
