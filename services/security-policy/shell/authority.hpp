// The device authority's files: read at the start; the revocation list is read again whenever it changes.
#pragma once

#include <filesystem>
#include <optional>

#include "security-policy/core/security_policy.hpp"

namespace fieldwork::security_policy {

class AuthorityFiles {
 public:
  AuthorityFiles(std::filesystem::path ca, std::optional<std::filesystem::path> crl)
      : ca_(std::move(ca)), crl_(std::move(crl)) {}

  [[nodiscard]] Result<Authority> load();
  // Looks every 5 s; null: nothing changed. A list that cannot be read is logged as an error, once per change, and the
  // last good one stays.
  [[nodiscard]] Authority reload_if_changed(Time now);

 private:
  [[nodiscard]] std::filesystem::file_time_type changed_at() const;

  std::filesystem::path ca_;
  std::optional<std::filesystem::path> crl_;
  std::filesystem::file_time_type loaded_{};
  std::filesystem::file_time_type complained_{};
  Time looked_at_{};
};

}  // namespace fieldwork::security_policy
