// The shell around security-policy's core: topics and JSON to inputs, the core's output to rows and messages.
#pragma once

#include "crypto/jws.hpp"
#include "crypto/key.hpp"
#include "runtime/shell.hpp"
#include "security-policy/shell/authority.hpp"

namespace fieldwork::security_policy {

inline constexpr const char* checkpoint_type = "fieldwork-audit+jws";

class SecurityPolicyService : public runtime::Shell<SecurityPolicy> {
 public:
  // `authority` was loaded from `files`. `key` signs grants and audit checkpoints.
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
  crypto::TrustStore own_;  // this service's key, to verify the checkpoint that the broker kept
  // Of this batch: for the sequence of each head that the broker kept, the newest row at or before it.
  std::map<std::int64_t, std::optional<AuditHead>> at_;
  bool head_known_ = false;  // the broker kept a head, this process published one, or the audit was empty
};

}  // namespace fieldwork::security_policy
