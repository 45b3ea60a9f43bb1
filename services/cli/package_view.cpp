// Packages for people.
#include <nlohmann/json.hpp>

#include "codec/transfer.hpp"
#include "crypto/jws.hpp"
#include "output.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

// When the package was signed, as its signer says; 0: that cannot be read.
std::int64_t released_ms(const Json& package) {
  const auto payload = crypto::jws_payload_unverified(text_of(package, "release"));
  if (!payload) return 0;
  const auto release = codec::decode_release(*payload);
  return release ? release->released_ms : 0;
}

// As a shell would take them.
std::string shown_words(const Json& words) {
  std::string out;
  for (const auto& word : words) {
    const auto text = word.is_string() ? word.get<std::string>() : "";
    const bool plain = !text.empty() && text.find_first_of(" \t\n'\"\\$*?;&|<>()") == std::string::npos;
    out += (out.empty() ? "" : " ") + (plain ? text : "'" + text + "'");
  }
  return out;
}

std::string shown_needs(const Json& needs) {
  std::string out;
  const auto add = [&](const std::string& text) { out += (out.empty() ? "" : ", ") + text; };
  if (const auto millis = integer_of(needs, "cpu_millis"); millis > 0) add(std::to_string(millis) + " cpu_millis");
  if (const auto bytes = integer_of(needs, "memory_bytes"); bytes > 0) add(human_bytes(bytes) + " of memory");
  if (const auto bytes = integer_of(needs, "storage_bytes"); bytes > 0) add(human_bytes(bytes) + " of disk");
  return out;
}

}  // namespace

std::string package_table(const Json& packages, std::int64_t now) {
  Table table({"NAME", "VERSION", "ARCH", "SIZE", "AGE", "RELEASED BY", "DIGEST"});
  for (const auto& package : packages) {
    const auto add = [&](const Json& name, const std::string& age) {
      table.add({or_dash(text_of(name, "name")), or_dash(text_of(name, "version")),
                 or_dash(text_of(package, "architecture")), human_bytes(integer_of(package, "size_bytes")), age,
                 or_dash(short_digest(text_of(package, "released_by"))), short_digest(text_of(package, "digest"))});
    };
    bool first = true;
    for (const auto& name : list_of(package, "names")) {
      add(name, first ? human_age(released_ms(package), now) : "-");  // the release belongs to the first name
      first = false;
    }
    if (first) add(package, human_age(released_ms(package), now));
  }
  return table.text();
}

std::string package_text(const Json& package, std::int64_t now) {
  if (const auto& variants = member(package, "variants"); variants.is_array()) {
    std::string all;
    for (const auto& one : variants) all += (all.empty() ? "" : "\n") + package_text(one, now);
    return all;
  }
  Fields fields;
  fields.add("digest", text_of(package, "digest"));
  for (const auto& name : list_of(package, "names"))
    fields.add("name", text_of(name, "name") + "@" + text_of(name, "version"));
  fields.add("size", human_bytes(integer_of(package, "size_bytes")));
  if (const auto released = released_ms(package); released > 0)
    fields.add("released", human_time(released) + " (" + human_age(released, now) + " ago)");
  fields.add("released by", text_of(package, "released_by"));
  if (member(package, "public") == true) fields.add("public", "yes: it is sent with its key");
  fields.add("architecture", text_of(package, "architecture"));
  fields.add("entry", shown_words(list_of(package, "entry")));
  fields.add("needs", shown_needs(member(package, "needs")));
  return fields.text();
}

}  // namespace fieldwork::cli
