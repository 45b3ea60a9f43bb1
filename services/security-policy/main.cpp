#include "runtime/program.hpp"
#include "security-policy/shell/rules.hpp"
#include "security-policy/shell/service.hpp"

namespace fieldwork::security_policy {
namespace {

Error in_setting(const runtime::Config& config, const std::string& key, const Error& error) {
  return Error{Code::invalid, describe(error), config.origin(key)};
}

Result<std::unique_ptr<runtime::Service>> make(runtime::Config& config, const std::string& root, runtime::Post) {
  const auto directory = config.text("policy.directory");
  const auto grant_key = config.text("policy.grant_key");
  const auto device_ca = config.text("policy.device_ca");
  const auto device_crl = config.text("policy.device_crl", "");
  Rulebook rulebook;
  rulebook.grant_life = seconds{config.integer("policy.grant_s", 86'400, 60, 31'536'000)};
  Limits limits;
  limits.audit_kept = std::chrono::hours{24 * config.integer("policy.audit_kept_days", 365, 31, 36'500)};
  limits.audit_kept_max = config.integer("policy.audit_kept_max", limits.audit_kept_max, 1'000'000, 100'000'000'000);
  if (auto mistakes = config.finish(); !mistakes) return mistakes.error();

  auto rules = load_rules(directory);
  if (!rules) return in_setting(config, "policy.directory", rules.error());
  rulebook.rules = std::move(*rules);
  auto key = crypto::PrivateKey::load(grant_key);
  if (!key) return in_setting(config, "policy.grant_key", key.error());
  AuthorityFiles files(device_ca, device_crl.empty() ? std::nullopt : std::optional<std::filesystem::path>(device_crl));
  auto authority = files.load();
  if (!authority) return in_setting(config, "policy.device_ca", authority.error());
  return std::unique_ptr<runtime::Service>(
      new SecurityPolicyService(root, limits, std::move(rulebook), std::move(*key), std::move(files), *authority));
}

}  // namespace
}  // namespace fieldwork::security_policy

int main(int argc, char** argv) {
  return fieldwork::runtime::service_main(
      argc, argv,
      {.name = "security-policy",
       .description = "Decides who may run what where, signs grants, keeps the audit.",
       .migrations = "security-policy",
       .make = fieldwork::security_policy::make});
}
