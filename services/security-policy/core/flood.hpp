// Keeps a flood of questions from becoming a flood of audit rows. Rows are of one kind when kind, party and decision
// (of certificates also the reason) are equal. Of one kind a bounded number of rows is written in each window, which
// begins with the first row. The last of them says that further rows are only counted; once the window is over, one row
// says how many were.
//
// Bounded: beyond kinds_max the new kinds share one window per `kind` and `decision`, with room for shared_rows_max.
// Counts that were not written yet are lost with the process; the row that says that there are some is not.
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
  std::size_t denial_rows_max = 1'000;    // of one submitter: each row is about another job or device
  std::size_t shared_rows_max = 1'000;
  std::size_t kinds_max = 100'000;
};

class Flood {
 public:
  explicit Flood(FloodLimits limits) : limits_(limits) {}

  // The row as it is to be written; nullopt: it is only counted.
  [[nodiscard]] std::optional<AuditRow> pass(AuditRow row, Time now);
  // For each window that is over and counted rows: the row that says how many.
  [[nodiscard]] std::vector<AuditRow> closed(Time now);
  [[nodiscard]] std::size_t size() const { return windows_.size(); }

 private:
  struct Window {
    std::size_t rows = 0;            // written and counted
    std::unique_ptr<AuditRow> last;  // the last row that was only counted
  };
  [[nodiscard]] std::size_t room(const AuditRow& row, bool shared) const;

  FloodLimits limits_;
  std::map<std::string, Window> windows_;
  std::deque<std::pair<Time, std::string>> order_;  // when each window began
};

}  // namespace fieldwork::security_policy
