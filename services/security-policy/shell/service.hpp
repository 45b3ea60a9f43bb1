// security-policy on the bus: topics and JSON to inputs, its output to rows and messages.
#pragma once

#include "crypto/jws.hpp"
#include "crypto/key.hpp"
#include "runtime/shell.hpp"
#include "security-policy/shell/authority.hpp"

namespace fieldwork::security_policy {

inline constexpr const char* checkpoint_type = "fieldwork-audit+jws";

class SecurityPolicyService : public runtime::Shell<SecurityPolicy> {
 public:
  // `authority` was loaded from `files`. The key signs grants and audit checkpoints.
  SecurityPolicyService(std::string root, Limits limits, Rulebook rulebook, crypto::PrivateKey key,
                        AuthorityFiles files, Authority authority);

  [[nodiscard]] std::string name() const override { return "security-policy"; }
  [[nodiscard]] std::vector<std::pair<std::string, int>> subscriptions() const override;
  [[nodiscard]] std::vector<runtime::RetentionRule> retention() const override;
  Result<void> load(store::Store& store, Time now) override;
  Result<void> prefetch(store::Store& store, const std::vector<const bus::Message*>& batch) override;
  void message(const bus::Message& message, Time now, runtime::Output& out) override;
  void tick(Time now, runtime::Output& out) override;

 private:
  void device_state(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void audit_head(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void request(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  [[nodiscard]] std::string grant_of(const Question& question, Time issued, Time expires) const;
  void apply(const Output& done, Time now, runtime::Output& out) override;
  static void save(const Output& done, runtime::Output& out);
  void announce(const OutboxChange& change, runtime::Output& out) const;
  void answer(const Output& done, runtime::Output& out) const;
  void say_head(const AuditHead& head, const std::optional<AuditBreak>& broken, runtime::Output& out);

  Limits limits_;
  Rulebook rulebook_;
  crypto::PrivateKey key_;
  AuthorityFiles files_;
  Authority authority_;
  crypto::TrustStore own_;                               // our key: who signed what the broker kept
  std::map<std::int64_t, std::optional<AuditHead>> at_;  // of this batch: the rows at heads that the broker kept
  bool head_known_ = false;                              // the broker kept one, we said one, or there was none to keep
};

}  // namespace fieldwork::security_policy
