// What alert rules look at: one thing (a device, a job, …) as it was seen once. Each sort of thing has a vocabulary of
// attributes for expressions (docs/alerts.md lists them).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "fleet/attribute.hpp"
#include "model/device.hpp"

namespace fieldwork::alerts {

enum class Over {
  device,       // state/device/{device}
  placement,    // state/placement/{device}: whether the device gets work
  job,          // state/job/{job}, event/job/changed
  execution,    // state/execution/{execution}
  transfer,     // state/transfer/{transfer}
  event,        // event/device/{device}: something happened to it
  move,         // event/execution/moved: work lost its device, got another, or is on two
  service,      // state/service/{service}
  broker,       // $SYS/broker/#: its own figures
  refusal,      // $SYS/broker/log/#: the broker refused a connection
  disk,         // a file system of the server, measured by alerting
  certificate,  // a certificate or revocation list on the server, read by alerting
  audit,        // state/audit/head
};
[[nodiscard]] std::string_view name(Over over);
[[nodiscard]] std::optional<Over> over(std::string_view text);
[[nodiscard]] std::vector<std::string_view> over_names();
[[nodiscard]] fleet::Vocabulary vocabulary(Over over);
// Of alerts themselves: for targets, silences and inhibitions.
[[nodiscard]] fleet::Vocabulary alert_vocabulary();

struct Sample {
  Over over = Over::device;
  std::string subject;                          // its id
  std::shared_ptr<const fleet::Values> values;  // none: it is gone
  Time since{};                                 // since when it is so; Time{}: since it is seen
};

[[nodiscard]] Sample of(Device device);
[[nodiscard]] Sample gone(Over over, std::string subject);
// For the attributes of `over`: `values` are set by name.
[[nodiscard]] Sample of(Over over, std::string subject, fleet::NamedValues values, Time since = {});

// Sets an attribute that is a word; false: it is none of its words.
bool set_word(fleet::NamedValues& values, fleet::Vocabulary vocabulary, const char* name, std::string_view word);

}  // namespace fieldwork::alerts
