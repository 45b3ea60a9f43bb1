#!/usr/bin/env bash
# A device that stands still past its contract: its work moves, people are told, and when it is back one copy stays, as the job says.
# Then work that begins at its time while there is no broker, on an agent that was killed meanwhile. Usage: failover_test.sh BIN_DIR
bin=$1
await_s=120
# shellcheck source=tests/support/stack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/stack.sh"

stack up "$dir" --bin "$bin" --fast-disk --ttl 800 --devices "edge-1 edge-2"
await "edge-1" device_is edge-1 "active online"
await "edge-2" device_is edge-2 "active online"

execution() { job_field "$1" ".executions[0].$2"; }

# Each run leaves a file of its own; it ends when the switch is there, and says so once.
cat >"$dir/program" <<'T'
touch "$1/run-$FIELDWORK_ATTEMPT"
until [ -e "$1/end" ]; do sleep 0.05; done
echo "$FIELDWORK_ATTEMPT" >>"$1/effects"
T
# goes_on ATTEMPT: whether its program runs, on whichever device of this machine
goes_on() {
  local pid
  for pid in $(pgrep -f "program $work\$"); do
    if grep -qz "^FIELDWORK_ATTEMPT=$1\$" "/proc/$pid/environ" 2>/dev/null; then return 0; fi
  done
  return 1
}
gone() { ! goes_on "$1"; }

# moved POLICY: a job whose device stands still until the job runs on the other one.
moved() {
  work=$dir/$1
  mkdir "$work"
  job=$(submit "$(jq -nc --arg p "$dir/program" --arg d "$work" --arg policy "$1" \
    '{command: ["sh", $p, $d], limits: {time_s: 300}, offline: {lost_after_s: 8, reconcile: $policy}, placement: {strategy: "spread"}}')")
  await "the job runs" test -e "$work/run-1"
  await "the job runs" job_is "$job" running
  lost=$(execution "$job" device)
  other=$([ "$lost" = edge-1 ] && echo edge-2 || echo edge-1)
  fence=$(execution "$job" fence)
  stack kill "$dir" "$lost" STOP
  await "its replacement" test -e "$work/run-2"
  is_there() { [ "$(execution "$job" device)" = "$other" ] && [ "$(execution "$job" state)" = running ]; }
  await "its replacement" is_there
  check "$(goes_on 1 && echo yes)" "$1: the device stands still, its program does not"
}

# --- the replacement stays ---
moved keep_replacement
told() { cli alert show "work_moved.$lost" --json 2>/dev/null | jq -e '.state == "firing" and (.reason | contains("'"$job"'"))' >/dev/null; }
await "people are told" told
stack kill "$dir" "$lost" CONT
await "the original is stopped" gone 1
check "$(goes_on 2 && echo yes)" "the replacement goes on"
touch "$work/end"
await "its end" job_is "$job" succeeded
check "$([ "$(cat "$work/effects")" = 2 ] && echo yes)" "effects: $(cat "$work/effects")"
await "$lost is back" device_is "$lost" "active online"

# --- the original stays ---
moved keep_original
stack kill "$dir" "$lost" CONT
await "the replacement is stopped" gone 2
back() { [ "$(execution "$job" device)" = "$lost" ] && [ "$(execution "$job" state)" = running ]; }
await "the original is the execution's again" back
check "$(goes_on 1 && [ "$(execution "$job" fence)" -gt "$fence" ] && echo yes)" "the original goes on under a newer fence: $(job_field "$job" .)"
touch "$work/end"
await "its end" job_is "$job" succeeded
check "$([ "$(cat "$work/effects")" = 1 ] && echo yes)" "effects: $(cat "$work/effects")"
await "$lost is back" device_is "$lost" "active online"

# --- work that is staged ---
start=$(($(date +%s) + 25))
# shellcheck disable=SC2016
staged=$(submit "$(jq -nc --arg at "$(date -u -d "@$start" +%Y-%m-%dT%H:%M:%SZ)" --arg d "$dir" \
  '{command: ["sh", "-c", "date +%s >\($d)/began"], start_at: $at, targets: {devices: ["edge-1"]}, offline: {stage_s: 3600}}')")
waits() { [ "$(execution "$staged" state)" = accepted ] && grep -q 'waits for its time' <<<"$(execution "$staged" reason)"; }
await "the device has the work" waits
stack kill "$dir" mosquitto
stack kill "$dir" edge-1
stack start "$dir" edge-1
await "it begins without a broker" test -s "$dir/began"
check "$([ "$(cat "$dir/began")" -ge "$start" ] && echo yes)" "it began at $(cat "$dir/began"), not before $start"
stack start "$dir" mosquitto
await "its end is told" job_is "$staged" succeeded
check "$(grep -q 'its time has come: it begins, without a link' <<<"$(execution "$staged" decided)" && echo yes)" "decided: $(execution "$staged" decided)"
verdict
