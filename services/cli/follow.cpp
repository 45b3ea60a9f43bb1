#include "follow.hpp"

#include <algorithm>
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
  return state == "assigned" || state == "fetching" || state == "unreachable";
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
  if (text_of(state, "direction") == "up") return std::nullopt;
  if (package_.empty() || text_of(state, "digest") != package_ || device == devices_.end()) return std::nullopt;
  const auto word = text_of(state, "state");
  // An old retained state may be complete, too: a completion is news only after the transfer was seen sending.
  auto& fetch = device->second;
  const bool runs = word == "offered" || word == "sending" || word == "suspended" || word == "verifying";
  if (!fetch.open || (!runs && !(word == "completed" && fetch.seen))) return std::nullopt;
  fetch.seen = runs;
  const auto total = integer_of(state, "encoded_bytes");
  return Sending{device->first, runs ? integer_of(state, "acked_bytes") : total, total, word == "completed"};
}

std::optional<std::string> Follow::log(const std::string& device, const codec::LogLine& line, bool named) {
  if (line.key.job.value != job_) return std::nullopt;
  if (line.begin && wanted_.erase({line.key, line.stream}) == 0) return std::nullopt;
  const auto before = named ? device + " | " : "";
  auto text = line.text;
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  std::string out;
  if (line.dropped > 0) out = before + "… " + std::to_string(line.dropped) + " lines dropped\n";
  std::size_t begin = 0;
  while (true) {
    const auto end = text.find('\n', begin);
    out += before + printable(text.substr(begin, end - begin));
    if (end == std::string::npos) return out;
    out += "\n";
    begin = end + 1;
  }
}

void Follow::wants_begin(const AttemptKey& attempt) {
  for (const char* stream : {"stdout", "stderr"}) wanted_.emplace(attempt, stream);
}

std::string amount_of(const codec::Json& progress) {
  std::string out;
  if (member(progress, "total").is_number())
    out = std::to_string(integer_of(progress, "done")) + " of " + std::to_string(integer_of(progress, "total"));
  const auto step = text_of(progress, "step"), message = text_of(progress, "message");
  if (!step.empty()) out += (out.empty() ? "" : ", ") + step;
  if (!message.empty()) out += (out.empty() ? "" : step.empty() ? ", " : ": ") + message;
  return out;
}

std::optional<HowFar> how_far(const codec::Json& job) {
  const auto& executions = list_of(job, "executions");
  const auto state = job_state(text_of(job, "state"));
  if (!state || settled(*state)) return std::nullopt;
  double sum = 0;
  std::size_t over = 0;
  bool some = false;
  for (const auto& one : executions) {
    const auto of_one = execution_state(text_of(one, "state"));
    const bool is_over = of_one && settled(*of_one);
    over += is_over ? 1 : 0;
    const auto& fraction = member(member(one, "progress"), "fraction");
    some = some || (fraction.is_number() && !is_over);
    sum += is_over ? 1 : fraction.is_number() ? std::clamp(fraction.get<double>(), 0.0, 1.0) : 0;
  }
  if (!some) return std::nullopt;
  if (executions.size() == 1)
    return HowFar{text_of(executions[0], "device"), sum, amount_of(member(executions[0], "progress"))};
  const auto all = std::max<std::size_t>(executions.size(), 1);
  return HowFar{"executions", sum / static_cast<double>(all),
                std::to_string(over) + " of " + std::to_string(all) + " over"};
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
