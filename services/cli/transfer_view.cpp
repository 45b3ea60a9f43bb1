// Transfers as text for people.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "output.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

std::string other_end(const Json& transfer) {
  const auto device = text_of(transfer, "device");
  return or_dash(device.empty() ? text_of(transfer, "client") : device);
}

// Of those that arrived at all: "1.07 (most 4)".
std::string tries_text(const Json& transfer) {
  const auto sent = integer_of(transfer, "frames_sent");
  const auto again = integer_of(transfer, "frames_resent");
  if (sent <= again) return "";
  const auto most = integer_of(transfer, "tries_most");
  return decimal(static_cast<double>(sent) / static_cast<double>(sent - again), 2) +
         (most > 0 ? " (most " + std::to_string(most) + ")" : "");
}

std::string percent_text(const Json& transfer) {
  const auto total = integer_of(transfer, "encoded_bytes");
  const auto done = integer_of(transfer, "acked_bytes");
  return total <= 0 ? "-" : std::to_string(std::clamp<std::int64_t>(100 * done / total, 0, 100)) + " %";
}

}  // namespace

std::string rate_text(std::int64_t bit_per_s) {
  if (bit_per_s <= 0) return "-";
  if (bit_per_s >= 10'000'000) return std::to_string(bit_per_s / 1'000'000) + " Mbit/s";
  return std::to_string(bit_per_s / 1000) + " kbit/s";
}

std::string transfer_table(const Json& transfers, std::int64_t now) {
  Table table({"TRANSFER", "DIRECTION", "WITH", "STATE", "DONE", "OF", "RATE", "REST", "STRATEGY", "CONTENT", "CHANGED",
               "REASON"});
  for (const auto& one : transfers) {
    const auto eta = integer_of(one, "eta_s", -1);
    table.add({text_of(one, "transfer").substr(0, 12), or_dash(text_of(one, "direction")), other_end(one),
               or_dash(text_of(one, "state")), percent_text(one), human_bytes(integer_of(one, "encoded_bytes")),
               rate_text(integer_of(one, "bit_per_s")), eta < 0 ? "-" : human_duration(std::chrono::seconds(eta)),
               or_dash(text_of(member(one, "strategy"), "name")), short_digest(text_of(one, "digest")),
               human_age(integer_of(one, "changed_ms"), now), printable(text_of(one, "reason"))});
  }
  return table.text();
}

std::string transfer_text(const Json& transfer, std::int64_t now) {
  Fields fields;
  const auto encoded = integer_of(transfer, "encoded_bytes");
  const auto plain = integer_of(transfer, "size_bytes");
  const auto sent = integer_of(transfer, "sent_bytes");
  const auto resent = integer_of(transfer, "resent_bytes");
  fields.add("transfer", text_of(transfer, "transfer"));
  const bool up = text_of(transfer, "direction") == "up";
  fields.add(up ? "from" : "to", other_end(transfer));
  fields.add("content", text_of(transfer, "digest"));
  fields.add("state", text_of(transfer, "state"));
  if (const auto reason = text_of(transfer, "reason"); !reason.empty()) fields.add("reason", printable(reason));
  if (const auto failure = text_of(transfer, "failure"); !failure.empty()) fields.add("failure", printable(failure));
  const auto size = human_bytes(encoded) + " for " + human_bytes(plain);
  fields.add("encoding", encoded > 0 ? text_of(transfer, "encoding") + ", " + size : "not known yet");
  fields.add(up ? "came" : "sent", human_bytes(sent) + ", of these again " + human_bytes(resent));
  if (const auto tries = tries_text(transfer); !tries.empty()) fields.add("tries per frame", tries);
  if (const auto bad = integer_of(transfer, "bad_frames"); bad > 0) fields.add("bad frames", std::to_string(bad));
  if (const auto from = integer_of(transfer, "resumed_from"); from > 0) fields.add("resumed from", human_bytes(from));
  if (const auto missing = integer_of(transfer, "missing_from", -1); missing >= 0)
    fields.add("missing from", human_bytes(missing));
  if (const auto attempt = integer_of(transfer, "attempt"); attempt > 1) fields.add("attempt", std::to_string(attempt));
  fields.add("rate", rate_text(integer_of(transfer, "bit_per_s")));
  if (const auto share = integer_of(transfer, "throttled_bit_per_s"); share > 0)
    fields.add("held back to", rate_text(share) + ", its share of a budget");
  if (const auto trip = number_of(transfer, "round_trip_ms"); trip > 0)
    fields.add("round trip", decimal(trip, 1) + " ms");
  if (const auto& strategy = member(transfer, "strategy"); !strategy.is_null())
    fields.add("frames", human_bytes(integer_of(strategy, "frame_bytes")));
  fields.add("changed", human_age(integer_of(transfer, "changed_ms"), now) + " ago");
  auto out = progress_line(text_of(transfer, "state"), integer_of(transfer, "acked_bytes"), encoded) + "\n\n";
  out += fields.text();
  const auto& strategies = list_of(transfer, "strategies");
  if (strategies.empty()) return out;
  Table table({"STRATEGY SINCE", "WHY"});
  for (const auto& one : strategies)
    table.add({human_time(integer_of(one, "at_ms")), printable(text_of(one, "reason"))});
  return out + "\n" + table.text();
}

}  // namespace fieldwork::cli
