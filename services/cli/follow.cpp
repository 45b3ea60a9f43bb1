#include "follow.hpp"

#include <nlohmann/json.hpp>

#include "output.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

// `alone`: the job has one execution, which needs no number.
std::string execution_line(const codec::Json& one, bool alone) {
  const auto device = printable(text_of(one, "device"));
  std::string line = device.empty() ? "" : device + ": ";
  if (!alone) line += "execution " + std::to_string(integer_of(one, "execution")) + " ";
  line += printable(text_of(one, "state"));
  const auto attempt = integer_of(one, "attempt", 1);
  if (attempt > 1) line += " (attempt " + std::to_string(attempt) + ")";
  return line;
}

// Whether the device may still be fetching the package: after that, news of the transfer is no news of the job.
bool before_running(const codec::Json& one) {
  const auto state = text_of(one, "state");
  return state == "assigned" || state == "accepted" || state == "unreachable";
}

}  // namespace

std::vector<std::string> Follow::job(const codec::Json& state) {
  std::vector<std::string> lines;
  const auto now = job_state(text_of(state, "state"));
  if (text_of(state, "job") != job_ || !now) return lines;
  const auto reason = text_of(state, "reason");
  const auto& counts = member(state, "counts");
  queued_ = integer_of(counts, "queued") > 0 && *now != JobState::submitted;
  const bool many = member(state, "more").is_boolean();
  if (many) {
    std::string line;
    for (const auto& [word, count] : counts.items()) {
      if (count.is_number_integer()) line += (line.empty() ? "" : ", ") + count.dump() + " " + printable(word);
    }
    if (line != counts_) lines.push_back("executions: " + line);
    counts_ = line;
  }
  const auto& executions = list_of(state, "executions");
  const bool alone = !many && executions.size() == 1;
  for (auto& [device, fetch] : devices_) fetch.open = false;
  for (const auto& one : executions) {
    if (const auto device = text_of(one, "device"); !device.empty()) devices_[device].open |= before_running(one);
    if (many || (alone && settled(*now))) continue;
    auto line = execution_line(one, alone);
    auto& said = executions_[integer_of(one, "execution")];
    const auto why = text_of(one, "reason");
    if (line == said.line && why == said.reason) continue;
    lines.push_back(why.empty() || why == said.reason ? line : line + ": " + printable(why));
    said = {std::move(line), why};
  }
  // While the job is not settled, its state follows from the executions, which were told above.
  if ((state_ != now && settled(*now)) || (!alone && !reason.empty() && reason != reason_)) {
    const auto device = alone ? printable(text_of(executions[0], "device")) : "";
    const bool there = !device.empty() && (now == JobState::succeeded || now == JobState::failed);
    lines.push_back("job " + job_ + " " + it_is(text_of(state, "state")) + (there ? " on " + device : "") +
                    (reason.empty() ? "" : ": " + printable(reason)));
  }
  state_ = now;
  reason_ = reason;
  return lines;
}

std::optional<Follow::Sending> Follow::transfer(const codec::Json& state) {
  const auto device = devices_.find(text_of(state, "device"));
  if (package_.empty() || text_of(state, "digest") != package_ || device == devices_.end()) return std::nullopt;
  const auto word = text_of(state, "state");
  // An old retained state may be complete, too: a completion is news only after the transfer was seen sending.
  auto& fetch = device->second;
  if (!fetch.open || (word != "sending" && !(word == "complete" && fetch.seen))) return std::nullopt;
  fetch.seen = word == "sending";
  const auto total = integer_of(state, "encoded_bytes");
  return Sending{device->first, word == "sending" ? integer_of(state, "acked_bytes") : total, total,
                 word == "complete"};
}

std::optional<std::string> Follow::log(const std::string& device, const codec::LogLine& line) const {
  if (line.key.job.value != job_) return std::nullopt;
  auto text = line.text;
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  std::string out;
  if (line.dropped > 0) out = device + " | … " + std::to_string(line.dropped) + " lines dropped\n";
  std::size_t begin = 0;
  while (true) {
    const auto end = text.find('\n', begin);
    out += device + " | " + printable(text.substr(begin, end - begin));
    if (end == std::string::npos) return out;
    out += "\n";
    begin = end + 1;
  }
}

std::string waiting_line(const codec::Json& explained) {
  for (const auto& one : list_of(explained, "executions")) {
    const auto state = text_of(one, "state");
    if (state != "queued" || !list_of(one, "candidates").empty()) continue;
    const auto& filtered = list_of(one, "filtered");
    std::string line = "execution " + std::to_string(integer_of(one, "execution")) + " waits: ";
    if (filtered.empty()) return line + "there is no device";
    const auto& nearest = filtered.front();
    return line + "no device fits; nearest is " + printable(text_of(nearest, "device")) + ": " +
           printable(text_of(nearest, "requirement")) + " " + printable(text_of(nearest, "reason"));
  }
  return "";
}

bool Follow::concerns(const codec::Json& event) const {
  for (const auto& item : list_of(event, "items")) {
    if (text_of(item, "job") == job_) return true;
  }
  return false;
}

}  // namespace fieldwork::cli
