#!/usr/bin/env bash
# Operators manage a device: settings and labels, drain while a job runs, deactivate, activate, sleep, goodbye, remove; and find
# devices by expressions. Usage: devices_test.sh BIN_DIR
bin=$1
# shellcheck source=tests/support/stack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/stack.sh"

stack up "$dir" --bin "$bin" --fast-disk --ttl 300 --devices "edge-1:zone=a aa:bb:cc:dd:ee:01:zone=b"
await "edge-1" device_is edge-1 "active online"
await "the device with a MAC address" device_is aa:bb:cc:dd:ee:01 "active online"

found() { cli device ls -f "$1" --json | jq -r '[.[].device] | join(" ")'; }
field() { cli device show "$1" --json | jq -r "$2"; }
is() { check "$([ "$1" = "$2" ] && echo yes)" "$3: '$1', not '$2'"; }

# --- expressions ---
is "$(found 'label.zone == b')" "aa:bb:cc:dd:ee:01" "by label"
is "$(found 'presence == online and id ^= edge')" "edge-1" "by presence and id"
is "$(cli fleet stats by label.zone --json | jq -c '[.[] | [.value, .devices]]')" '[["a",1],["b",1]]' "counted by label"
code=0
cli device ls -f 'label.zone = b' >"$dir/out" 2>&1 || code=$?
check "$([ $code -eq 1 ] && grep -q 'column 12: write == to compare' "$dir/out" && echo yes)" "a bad expression: exit code $code, $(cat "$dir/out")"
code=0
cli device ls -f 'label.zone == b' --why edge-1 >"$dir/out" 2>&1 || code=$?
check "$([ $code -eq 1 ] && grep -q 'label.zone is a, wanted label.zone == b' "$dir/out" && echo yes)" "why not: exit code $code, $(cat "$dir/out")"

# --- groups, and the fleet in one message ---
cli group define in-b -f 'label.zone == b' >/dev/null
cli group add canary edge-1 aa:bb:cc:dd:ee:01 >/dev/null
cli group drop canary edge-1 >/dev/null
is "$(cli group ls --json | jq -c '[.[] | [.group, .devices, .expression]]')" '[["canary",1,null],["in-b",1,"label.zone == b"]]' "groups"
is "$(found 'group == canary and group == in-b')" "aa:bb:cc:dd:ee:01" "by group"
code=0
cli group add in-b edge-1 >"$dir/out" 2>&1 || code=$?
check "$([ $code -eq 1 ] && grep -q 'follow from its expression' "$dir/out" && echo yes)" "a member of a dynamic group: exit code $code, $(cat "$dir/out")"
mapfile -t door < <(door "$(port operators)" "$dir/pki/operators/operator")
summarised() {
  local summary
  summary=$(mosquitto_sub "${door[@]}" -i operator -t fieldwork/v1/state/fleet/summary -C 1 -W 5 2>/dev/null) || return 1
  [ "$(jq -c '[.devices, .presence.online, .group.canary]' <<<"$summary")" = '[2,2,1]' ]
}
await "the fleet's summary" summarised

# --- the link, by the registry's echoes ---
far() { [ "$(found 'link.round_trip < 5s')" = "aa:bb:cc:dd:ee:01 edge-1" ]; }
await "the round trips" far

# --- history ---
remembered() { cli device history edge-1 --json | jq -e '[.[] | select(.mean.health > 0 and .worst.memory >= .mean.memory)] | length > 0' >/dev/null; }
await "the history" remembered
check "$(cli device history edge-1 --resolution raw --json | jq -e 'length > 0 and all(.beats == 1 and .worst == null)' >/dev/null && echo yes)" "single heartbeats"
check "$(cli device history edge-1 --resolution hour | grep 'ROUND TRIP ms' >/dev/null && echo yes)" "a table"
code=0
cli device history edge-1 --since 5 >"$dir/out" 2>&1 || code=$?
check "$([ $code -eq 2 ] && grep -q 'must be a duration' "$dir/out" && echo yes)" "a bad duration: exit code $code, $(cat "$dir/out")"
code=0
cli device history nobody >"$dir/out" 2>&1 || code=$?
check "$([ $code -eq 1 ] && grep -q 'no such device' "$dir/out" && echo yes)" "an unknown device: exit code $code, $(cat "$dir/out")"

# --- settings ---
cli device set edge-1 label.zone=c heartbeat_s=1 log_level=debug >/dev/null
follows() { cli device show "$1" --json | jq -e '.configured == .configuration.version' >/dev/null; }
await "the device follows" follows edge-1
is "$(found 'label.zone == c')" "edge-1" "the operator's label wins"
cli device set edge-1 label.zone= >/dev/null
is "$(field edge-1 .labels.zone)" "a" "the device's own label again"

# --- drain while a job runs ---
printf '{"command":["/bin/sh","-c","until [ -e %s ]; do sleep 0.1; done"],"requirements":{"labels":{"zone":"a"}}}' "$dir/go" >"$dir/job.json"
cli run "$dir/job.json" --wait >"$dir/run.out" 2>&1 &
job=$!
running() { [ "$(field edge-1 .attempts)" = 1 ]; }
await "the job runs" running
cli device drain edge-1 >/dev/null
is "$(field edge-1 .lifecycle)" draining "drained while a job runs"
code=0
cli device retire edge-1 >"$dir/out" 2>&1 || code=$?
check "$([ $code -eq 1 ] && grep -q 'the device is draining and online' "$dir/out" && echo yes)" "retired too early: exit code $code, $(cat "$dir/out")"
touch "$dir/go"
cli device drain edge-1 --wait >/dev/null
check "$(wait $job && echo yes)" "the job that ran while the device was drained: $(cat "$dir/run.out")"
is "$(field edge-1 .reason)" "drained: nothing runs there" "it says that it is empty"

# --- deactivate, activate ---
cli device deactivate edge-1 --wait >/dev/null
is "$(field edge-1 .lifecycle)" inactive "deactivated"
cli device activate edge-1 --wait >/dev/null
is "$(field edge-1 .lifecycle)" active "activated"

# --- sleep, goodbye, remove ---
"$bin/fieldwork-agent" sleep 3600 --config "$dir/etc/aa:bb:cc:dd:ee:01.toml"
stack kill "$dir" aa:bb:cc:dd:ee:01 STOP  # as a machine that is suspended
await "the device sleeps" device_is aa:bb:cc:dd:ee:01 "active sleeping"
stack kill "$dir" edge-1 TERM
await "the device said goodbye" device_is edge-1 "active disconnected"
cli device remove edge-1 >/dev/null
is "$(cli device ls --json | jq -r '[.[].device] | join(" ")')" "aa:bb:cc:dd:ee:01" "removed"
is "$(field aa:bb:cc:dd:ee:01 .presence)" sleeping "it sleeps still"
stack kill "$dir" aa:bb:cc:dd:ee:01 CONT
await "the device woke up" device_is aa:bb:cc:dd:ee:01 "active online"
verdict
