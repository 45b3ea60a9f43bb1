#include "alerts/rules.hpp"

namespace fieldwork::alerts {

namespace {
constexpr std::string_view shipped_toml = R"toml(
[[rule]]
name = "device_lost"
over = "device"
when = "lifecycle in (active, draining, inactive) and presence == lost"
severity = "critical"
text = "{reason|the device is lost}"
next = "fieldwork device show {subject}"
all = "fieldwork device ls -f 'presence == lost'"
many = "more devices are lost"
labels = ["site"]

[[rule]]
name = "site_lost"
over = "device"
when = "lifecycle in (active, draining, inactive) and presence == lost"
by = "site"
share = "90%"
at_least = 3
for = "30s"
severity = "critical"
text = "nearly all devices of the site are lost"
next = "fieldwork device ls -f 'site == \"{subject}\"'"
all = "fieldwork fleet stats by site -f 'presence == lost'"
many = "more sites are lost"
labels = ["site"]

[[rule]]
name = "device_stopped"
over = "device"
when = "lifecycle == active and presence == disconnected"
for = "1h"
severity = "info"
text = "its agent said goodbye an hour ago or more"
next = "fieldwork device show {subject}"
all = "fieldwork device ls -f 'presence == disconnected'"
many = "more agents were stopped"
labels = ["site"]

[[rule]]
name = "device_flapping"
over = "event"
when = "event in (suspect, lost, restarted, rebooted)"
by = "device"
count = 5
within = "15min"
severity = "warning"
text = "its connection came and went five times in 15 minutes; the last time: {reason|no reason}"
next = "fieldwork device health {subject}"
all = "fieldwork device ls"
many = "more devices are flapping"

[[rule]]
name = "work_moved"
over = "move"
when = "event == moved"
by = "from"
count = 1
within = "1h"
severity = "warning"
text = "work that it had runs elsewhere; the newest: job {job} is on {to}, because {reason|it was lost}"
next = "fieldwork device show {from}"
all = "fieldwork alert ls -f 'rule == work_moved'"
many = "more devices lost work to others"

[[rule]]
name = "device_health"
over = "device"
when = "lifecycle in (active, draining, inactive) and presence == online and health < 0.7"
until = "lifecycle in (refused, retired) or (presence == online and health >= 0.75)"
value = "health"
severity = "warning"
text = "its health is {health}"
next = "fieldwork device health {subject}"
all = "fieldwork device ls -f 'health < 0.7'"
many = "more devices are unwell"
labels = ["site"]

[[rule]]
name = "device_pressed"
over = "device"
when = "has pressure"
for = "10min"
severity = "warning"
text = "over the threshold for ten minutes: {pressure}"
next = "fieldwork device health {subject}"
all = "fieldwork device ls -f 'has pressure'"
many = "more devices are pressed"
labels = ["site"]

[[rule]]
name = "device_refused"
over = "device"
when = "lifecycle == refused"
severity = "warning"
text = "{reason|its certificate was refused}"
next = "fieldwork device show {subject}"
all = "fieldwork device ls -f 'lifecycle == refused'"
many = "more devices are refused"
labels = ["site"]

[[rule]]
name = "device_duplicated"
over = "device"
when = "duplicated == true"
severity = "critical"
text = "two devices use this identity: issue one of them its own"
next = "fieldwork device show {subject}"
all = "fieldwork device ls -f 'duplicated == true'"
many = "more identities are used twice"

[[rule]]
name = "device_claimed"
over = "device"
when = "has claimed"
since = "claimed"
forget = "1h"
severity = "critical"
text = "a device with another key asks for this id: remove the device if it was replaced"
next = "fieldwork device show {subject}"
all = "fieldwork device ls -f 'has claimed'"
many = "more ids are claimed by another key"

[[rule]]
name = "device_unplaceable"
over = "placement"
when = "placeable == false"
severity = "warning"
text = "{reason|the device gets no work}"
next = "fieldwork device show {subject}"
all = "fieldwork device ls"
many = "more devices get no work"

[[rule]]
name = "clock_offset"
over = "device"
when = "presence == online and (link.clock_offset > 30s or link.clock_offset < -30s)"
for = "5min"
value = "link.clock_offset"
severity = "warning"
text = "its clock is off by {link.clock_offset}"
next = "fieldwork device show {subject}"
all = "fieldwork device ls -f 'link.clock_offset > 30s or link.clock_offset < -30s'"
many = "more clocks are off"

[[rule]]
name = "job_failed"
over = "job"
when = "state == failed"
forget = "24h"
severity = "warning"
text = "{reason|the job failed}"
next = "fieldwork job show {subject}"
all = "fieldwork job ls --state failed"
many = "more jobs failed"
labels = ["submitter"]

[[rule]]
name = "job_quarantined"
over = "job"
when = "state == quarantined"
forget = "24h"
severity = "critical"
text = "{reason|several devices were lost under it}"
next = "fieldwork job explain {subject}"
all = "fieldwork job ls --state quarantined"
many = "more jobs are quarantined"
labels = ["submitter"]

[[rule]]
name = "job_expired"
over = "job"
when = "state == expired"
forget = "24h"
severity = "warning"
text = "{reason|its deadline passed}"
next = "fieldwork job explain {subject}"
all = "fieldwork job ls --state expired"
many = "more jobs missed their deadline"
labels = ["submitter"]

[[rule]]
name = "job_stuck"
over = "job"
when = "state in (submitted, queued, assigned)"
for = "6h"
severity = "warning"
text = "it has not begun for six hours: {reason|no reason is known}"
next = "fieldwork job explain {subject}"
all = "fieldwork job ls --state queued"
many = "more jobs are stuck"
labels = ["submitter"]

[[rule]]
name = "policy_denials"
over = "job"
when = "state == denied"
by = "submitter"
count = 10
within = "10min"
severity = "warning"
text = "ten jobs of {submitter} were denied in ten minutes; the last one: {reason|no reason}"
next = "fieldwork job ls --state denied"
all = "fieldwork job ls --state denied"
many = "more submitters are denied"

[[rule]]
name = "identity_refused"
over = "event"
when = "event in (refused, already_registered)"
by = "device"
count = 3
within = "10min"
severity = "critical"
text = "its identity was refused three times in ten minutes; the last time: {reason|no reason}"
next = "fieldwork device show {subject}"
all = "fieldwork device ls -f 'lifecycle == refused'"
many = "more identities are refused"

[[rule]]
name = "connections_refused"
over = "refusal"
when = "has reason"
count = 20
within = "10min"
severity = "warning"
text = "the broker refused 20 connections in ten minutes; the last one: {reason|no reason}"
next = "look into the broker's log: which of them has no valid certificate"
all = "fieldwork doctor"
many = "more brokers refuse connections"

[[rule]]
name = "transfer_failed"
over = "transfer"
when = "state == failed and (direction != up or failure == verification_failed)"
forget = "24h"
severity = "warning"
text = "{reason|the transfer failed}"
next = "fieldwork package ls"
all = "fieldwork package ls"
many = "more transfers failed"
labels = ["device"]

[[rule]]
name = "transfer_stalled"
over = "transfer"
when = "state in (offered, sending, suspended, verifying) and direction != up"
for = "15min"
value = "done"
severity = "warning"
text = "nothing of it was confirmed for 15 minutes: {reason|no reason is known}"
next = "fieldwork device show {device|DEVICE}"
all = "fieldwork package ls"
many = "more transfers are stalled"
labels = ["device"]

[[rule]]
name = "audit_broken"
over = "audit"
when = "broken == true"
severity = "critical"
text = "{reason|rows of the audit are gone or changed}"
next = "fieldwork doctor"
all = "fieldwork doctor"
many = "more audits are broken"

[[rule]]
name = "service_down"
over = "service"
when = "state == down"
for = "30s"
severity = "critical"
text = "the service is not connected to the broker"
next = "fieldwork doctor"
all = "fieldwork doctor"
many = "more services are down"

[[rule]]
name = "broker_drops"
over = "broker"
when = "dropped > 1"
until = "dropped < 0.1"
for = "1min"
value = "dropped"
severity = "warning"
text = "the broker drops {dropped} messages a minute: a client is too slow, or its queue too short"
next = "fieldwork doctor"
all = "fieldwork doctor"
many = "more brokers drop messages"

[[rule]]
name = "disk_full"
over = "disk"
when = "use > 90%"
until = "use < 85%"
value = "use"
severity = "critical"
text = "{use} of {path} is used, {free} are left"
next = "df -h {path}"
all = "df -h"
many = "more disks are full"

[[rule]]
name = "certificate_expires"
over = "certificate"
when = "left < 14d"
value = "left"
severity = "warning"
text = "the {kind} {file} ends in {left}"
next = "openssl x509 -noout -enddate -in {file}"
all = "fieldwork alert ls -f 'rule == certificate_expires'"
many = "more certificates expire"

[[inhibit]]
when = "rule == site_lost"
mutes = "rule == device_lost"
equal = ["site"]
)toml";
}  // namespace

std::string_view shipped_rules() { return shipped_toml; }

std::string shipped_text(std::string_view rule) {
  const auto at = shipped_toml.find("[[rule]]\nname = \"" + std::string(rule) + "\"\n");
  if (at == shipped_toml.npos) return {};
  return std::string(shipped_toml.substr(at, shipped_toml.find("\n[[", at) - at));
}

}  // namespace fieldwork::alerts
