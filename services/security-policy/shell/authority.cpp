#include "security-policy/shell/authority.hpp"

#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

namespace fieldwork::security_policy {

namespace fs = std::filesystem;

fs::file_time_type AuthorityFiles::changed_at() const {
  std::error_code error;
  const auto time = crl_ ? fs::last_write_time(*crl_, error) : fs::file_time_type{};
  return error ? fs::file_time_type::min() : time;
}

Result<Authority> AuthorityFiles::load() {
  const auto changed = changed_at();  // before reading: a change during the reading is seen next time
  auto authority = crypto::CertificateAuthority::load(ca_, crl_);
  if (!authority) return authority.error();
  loaded_ = changed;
  return Authority(std::make_shared<const crypto::CertificateAuthority>(std::move(*authority)));
}

Authority AuthorityFiles::reload_if_changed(Time now) {
  if (!crl_ || now - looked_at_ < seconds{5}) return nullptr;
  looked_at_ = now;
  const auto changed = changed_at();
  if (changed == loaded_) return nullptr;
  if (auto authority = load()) {
    log::info("the revocation list was read again", {{"file", crl_->string()}});
    metrics::gauge("fieldwork_revocation_list_stale", 0);
    return *authority;
  } else if (complained_ != changed) {
    complained_ = changed;
    log::error("the new revocation list is not usable, the last good one stays",
               {{"reason", describe(authority.error())}});
    metrics::gauge("fieldwork_revocation_list_stale", 1);
  }
  return nullptr;
}

}  // namespace fieldwork::security_policy
