#include "codec/policy.hpp"

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "codec/job.hpp"
#include "model/limits.hpp"

namespace fieldwork::codec {
namespace {

constexpr std::size_t bytes_max = limits::message_bytes_max;

// {"v":1,"items":[…]}, each item read by `read`.
template <class T, class Read>
Result<std::vector<T>> decode_items(std::string_view text, Read read) {
  auto value = parse(text, bytes_max);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  std::vector<T> out;
  if (const Json* items = reader.items()) {
    for (std::size_t i = 0; i < items->size() && reader.ok(); ++i) {
      Reader item(reader, "items", i, (*items)[i]);
      out.push_back(read(item));
      item.finish();
    }
  }
  if (!reader.finish()) return reader.error();
  return out;
}

template <class T, class Write>
std::string encode_items(const std::vector<T>& values, Write write) {
  Json items = Json::array();
  for (const auto& value : values) items.push_back(write(value));
  return dump(Json{{"v", 1}, {"items", std::move(items)}});
}

std::string maybe_id(Reader& reader, const char* field) {
  return reader.any_maybe(field) == nullptr ? std::string() : reader.id(field);
}

constexpr const char* certificate_words[] = {"valid", "revoked", "invalid"};

}  // namespace

Json encode(const Question& question) {
  Json out{{"submitter", question.submitter},
           {"command", question.command},
           {"contract", encode(question.contract)},
           {"limits", encode(question.limits)}};
  write_key(out, question.key);
  if (!question.env.empty()) out["env"] = question.env;
  if (!question.outputs.empty()) out["outputs"] = question.outputs;
  if (!question.package.empty()) out["package"] = question.package;
  if (!question.device.empty()) out["device"] = question.device.value;
  write_traceparent(out, question.traceparent);
  return out;
}

Result<std::vector<Question>> decode_questions(std::string_view text) {
  return decode_items<Question>(text, [](Reader& item) {
    Question out;
    out.key = read_key(item);
    out.submitter = item.id("submitter");
    out.command = read_command(item);
    if (const Json* value = item.object("contract")) out.contract = read_contract(item, *value);
    out.env = read_env(item);
    out.outputs = read_outputs(item);
    out.package = item.digest_or_empty("package");
    out.device = DeviceId(maybe_id(item, "device"));
    if (const Json* value = item.object("limits")) out.limits = read_limits(item, *value);
    out.traceparent = read_traceparent(item);
    return out;
  });
}

Json encode(const Decision& decision) {
  Json out{{"decision", decision.allow ? "allow" : "deny"},
           {"reason", clamp_text(decision.reason, limits::reason_bytes_max)}};
  write_key(out, decision.key);
  if (!decision.allow) out["about"] = decision.about_device ? "device" : "job";
  if (!decision.device.empty()) out["device"] = decision.device.value;
  if (!decision.grant.empty()) out["grant"] = decision.grant;
  write_traceparent(out, decision.traceparent);
  return out;
}

Result<std::vector<Decision>> decode_decisions(std::string_view text) {
  return decode_items<Decision>(text, [](Reader& item) {
    Decision out;
    out.key = read_key(item);
    out.device = DeviceId(maybe_id(item, "device"));
    const auto decision = item.text("decision", 16);
    if (item.ok() && decision != "allow" && decision != "deny") item.fail("decision", "must be allow or deny");
    out.allow = decision == "allow";
    const auto about = item.text_or("about", "job", 8);
    if (item.ok() && about != "job" && about != "device") item.fail("about", "must be job or device");
    out.about_device = about == "device";
    out.reason = item.text("reason", limits::reason_bytes_max);
    out.grant = item.text_or("grant", "", 65536);
    out.traceparent = read_traceparent(item);
    return out;
  });
}

std::string encode(const std::vector<CertificateCheck>& checks) {
  return encode_items(checks, [](const CertificateCheck& check) {
    return Json{{"device", check.device.value}, {"certificate", check.certificate}};
  });
}

Result<std::vector<CertificateCheck>> decode_certificate_checks(std::string_view text) {
  return decode_items<CertificateCheck>(text, [](Reader& item) {
    return CertificateCheck{DeviceId(item.id("device")), item.text("certificate", 16384)};
  });
}

std::string encode(const std::vector<CertificateAnswer>& answers) {
  return encode_items(answers, [](const CertificateAnswer& answer) {
    return Json{{"device", answer.device.value},
                {"fingerprint", answer.fingerprint},
                {"state", certificate_words[static_cast<int>(answer.state)]},
                {"reason", clamp_text(answer.reason, limits::reason_bytes_max)}};
  });
}

Result<std::vector<CertificateAnswer>> decode_certificate_answers(std::string_view text) {
  return decode_items<CertificateAnswer>(text, [](Reader& item) {
    CertificateAnswer out;
    out.device = DeviceId(item.id("device"));
    out.fingerprint = item.text("fingerprint", 64);
    const auto state = item.text("state", 16);
    bool known = false;
    for (int i = 0; i < 3; ++i) {
      if (state == certificate_words[i]) {
        out.state = static_cast<CertificateState>(i);
        known = true;
      }
    }
    if (item.ok() && !known) item.fail("state", "must be valid, revoked or invalid");
    out.reason = item.text("reason", 1024);
    return out;
  });
}

}  // namespace fieldwork::codec
