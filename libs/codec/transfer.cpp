#include "codec/transfer.hpp"

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "model/limits.hpp"

namespace fieldwork::codec {
namespace {

std::string read_hex(Reader& reader, const char* name, std::size_t digits) {
  auto text = reader.text(name, digits);
  const bool hex = text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (reader.ok() && !hex) reader.fail(name, "must be " + std::to_string(digits) + " hex digits");
  return text;
}

std::string read_hex_id(Reader& reader, const char* name) { return read_hex(reader, name, 32); }

std::string read_transfer(Reader& reader) { return read_hex_id(reader, "transfer"); }

std::vector<std::string> read_words(Reader& reader, const char* name, std::size_t count_max) {
  std::vector<std::string> out;
  const Json* words = reader.array(name, count_max);
  if (words == nullptr) return out;
  for (const auto& word : *words) {
    if (!word.is_string() || word.get_ref<const std::string&>().empty() ||
        word.get_ref<const std::string&>().size() > limits::accepted_word_bytes_max) {
      reader.fail(name, "must hold words of at most 71 bytes");
      return out;
    }
    out.push_back(word.get<std::string>());
  }
  return out;
}

Accepts read_accepts(Reader& outer, const Json& json) {
  Reader reader(outer, "accepts", json);
  reader.allow_unknown();
  Accepts out;
  if (json.contains("decoders")) out.decoders = read_words(reader, "decoders", limits::accepted_max);
  if (json.contains("ciphers")) out.ciphers = read_words(reader, "ciphers", limits::accepted_max);
  if (json.contains("bases")) out.bases = read_words(reader, "bases", limits::bases_max);
  out.window_log_max = static_cast<int>(reader.integer_or("window_log_max", out.window_log_max, 10, 31));
  if (json.contains("round_trip_ms")) out.round_trip_ms = reader.number("round_trip_ms", 0, 1e7);
  if (json.contains("goodput_bit_per_s")) out.goodput_bit_per_s = reader.integer("goodput_bit_per_s", 1, integer_max);
  reader.finish();
  return out;
}

Json encode(const Accepts& accepts) {
  Json out{{"window_log_max", accepts.window_log_max}};
  out["decoders"] = accepts.decoders;
  out["ciphers"] = accepts.ciphers;
  if (!accepts.bases.empty()) out["bases"] = accepts.bases;
  if (accepts.round_trip_ms) out["round_trip_ms"] = *accepts.round_trip_ms;
  if (accepts.goodput_bit_per_s) out["goodput_bit_per_s"] = *accepts.goodput_bit_per_s;
  return out;
}

Json encode(const Envelope& envelope) {
  Json out{
      {"content", envelope.content},
      {"epoch", envelope.epoch},
      {"encryption_algorithm", envelope.encryption_algorithm},
      {"chunk_bytes", envelope.chunk_bytes},
      {"key_encryption_algorithm", envelope.key_encryption_algorithm},
      {"wrapped", envelope.wrapped},
  };
  if (!envelope.header.empty()) out["header"] = envelope.header;
  if (!envelope.certificate.empty()) out["certificate"] = envelope.certificate;
  if (!envelope.ephemeral.empty()) out["ephemeral"] = envelope.ephemeral;
  return out;
}

Envelope read_envelope(Reader& outer, const Json& json) {
  Reader reader(outer, "envelope", json);
  Envelope out;
  out.content = read_hex_id(reader, "content");
  out.epoch = reader.integer("epoch", 1, integer_max);
  out.encryption_algorithm = reader.text("encryption_algorithm", 64);
  out.chunk_bytes = reader.integer("chunk_bytes", 1024, 65'536);
  out.key_encryption_algorithm = reader.text("key_encryption_algorithm", 64);
  out.ephemeral = reader.text_or("ephemeral", "", 128);
  out.wrapped = reader.text("wrapped", 2048);
  out.header = reader.text_or("header", "", 8192);
  out.certificate = reader.text_or("certificate", "", 16'384);
  reader.finish();
  return out;
}

// Reads what an offer and a content header have in common.
std::string read_encoding(Reader& reader, std::string& base, bool has_base) {
  auto encoding = reader.text("encoding", 16);
  if (has_base) base = reader.digest("base");
  if (!reader.ok()) return encoding;
  if (encoding != "zstd" && encoding != "identity" && encoding != "zstd-patch") {
    reader.fail("encoding", "must be identity, zstd or zstd-patch");
  } else if (base.empty() == (encoding == "zstd-patch")) {
    reader.fail("base", "is there exactly for zstd-patch");
  }
  return encoding;
}

std::optional<TransferFailure> read_failure(Reader& reader, bool failed) {
  const auto word = reader.text("failure", 32);
  const auto out = transfer_failure(word);
  if (reader.ok() && !out) reader.fail("failure", "is not a word for a failure");
  if (reader.ok() && !failed) reader.fail("failure", "is there only with the state failed");
  return out;
}

constexpr const char* received_words[] = {"receiving", "complete", "failed", "unwanted"};

}  // namespace

std::string encode(const Want& want) {
  Json json{{"v", 1}, {"digest", want.digest}, {"certificate", want.certificate}};
  if (!want.transfer.value.empty()) json["transfer"] = want.transfer.value;
  if (want.accepts != Accepts{}) json["accepts"] = encode(want.accepts);
  if (want.priority != Want{}.priority) json["priority"] = want.priority;
  if (want.receivers != Want{}.receivers) json["receivers"] = want.receivers;
  return dump(json);
}

Result<Want> decode_want(std::string_view text) {
  auto value = parse(text, 32768);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  Want want{reader.digest("digest"), reader.text("certificate", 16384)};
  if (value->contains("transfer")) want.transfer = TransferId(read_transfer(reader));
  if (value->contains("accepts")) {
    if (const Json* accepts = reader.object("accepts")) want.accepts = read_accepts(reader, *accepts);
  }
  want.priority = static_cast<int>(reader.integer_or("priority", want.priority, 0, 9));
  want.receivers = reader.integer_or("receivers", want.receivers, 1, integer_max);
  if (!reader.finish()) return reader.error();
  return want;
}

std::string encode(const Offer& offer) {
  Json out{{"v", 1},
           {"transfer", offer.transfer.value},
           {"digest", offer.digest},
           {"size_bytes", offer.size_bytes},
           {"encoding", offer.encoding},
           {"encoded_bytes", offer.encoded_bytes},
           {"encoded_digest", offer.encoded_digest},
           {"envelope", encode(offer.envelope)}};
  if (!offer.base.empty()) out["base"] = offer.base;
  if (offer.shared) out["shared"] = true;
  if (!offer.release.empty()) out["release"] = offer.release;
  return dump(out);
}

Result<Offer> decode_offer(std::string_view text) {
  auto value = parse(text, 131072);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  Offer out;
  out.transfer = TransferId(read_transfer(reader));
  out.digest = reader.digest("digest");
  out.size_bytes = reader.integer("size_bytes", 0, limits::size_bytes_max);
  out.encoding = read_encoding(reader, out.base, value->contains("base"));
  out.encoded_bytes = reader.integer("encoded_bytes", 1, limits::size_bytes_max);
  out.encoded_digest = reader.digest("encoded_digest");
  if (const Json* envelope = reader.object("envelope")) out.envelope = read_envelope(reader, *envelope);
  out.shared = reader.boolean_or("shared", false);
  out.release = reader.text_or("release", "", 65536);
  if (!reader.finish()) return reader.error();
  return out;
}

std::string encode(const ContentHeader& header) {
  Json out{{"content", header.content},
           {"epoch", header.epoch},
           {"digest", header.digest},
           {"size_bytes", header.size_bytes},
           {"encoding", header.encoding},
           {"encoded_bytes", header.encoded_bytes},
           {"encoded_digest", header.encoded_digest},
           {"encryption_algorithm", header.encryption_algorithm},
           {"chunk_bytes", header.chunk_bytes},
           {"root", header.root}};
  if (!header.base.empty()) out["base"] = header.base;
  return dump(out);
}

Result<ContentHeader> decode_content_header(std::string_view text) {
  auto value = parse(text, 8192);
  if (!value) return value.error();
  Reader reader(*value);
  ContentHeader out;
  out.content = read_hex_id(reader, "content");
  out.epoch = reader.integer("epoch", 1, integer_max);
  out.digest = reader.digest("digest");
  out.size_bytes = reader.integer("size_bytes", 0, limits::size_bytes_max);
  out.encoding = read_encoding(reader, out.base, value->contains("base"));
  out.encoded_bytes = reader.integer("encoded_bytes", 1, limits::size_bytes_max);
  out.encoded_digest = reader.digest("encoded_digest");
  out.encryption_algorithm = reader.text("encryption_algorithm", 64);
  out.chunk_bytes = reader.integer("chunk_bytes", 1024, 65'536);
  out.root = read_hex(reader, "root", 64);
  if (!reader.finish()) return reader.error();
  return out;
}

std::string encode(const NotOffered& answer) {
  return dump(Json{{"v", 1},
                   {"digest", answer.digest},
                   {"state", "unknown"},
                   {"reason", clamp_text(answer.reason, limits::reason_bytes_max)}});
}

std::optional<NotOffered> decode_not_offered(std::string_view text) {
  auto value = parse(text, 131072);
  if (!value) return std::nullopt;
  Reader reader(*value);
  reader.version();
  const auto state = reader.text("state", 16);
  NotOffered out{reader.digest("digest"), reader.text("reason", limits::reason_bytes_max)};
  if (!reader.finish() || state != "unknown") return std::nullopt;
  return out;
}

std::string encode(const Received& received) {
  Json ranges = Json::array();
  for (const auto& [begin, end] : received.ranges) ranges.push_back(Json::array({begin, end}));
  Json out{{"v", 1},
           {"transfer", received.transfer.value},
           {"state", received_words[static_cast<int>(received.state)]},
           {"ranges", std::move(ranges)}};
  if (!received.reason.empty()) out["reason"] = clamp_text(received.reason, limits::reason_bytes_max);
  if (received.failure) out["failure"] = name(*received.failure);
  if (received.bad_frames > 0) out["bad_frames"] = received.bad_frames;
  return dump(out);
}

Result<Received> decode_received(std::string_view text) {
  auto value = parse(text, 262144);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  Received out;
  out.transfer = TransferId(read_transfer(reader));
  const auto state = reader.text("state", 16);
  bool known = false;
  for (int i = 0; i < 4; ++i) {
    if (state == received_words[i]) {
      out.state = static_cast<ReceivedState>(i);
      known = true;
    }
  }
  if (reader.ok() && !known) reader.fail("state", "must be receiving, complete, failed or unwanted");
  out.reason = reader.text_or("reason", "", limits::reason_bytes_max);
  if (value->contains("failure")) out.failure = read_failure(reader, out.state == ReceivedState::failed);
  out.bad_frames = reader.integer_or("bad_frames", 0, 1, integer_max);
  if (const Json* ranges = reader.array("ranges", limits::ranges_max)) {
    for (const auto& range : *ranges) {
      const bool good = range.is_array() && range.size() == 2 && range[0].is_number_unsigned() &&
                        range[1].is_number_unsigned() &&
                        range[0].get<std::uint64_t>() < range[1].get<std::uint64_t>() &&
                        range[1].get<std::uint64_t>() <= static_cast<std::uint64_t>(limits::size_bytes_max);
      if (!good) {
        reader.fail("ranges", "must hold pairs [begin, end] of whole numbers with begin < end");
        break;
      }
      out.ranges.emplace_back(range[0].get<std::uint64_t>(), range[1].get<std::uint64_t>());
    }
  }
  if (!reader.finish()) return reader.error();
  return out;
}

}  // namespace fieldwork::codec
