#!/usr/bin/env bash
# Following jobs: progress, logs while somebody looks, a step that stands still, whole logs as outputs, what was used; then versions,
# retry, and a job that devices join later. Usage: follow_test.sh BIN_DIR
bin=$1
# shellcheck source=tests/support/stack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/stack.sh"

stack up "$dir" --bin "$bin" --fast-disk --ttl 400 --devices "edge-1 edge-2"
await "the devices" device_is edge-1 "active online"
await "the devices" device_is edge-2 "active online"

# --- progress and logs ---
cat >"$dir/program" <<'T'
echo "before anybody looks"
echo "progress 1 4 warming up" >>"$FIELDWORK_PROGRESS"
echo "step scan" >>"$FIELDWORK_PROGRESS"
while [ ! -e "$1/look" ]; do sleep 0.05; done
echo "progress 50% half" >>"$FIELDWORK_PROGRESS"
echo "somebody looks at $FIELDWORK_JOB $FIELDWORK_EXECUTION $FIELDWORK_ATTEMPT"
while [ ! -e "$1/end" ]; do sleep 0.05; done
echo "progress 4 4" >>"$FIELDWORK_PROGRESS"
head -c 1048576 /dev/zero >big
echo "done"
T
job=$(submit "$(jq -nc --arg p "$dir/program" --arg d "$dir" \
  '{name: "watched", command: ["sh", $p, $d], limits: {time_s: 120, log_bytes: 100000}}')")
at() { [ "$(job_field "$job" ".executions[0].progress.$1")" = "$2" ]; }
await "the first progress" at step scan
check "$(at total 4 && at fraction 0.25 && at "done" 1 && echo yes)" "progress: $(job_field "$job" .executions[0])"
check "$([ "$(job_field "$job" '.executions[0].resources_allocated.cpu_millis')" = 0 ] && [ "$(job_field "$job" '.executions[0].assigned_ms')" -gt 0 ] && echo yes)" \
  "what was set aside: $(job_field "$job" .executions[0])"
cli job logs "$job" >"$dir/logs" 2>"$dir/logs.err" &
logs=$!
begins() { grep -q '^before anybody looks$' "$dir/logs"; }
await "what it wrote before" begins
touch "$dir/look"
looks() { grep -q "^somebody looks at $job 0 1$" "$dir/logs"; }
await "what it writes while somebody looks" looks
check "$([ "$(grep -c 'somebody looks' "$dir/logs")" = 1 ] && echo yes)" "a line came twice: $(cat "$dir/logs")"
cli job watch "$job" >"$dir/watch" 2>&1 &
watch=$!
await "the second progress" at fraction 0.5
watched() { grep -q '50 %' "$dir/watch"; }
await "the watcher sees it" watched
touch "$dir/end"
wait $logs || check no "job logs ended with $?: $(cat "$dir/logs.err")"
wait $watch || check no "job watch ended with $?: $(cat "$dir/watch")"
check "$(grep -q '^done$' "$dir/logs" && echo yes)" "the last line: $(cat "$dir/logs")"
check "$(grep -q "job $job has succeeded\|job $job succeeded\|succeeded" "$dir/watch" && echo yes)" "watch: $(cat "$dir/watch")"
check "$([ "$(job_field "$job" '.executions[0].progress.fraction')" = 1 ] && echo yes)" "the last progress stays: $(job_field "$job" .executions[0])"
check "$([ "$(job_field "$job" '.executions[0].use.written_bytes')" -ge 1048576 ] && [ "$(job_field "$job" '.executions[0].use.memory_peak_bytes')" -gt 0 ] && echo yes)" \
  "what it used: $(job_field "$job" .executions[0].use)"
cli job result "$job" --output-dir "$dir/out" >/dev/null 2>&1
check "$(grep -q 'before anybody looks' "$dir/out/stdout.log" && grep -q '^done$' "$dir/out/stdout.log" && [ -e "$dir/out/stderr.log" ] && echo yes)" \
  "the whole log: $(ls "$dir/out" 2>&1; cat "$dir/out/stdout.log" 2>&1)"
check "$(grep -q 'done' <<<"$(cli job logs "$job" 2>/dev/null)" && echo yes)" "the logs of a job that is over"

