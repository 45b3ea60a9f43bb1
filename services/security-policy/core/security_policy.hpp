// The core of security-policy: who may do what. It makes decisions with grants, permits what other services ask for,
// checks certificates, and writes the audit of all three.
//
// Pure, except that the given `sign` signs grants. One door in: step(input, now, out). One door out: Output, values in
// the order of duty. A restart constructs the core from what was saved. Decisions given before are forgotten then, and
// a grant that has used up half its life is not given again: the same question gets a new decision and a new audit row.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
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
#include "security-policy/core/memory.hpp"

namespace fieldwork::security_policy {

struct Limits {
  std::size_t remembered_max = 20'000;     // decisions, for repeats of the same question; also permits
  std::size_t devices_max = 200'000;       // devices whose state is known
  std::size_t certificates_max = 100'000;  // certificates that are checked again when the revocation list changes
  std::size_t recheck_per_tick = 100;      // certificates
  Duration recheck_each = seconds{3600};   // between two checks of all certificates, because they expire
  Duration audit_kept = std::chrono::hours{24 * 365};  // rows in the database; at least 30 days
  std::int64_t audit_kept_max = 50'000'000;            // rows in the database
  Duration checkpoint_every = seconds{1};              // between two audit heads
  Duration head_patience = seconds{5};  // waiting for the head that the broker kept, before the first of this process
  Duration break_told = std::chrono::hours{24 * 7};  // how long a break of the audit is published with the head
  Duration same_check_within = seconds{3600};        // the same certificate with the same answer is not audited again
  FloodLimits flood{};
};

// Returns one grant (JWS) for each question, in the same order.
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

// What is stored: a restarted core begins with it.
struct Saved {
  AuditHead head;
  std::optional<AuditBreak> broken;  // the newest break
  std::vector<CheckedCertificate> certificates;
};

// --- inputs: each comment names who says the fact, and what turns it into the input (shell/wire.cpp) ---
// The scheduler asks for decisions: the readable items of one message on service/security-policy/authorise/scheduler.
// Output::decisions answers. A question about a device that is not known yet, or still enrolling, is not answered: the
// scheduler repeats it.
struct QuestionsArrived {
  std::vector<Question> questions;
};
// An item of such a message that could not be read, but whose key could. The question is denied, whatever was
// answered under its key before.
struct QuestionUnreadable {
  AttemptKey key;
  DeviceId device;
  std::string reason;
};
// A service asks for operators: the readable items of one message on service/security-policy/permit/{from}.
// Output::permits answers. A question about a device that is not known yet, or still enrolling, is not answered: the
// service repeats it.
struct PermitsArrived {
  std::string from;  // the service
  std::vector<PermitQuestion> questions;
};
// The registry asks for checks of certificates: the readable items of one message on
// service/security-policy/certificate/registry. Output::answers answers.
struct ChecksArrived {
  std::vector<CertificateCheck> checks;
};
// The registry published a device's state: state/device/{device}, retained.
struct DeviceSeen {
  DeviceId device;
  Lifecycle lifecycle = Lifecycle::active;
  std::string fingerprint;
};
// The registry cleared state/device/{device}: the device was removed.
struct DeviceGone {
  DeviceId device;
};
// The shell's tick found a new revocation list in its file, which it looks at every 5 s (shell/authority.hpp).
struct AuthorityReplaced {
  Authority authority;
};
// The broker's retained copy of state/audit/head: what this service last said of the audit's end, in this process or an
// earlier one.
struct HeadKept {
  AuditHead head;
  std::string checkpoint;        // JWS; the shell has verified it, and warns where it is not ours
  std::optional<AuditHead> row;  // of the newest row of `audit` up to head.sequence, read before the step; none: no row
};
// LinkBack, TimePassed and BatchEnded come from runtime::Shell (base/core.hpp says when). After LinkBack the head is
// published again. TimePassed checks certificates again. BatchEnded puts out the head.
using Input = std::variant<QuestionsArrived, QuestionUnreadable, PermitsArrived, ChecksArrived, DeviceSeen, DeviceGone,
                           AuthorityReplaced, HeadKept, LinkBack, TimePassed, BatchEnded>;

// --- output ---
struct CertificateRecord {
  CheckedCertificate checked;
  bool remove = false;
  bool operator==(const CertificateRecord&) const = default;
};
// Tell the registry that a certificate is no longer good: an item of service/registry/certificate/security-policy under
// the key revoke:DEVICE:FINGERPRINT. The outbox repeats it until CloseRevocation; also logged.
struct AnnounceRevocation {
  CertificateAnswer answer;
  bool operator==(const AnnounceRevocation&) const = default;
};
// Close that key: the device's state shows that the registry knows, the certificate is good again, or the device was
// removed.
struct CloseRevocation {
  DeviceId device;
  std::string fingerprint;
  bool operator==(const CloseRevocation&) const = default;
};
using OutboxChange = std::variant<AnnounceRevocation, CloseRevocation>;  // applied in order

struct PermitAnswer {
  std::string to;  // the service that asked
  Permit permit;
  bool operator==(const PermitAnswer&) const = default;
};

struct Output {
  // --- saved in this order, in one transaction with the changes of the outbox ---
  // Table `audit`: insert; also counted in fieldwork_decisions_total. A decision, permit or answer below that has a row
  // is published only after the row is saved.
  std::vector<AuditRow> audit;
  // Table `certificate`: upsert, or remove.
  std::vector<CertificateRecord> certificates;
  // Table `audit_break`: insert; its row of `audit` is in the same output. Also logged as an error, and counted in
  // fieldwork_audit_broken_total.
  std::optional<AuditBreak> found;
  // --- the outbox, applied in this order ---
  std::vector<OutboxChange> outbox;
  // --- answers: published once, after the commit; who asks repeats ---
  // On service/scheduler/authorised/security-policy, several in one message.
  std::vector<Decision> decisions;
  // On service/{to}/permitted/security-policy, several in one message.
  std::vector<PermitAnswer> permits;
  // On service/registry/certificate/security-policy, several in one message.
  std::vector<CertificateAnswer> answers;
  // --- facts: published once, after the commit ---
  // On state/audit/head, retained, with a checkpoint that the shell signs. It covers the rows of this output.
  std::optional<AuditHead> head;
  std::optional<AuditBreak> broken;  // published inside the head's message, only together with `head`
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
    std::set<std::string> announced{};  // fingerprints whose revocation is open; after a restart: may be open
  };
  struct Remembered {
    Decision decision;
    Time decided_at{};
  };
  struct Permitted {
    PermitQuestion question;
    Permit permit;
  };

