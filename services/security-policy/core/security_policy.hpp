// Who may do what: decisions with grants, certificate checks, and the audit of both.
//
// Pure, except that grants are signed by the `sign` it is given. One door in, step(input, now, out); one door out,
// Output: values in the order of duty. A restart is constructing it from what was saved; answers of before are
// forgotten then, and the same question gets a new decision and a new audit row.
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

#include "base/core.hpp"
#include "crypto/certificate.hpp"
#include "model/device.hpp"
#include "policy/policy.hpp"
#include "security-policy/core/audit.hpp"
#include "security-policy/core/flood.hpp"

namespace fieldwork::security_policy {

struct Limits {
  std::size_t remembered_max = 20'000;                 // answers, for repeats of the same question
  std::size_t devices_max = 200'000;                   // devices whose state is known
  std::size_t certificates_max = 100'000;              // certificates that are checked again when the list changes
  std::size_t recheck_per_tick = 100;                  // of these
  Duration recheck_each = seconds{3600};               // and all of them this often: they expire
  Duration audit_kept = std::chrono::hours{24 * 365};  // rows in the database, not less than 30 days
  std::int64_t audit_kept_max = 50'000'000;
  Duration checkpoint_every = seconds{1};            // audit head
  Duration head_patience = seconds{5};               // for what the broker kept of it, before the first of our own
  Duration break_told = std::chrono::hours{24 * 7};  // with the head
  Duration same_check_within = seconds{3600};        // the same certificate with the same answer is not audited again
  FloodLimits flood{};
};

// One grant for each question, in their order.
using Sign = std::function<std::vector<std::string>(const std::vector<Question>& questions, Time issued, Time expires)>;
using Authority = std::shared_ptr<const crypto::CertificateAuthority>;

struct Rulebook {
  std::vector<policy::Rule> rules;
  Duration grant_life = seconds{86'400};
};

struct CheckedCertificate {
  CertificateAnswer answer;
  std::string certificate;  // PEM
  std::int64_t changed_ms = 0;
  bool operator==(const CheckedCertificate&) const = default;
};

struct Saved {
  AuditHead head;
  std::optional<AuditBreak> broken;  // the newest
  std::vector<CheckedCertificate> certificates;
};

// Inputs.
struct QuestionsArrived {
  std::vector<Question> questions;
};
// Whose it is could be read, what it asks could not.
struct QuestionUnreadable {
  AttemptKey key;
  DeviceId device;
  std::string reason;
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
// What the broker kept of the audit's end, said by this service in this life or before.
struct HeadKept {
  AuditHead head;
  std::string checkpoint;
  std::optional<AuditHead> row;  // the newest row of the table at or before it
};
using Input = std::variant<QuestionsArrived, QuestionUnreadable, ChecksArrived, DeviceSeen, DeviceGone,
                           AuthorityReplaced, HeadKept, LinkBack, TimePassed, BatchEnded>;

// Outputs.
struct CertificateRecord {
  CheckedCertificate checked;
  bool remove = false;
  bool operator==(const CertificateRecord&) const = default;
};
// To the registry, repeated until the device's state shows it.
struct AnnounceRevocation {
  CertificateAnswer answer;
  bool operator==(const AnnounceRevocation&) const = default;
};
struct CloseRevocation {
  DeviceId device;
  std::string fingerprint;
  bool operator==(const CloseRevocation&) const = default;
};
using OutboxChange = std::variant<AnnounceRevocation, CloseRevocation>;  // applied in order

struct Output {
  // Saved with the batch, in order.
  std::vector<AuditRow> audit;
  std::vector<CertificateRecord> certificates;
  std::optional<AuditBreak> found;
  // The outbox, in order.
  std::vector<OutboxChange> outbox;
  // Answers: to the scheduler and to the registry.
  std::vector<Decision> decisions;
  std::vector<CertificateAnswer> answers;
  // Facts.
  std::optional<AuditHead> head;
  std::optional<AuditBreak> broken;  // goes with the head
  bool operator==(const Output&) const = default;
};

class SecurityPolicy {
 public:
  using Input = security_policy::Input;
  using Output = security_policy::Output;

  SecurityPolicy(Limits limits, Rulebook rulebook, Authority authority, Sign sign, Saved saved);

  void step(const Input& input, Time now, Output& out);
  [[nodiscard]] const AuditHead& head() const { return head_; }

 private:
  struct Known {
    CheckedCertificate checked;
    Time audited_at{};
  };

  void apply(const QuestionsArrived& input, Time now, Output& out);
  void apply(const QuestionUnreadable& input, Time now, Output& out);
  void apply(const ChecksArrived& input, Time now, Output& out);
  void apply(const DeviceSeen& input, Time now, Output& out);
  void apply(const DeviceGone& input, Time now, Output& out);
  void apply(const AuthorityReplaced& input, Time now, Output& out);
  void apply(const HeadKept& input, Time now, Output& out);
  void apply(const LinkBack& input, Time now, Output& out);
  void apply(const TimePassed& input, Time now, Output& out);
  void apply(const BatchEnded& input, Time now, Output& out);

  struct Judged {
    Question question;
    Decision decision;
    AuditRow row;
  };
  // Nothing: it was answered, or is to be asked again.
  [[nodiscard]] std::optional<Judged> judge(const Question& question, Output& out);
  // Why the device may not have it; empty when it may.
  [[nodiscard]] std::string objection(const DeviceId& device) const;
  void decide(const Question& question, Decision decision, AuditRow row, Time now, Output& out);
  void remember(std::string key, const Decision& decision);
  [[nodiscard]] CertificateAnswer check(const CertificateCheck& asked, Time now) const;
  void recheck(Time now, Output& out);
  void audit(AuditRow row, Output& out);
  void audit_unless_flood(AuditRow row, Time now, Output& out);

  Limits limits_;
  Rulebook rulebook_;
  Authority authority_;
  Sign sign_;
  AuditHead head_;
  Flood flood_;

  std::unordered_map<DeviceId, DeviceState> devices_;
  std::unordered_map<std::string, Decision> remembered_;
  std::deque<std::string> remembered_order_;
  std::map<DeviceId, Known> certificates_;
  std::optional<DeviceId> recheck_after_;  // rechecking goes on behind this one
  Time recheck_at_{};                      // and begins again then
  AuditHead loaded_;                       // the chain's end at the start
  std::optional<AuditBreak> broken_;
  std::optional<AuditHead> contradicts_;  // what the broker kept and was found wrong
  std::optional<Time> link_came_at_;      // the first time
  bool head_came_ = false;
  Time published_at_{};
  std::int64_t published_sequence_ = 0;
};

static_assert(Core<SecurityPolicy>);

}  // namespace fieldwork::security_policy
