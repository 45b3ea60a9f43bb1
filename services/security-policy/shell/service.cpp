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
    : topics_(std::move(root)),
      limits_(limits),
      rulebook_(std::move(rulebook)),
      key_(std::move(key)),
      files_(std::move(files)),
      authority_(std::move(authority)) {}

// The newest row is where the chain goes on, however old it is.
std::vector<runtime::RetentionRule> SecurityPolicyService::retention() const {
  return {{.prune = {.table = "audit", .column = "at_ms", .keep = limits_.audit_kept_max, .limit = 500, .spare = 1},
           .kept_for = limits_.audit_kept}};
}

Result<void> SecurityPolicyService::load(store::Store& store, Time) {
  Saved saved;
  auto newest = store.select({.table = "audit", .where = {}, .order_by = "sequence", .descending = true, .limit = 1});
  if (!newest) return newest.error();
  for (const auto& text : *newest) {
    auto row = audit_from_row(text);
    if (!row) return Error{Code::invalid, describe(row.error()), "table audit"};
    saved.head = AuditHead{row->sequence, row->hash, row->at_ms};
  }
  auto rows = store.select({.table = "certificate", .where = {}, .order_by = "", .descending = false, .limit = 0});
  if (!rows) return rows.error();
  for (const auto& text : *rows) {
    auto checked = certificate_from_row(text);
    if (!checked) return Error{Code::invalid, describe(checked.error()), "table certificate"};
    saved.certificates.push_back(std::move(*checked));
  }
  log::info("loaded", {{"rules", std::to_string(rulebook_.rules.size())},
                       {"audit_sequence", std::to_string(saved.head.sequence)},
                       {"certificates", std::to_string(saved.certificates.size())}});
  const auto sign = [this](const Question& question, Time issued, Time expires) {
    return sign_grant(question, issued, expires);
  };
  core_.emplace(limits_, rulebook_, authority_, sign, std::move(saved));
  return {};
}

std::string SecurityPolicyService::sign_grant(const Question& question, Time issued, Time expires) const {
  Grant grant;
  grant.key = question.key;
  grant.device = question.device;
  grant.package = question.package;
  grant.work_digest =
      crypto::digest_of(codec::work_text(question.command, question.env, question.outputs, question.contract));
  grant.limits = question.limits;
  grant.issued_ms = to_ms(issued);
  grant.expires_ms = to_ms(expires);
  return crypto::sign_jws(key_, "fieldwork-grant+jws", codec::encode(grant));
}

void SecurityPolicyService::take(const Input& input, Time now, runtime::Output& out) {
  for (auto& effect : core_->step(input, now)) {
    std::visit([&](auto& one) { act(one, out); }, effect);
  }
}

void SecurityPolicyService::tick(Time now, runtime::Output& out) {
  if (auto authority = files_.reload_if_changed(now)) take(AuthorityReplaced{std::move(authority)}, now, out);
  take(TimePassed{}, now, out);
}

void SecurityPolicyService::connected(Time now, runtime::Output& out) { take(BrokerReturned{}, now, out); }

// All answers of a batch in as few messages as their size allows.
void SecurityPolicyService::flush(Time, runtime::Output& out) {
  std::vector<std::string> items;
  for (const auto& decision : decisions_) items.push_back(codec::dump(codec::encode(decision)));
  for (auto& payload : pack_items(items)) {
    out.messages.push_back(
        {.topic = topics_.service("scheduler", "authorised", "security-policy"), .payload = std::move(payload)});
  }
  constexpr std::size_t answers_max = 256;
  for (std::size_t from = 0; from < answers_.size(); from += answers_max) {
    const auto begin = answers_.begin() + static_cast<std::ptrdiff_t>(from);
    const auto end = answers_.begin() + static_cast<std::ptrdiff_t>(std::min(answers_.size(), from + answers_max));
    out.messages.push_back({.topic = topics_.service("registry", "certificate", "security-policy"),
                            .payload = codec::encode(std::vector<CertificateAnswer>(begin, end))});
  }
  decisions_.clear();
  answers_.clear();
}

void SecurityPolicyService::act(AnswerQuestion& effect, runtime::Output&) {
  decisions_.push_back(std::move(effect.decision));
}
void SecurityPolicyService::act(AnswerCheck& effect, runtime::Output&) { answers_.push_back(std::move(effect.answer)); }

void SecurityPolicyService::act(AppendAudit& effect, runtime::Output& out) {
  metrics::count("fieldwork_decisions_total", {{"kind", effect.row.kind}, {"decision", effect.row.decision}});
  if (log::enabled(log::Level::debug)) {
    log::debug("decided", {{"job", effect.row.job}, {"device", effect.row.device}, {"reason", effect.row.reason}});
  }
  out.insert("audit", audit_key(effect.row.sequence), to_row(effect.row));
}

void SecurityPolicyService::act(SaveCertificate& effect, runtime::Output& out) {
  out.upsert("certificate", effect.checked.answer.device.value, to_row(effect.checked));
}

void SecurityPolicyService::act(RemoveCertificate& effect, runtime::Output& out) {
  out.remove("certificate", effect.device.value, codec::dump({{"device", effect.device.value}}));
}

namespace {
std::string revocation_key(const DeviceId& device, const std::string& fingerprint) {
  return "revoke:" + device.value + ":" + fingerprint;
}
}  // namespace

void SecurityPolicyService::act(AnnounceRevocation& effect, runtime::Output& out) {
  const auto& answer = effect.answer;
  log::warn("a certificate is no longer good", {{"device", answer.device.value}, {"reason", answer.reason}});
  const auto item = codec::Json::parse(codec::encode(std::vector{answer}))["items"][0];
  out.put({revocation_key(answer.device, answer.fingerprint),
           topics_.service("registry", "certificate", "security-policy"), codec::dump(item)});
}

void SecurityPolicyService::act(SettleRevocation& effect, runtime::Output& out) {
  out.settle(revocation_key(effect.device, effect.fingerprint));
}

void SecurityPolicyService::act(PublishHead& effect, runtime::Output& out) {
  codec::Json head{{"sequence", effect.head.sequence}, {"hash", effect.head.hash}, {"at_ms", effect.head.at_ms}};
  head["checkpoint"] = crypto::sign_jws(key_, "fieldwork-audit+jws", codec::dump(head));
  head["v"] = 1;
  out.messages.push_back({.topic = topics_.state("audit", "head"), .payload = codec::dump(head), .retain = true});
}

}  // namespace fieldwork::security_policy
