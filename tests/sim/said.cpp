#include "said.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "crypto/sealed.hpp"

namespace fieldwork::sim {
namespace {

bool is_volatile(const std::string& field) {
  static const std::set<std::string> fields{"certificate", "epoch",       "ephemeral", "fingerprint", "grant",
                                            "header",      "hash",        "tag",       "after",       "checkpoint",
                                            "release",     "released_by", "signature", "wrapped"};
  return fields.contains(field) || field.ends_with("_ms");
}

void blank(nlohmann::json& value) {
  if (value.is_object()) {
    for (auto& [field, inside] : value.items()) {
      if (is_volatile(field)) {
        inside = "…";
      } else if (field == "base64") {
        const auto bytes = inside.get_ref<const std::string&>().size();
        inside = "… (" + std::to_string(bytes) + " characters)";
      } else {
        blank(inside);
      }
    }
  } else if (value.is_array()) {
    for (auto& inside : value) blank(inside);
  }
}

}  // namespace

bool is_frame(const bus::Message& message) { return message.payload.starts_with("FW"); }

std::string payload_text(const bus::Message& message) {
  if (message.payload.empty()) return "(nothing)";
  if (is_frame(message)) {
    const auto header = crypto::sealed_frame_header(message.payload);
    if (!header) return "FRAME (broken)";
    return "FRAME " + header->content_id_hex + " [" + std::to_string(header->offset) + "," +
           std::to_string(header->offset + header->length) + ")";
  }
  auto value = nlohmann::json::parse(message.payload, nullptr, false);
  if (value.is_discarded()) return "(not JSON)";
  blank(value);
  value.erase("v");
  return value.dump();
}

}  // namespace fieldwork::sim
