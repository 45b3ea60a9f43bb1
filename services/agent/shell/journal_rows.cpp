#include "agent/shell/journal_rows.hpp"

#include <nlohmann/json.hpp>

#include "codec/job.hpp"

namespace fieldwork::agent {
namespace {

using codec::Json;

// The words of the journal, which outlives the version of the agent that wrote it.
constexpr const char* phases[] = {"fetching", "running", "done"};

}  // namespace

store::Row attempt_row(const Attempt& attempt) {
  const auto json = [](const Json& value) { return store::Value::json(codec::dump(value)); };
  store::Row row{
      {"phase", phases[static_cast<int>(attempt.phase)]}, {"order", attempt.order}, {"number", attempt.number}};
  if (attempt.phase == Phase::settled) {
    const auto& key = attempt.assign.key;
    row.add("job", key.job.value);
    row.add("execution", key.execution);
    row.add("fence", key.fence);
    if (attempt.outcome) row.add("outcome", json(codec::encode(*attempt.outcome)));
  } else {
    row.add("assign", json(codec::encode(codec::Command(attempt.assign))));
    row.add("cancelled", attempt.cancelled);
    row.add("stale", attempt.stale);
    row.add("stopped", attempt.stopped);
    row.add("deactivated", attempt.deactivated);
    row.add("decided", json(codec::encode(attempt.decided)));
    row.add("runs_as", attempt.runs_as);
  }
  return row;
}

Result<Attempt> decode_attempt(const Json& row) {
  Attempt out;
  out.order = row.at("order");
  out.number = row.value("number", 1);
  for (int i = 0; i < 3; ++i) {
    if (row.at("phase") == phases[i]) out.phase = static_cast<Phase>(i);
  }
  if (out.phase == Phase::settled) {
    out.assign.key = {JobId(row.at("job").get<std::string>()), row.at("execution"), row.at("fence")};
    if (row.contains("outcome")) {
      auto outcome = codec::decode_attempt_report(row.at("outcome"));
      if (!outcome) return outcome.error();
      out.outcome = std::move(*outcome);
    }
    return out;
  }
  auto assign = codec::decode_assign(row.at("assign"));
  if (!assign) return assign.error();
  out.assign = std::move(*assign);
  out.cancelled = row.at("cancelled");
  out.stale = row.at("stale");
  out.stopped = row.at("stopped");
  out.deactivated = row.value("deactivated", false);
  if (const auto decided = row.find("decided"); decided != row.end()) {
    auto read = codec::decode_decided(*decided);
    if (!read) return read.error();
    out.decided = std::move(*read);
  }
  out.runs_as = row.value("runs_as", std::int64_t{0});
  return out;
}

}  // namespace fieldwork::agent
