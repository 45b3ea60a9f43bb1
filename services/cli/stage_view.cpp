// Stages as text for people.
#include <nlohmann/json.hpp>

#include "limits.hpp"
#include "output.hpp"
#include "send_view.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

const Json& stage_of(const Json& item) { return member(item, "stage"); }
const Json& transfer_of(const Json& item) { return member(item, "transfer"); }

std::string resumed_text(const Json& transfer) {
  const auto from = integer_of(transfer, "resumed_from");
  return from > 0 ? ", resumed at " + human_bytes(from) : "";
}

// Behind the bar.
std::string pace_text(const Json& transfer) {
  std::string out;
  if (const auto rate = integer_of(transfer, "bit_per_s"); rate > 0) out += ", " + rate_text(rate);
  if (const auto left = integer_of(transfer, "eta_s", -1); left >= 0)
    out += ", " + human_duration(std::chrono::seconds(left)) + " left";
  return out + resumed_text(transfer);
}

bool is_moving(const Json& transfer) {
  const auto state = text_of(transfer, "state");
  return state == "offered" || state == "sending" || state == "suspended" || state == "verifying";
}

std::string because(const Json& value) {
  const auto reason = text_of(value, "reason");
  return reason.empty() ? "" : ": " + printable(reason);
}

// What a stage that is not over does, without its device.
std::string step_of(const Json& item) {
  const auto& transfer = transfer_of(item);
  if (text_of(stage_of(item), "state") == "asked") return "waits until the device is heard";
  if (!is_moving(transfer)) return "waits for its transfer" + because(transfer);
  if (text_of(transfer, "state") == "suspended") return "waits" + because(transfer) + resumed_text(transfer);
  return text_of(transfer, "state") == "verifying" ? "is verified" : "";
}

std::int64_t tenth_of(const Json& transfer) {
  const auto total = integer_of(transfer, "encoded_bytes");
  return total <= 0 ? 0 : integer_of(transfer, "acked_bytes") * 10 / total;
}

}  // namespace

SentState sent_state(const Json& item) {
  const auto state = text_of(stage_of(item), "state");
  if (state == "ready") return SentState::ready;
  return state == "asked" || state == "taken" ? SentState::waits : SentState::failed;
}

std::string sent_line(const Json& item) {
  const auto& stage = stage_of(item);
  const auto& transfer = transfer_of(item);
  const auto device = printable(text_of(stage, "device"));
  switch (sent_state(item)) {
    case SentState::ready: return device + "  is ready" + resumed_text(transfer);
    case SentState::failed: return device + "  " + printable(text_of(stage, "state")) + because(stage);
    case SentState::waits: break;
  }
  if (const auto step = step_of(item); !step.empty()) return device + "  " + step;
  return progress_line(device, integer_of(transfer, "acked_bytes"), integer_of(transfer, "encoded_bytes")) +
         pace_text(transfer);
}

std::string sent_summary(const Json& items) {
  std::size_t ready = 0, waiting = 0, failed = 0;
  for (const auto& item : items) {
    const auto state = sent_state(item);
    ++(state == SentState::ready ? ready : state == SentState::waits ? waiting : failed);
  }
  auto out = "ready on " + std::to_string(ready) + " of " + std::to_string(items.size()) +
             (items.size() == 1 ? " device" : " devices");
  if (waiting > 0) out += ", " + std::to_string(waiting) + " under way";
  if (failed > 0) out += ", " + std::to_string(failed) + " failed";
  return out;
}

std::string SendView::show(const Json& items) {
  const bool one_by_one = items.size() <= sent_shown_max;
  if (redraws_) {
    std::string lines;
    std::size_t count = 0;
    for (const auto& item : items) {
      if (!one_by_one && sent_state(item) != SentState::failed) continue;
      if (count == sent_shown_max) break;
      lines += "\x1b[K" + sent_line(item) + "\n";
      ++count;
    }
    if (!one_by_one) lines += "\x1b[K" + sent_summary(items) + "\n", ++count;
    if (lines == last_) return {};
    const auto up = drawn_ > 0 ? "\x1b[" + std::to_string(drawn_) + "A\x1b[J" : std::string();
    drawn_ = count;
    last_ = lines;
    return up + lines;
  }
  std::string out;
  for (const auto& item : items) {
    const auto state = sent_state(item);
    if (!one_by_one && state != SentState::failed) continue;
    auto step = state == SentState::waits ? step_of(item) : text_of(stage_of(item), "state");
    if (step.empty()) step = std::to_string(tenth_of(transfer_of(item)));
    auto& told = told_[text_of(stage_of(item), "device")];
    if (told == step) continue;
    told = std::move(step);
    out += sent_line(item) + "\n";
  }
  if (auto summary = sent_summary(items); !one_by_one && summary != last_) {
    out += summary + "\n";
    last_ = std::move(summary);
  }
  return out;
}

std::string stage_table(const Json& items, std::int64_t now) {
  Table table({"DEVICE", "CONTENT", "FILE", "STATE", "UNTIL", "BY", "CHANGED", "REASON"});
  for (const auto& item : items) {
    const auto& stage = stage_of(item);
    table.add({printable(text_of(stage, "device")), short_digest(text_of(stage, "digest")),
               or_dash(printable(text_of(stage, "file"))), or_dash(text_of(stage, "state")),
               human_time(integer_of(stage, "until_ms")), or_dash(printable(text_of(stage, "asked_by"))),
               human_age(integer_of(stage, "changed_ms"), now), printable(text_of(stage, "reason"))});
  }
  return table.text();
}

}  // namespace fieldwork::cli
