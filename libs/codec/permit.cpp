#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "codec/policy.hpp"
#include "inside.hpp"
#include "model/limits.hpp"

namespace fieldwork::codec {
namespace {

constexpr const char* action_asked = "stage";  // "run" is asked by authorise

PermitKey read_permit_key(Reader& item) {
  const auto question = item.integer("question", 1, integer_max);
  return {question, DeviceId(item.id("device"))};
}

}  // namespace

Json encode(const PermitQuestion& question) {
  Json out{{"question", question.question},
           {"principal", question.principal},
           {"action", question.action},
           {"device", question.device.value},
           {"package", question.package}};
  if (!question.file.empty()) out["file"] = question.file;
  return out;
}

Result<Items<PermitQuestion, PermitKey>> decode_permit_questions(std::string_view text) {
  const auto read = [](Reader& item) {
    PermitQuestion out;
    auto key = read_permit_key(item);
    out.question = key.question;
    out.device = std::move(key.device);
    out.principal = item.id("principal");
    out.action = item.text("action", 16);
    if (item.ok() && out.action != action_asked) item.fail("action", "must be stage");
    out.package = item.digest("package");
    out.file = read_place(item);
    return out;
  };
  return decode_items<PermitQuestion, PermitKey>(text, read, read_permit_key);
}

Json encode(const Permit& permit) {
  return {{"question", permit.question},
          {"device", permit.device.value},
          {"decision", permit.allow ? "allow" : "deny"},
          {"reason", clamp_text(permit.reason, limits::reason_bytes_max)}};
}

Result<Items<Permit, PermitKey>> decode_permits(std::string_view text) {
  const auto read = [](Reader& item) {
    auto key = read_permit_key(item);
    Permit out{.question = key.question, .device = std::move(key.device), .reason = {}};
    const auto decision = item.text("decision", 16);
    if (item.ok() && decision != "allow" && decision != "deny") item.fail("decision", "must be allow or deny");
    out.allow = decision == "allow";
    out.reason = item.text("reason", limits::reason_bytes_max);
    return out;
  };
  return decode_items<Permit, PermitKey>(text, read, read_permit_key);
}

}  // namespace fieldwork::codec
