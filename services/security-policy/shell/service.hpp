// security-policy on the bus: topics and JSON to inputs, effects to rows and messages.
#pragma once

#include <optional>

#include "crypto/key.hpp"
#include "runtime/reject.hpp"
#include "runtime/service.hpp"
#include "security-policy/shell/authority.hpp"
#include "topic/topic.hpp"

namespace fieldwork::security_policy {

class SecurityPolicyService : public runtime::Service {
 public:
  // `authority` was loaded from `files`. The key signs grants and audit checkpoints.
  SecurityPolicyService(std::string root, Limits limits, Rulebook rulebook, crypto::PrivateKey key,
                        AuthorityFiles files, Authority authority);

  [[nodiscard]] std::string name() const override { return "security-policy"; }
  [[nodiscard]] std::vector<std::pair<std::string, int>> subscriptions() const override;
  [[nodiscard]] std::vector<runtime::RetentionRule> retention() const override;
  Result<void> load(store::Store& store, Time now) override;
  void message(const bus::Message& message, Time now, runtime::Output& out) override;
  void tick(Time now, runtime::Output& out) override;
  void connected(Time now, runtime::Output& out) override;
  void flush(Time now, runtime::Output& out) override;

  [[nodiscard]] const SecurityPolicy& core() const { return *core_; }

 private:
  void take(const Input& input, Time now, runtime::Output& out);
  void device_state(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void request(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void reject(const Topic& topic, const bus::Message& message, const Error& error, Time now, runtime::Output& out);
  [[nodiscard]] std::string sign_grant(const Question& question, Time issued, Time expires) const;

  void act(AnswerQuestion& effect, runtime::Output& out);
  void act(AnswerCheck& effect, runtime::Output& out);
  void act(AppendAudit& effect, runtime::Output& out);
  void act(SaveCertificate& effect, runtime::Output& out);
  void act(RemoveCertificate& effect, runtime::Output& out);
  void act(AnnounceRevocation& effect, runtime::Output& out);
  void act(SettleRevocation& effect, runtime::Output& out);
  void act(PublishHead& effect, runtime::Output& out);

  Topics topics_;
  Limits limits_;
  Rulebook rulebook_;
  crypto::PrivateKey key_;
  AuthorityFiles files_;
  Authority authority_;
  std::optional<SecurityPolicy> core_;
  runtime::Rejections rejections_;
  std::vector<Decision> decisions_;  // of this batch
  std::vector<CertificateAnswer> answers_;
};

}  // namespace fieldwork::security_policy
