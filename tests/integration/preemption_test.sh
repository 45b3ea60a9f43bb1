#!/usr/bin/env bash
# One device that is full of long work of low priority: an urgent job takes its room, and the low one runs again afterwards, with one
# effect of each. The scheduler is killed while the device is still ending the low job. Then a job with a start, and one that asks
# for a better link than the device has. Usage: preemption_test.sh BIN_DIR
bin=$1
# shellcheck source=tests/support/stack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/stack.sh"

stack up "$dir" --bin "$bin" --fast-disk --ttl 300 --devices edge-1
await "the device" device_is edge-1 "active online"
cpu=$(cli device show edge-1 --json | jq .capacity.cpu_millis)

# Each run adds a line to two files. The low one goes on as long as there is the switch, also when it is asked to end.
cat >"$dir/program" <<'T'
cd "$(dirname "$0")"
echo "$1" >>runs
trap '' TERM
while [ -e go-on ] && [ "$1" = low ]; do sleep 0.05; done
echo "$1" >>ends
T
touch "$dir/go-on"
job() {  # NAME PRIORITY
  jq -nc --arg name "$1" --argjson priority "$2" --argjson cpu "$cpu" --arg program "$dir/program" \
    '{name: $name, command: ["sh", $program, $name], priority: $priority, requirements: {cpu_millis: $cpu}}'
}

low=$(submit "$(job low 2)")
await "the low job runs" job_is "$low" running
await "its program runs" test -s "$dir/runs"
high=$(submit "$(job high 8)")
preempted() { grep -q ': preempted attempt=' "$dir/log/scheduler.log"; }
await "the low job is told to make room" preempted
stack kill "$dir" scheduler
stack start "$dir" scheduler
ended() { job_is "$1" succeeded; }
await "the urgent job is done" ended "$high"
check "$([ "$(job_field "$low" '.executions[0].failures // 0')" = 0 ] && echo yes)" "the preempted job has failed: $(job_field "$low" .)"
rm "$dir/go-on"
await "the low job is done" ended "$low"
check "$([ "$(tr '\n' ' ' <"$dir/runs")" = "low high low " ] && echo yes)" "runs: $(tr '\n' ' ' <"$dir/runs")"
check "$([ "$(tr '\n' ' ' <"$dir/ends")" = "high low " ] && echo yes)" "ends: $(tr '\n' ' ' <"$dir/ends")"

# --- a time to start ---
start=$(($(date +%s) + 4))
later=$(submit "$(jq -nc --arg at "$(date -u -d "@$start" +%Y-%m-%dT%H:%M:%SZ)" '{command: ["date", "+%s"], start_at: $at}')")
check "$([ "$(job_field "$later" '.executions[0].state // .state')" = waiting ] && echo yes)" "before its time: $(job_field "$later" .)"
await "the job that had to wait is done" ended "$later"
began=$(cli job result "$later" 2>/dev/null | grep -o '^[0-9]*$' | head -n 1)
check "$([ "${began:-0}" -ge "$start" ] && echo yes)" "it began at ${began:-?}, not before $start"

# --- a link that is too slow ---
near=$(submit '{"command":["true"],"requirements":{"latency_ms_max":0.000001}}')
why() { cli job explain "$near" >"$dir/why" && grep -q 'the round trip is .* ms, wanted at most 1e-06 ms' "$dir/why"; }
await "the reason is said" why
check "$(job_is "$near" queued && echo yes)" "it waits: $(job_field "$near" .state)"
verdict
