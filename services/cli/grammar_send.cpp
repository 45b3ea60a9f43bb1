// Commands about what is to lie on devices before a job needs it.
#include "grammar.hpp"
#include "model/limits.hpp"

namespace fieldwork::cli {

void add_send(CLI::App& app, Chosen& chosen) {
  auto* send_app = command(
      app, "send", "move a file or a package to devices, without a job",
      "fieldwork send map.bin edge-1                          # a file, to its place below device.files\n"
      "  fieldwork send map.bin 'site == berlin' --as maps/berlin.bin\n"
      "  fieldwork send anomaly@1.0 canary --keep 12h --no-wait  # before the job that needs it\n\n"
      "A path is made a package, signed with release.key and pushed; a repeat sends nothing that is there already. A\n"
      "directory or a package is kept in the devices' caches until --keep is over; a job that needs it begins at once. "
      "A\n"
      "file also appears below the directory that a device has for files, whole or not at all. Those who match later\n"
      "are not sent anything. A device that a policy denies is refused with the rule's name (docs/policies.md).\n"
      "Ctrl-C ends the waiting alone.\n"
      "Exit code: 0 ready on all, 1 refused or failed on some, 2 usage, 3 broker, 5 not ready within --timeout.");
  auto& arguments = chosen.send;
  send_app->add_option("WHAT", arguments.what, "a path, NAME@VERSION or sha256:… (6 digits do)")->required();
  send_app->add_option("TARGET", arguments.target, "a device, a group, or an expression (docs/expressions.md)")
      ->required();
  send_app->add_option("--as", arguments.as,
                       "where the file goes below device.files (default: its own name; behind a '/' too)");
  send_app->add_flag("--stage-only", arguments.stage_only, "only keep the file's package in the caches");
  send_app->add_option("--keep", arguments.keep, "for how long it is kept: 12h, 7d")->capture_default_str();
  send_app->add_option("--priority", arguments.priority, "of its transfers, as of jobs")
      ->check(CLI::Range(0, limits::priority_max))
      ->capture_default_str();
  send_app->add_flag("--no-wait", arguments.no_wait, "end once the devices are asked");
  send_app->add_option("--name", arguments.name, "of the package that is made (default: the path's last part)");
  send_app->add_option("--version", arguments.version, "its version (default: 12 digits of its digest)");
  send_app->callback([&chosen] { chosen.command = [&chosen] { return send(chosen.options, chosen.send); }; });
}

void add_stages(CLI::App& transfer, Chosen& chosen) {
  auto* staged = command(transfer, "staged", "what devices keep, or are to keep, without a job (send)",
                         "fieldwork transfer staged --device edge-1\n  fieldwork transfer staged --package map.bin@1");
  staged->add_option("--device", chosen.staged.device, "only on this device");
  staged->add_option("--package", chosen.staged.package, "only this: NAME@VERSION or sha256:…");
  staged->callback(
      [&chosen] { chosen.command = [&chosen] { return transfer_staged(chosen.options, chosen.staged); }; });
  auto* unstage =
      command(transfer, "unstage", "let devices evict a package that was sent; a file stays where it is",
              "fieldwork transfer unstage anomaly@1.0 canary\n\nExit code: 1 where it is not staged on one of them.");
  unstage->add_option("PACKAGE", chosen.unstage.package, "NAME@VERSION or sha256:… (6 digits do)")->required();
  unstage->add_option("TARGET", chosen.unstage.target, "a device, a group, or an expression")->required();
  unstage->callback(
      [&chosen] { chosen.command = [&chosen] { return transfer_unstage(chosen.options, chosen.unstage); }; });
}

}  // namespace fieldwork::cli