# Nobody looks: nothing is sent.
mapfile -t door < <(door "$(port operators)" "$dir/pki/operators/operator")
mosquitto_sub "${door[@]}" -i operator -t 'fieldwork/v1/device/+/up/log' -t 'fieldwork/v1/state/job/+' -W 60 >"$dir/heard" 2>"$dir/listens" &
listens=$!
await "the listener" test -s "$dir/heard"
# shellcheck disable=SC2016
loud=$(submit '{"command":["sh","-c","for i in 1 2 3; do echo $i; sleep 0.1; done"]}')
await "a job that nobody follows" job_is "$loud" succeeded
heard_its_end() { grep -q "$loud.*\"state\":\"succeeded\"" "$dir/heard"; }
await "its end is heard" heard_its_end
kill $listens
wait $listens || true
check "$(grep -q '"stream"' "$dir/heard" || echo yes)" "nobody asked, but: $(grep '"stream"' "$dir/heard")"

# --- a step that stands still ---
# shellcheck disable=SC2016
still=$(submit '{"command":["sh","-c","echo progress 1 2 >>$FIELDWORK_PROGRESS; sleep 60"],"limits":{"time_s":60,"step_s":2},"retry":{"attempts_max":1}}')
failed() { job_is "$still" failed; }
await "the job that stands still" failed
check "$([ "$(job_field "$still" '.executions[0].state')" = timed_out ] && grep -q 'no progress for 2 s' <<<"$(job_field "$still" .reason)" && echo yes)" "$(job_field "$still" .)"

# --- versions and retry ---
version=$(job_field "$still" .changed_ms)
code=0
cli job retry "$still" --expects 1 >"$dir/retry" 2>&1 || code=$?
check "$([ $code -ne 0 ] && grep -q 'the job has changed: it is failed' "$dir/retry" && echo yes)" "another version: $code $(cat "$dir/retry")"
again=$(cli job retry "$still" --expects "$version" --request r-1 2>/dev/null | job_of)
same=$(cli job retry "$still" --expects "$version" --request r-1 2>/dev/null | job_of)
check "$([ -n "$again" ] && [ "$again" = "$same" ] && [ "$again" != "$still" ] && echo yes)" "retry: $again, repeated: $same"
check "$([ "$(job_field "$again" .retry_of)" = "$still" ] && echo yes)" "retry of: $(job_field "$again" .)"
code=0
cli job retry "$job" >"$dir/retry" 2>&1 || code=$?
check "$([ $code -ne 0 ] && grep -q 'all 1 executions succeeded' "$dir/retry" && echo yes)" "nothing failed: $code $(cat "$dir/retry")"
cli job cancel "$again" >/dev/null
code=0
cli job wait "$again" >/dev/null 2>&1 || code=$?
check "$([ $code -eq 1 ] && echo yes)" "job wait of a cancelled job: $code"

# Of a job on two devices of which one fails, only that one runs again.
touch "$dir/good-0"
# shellcheck disable=SC2016
half=$(submit "$(jq -nc --arg d "$dir" '{command: ["sh", "-c", "[ -e \($d)/good-$FIELDWORK_EXECUTION ]"], targets: {devices: ["edge-1", "edge-2"]}, retry: {attempts_max: 1}}')")
half_failed() { job_is "$half" failed; }
await "one of two fails" half_failed
rest=$(cli job retry "$half" 2>/dev/null | job_of)
rest_done() { job_is "$rest" succeeded; }
await "the one that failed" rest_done
check "$([ "$(job_field "$rest" '[.executions[].device] | join(" ")')" = edge-2 ] && echo yes)" "retried on: $(job_field "$rest" .)"

# --- devices that join later ---
code=0
joined=$(submit '{"command":["true"],"targets":{"expression":"label.role == press","continuous":true},"deadline_s":3600}')
check "$([ -n "$joined" ] && job_is "$joined" submitted && grep -q 'waits for devices' <<<"$(job_field "$joined" .reason)" && echo yes)" "without a target: $(job_field "$joined" .)"
for device in edge-1 edge-2; do
  cli device set "$device" label.role=press --wait >/dev/null
  one_more() { [ "$(job_field "$joined" "[.executions[] | select(.device == \"$device\" and .state == \"succeeded\")] | length")" = 1 ]; }
  await "$device joins" one_more
done
stack kill "$dir" scheduler
stack start "$dir" scheduler
two() { [ "$(job_field "$joined" '.executions | length')" = 2 ] && job_is "$joined" queued; }
await "the job goes on after a restart" two
cli job cancel "$joined" >/dev/null
check "$(job_is "$joined" cancelled && echo yes)" "cancelled: $(job_field "$joined" .)"
verdict
