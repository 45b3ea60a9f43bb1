// Who may do what: decisions with grants, certificate checks, and the audit of both.
//
// Pure, except that grants are signed by the `sign` it is given. A restart is constructing it from what was saved;
// answers of before are forgotten then, and the same question gets a new decision and a new audit row.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "crypto/certificate.hpp"
#include "model/device.hpp"
#include "policy/policy.hpp"
#include "security-policy/core/audit.hpp"

namespace fieldwork::security_policy {

struct Limits {
  std::size_t remembered_max = 20'000;                 // answers, for repeats of the same question
  std::size_t devices_max = 200'000;                   // devices whose state is known
  std::size_t certificates_max = 100'000;              // certificates that are checked again when the list changes
  std::size_t recheck_per_tick = 100;                  // of these
  Duration audit_kept = std::chrono::hours{24 * 365};  // rows in the database, not less than 30 days
  std::int64_t audit_kept_max = 50'000'000;
  Duration checkpoint_every = seconds{1};    // audit head
  Duration same_check_within = seconds{60};  // the same certificate with the same answer is not audited again
};

using Sign = std::function<std::string(const Question& question, Time issued, Time expires)>;
using Authority = std::shared_ptr<const crypto::CertificateAuthority>;

struct Rulebook {
  std::vector<policy::Rule> rules;
  Duration grant_life = seconds{86'400};
};

struct CheckedCertificate {
  CertificateAnswer answer;
  std::string certificate;  // PEM
  std::int64_t changed_ms = 0;
};

struct Saved {
  AuditHead head;
  std::vector<CheckedCertificate> certificates;
};

// Inputs.
struct QuestionsArrived {
  std::vector<Question> questions;
};
struct ChecksArrived {
  std::vector<CertificateCheck> checks;
};
struct DeviceSeen {
  DeviceId device;
  DeviceState state = DeviceState::ready;
  std::string fingerprint;
};
struct DeviceGone {
  DeviceId device;
};
struct AuthorityReplaced {  // a new revocation list
  Authority authority;
};
struct BrokerReturned {};
struct TimePassed {};
using Input = std::variant<QuestionsArrived, ChecksArrived, DeviceSeen, DeviceGone, AuthorityReplaced, BrokerReturned,
                           TimePassed>;

// Effects.
struct AnswerQuestion {
  Decision decision;
};
struct AnswerCheck {
  CertificateAnswer answer;
};
struct AppendAudit {
  AuditRow row;
};
struct SaveCertificate {
  CheckedCertificate checked;
};
struct RemoveCertificate {
  DeviceId device;
};
// To the registry, repeated until the device's state shows it.
struct AnnounceRevocation {
  CertificateAnswer answer;
};
struct SettleRevocation {
  DeviceId device;
  std::string fingerprint;
};
struct PublishHead {
  AuditHead head;
};
using Effect = std::variant<AnswerQuestion, AnswerCheck, AppendAudit, SaveCertificate, RemoveCertificate,
                            AnnounceRevocation, SettleRevocation, PublishHead>;
using Effects = std::vector<Effect>;

class SecurityPolicy {
 public:
  SecurityPolicy(Limits limits, Rulebook rulebook, Authority authority, Sign sign, Saved saved);

  [[nodiscard]] Effects step(const Input& input, Time now);
  [[nodiscard]] const AuditHead& head() const { return head_; }

 private:
  struct Known {
    CheckedCertificate checked;
    Time audited_at{};
  };

  void apply(const QuestionsArrived& input, Time now, Effects& out);
  void apply(const ChecksArrived& input, Time now, Effects& out);
  void apply(const DeviceSeen& input, Time now, Effects& out);
  void apply(const DeviceGone& input, Time now, Effects& out);
  void apply(const AuthorityReplaced& input, Time now, Effects& out);
  void apply(const BrokerReturned& input, Time now, Effects& out);
  void apply(const TimePassed& input, Time now, Effects& out);

  void answer(const Question& question, Time now, Effects& out);
  // Why the device may not have it; empty when it may.
  [[nodiscard]] std::string objection(const DeviceId& device) const;
  void remember(std::string key, const Decision& decision);
  [[nodiscard]] CertificateAnswer check(const CertificateCheck& asked, Time now) const;
  void recheck(Time now, Effects& out);
  void audit(AuditRow row, Effects& out);
  void audit(const CertificateAnswer& answer, Time now, Effects& out);

  Limits limits_;
  Rulebook rulebook_;
  Authority authority_;
  Sign sign_;
  AuditHead head_;

  std::unordered_map<DeviceId, DeviceState> devices_;
  std::unordered_map<std::string, Decision> remembered_;
  std::deque<std::string> remembered_order_;
  std::map<DeviceId, Known> certificates_;
  std::optional<DeviceId> recheck_after_;  // rechecking goes on behind this one
  bool broker_came_ = false;
  Time published_at_{};
  std::int64_t published_sequence_ = 0;
};

}  // namespace fieldwork::security_policy
