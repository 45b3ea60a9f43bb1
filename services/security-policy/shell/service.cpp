#include "security-policy/shell/service.hpp"

#include <nlohmann/json.hpp>

#include "codec/job.hpp"
#include "codec/policy.hpp"
#include "crypto/digest.hpp"
#include "crypto/jws.hpp"
#include "model/items.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "security-policy/shell/rows.hpp"

namespace fieldwork::security_policy {

SecurityPolicyService::SecurityPolicyService(std::string root, Limits limits, Rulebook rulebook, crypto::PrivateKey key,
                                             AuthorityFiles files, Authority authority)
    : Shell(std::move(root)),
      limits_(limits),
      rulebook_(std::move(rulebook)),
      key_(std::move(key)),
      files_(std::move(files)),
      authority_(std::move(authority)) {
  own_.add(key_.public_key());
}

// The newest row stays however old it is: the chain goes on from it.
std::vector<runtime::RetentionRule> SecurityPolicyService::retention() const {
  return {
      {.prune = {.table = "audit", .column = "at_ms", .keep = limits_.audit_kept_max, .limit = 500, .spare = 1},
       .kept_for = limits_.audit_kept},
      {.prune = {.table = "audit_break", .column = "at_ms", .keep = 100, .spare = 1}, .kept_for = limits_.audit_kept}};
}

Result<void> SecurityPolicyService::load(store::Store& store, Time) {
  Saved saved;
  auto newest = rows(store, {.table = "audit", .where = {}, .order_by = "sequence", .descending = true, .limit = 1},
                     audit_from_row);
  if (!newest) return newest.error();
  for (const auto& row : *newest) saved.head = AuditHead{row.sequence, row.hash, row.at_ms};
  auto breaks =
      rows(store, {.table = "audit_break", .where = {}, .order_by = "sequence", .descending = true, .limit = 1},
           audit_break_from_row);
  if (!breaks) return breaks.error();
  if (!breaks->empty()) saved.broken = breaks->front();
  auto certificates =
      rows(store, {.table = "certificate", .where = {}, .order_by = "", .descending = false, .limit = 0},
           certificate_from_row);
  if (!certificates) return certificates.error();
  saved.certificates = std::move(*certificates);
  head_known_ = newest->empty();
  log::info("loaded", {{"rules", std::to_string(rulebook_.rules.size())},
                       {"audit_sequence", std::to_string(saved.head.sequence)},
                       {"certificates", std::to_string(saved.certificates.size())}});
  const auto sign = [this](const std::vector<Question>& questions, Time issued, Time expires) {
    std::vector<std::string> grants;
    grants.reserve(questions.size());
    for (const auto& question : questions) grants.push_back(grant_of(question, issued, expires));
    return crypto::sign_jws_batch(key_, "fieldwork-grant+jws", grants);
  };
  core_.emplace(limits_, rulebook_, authority_, sign, std::move(saved));
  return {};
}

std::string SecurityPolicyService::grant_of(const Question& question, Time issued, Time expires) const {
  Grant grant;
  grant.key = question.key;
  grant.device = question.device;
  grant.package = question.package;
  grant.work_digest =
      crypto::digest_of(codec::work_text(question.command, question.env, question.outputs, question.contract));
  grant.limits = question.limits;
  grant.issued_ms = to_ms(issued);
  grant.expires_ms = to_ms(expires);
  return codec::encode(grant);
}

void SecurityPolicyService::tick(Time now, runtime::Output& out) {
  if (auto authority = files_.reload_if_changed(now)) step(AuthorityReplaced{std::move(authority)}, now);
  Shell::tick(now, out);
}

void SecurityPolicyService::apply(const Output& done, Time, runtime::Output& out) {
  save(done, out);
  for (const auto& change : done.outbox) announce(change, out);
  answer(done, out);
  if (done.head) say_head(*done.head, done.broken, out);
}

void SecurityPolicyService::save(const Output& done, runtime::Output& out) {
  for (const auto& row : done.audit) {
    metrics::count("fieldwork_decisions_total", {{"kind", row.kind}, {"decision", row.decision}});
    if (log::enabled(log::Level::debug)) {
      log::debug("decided", {{"job", row.job}, {"device", row.device}, {"reason", row.reason}});
    }
    out.insert("audit", audit_key(row.sequence), to_row(row));
  }
  if (done.found) {
    log::error("the audit does not go on from what was said of it", {{"reason", done.found->reason}});
    metrics::count("fieldwork_audit_broken_total");
    out.insert("audit_break", std::to_string(done.found->sequence), to_row(*done.found));
  }
  for (const auto& one : done.certificates) {
    const auto& device = one.checked.answer.device.value;
    if (one.remove) {
      out.remove("certificate", device, {{"device", device}});
    } else {
      out.upsert("certificate", device, to_row(one.checked));
    }
  }
}

namespace {
std::string revocation_key(const DeviceId& device, const std::string& fingerprint) {
  return "revoke:" + device.value + ":" + fingerprint;
}
}  // namespace

void SecurityPolicyService::announce(const OutboxChange& change, runtime::Output& out) const {
  if (const auto* close = std::get_if<CloseRevocation>(&change)) {
    return out.close(revocation_key(close->device, close->fingerprint));
  }
  const auto& answer = std::get<AnnounceRevocation>(change).answer;
  log::warn("a certificate is no longer good", {{"device", answer.device.value}, {"reason", answer.reason}});
  out.put({revocation_key(answer.device, answer.fingerprint),
           topics_.service("registry", "certificate", "security-policy"), codec::dump(codec::encode(answer))});
}

// All answers of a batch, in as few messages as the size limit allows.
void SecurityPolicyService::answer(const Output& done, runtime::Output& out) const {
  const auto say = [&](const std::string& to, const char* operation, const std::vector<std::string>& items) {
    for (auto& payload : pack_items(items)) {
      out.messages.push_back(
          {.topic = topics_.service(to, operation, "security-policy"), .payload = std::move(payload)});
    }
  };
  std::vector<std::string> decisions, answers;
  for (const auto& one : done.decisions) decisions.push_back(codec::dump(codec::encode(one)));
  for (const auto& one : done.answers) answers.push_back(codec::dump(codec::encode(one)));
  say("scheduler", "authorised", decisions);
  std::map<std::string, std::vector<std::string>> permits;
  for (const auto& one : done.permits) permits[one.to].push_back(codec::dump(codec::encode(one.permit)));
  say("registry", "certificate", answers);
  for (const auto& [to, items] : permits) say(to, "permitted", items);
}

void SecurityPolicyService::say_head(const AuditHead& head, const std::optional<AuditBreak>& broken,
                                     runtime::Output& out) {
  if (!head_known_) {
    log::warn("the broker kept no end of the audit: what the table says stands alone",
              {{"audit_sequence", std::to_string(head.sequence)}});
  }
  head_known_ = true;
  const auto checkpoint = crypto::sign_jws(key_, checkpoint_type, checkpoint_text(head));
  say_retained(topics_.state("audit", "head"),
               codec::dump(codec::encode(AuditEnd{head.sequence, head.hash, head.at_ms, checkpoint, broken})), out);
}

}  // namespace fieldwork::security_policy
