#!/usr/bin/env bash
# A device that stands still past its contract: its work moves, people are told, and when it is back one copy stays, as the job says.
# Then a device that boots while there is no broker, and work that begins at its time meanwhile. At last a device that is killed for
# good. Files count what began and what ended: no job has its effect twice. Usage: failover_test.sh BIN_DIR
bin=$1
await_s=120
# shellcheck source=tests/support/stack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/stack.sh"
listens=
trap '[ -z "$listens" ] || kill "$listens" 2>/dev/null || true; stack down "$dir"; rm -rf "$dir"' EXIT

stack up "$dir" --bin "$bin" --fast-disk --ttl 800 --devices "edge-1 edge-2"
await "edge-1" device_is edge-1 "active online"
await "edge-2" device_is edge-2 "active online"

# What a device is told goes to it alone, and a second client with its certificate would end its own connection: an operator hears it.
echo 'pattern read fieldwork/v1/device/+/down/command' >>"$dir/etc/operators.acl"
stack kill "$dir" mosquitto HUP
mapfile -t door < <(door "$(port operators)" "$dir/pki/operators/operator")
# listen: hears what is said from now on
listen() {
  [ -z "$listens" ] || kill "$listens" 2>/dev/null || true  # it ends with its broker, too
  : >"$dir/heard"
  mosquitto_sub "${door[@]}" -i operator-hears -F '%t %p' -t 'fieldwork/v1/state/service/+' -t 'fieldwork/v1/state/execution/+' \
    -t 'fieldwork/v1/event/execution/moved' -t 'fieldwork/v1/event/device/+' -t 'fieldwork/v1/device/+/down/command' >>"$dir/heard" 2>&1 &
  listens=$!
  await "the listener" grep -q '^fieldwork/v1/state/service/' "$dir/heard"
}
# heard TOPIC FILTER: whether something that was said on TOPIC is as jq's FILTER says
heard() { sed -n "s|^fieldwork/v1/$1 ||p" "$dir/heard" | jq -se "any(.[] | .items // [.] | .[]; $2)" >/dev/null 2>&1; }
listen

# Each run says in a file that it begins; it ends when the switch is there, and that is its effect.
cat >"$dir/program" <<'T'
echo "$FIELDWORK_ATTEMPT" >>"$1/begun"
until [ -e "$1/end" ]; do sleep 0.05; done
echo "$FIELDWORK_ATTEMPT" >>"$1/effects"
T
declare -A job
# given NAME FIELDS: submits a job of that program, which then works in a directory of this name, and waits until it runs
given() {
  mkdir "$dir/$1"
  job[$1]=$(submit "$(jq -nc --arg p "$dir/program" --arg d "$dir/$1" --argjson fields "$2" \
    '{command: ["sh", $p, $d], limits: {time_s: 300}} + $fields')")
  await "$1 begins" begun "$1" 1
  await "$1 runs" job_is "${job[$1]}" running
}
execution() { job_field "${job[$1]}" ".executions[0].$2"; }
is_on() { [ "$(execution "$1" device)" = "$2" ] && [ "$(execution "$1" state)" = running ]; }
attempts() { [ ! -e "$1" ] || paste -sd ' ' "$1"; }
begun() { [ "$(attempts "$dir/$1/begun")" = "$2" ]; }  # NAME ATTEMPTS
counted() {  # NAME BEGUN EFFECTS: checks which attempts of the job began, and which had the effect
  check "$(begun "$1" "$2" && [ "$(attempts "$dir/$1/effects")" = "$3" ] && echo yes)" \
    "$1: begun: $(attempts "$dir/$1/begun"), effects: $(attempts "$dir/$1/effects")"
}
decided() { check "$(grep -q "$2" <<<"$(execution "$1" decided)" && echo yes)" "$1: decided: $(execution "$1" decided)"; }  # NAME WHAT
# goes_on NAME ATTEMPT: whether its program runs, on whichever device of this machine
goes_on() { runs_attempt "program $dir/$1\$" "$2"; }
gone() { ! goes_on "$1" "$2"; }
# where NAME: sets lost, the device that has the job, other, and the attempt's fence
where() {
  lost=$(execution "$1" device)
  other=$([ "$lost" = edge-1 ] && echo edge-2 || echo edge-1)
  fence=$(execution "$1" fence)
}