  void apply(const QuestionsArrived& input, Time now, Output& out);
  void apply(const QuestionUnreadable& input, Time now, Output& out);
  void apply(const PermitsArrived& input, Time now, Output& out);
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
  // nullopt: the question was answered from memory, or the scheduler has to ask it again
  [[nodiscard]] std::optional<Judged> judge(const Question& question, Time now, Output& out);
  // Whether this service still has to hear of the device before it speaks of it.
  [[nodiscard]] bool awaits(const DeviceId& device) const;
  // Why the device may run nothing now; empty: it may.
  [[nodiscard]] std::string objection(const DeviceId& device) const;
  void decide(const Question& question, Decision decision, AuditRow row, Time now, Output& out);
  Permit permit_for(const PermitQuestion& question, Time now, Output& out);
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

  std::unordered_map<DeviceId, Lifecycle> devices_;
  Memory<Remembered> remembered_;
  Memory<Permitted> permits_;
  std::map<DeviceId, Known> certificates_;
  std::optional<DeviceId> recheck_after_;  // rechecking goes on behind this device; none: it rests
  Time recheck_at_{};                      // when rechecking begins again
  AuditHead loaded_;                       // the audit's end at the start
  std::optional<AuditBreak> broken_;
  std::optional<AuditHead> contradicts_;  // the head that the broker kept and that contradicts the table
  std::optional<Time> link_came_at_;      // of the first connection
  bool head_came_ = false;
  Time published_at_{};
  std::int64_t published_sequence_ = 0;
};

static_assert(Core<SecurityPolicy>);

}  // namespace fieldwork::security_policy
