// Permits: services ask for operators, a device at a time. Each is decided and audited once.
#include <set>

#include "security-policy/core/security_policy.hpp"

namespace fieldwork::security_policy {
namespace {

std::string key_of(const std::string& from, const PermitQuestion& question) {
  return from + '/' + std::to_string(question.question) + '/' + question.device.value;
}

AuditRow row_of(const PermitQuestion& question, const Permit& permit, const std::string& trace, Time now) {
  AuditRow row;
  row.at_ms = to_ms(now);
  row.kind = "permit";
  row.submitter = question.principal;
  row.device = question.device.value;
  row.decision = permit.allow ? "allow" : "deny";
  row.reason = permit.reason;
  row.trace = question.action + (question.file.empty() ? "" : " " + question.file) + ": " + trace;
  row.package = question.package;
  return row;
}

}  // namespace

void SecurityPolicy::apply(const PermitsArrived& input, Time now, Output& out) {
  std::set<std::string> known;  // a repeat within one message has one answer
  for (const auto& question : input.questions) {
    auto key = key_of(input.from, question);
    if (!known.insert(key).second || awaits(question.device)) continue;
    const auto* kept = permits_.find(key);
    // An asker that lost its count may use a number for something else: what was said of the first is nothing to that.
    const bool again = kept != nullptr && kept->question == question;
    if (again && (!kept->permit.allow || objection(question.device).empty())) {
      out.permits.push_back({input.from, kept->permit});
      continue;
    }
    auto permit = permit_for(question, now, out);
    permits_.keep(std::move(key), {question, permit});
    out.permits.push_back({input.from, std::move(permit)});
  }
}

Permit SecurityPolicy::permit_for(const PermitQuestion& question, Time now, Output& out) {
  auto evaluation = policy::evaluate(rulebook_.rules, question);
  Permit permit{question.question, question.device, evaluation.allow, std::move(evaluation.reason)};
  if (auto objects = objection(question.device); permit.allow && !objects.empty()) {
    permit.allow = false;
    permit.reason = std::move(objects);
  }
  auto row = row_of(question, permit, policy::trace_text(rulebook_.rules, evaluation), now);
  if (permit.allow) {
    audit(std::move(row), out);
  } else {
    audit_unless_flood(std::move(row), now, out);
  }
  return permit;
}

}  // namespace fieldwork::security_policy
