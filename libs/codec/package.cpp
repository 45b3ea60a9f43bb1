// Packages, outputs and their announcements <-> JSON.
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "codec/transfer.hpp"
#include "model/limits.hpp"
#include "package_about.hpp"

namespace fieldwork::codec {
namespace {

SaidStrategy read_strategy(Reader& outer, const Json& json) {
  Reader reader(outer, "strategy", json);
  SaidStrategy out;
  out.name = reader.text("name", 16);
  if (reader.ok() && out.name != "far" && out.name != "narrow" && out.name != "near" && out.name != "unknown")
    reader.fail("name", "must be far, narrow, near or unknown");
  out.reason = reader.text("reason", limits::strategy_reason_bytes_max);
  if (reader.ok() && out.reason.empty()) reader.fail("reason", "must not be empty");
  out.frame_bytes = reader.integer("frame_bytes", 1, limits::frame_bytes_max);
  reader.finish();
  return out;
}

std::optional<SaidStrategy> read_strategy_maybe(Reader& reader, const Json& value) {
  if (!value.contains("strategy")) return std::nullopt;
  const Json* strategy = reader.object("strategy");
  if (strategy == nullptr) return std::nullopt;
  return read_strategy(reader, *strategy);
}

}  // namespace

Json encode(const SaidStrategy& strategy) {
  return Json{{"name", strategy.name},
              {"reason", clamp_text(strategy.reason, limits::strategy_reason_bytes_max)},
              {"frame_bytes", strategy.frame_bytes}};
}

std::string encode(const OutputOffer& offer) {
  Json out{{"v", 1},           {"digest", offer.digest},       {"size_bytes", offer.size_bytes},
           {"job", offer.job}, {"execution", offer.execution}, {"fence", offer.fence}};
  if (!offer.dropped.empty()) out["dropped"] = clamp_text(offer.dropped, limits::reason_bytes_max);
  if (offer.strategy) out["strategy"] = encode(*offer.strategy);
  return dump(out);
}

Result<OutputOffer> decode_output_offer(std::string_view text) {
  auto value = parse(text, 8192);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  OutputOffer out{reader.digest("digest"), reader.integer("size_bytes", 0, limits::size_bytes_max), reader.id("job"),
                  reader.integer("execution", 0, 9999), reader.integer("fence", 1, integer_max)};
  if (value->contains("dropped")) {
    out.dropped = reader.text("dropped", limits::reason_bytes_max);
    if (reader.ok() && out.dropped.empty()) reader.fail("dropped", "must not be empty");
  }
  out.strategy = read_strategy_maybe(reader, *value);
  if (!reader.finish()) return reader.error();
  return out;
}

std::string encode(const OutputStored& stored) {
  Json out{{"v", 1}, {"digest", stored.digest}, {"state", stored.refused.empty() ? "stored" : "refused"}};
  if (!stored.refused.empty()) out["reason"] = clamp_text(stored.refused, limits::reason_bytes_max);
  return dump(out);
}

Result<OutputStored> decode_output_stored(std::string_view text) {
  auto value = parse(text, 8192);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  OutputStored out{reader.digest("digest"), ""};
  const auto state = reader.text("state", 16);
  if (!reader.ok()) return reader.error();  // without the state no other field is known
  if (state == "refused") {
    out.refused = reader.text("reason", limits::reason_bytes_max);
    if (reader.ok() && out.refused.empty()) reader.fail("reason", "must not be empty");
  } else if (state != "stored" && reader.ok()) {
    reader.fail("state", "must be stored or refused");
  }
  if (!reader.finish()) return reader.error();
  return out;
}

std::string encode(const Upload& upload) {
  Json out{{"v", 1},
           {"digest", upload.digest},
           {"size_bytes", upload.size_bytes},
           {"name", upload.name},
           {"version", upload.version},
           {"release", upload.release}};
  if (upload.strategy) out["strategy"] = encode(*upload.strategy);
  return dump(out);
}

Result<Upload> decode_upload(std::string_view text) {
  auto value = parse(text, 131072);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  Upload out{reader.digest("digest"), reader.integer("size_bytes", 0, limits::size_bytes_max), reader.text("name", 128),
             reader.text("version", 128), reader.text("release", 65536)};
  out.strategy = read_strategy_maybe(reader, *value);
  if (!reader.finish()) return reader.error();
  return out;
}

Json encode(const Package& package) {
  auto names = Json::array();
  for (const auto& [name, version] : package.names) names.push_back({{"name", name}, {"version", version}});
  Json out{{"v", 1},
           {"digest", package.digest},
           {"name", package.name},
           {"version", package.version},
           {"names", std::move(names)},
           {"size_bytes", package.size_bytes},
           {"release", package.release},
           {"released_by", package.released_by}};
  write_package_about(out, package.about);
  return out;
}

Result<Package> decode_package(const Json& value) {
  Reader reader(value);
  reader.version();
  reader.allow_unknown();
  Package out;
  out.digest = reader.digest("digest");
  out.name = reader.text("name", 128);
  out.version = reader.text("version", 128);
  out.size_bytes = reader.integer("size_bytes", 0, limits::size_bytes_max);
  out.release = reader.text("release", 65536);
  out.released_by = reader.text_or("released_by", "", 128);
  out.about = read_package_about(reader);
  if (const Json* names = reader.array("names", limits::content_names_max)) {
    if (names->empty()) reader.fail("names", "must not be empty");
    for (std::size_t i = 0; i < names->size(); ++i) {
      Reader one(reader, "names", i, (*names)[i]);
      out.names.push_back({one.text("name", 128), one.text("version", 128)});
      one.finish();
    }
  }
  if (!reader.finish()) return reader.error();
  return out;
}

std::string encode(const Release& release) {
  Json out{{"digest", release.digest},
           {"size_bytes", release.size_bytes},
           {"name", release.name},
           {"version", release.version},
           {"released_ms", release.released_ms}};
  write_package_about(out, release.about);
  return dump(out);
}

Result<Release> decode_release(std::string_view text) {
  auto value = parse(text, 65536);
  if (!value) return value.error();
  Reader reader(*value);
  Release out{
      reader.digest("digest"),     reader.integer("size_bytes", 0, limits::size_bytes_max), reader.text("name", 128),
      reader.text("version", 128), reader.integer("released_ms", 0, integer_max),           read_package_about(reader)};
  if (!reader.finish()) return reader.error();
  return out;
}

}  // namespace fieldwork::codec