# moved POLICY: a job whose device stands still until the job runs on the other one
moved() {
  given "$1" '{"offline": {"lost_after_s": 8, "reconcile": "'"$1"'"}, "placement": {"strategy": "spread"}}'
  where "$1"
  stack kill "$dir" "$lost" STOP
  await "its replacement" begun "$1" "1 2"
  await "its replacement" is_on "$1" "$other"
  check "$(goes_on "$1" 1 && echo yes)" "$1: the device stands still, its program does not"
}

# --- the replacement stays ---
moved keep_replacement
told() { cli alert show "work_moved.$lost" --json 2>/dev/null | jq -e '.state == "firing" and (.reason | contains("'"${job[keep_replacement]}"'"))' >/dev/null; }
await "people are told" told
stale() { heard "device/$1/down/command" ".type == \"stale\" and .job == \"${job[keep_replacement]}\" and .execution == 0 and .fence == $fence"; }
check "$(stale "$lost" || echo yes)" "stale was said before the device was back"
stack kill "$dir" "$lost" CONT
await "stale is said to the original" stale "$lost"
await "the original is stopped" gone keep_replacement 1
check "$(goes_on keep_replacement 2 && echo yes)" "the replacement goes on"
touch "$dir/keep_replacement/end"
await "its end" job_is "${job[keep_replacement]}" succeeded
counted keep_replacement "1 2" 2
check "$(heard "device/$other/down/command" '.type == "stale"' || echo yes)" "stale was said to the replacement"
await "$lost is back" device_is "$lost" "active online"

# --- the original stays ---
moved keep_original
stack kill "$dir" "$lost" CONT
await "the replacement is stopped" gone keep_original 2
await "the original is the execution's again" is_on keep_original "$lost"
check "$(goes_on keep_original 1 && [ "$(execution keep_original fence)" -gt "$fence" ] && echo yes)" \
  "the original goes on under a newer fence: $(job_field "${job[keep_original]}" .)"
touch "$dir/keep_original/end"
await "its end" job_is "${job[keep_original]}" succeeded
counted keep_original "1 2" 1
await "$lost is back" device_is "$lost" "active online"

