#!/usr/bin/env bash
# Simulated devices (fieldwork-fleet) behave as real devices do: jobs settle over bad links and restarts of agents, and failures are
# reported. A wrong scenario is refused with the line of the mistake.
# Usage: fleet_test.sh BIN_DIR
bin=$1
cli_s=60 await_s=60
# shellcheck source=tests/support/stack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/stack.sh"

refused() {  # TEXT, and a wrong scenario on stdin: checks that the error has TEXT
  cat >"$dir/wrong.toml"
  local code=0
  "$bin/fieldwork-fleet" --stack "$dir" --scenario "$dir/wrong.toml" --seconds 1 >"$dir/said" 2>&1 || code=$?
  check "$([ $code = 2 ] && grep -qF "$1" "$dir/said" && echo yes)" "a wrong scenario: code $code, $(cat "$dir/said")"
}

names=$(for i in $(seq 12); do printf 'good-%s bad-%s ' "$i" "$i"; done)
stack up "$dir" --bin "$bin" --fast-disk --ttl 300 --devices "$names" --no-agents

refused 'wrong.toml:3' <<<$'[[group]]\ndevices = "a"\ncut_s = "long"'
refused 'wrong.toml:2' <<<$'[[group]]\ncutting = 1'
refused 'wrong.toml:1' <<<'connects_per_s = 0'
refused 'no group' <<<$'[[group]]\ndevices = "none-*"'

# The keys that fieldwork-fleet --make makes are as good as those of scripts/pki, and a second call makes none.
check "$([ "$("$bin/fieldwork-fleet" --stack "$dir" --make 3)" = '3 keys made, 0 were there' ] && echo yes)" "keys for three"
check "$([ "$("$bin/fieldwork-fleet" --stack "$dir" --make 3)" = '0 keys made, 3 were there' ] && echo yes)" "no keys again"
check "$([ "$(stat -c %a "$dir/pki/devices/sim-1.key")" = 600 ] && echo yes)" "keys are their owner's alone"
openssl verify -CAfile "$dir/pki/device-ca.crt" -purpose sslclient "$dir/pki/devices/sim-3.crt" >"$dir/said" 2>&1
check "$(grep -q OK "$dir/said" && echo yes)" "openssl verifies one: $(cat "$dir/said")"

cat >"$dir/scenario.toml" <<'T'
[[group]]
devices = "sim-*"
[[group]]
devices = "good-*"
labels = { kind = "good" }
job_s_min = 0.2
job_s_max = 0.6
[[group]]
devices = "bad-*"
labels = { kind = "bad" }
delay_ms = 30
cut_every_s = 4
cut_s = 1
restart_every_s = 8
job_s_min = 0.2
job_s_max = 0.6
T
"$bin/fieldwork-fleet" --stack "$dir" --scenario "$dir/scenario.toml" --json --seconds 200 >"$dir/fleet.jsonl" 2>"$dir/fleet.err" &
fleet=$!
trap 'kill $fleet 2>/dev/null || true; "$top/scripts/stack" down "$dir"; rm -rf "$dir"' EXIT
all_there() { [ "$(tail -n 1 "$dir/fleet.jsonl" | jq .enrolled)" = 27 ]; }
await "27 devices" all_there
check "$([ "$(find "/proc/$fleet/fd" -mindepth 1 | wc -l)" -lt 50 ] && echo yes)" "one descriptor for each of 27 devices: $(find "/proc/$fleet/fd" -mindepth 1 | wc -l)"

# Runs a job on each device that matches the expression. A restart of an agent fails the attempt that ran there, and the execution is tried again.
run_on() {
  jq -n --arg where "$1" '{command: ["none"], targets: {expression: $where}, retry: {attempts_max: 9, backoff_s: 1}}' >"$dir/targets.json"
  cli run "$dir/targets.json" --wait --timeout 120 --json 2>"$dir/progress"
}
check "$(run_on 'label.kind == good and presence == online' | jq -r 'select(.state == "succeeded") | "yes"')" "jobs on good links"
check "$(run_on 'label.kind == bad' | jq -r 'select(.state == "succeeded") | "yes"')" "jobs over bad links and restarts"
# What no device matches waits, and says which terms are missed.
echo '{"command": ["none"], "requirements": {"expression": "label.kind == good and health > 2"}}' >"$dir/where.json"
waiting=$(cli run "$dir/where.json" --json | jq -r .job)
explained() { cli job explain "$waiting" >"$dir/explained" 2>&1 && grep -q 'expression.*health is .*, wanted health > 2' "$dir/explained"; }
await "the missed term" explained
cli job cancel "$waiting" >"$dir/said"
# The fleet's newest line is up to a second old, so the test waits for the counts.
counted() { [ "$(tail -n 1 "$dir/fleet.jsonl" | jq '.jobs_begun >= 24 and .jobs_ended >= 24')" = true ]; }
await "24 jobs in the fleet's own count" counted
kill -TERM $fleet
code=0
wait $fleet || code=$?
check "$([ $code -le 1 ] && echo yes)" "the fleet ends at SIGTERM: $code"
verdict
