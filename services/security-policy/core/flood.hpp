// So that a flood is not a flood of audit rows. Of one kind of row (the same kind, party, decision and, of
// certificates, reason) at most so many are written within a window, which begins with the first of them; the last one
// written says that the others are counted, and one row says their number once the window is over.
//
// Bounded: beyond kinds_max the kinds that are new share one window for each word of kind and decision, with room for
// shared_rows_max. What was counted and not yet told ends with the process; the row that says so does not.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "security-policy/core/audit.hpp"

namespace fieldwork::security_policy {

struct FloodLimits {
  Duration window = seconds{3600};
  std::size_t certificate_rows_max = 20;  // of one device, decision and reason
  std::size_t denial_rows_max = 1'000;    // of one submitter: each is of a job of its own
  std::size_t shared_rows_max = 1'000;
  std::size_t kinds_max = 100'000;
};

class Flood {
 public:
  explicit Flood(FloodLimits limits) : limits_(limits) {}

  // The row as it is to be written, or nothing: it is counted.
  [[nodiscard]] std::optional<AuditRow> pass(AuditRow row, Time now);
  // Of each window that is over and had more than it had room for: the row that says how many.
  [[nodiscard]] std::vector<AuditRow> closed(Time now);
  [[nodiscard]] std::size_t size() const { return windows_.size(); }

 private:
  struct Window {
    std::size_t rows = 0;            // passed and counted
    std::unique_ptr<AuditRow> last;  // the last that was counted
  };
  [[nodiscard]] std::size_t room(const AuditRow& row, bool shared) const;

  FloodLimits limits_;
  std::map<std::string, Window> windows_;
  std::deque<std::pair<Time, std::string>> order_;  // when they began
};

}  // namespace fieldwork::security_policy
