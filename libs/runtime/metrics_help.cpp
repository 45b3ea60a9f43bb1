#include "metrics_help.hpp"

#include <algorithm>
#include <array>

namespace fieldwork::metrics {
namespace {

struct Help {
  std::string_view name, text;
};

constexpr std::array table{
    Help{"fieldwork_alert_rules_stale", "1 while the changed file of alert rules is not usable."},
    Help{"fieldwork_audit_broken_total", "Times that rows of the audit were found lost or changed."},
    Help{"fieldwork_batch_seconds", "Time to decide, store and say one batch of inputs."},
    Help{"fieldwork_build_info", "1; which version runs."},
    Help{"fieldwork_bus_denied_total", "Publishes and subscriptions that the broker's access list refused."},
    Help{"fieldwork_bus_dropped_total", "Messages that were not sent because too many waited."},
    Help{"fieldwork_bus_published_total", "Messages sent."},
    Help{"fieldwork_bus_received_total", "Messages received."},
    Help{"fieldwork_bus_round_trip_seconds", "From the newest acknowledged publish to its acknowledgement."},
    Help{"fieldwork_bus_too_large_total", "Messages above the broker's packet limit, which were not sent."},
    Help{"fieldwork_decisions_total", "Decisions of security-policy."},
    Help{"fieldwork_device_outputs_dropped_total",
         "Outputs that devices dropped before transfer had them, as the devices say."},
    Help{"fieldwork_devices", "Devices that the registry knows."},
    Help{"fieldwork_executions_queued", "Executions that wait for a device."},
    Help{"fieldwork_inputs_dropped_total", "Messages that were not looked at because too many waited."},
    Help{"fieldwork_inputs_total", "Messages and ticks that were worked on."},
    Help{"fieldwork_jobs_live", "Jobs that are not over."},
    Help{"fieldwork_jobs_total", "Jobs that are over, by how they ended."},
    Help{"fieldwork_lines_dropped_total",
         "Lines of programs that were more than their job may send, or not of a live attempt."},
    Help{"fieldwork_lines_total", "Lines of programs that were passed on to another execution of their job."},
    Help{"fieldwork_load_mean", "Processor that is set aside, as a share, in the mean of the devices that get work."},
    Help{"fieldwork_load_variation", "Standard deviation of these shares, divided by their mean."},
    Help{"fieldwork_moved_total", "Executions that lost their device, moved, or were on two devices, by event."},
    Help{"fieldwork_notices_total", "What the scheduler warned of in its log."},
    Help{"fieldwork_notifications_dead_total", "Alerts of which a target will not hear."},
    Help{"fieldwork_notifications_total", "Messages to targets, by result."},
    Help{"fieldwork_outbox_commands", "Messages that are repeated until their receiver has stored them."},
    Help{"fieldwork_outputs_dropped_total", "Outputs that this agent dropped before transfer had them."},
    Help{"fieldwork_outputs_refused_total", "Outputs of jobs that transfer does not take."},
    Help{"fieldwork_outputs_waiting_bytes",
         "Bytes on the disk of outputs that wait for transfer, with compressed copies."},
    Help{"fieldwork_packages_removed_total", "Packages that were removed, by the rule or an operator."},
    Help{"fieldwork_preempted_seconds_total", "Run time of attempts that were ended for a job of a higher class."},
    Help{"fieldwork_preemptions_total", "Attempts that were ended for a job of a higher class."},
    Help{"fieldwork_prune_errors_total", "Rounds of retention that failed, by table."},
    Help{"fieldwork_pruned_rows_total", "Old rows removed, by table."},
    Help{"fieldwork_questions_open", "Questions to security-policy without an answer yet."},
    Help{"fieldwork_rejected_total", "Messages that are not valid, by channel."},
    Help{"fieldwork_revocation_list_stale", "1 while the newest revocation list cannot be used."},
    Help{"fieldwork_stale_total", "Reports and heartbeats of attempts that are not live any more."},
    Help{"fieldwork_stalls_total", "Times that the process or its store stood still for more than 2 s."},
    Help{"fieldwork_store_errors_total", "Failures of the database."},
    Help{"fieldwork_transfer_bad_frames_total",
         "Frames that their receiver could not open and asked for again, by the direction."},
    Help{"fieldwork_transfer_received_bytes_total", "Bytes of outputs and packages received, encoded, each once."},
    Help{"fieldwork_transfer_sent_bytes_total", "Bytes of frames sent, repeats counted."},
    Help{"fieldwork_transfers_ended_total", "Transfers that are over, by direction and how."},
    Help{"fieldwork_transfers_live", "Transfers that are not over."},
    Help{"fieldwork_transfers_running", "Transfers whose receiver is heard and whose turn it is."},
    Help{"fieldwork_unsayable_total", "Messages that no broker takes."},
};

}  // namespace

std::string_view help_of(std::string_view name) {
  const auto it = std::find_if(table.begin(), table.end(), [&](const Help& one) { return one.name == name; });
  return it == table.end() ? std::string_view() : it->text;
}

}  // namespace fieldwork::metrics