# --- a boot without a link ---
# boot DEVICE: starts its agent as after another boot of its machine: the kernel names another one. Sets begins, what the registry calls
# it: where this machine lets no test do that, "restarted".
boot() {
  local as=() way
  # shellcheck disable=SC2016
  local other_boot='mount --bind "$1/boot_id" /proc/sys/kernel/random/boot_id && shift && exec "$@"'
  cat /proc/sys/kernel/random/uuid >"$dir/boot_id"
  begins=rebooted
  for way in "unshare --mount" "unshare --mount --map-root-user"; do
    read -ra as <<<"$way"
    as+=(sh -c "$other_boot" sh "$dir")
    ! "${as[@]}" true 2>/dev/null || break
    as=()
  done
  [ ${#as[@]} -gt 0 ] || begins=restarted
  "${as[@]}" "$top/scripts/stack" start "$dir" "$1"
}
given again '{"targets": {"devices": ["edge-1"]}, "offline": {"on_reboot": "restart"}}'
given retried '{"targets": {"devices": ["edge-1"]}, "retry": {"attempts_max": 2, "on": ["other"]}}'
given given_up '{"targets": {"devices": ["edge-1"]}, "retry": {"on": ["exit"]}}'
stack kill "$dir" mosquitto
stack kill "$dir" edge-1
for name in again retried given_up; do await "$name ends with its agent" gone "$name" 1; done
boot edge-1
await "it begins again without a link" begun again "1 1"
touch "$dir/again/end"
await "it ends without a link" test -s "$dir/again/effects"
check "$(begun retried 1 && begun given_up 1 && echo yes)" "what failed began again, though nobody could be asked"
# The agent stands still until the listener is back.
stack kill "$dir" edge-1 STOP
stack start "$dir" mosquitto
listen
stack kill "$dir" edge-1 CONT
await "the first one's end is told" job_is "${job[again]}" succeeded
counted again "1 1" 1
check "$([ "$(execution again attempt)" = 1 ] && echo yes)" "it is the same attempt: $(job_field "${job[again]}" .)"
decided again 'the agent was restarted: it begins again, as its contract says'
await "the second is tried again" begun retried "1 2"
await "the second is tried again" is_on retried edge-1
touch "$dir/retried/end"
await "the second one's end" job_is "${job[retried]}" succeeded
counted retried "1 2" 2
await "the third has failed" job_is "${job[given_up]}" failed
counted given_up 1 ""
check "$([ "$(execution given_up state)" = failed ] && echo yes)" "it failed: $(job_field "${job[given_up]}" .)"
decided given_up 'the agent was restarted: it failed, as its contract says'
await "the boot is told" heard event/device/edge-1 ".event == \"$begins\""
await "edge-1 is back" device_is edge-1 "active online"

# --- work that is staged ---
start=$(($(date +%s) + 25))
# shellcheck disable=SC2016
job[staged]=$(submit "$(jq -nc --arg at "$(date -u -d "@$start" +%Y-%m-%dT%H:%M:%SZ)" --arg d "$dir" \
  '{command: ["sh", "-c", "date +%s >\($d)/began"], start_at: $at, targets: {devices: ["edge-1"]}, offline: {stage_s: 3600}}')")
waits() { [ "$(execution staged state)" = fetching ] && grep -q 'waits for its time' <<<"$(execution staged reason)"; }
await "the device has the work" waits
stack kill "$dir" mosquitto
stack kill "$dir" edge-1
stack start "$dir" edge-1
await "it begins without a broker" test -s "$dir/began"
check "$([ "$(cat "$dir/began")" -ge "$start" ] && echo yes)" "it began at $(cat "$dir/began"), not before $start"
stack start "$dir" mosquitto
await "its end is told" job_is "${job[staged]}" succeeded
decided staged 'its time has come: it begins, without a link'
await "edge-1 is back" device_is edge-1 "active online"

# --- a device that does not come back ---
listen
given replaced '{"name": "replaced", "semantics": "at_least_once", "offline": {"lost_after_s": 8}, "placement": {"strategy": "spread"}}'
given once '{"semantics": "at_most_once", "offline": {"lost_after_s": 8}, "placement": {"affinity": [{"job": "replaced"}]}}'
where once
once_fence=$fence
where replaced
check "$([ "$(execution once device)" = "$lost" ] && echo yes)" "both are on $lost: $(execution once device)"
stack kill "$dir" "$lost"
for name in replaced once; do await "$name ends with its agent" gone "$name" 1; done
touch "$dir/replaced/end" "$dir/once/end"
await "its replacement has ended" job_is "${job[replaced]}" succeeded
await "the other one is given up" job_is "${job[once]}" failed
check "$([ "$(execution once state)" = lost ] && echo yes)" "nobody knows how the other one ended: $(job_field "${job[once]}" .)"
counted replaced "1 2" 2
counted once 1 ""
check "$([ "$(execution replaced device)" = "$other" ] && echo yes)" "it ended on $other: $(job_field "${job[replaced]}" .)"
# said NAME EVENT FILTER: awaits this event of the job's execution
said() { await "$1: $2 is said" heard event/execution/moved ".event == \"$2\" and .job == \"${job[$1]}\" and .execution == 0 and .from == \"$lost\" and ($3)"; }
said replaced lost ".fence == $fence"
said replaced moved ".fence == $(execution replaced fence) and .fence > $fence and .to == \"$other\""
said once lost ".fence == $once_fence"
check "$(heard event/execution/moved ".event == \"moved\" and .job == \"${job[once]}\"" || echo yes)" "the other one moved"
await "its state is said" heard "state/execution/${job[replaced]}.0" ".state == \"succeeded\" and .attempt == 2 and .device == \"$other\""
await "its state is said" heard "state/execution/${job[once]}.0" ".state == \"lost\" and .attempt == 1"
# --- the broker loses its retained states: also what is over is told again ---
stack wipe-broker "$dir"
told_again() {
  mosquitto_sub "${door[@]}" -i operator-again -W 2 -C 1 -t "fieldwork/v1/state/execution/${job[staged]}.0" 2>/dev/null |
    jq -e '.state == "succeeded"' >/dev/null
}
await "the state of what has ended, after the broker lost it" told_again

verdict
