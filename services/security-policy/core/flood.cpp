#include "security-policy/core/flood.hpp"

#include "base/text.hpp"
#include "security-policy/limits.hpp"

namespace fieldwork::security_policy {
namespace {

bool about_certificate(const AuditRow& row) { return row.kind == "certificate"; }

std::string shared_key(const AuditRow& row) { return row.kind + '/' + row.decision; }

// A denial's reason has words of the submitter's in it, so it is no part of the kind; a certificate's reason has none.
std::string own_key(const AuditRow& row) {
  const bool certificate = about_certificate(row);
  return shared_key(row) + '/' + (certificate ? row.device : row.submitter) + '/' + (certificate ? row.reason : "");
}

}  // namespace

std::size_t Flood::room(const AuditRow& row, bool shared) const {
  if (shared) return limits_.shared_rows_max;
  return about_certificate(row) ? limits_.certificate_rows_max : limits_.denial_rows_max;
}

std::optional<AuditRow> Flood::pass(AuditRow row, Time now) {
  auto key = own_key(row);
  const bool shared = !windows_.contains(key) && windows_.size() >= limits_.kinds_max;
  if (shared) key = shared_key(row);
  const auto [it, fresh] = windows_.try_emplace(key);
  if (fresh) order_.emplace_back(now, key);
  auto& window = it->second;
  const auto rows_max = room(row, shared);
  ++window.rows;
  if (window.rows > rows_max) {
    row.reason = clamp_text(row.reason, flood_reason_bytes_max);
    window.last = std::make_unique<AuditRow>(std::move(row));
    return std::nullopt;
  }
  if (window.rows == rows_max) row.reason += " (more like this are counted)";
  return row;
}

std::vector<AuditRow> Flood::closed(Time now) {
  std::vector<AuditRow> out;
  for (; !order_.empty() && now - order_.front().first >= limits_.window; order_.pop_front()) {
    const auto& key = order_.front().second;
    const auto it = windows_.find(key);
    if (auto& last = it->second.last) {
      const bool shared = key == shared_key(*last);
      AuditRow row;
      row.at_ms = to_ms(now);
      row.kind = last->kind;
      row.decision = last->decision;
      if (!shared) row.device = about_certificate(*last) ? last->device : "";
      if (!shared) row.submitter = last->submitter;
      const auto counted = it->second.rows - room(*last, shared);
      row.reason = std::to_string(counted) + " more like this since " + std::to_string(to_ms(order_.front().first)) +
                   ", the last: " + last->reason;
      out.push_back(std::move(row));
    }
    windows_.erase(it);
  }
  return out;
}

}  // namespace fieldwork::security_policy
