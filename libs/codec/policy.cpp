#include "codec/policy.hpp"

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "codec/job.hpp"
#include "crypto/bytes.hpp"
#include "model/limits.hpp"

namespace fieldwork::codec {
namespace {

std::string maybe_id(Reader& reader, const char* field) {
  return reader.any_maybe(field) == nullptr ? std::string() : reader.id(field);
}

constexpr const char* certificate_words[] = {"valid", "revoked", "invalid"};

QuestionKey read_question_key(Reader& item) {
  auto key = read_key(item);
  return {std::move(key), DeviceId(maybe_id(item, "device"))};
}

DeviceId read_device(Reader& item) { return DeviceId(item.id("device")); }

CertificateAnswer read_certificate_answer(Reader& item) {
  CertificateAnswer out;
  out.device = read_device(item);
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
}

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

Result<Items<Question, QuestionKey>> decode_questions(std::string_view text) {
  const auto read = [](Reader& item) {
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
  };
  return decode_items<Question, QuestionKey>(text, read, read_question_key);
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

Result<Items<Decision, AttemptKey>> decode_decisions(std::string_view text) {
  const auto read = [](Reader& item) {
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
  };
  return decode_items<Decision, AttemptKey>(text, read, read_key);
}

Json encode(const CertificateCheck& check) {
  return {{"device", check.device.value}, {"certificate", check.certificate}};
}

Result<Items<CertificateCheck, DeviceId>> decode_certificate_checks(std::string_view text) {
  const auto read = [](Reader& item) { return CertificateCheck{read_device(item), item.text("certificate", 16384)}; };
  return decode_items<CertificateCheck, DeviceId>(text, read, read_device);
}

Json encode(const CertificateAnswer& answer) {
  return {{"device", answer.device.value},
          {"fingerprint", answer.fingerprint},
          {"state", certificate_words[static_cast<int>(answer.state)]},
          {"reason", clamp_text(answer.reason, limits::reason_bytes_max)}};
}

Result<Items<CertificateAnswer, DeviceId>> decode_certificate_answers(std::string_view text) {
  return decode_items<CertificateAnswer, DeviceId>(text, read_certificate_answer, read_device);
}

Result<CertificateAnswer> decode_certificate_answer(const Json& value) {
  Reader reader(value);
  auto answer = read_certificate_answer(reader);
  if (!reader.finish()) return reader.error();
  return answer;
}

Json encode(const AuditEnd& end) {
  Json out{
      {"v", 1}, {"sequence", end.sequence}, {"hash", end.hash}, {"at_ms", end.at_ms}, {"checkpoint", end.checkpoint}};
  if (end.broken) {
    out["broken"] = {{"sequence", end.broken->sequence},
                     {"at_ms", end.broken->at_ms},
                     {"reason", clamp_text(end.broken->reason, limits::reason_bytes_max)}};
  }
  return out;
}

Result<AuditEnd> decode_audit_end(const Json& value) {
  Reader reader(value);
  reader.version();
  reader.allow_unknown();
  AuditEnd out;
  out.sequence = reader.integer("sequence", 0, integer_max);
  out.hash = reader.text("hash", 64);
  if (reader.ok() && !crypto::is_hex(out.hash, 64)) reader.fail("hash", "must be 64 hex digits");
  out.at_ms = reader.integer("at_ms", 0, integer_max);
  out.checkpoint = reader.text("checkpoint", 65536);
  if (const Json* inner = reader.object_maybe("broken")) {
    Reader broken(reader, "broken", *inner);
    out.broken = AuditBreak{broken.integer("sequence", 1, integer_max), broken.integer("at_ms", 0, integer_max),
                            broken.text("reason", limits::reason_bytes_max)};
    broken.finish();
  }
  if (!reader.finish()) return reader.error();
  return out;
}

}  // namespace fieldwork::codec
