#!/usr/bin/env bash
# Bad input on every topic changes nothing, is counted, is logged once per burst, and is answered where its sender can be answered.
# A job that cannot run is refused with the field's path. A package whose bytes or signature do not match never runs.
# Usage: bad_input_test.sh BIN_DIR
bin=$1
# shellcheck source=tests/support/stack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/stack.sh"
root=fieldwork/v1

stack up "$dir" --bin "$bin" --fast-disk --ttl 600 --no-agents --devices "edge-1:cpu=4000,mem=4096,zone=a mallory:cpu=1000,mem=512"
pki=$dir/pki
devices=$(port devices) services=$(port services) operators=$(port operators)
agent_http=$((services + 40000 > 65000 ? services - 10000 : services + 20000))
sed -i "1i [http]\nlisten = \"127.0.0.1:$agent_http\"\n" "$dir/etc/edge-1.toml"
sed -i '/^root = /d' "$dir/etc/edge-1.toml"
stack start "$dir" edge-1
await "edge-1" device_is edge-1 "active online"

# --- messages ----------------------------------------------------------------------------------------------------

as() {  # ACTOR: prints the arguments with which mosquitto's clients connect as ACTOR
  case $1 in
    mallory) door "$devices" "$pki/devices/mallory" ;;
    operator) door "$operators" "$pki/operators/operator" ;;
    *) door "$services" "$pki/services/$1" ;;
  esac
}

http_port() { if [ "$1" = edge-1 ]; then echo "$agent_http"; else jq -r ".http[\"$1\"]" "$dir/stack.json"; fi; }
# rejected SERVICE CHANNEL: prints how many messages SERVICE has rejected so far on CHANNEL.
rejected() {
  curl -s --max-time 5 "http://127.0.0.1:$(http_port "$1")/metrics" |
    awk -v line="fieldwork_rejected_total{channel=\"$2\"}" 'index($0, line) == 1 {n = $2} END {print n + 0}'
}
rejected_over() { [ "$(rejected "$1" "$2")" -ge "$3" ]; }

# One bad message of each kind: malformed, empty, not UTF-8, too deep, too large, of a wrong type, of an unknown version, with an
# unknown field.
mkdir "$dir/bad"
printf '{"v":1,' >"$dir/bad/malformed"
printf ' ' >"$dir/bad/empty"
printf '\xff\xfe{' >"$dir/bad/bytes"
{ printf '%.0s[' {1..40}; printf '%.0s]' {1..40}; } >"$dir/bad/deep"
{ printf '{"v":1,"x":"'; head -c 1200000 /dev/zero | tr '\0' a; printf '"}'; } >"$dir/bad/large"
printf '[1,2]' >"$dir/bad/array"
printf '{"v":"1"}' >"$dir/bad/type"
printf '{"v":7}' >"$dir/bad/version"
printf '{"v":1,"no-such-field":true}' >"$dir/bad/field"
declare -A reason=([malformed]="not JSON" [empty]="not JSON" [bytes]="" [deep]="nested deeper" [large]="larger than" [array]="must be an object"
  [type]="/" [version]="/v" [field]="/")

# tell ACTOR TOPIC KIND SERVICE CHANNEL [ANSWER_TOPIC]: publishes the bad message until SERVICE has counted it. The message may be
# lost: published in the name of a service, it ends that service's connection, and SERVICE may still be away because an earlier message
# was published in its name. mosquitto_rr takes no file, so for a message that is too large for an argument only the count is checked.
tell() {
  local actor=$1 topic=$2 kind=$3 service=$4 channel=$5 answer=${6:-} args before file=$dir/bad/$3 heard=$dir/answer deadline
  mapfile -t args < <(as "$actor")
  [ "$kind" != large ] || answer=
  before=$(rejected "$service" "$channel")
  for _ in 1 2 3 4 5; do
    if [ -n "$answer" ]; then
      timeout 20 mosquitto_rr "${args[@]}" -i cli-tell -q 1 -t "$root/$topic" -e "$root/$answer" -m "$(<"$file")" -W 3 >"$heard" 2>&1 || true
    else
      timeout 20 mosquitto_pub "${args[@]}" -i cli-tell -q 1 -t "$root/$topic" -f "$file" >"$heard" 2>&1 || true
    fi
    deadline=$((SECONDS + 3))
    until rejected_over "$service" "$channel" $((before + 1)); do [ $SECONDS -lt $deadline ] || continue 2; done
    break
  done
  rejected_over "$service" "$channel" $((before + 1)) || { check no "$kind at $topic: $service did not count it ($channel)"; return; }
  passed=$((passed + 1))
  [ -n "$answer" ] || return 0
  local wrong='.error | (.code | IN("invalid", "denied", "unknown"))'
  [ "$actor" != mallory ] || wrong=".channel == \"$channel\""
  check "$(jq -e --arg r "${reason[$kind]}" ".v == 1 and ($wrong) and ((.error // .) | (.path // \"\") + \": \" + .reason | contains(\$r))" "$heard" >/dev/null 2>&1 && echo yes)" \
    "$kind at $topic was answered with '$(head -c 300 "$heard")'"
}

# lasting: prints all rows and retained states that bad input must not change. It leaves out what changes by itself: most of a
# device's record (it has the newest heartbeat), the alert about its health (which follows this machine's load), and the audit
# (decisions about certificates belong there).
database=$(jq -r .database "$dir/stack.json")
lasting() {
  psql -XAtq "$database" -c "select schemaname || '.' || tablename from pg_tables where schemaname not in ('pg_catalog','information_schema') order by 1" |
    while read -r table; do
      case $table in
        registry.history_*) ;;
        *.device) psql -XAtq "$database" -c "select device, lifecycle, presence from $table order by 1" ;;
        *.term | *.audit | *.schema_migration*) ;;
        alerting.alert) psql -XAtq "$database" -c "select * from $table as t where rule <> 'device_health' order by t::text" ;;
        *) psql -XAtq "$database" -c "select * from $table as t order by t::text" ;;
      esac | sed "s/^/$table /"
    done
  local args
  mapfile -t args < <(as operator)
  { timeout 20 mosquitto_sub "${args[@]}" -i cli-lasting -t "$root/state/#" --retained-only -W 2 -F '%t %p' 2>/dev/null || true; } |
    jq -R -c 'capture("(?<t>[^ ]*) (?<p>.*)") | [.t, (.p | fromjson | if .capacity then {device, lifecycle, presence} else . end)]' |
    grep -v 'state/health\|state/fleet\|state/service\|state/audit\|state/alert/device_health' | sort
}

# A settled job first, so that there is a state that bad input could harm.
mkdir "$dir/work"
printf '#!/bin/sh\necho run >>%s\necho fine\n' "$dir/runs" >"$dir/work/go"
chmod +x "$dir/work/go"
good=$(cli package push "$dir/work" --name good --version 1 --json | jq -r .digest)
cat >"$dir/good.json" <<J
{"name": "good", "command": ["./go"], "requirements": {"cpu_millis": 100, "labels": {"zone": "a"}}}
J
run_good() { cli run "$dir/good.json" --set-package "$good" --wait 2>/dev/null; }
[ "$(run_good)" = fine ] || { echo "FAIL the first job"; exit 1; }
settled() { lasting >"$dir/a" && lasting >"$dir/b" && diff "$dir/a" "$dir/b" >"$dir/log/unrest.log"; }
await "rest" settled
cp "$dir/b" "$dir/before"
# The device is read now: later the registry may be away because the test publishes in its name.
cli device show edge-1 --json | jq -ce '.device = "mallory"' >"$dir/bad/renamed"
check "$(grep -q 'scheduler.job' "$dir/before" && grep -q 'state/job/' "$dir/before" && echo yes)" "the picture of what lasts shows the job: $(head -c 500 "$dir/before")"

down=device/mallory/down/rejected reply=reply/cli-tell/answer
for kind in malformed empty bytes deep large array type version field; do
  tell mallory device/mallory/up/report "$kind" scheduler report $down
  for channel in enrol heartbeat presence configured; do tell mallory device/mallory/up/$channel "$kind" registry $channel $down; done
  for channel in want received output offer; do tell mallory device/mallory/up/$channel "$kind" transfer $channel $down; done
  for operation in submit cancel show explain list; do tell operator service/scheduler/$operation/operator "$kind" scheduler $operation $reply; done
  for operation in show list stats history activate drain deactivate retire remove configure; do tell operator service/registry/$operation/operator "$kind" registry $operation $reply; done
  for operation in offer start fetch received show list remove; do tell operator service/transfer/$operation/operator "$kind" transfer $operation $reply; done
done
for kind in malformed bytes large; do
  reason[$kind]="not a frame of sealed content"
  tell mallory device/mallory/up/frame "$kind" transfer frame $down
  tell operator service/transfer/frame/operator "$kind" transfer frame $reply
done
# In the name of a service, with fewer kinds: each message ends that service's connection.
for kind in malformed large version; do
  tell security-policy service/scheduler/authorised/security-policy "$kind" scheduler authorised
  tell security-policy service/registry/certificate/security-policy "$kind" registry certificate
  tell scheduler service/security-policy/authorise/scheduler "$kind" security-policy authorise
  tell transfer service/scheduler/uses/transfer "$kind" scheduler uses
  tell scheduler service/transfer/used/scheduler "$kind" transfer used
  tell registry service/security-policy/certificate/registry "$kind" security-policy certificate
  tell transfer service/security-policy/permit/transfer "$kind" security-policy permit
  tell security-policy service/transfer/permitted/security-policy "$kind" transfer permitted
  for service in scheduler security-policy alerting; do tell registry state/device/edge-1 "$kind" $service device; done
  tell transfer state/package/none "$kind" scheduler package
  tell scheduler state/job/j-none "$kind" alerting job
  for channel in command ack; do tell scheduler device/edge-1/down/$channel "$kind" edge-1 $channel; done
  for channel in enrolled echo configure rejected; do tell registry device/edge-1/down/$channel "$kind" edge-1 $channel; done
  for channel in offer frame want output received; do tell transfer device/edge-1/down/$channel "$kind" edge-1 $channel; done
done

# Foreign identities: another device's certificate, another device's name in the payload, and a name that only services may use.
certificate=$(jq -Rs . <"$pki/devices/edge-1.crt")
echo "{\"v\":1,\"session\":1,\"certificate\":$certificate,\"capacity\":{\"cpu_millis\":4000,\"memory_bytes\":1048576,\"storage_bytes\":1048576},\"labels\":{},\"agent\":\"0\"}" >"$dir/bad/stolen"
echo "{\"v\":1,\"digest\":\"$good\",\"certificate\":$certificate}" >"$dir/bad/stolen-want"
reason[stolen]="" reason[stolen-want]="" reason[renamed]=""
tell mallory device/mallory/up/want stolen-want transfer want $down
tell registry state/device/edge-1 renamed scheduler device
tell registry state/device/edge-1 renamed security-policy device
tell registry state/device/edge-1 renamed alerting device
mapfile -t args < <(as mallory)
for _ in 1 2 3 4 5; do  # the registry may still be away because the test published in its name
  ! timeout 20 mosquitto_rr "${args[@]}" -i cli-tell -q 1 -t "$root/device/mallory/up/enrol" -e "$root/device/mallory/down/enrolled" -m "$(<"$dir/bad/stolen")" -W 3 >"$dir/answer" 2>&1 || break
done
check "$(jq -e '.state == "refused"' "$dir/answer" >/dev/null 2>&1 && echo yes)" "a stolen certificate was answered with '$(head -c 300 "$dir/answer")'"

# The reason in the answer to a message that is too large (mosquitto_rr cannot send one).
mapfile -t args < <(as operator)
timeout 30 mosquitto_sub "${args[@]}" -i cli-large -q 1 -C 1 -t $root/reply/cli-large/answer >"$dir/answer" &
listener=$!
while kill -0 $listener 2>/dev/null; do
  timeout 20 mosquitto_pub "${args[@]}" -i cli-tell -q 1 -D publish response-topic $root/reply/cli-large/answer -t $root/service/scheduler/list/operator -f "$dir/bad/large"
done
check "$(grep -q 'larger than ' "$dir/answer" && echo yes)" "too large a message was answered with: $(head -c 300 "$dir/answer")"
mapfile -t args < <(as mallory)

# A burst of bad messages makes one line in the log, however long the burst is.
before=$(rejected registry heartbeat) lines=$(grep -c 'rejected channel=heartbeat' "$dir/log/registry.log" || true) began=$SECONDS
yes '{"v":1,' 2>/dev/null | head -n 500 | timeout 30 mosquitto_pub "${args[@]}" -q 1 -l -t "$root/device/mallory/up/heartbeat" >/dev/null 2>&1 || true
await "500 rejections" rejected_over registry heartbeat $((before + 500))
lines=$(($(grep -c 'rejected channel=heartbeat' "$dir/log/registry.log" || true) - lines))
check "$([ $lines -le $(((SECONDS - began) / 10 + 1)) ] && echo yes)" "500 bad heartbeats made $lines lines in $((SECONDS - began)) s"
for log in "$dir"/log/*.log; do
  check "$([ "$(grep -c 'rejected channel=' "$log" || true)" -lt 400 ] && echo yes)" "$log has a line for each"
done

await "rest" settled
grep -v 'registry.device mallory\|state/device/mallory\|device_refused.mallory' "$dir/b" >"$dir/after" || true
check "$(diff "$dir/before" "$dir/after" >&2 && echo yes)" "bad messages changed what lasts"
check "$([ "$(run_good)" = fine ] && echo yes)" "the job after all that"

# --- jobs that cannot run ------------------------------------------------------------------------------------------

jobs_before=$(cli job ls --json | jq length)
refused() {  # JOB_JSON EXIT TEXT…
  local job=$1 expected=$2 code=0 text
  shift 2
  echo "$job" >"$dir/bad.json"
  cli run "$dir/bad.json" --wait >"$dir/out" 2>&1 || code=$?
  check "$([ $code -eq "$expected" ] && echo yes)" "$job: exit code $code, not $expected: $(cat "$dir/out")"
  for text in "$@"; do check "$(grep -qF -- "$text" "$dir/out" && echo yes)" "$job: '$text' is not in: $(cat "$dir/out")"; done
}
refused "{\"command\":[\"./go\"],\"package\":\"sha256:$(printf '%064d' 0)\"}" 1 /package "no such package"
refused '{"command":["true"],"requirements":{"cpu_millis":999999}}' 1 /requirements/cpu_millis
refused '{"command":["true"],"requirements":{"memory_bytes":99999999999999}}' 1 /requirements/memory_bytes
refused '{"command":["true"],"nonsense":1}' 2 /nonsense
refused '{"command":["true"],"requirements":{"gpu":1}}' 2 /requirements/gpu
refused '{"command":"true"}' 2 /command
refused '{"command":["true"],"priority":99}' 2 /priority
refused '{"command":["true"]' 2 "not JSON"
check "$([ "$(cli job ls --json | jq length)" -eq "$jobs_before" ] && echo yes)" "a refused job is in the list"
# The scheduler refuses such a job, too, without the CLI's own check.
echo '{"v":1,"items":[{"request":"r-1","job":{"command":["true"],"nonsense":1}}]}' >"$dir/bad/job"
mapfile -t args < <(as operator)
timeout 20 mosquitto_rr "${args[@]}" -i cli-tell -q 1 -t $root/service/scheduler/submit/operator -e $root/reply/cli-tell/answer -m "$(<"$dir/bad/job")" -W 10 >"$dir/answer" 2>&1 || true
check "$(grep -q 'job/nonsense' "$dir/answer" && echo yes)" "the scheduler's answer to an unknown field: $(cat "$dir/answer")"

# --- packages that do not match ------------------------------------------------------------------------------------

# forge NAME: pushes a new package whose program writes a file if it ever runs; prints the package's digest
forge() {
  mkdir "$dir/$1"
  printf '#!/bin/sh\necho run >>%s\n' "$dir/ran-$1" >"$dir/$1/go"
  head -c 200000 /dev/urandom >"$dir/$1/ballast"
  chmod +x "$dir/$1/go"
  cli package push "$dir/$1" --name "$1" --version 1 --json | jq -r .digest
}
never_runs() {  # NAME DIGEST
  local code=0
  cli run "$dir/good.json" --set-package "$2" --wait --timeout 45 --json >"$dir/out" 2>"$dir/progress" || code=$?
  check "$([ $code -ne 0 ] && [ ! -e "$dir/ran-$1" ] && echo yes)" "$1: exit code $code, ran: $(cat "$dir/ran-$1" 2>/dev/null)"
  check "$(grep -qi "$3" "$dir/out" "$dir/progress" && echo yes)" "$1: no reason like '$3' in $(cat "$dir/progress" "$dir/out")"
}
release_of() { psql -XAtq "$database" -c "select release from transfer.name where digest = '$1'"; }
# rewrite DIGEST RELEASE: changes the release in the database while transfer is down, so that only the agent can notice it
rewrite() {
  stack kill "$dir" transfer TERM
  psql -XAtq "$database" -c "update transfer.name set release = '$2' where digest = '$1'"
  stack start "$dir" transfer
}
foreign=$(release_of "$good")
# A package with the release of another package.
digest=$(forge signature)
rewrite "$digest" "$foreign"
never_runs signature "$digest" release
# A release with the package's own payload and another package's signature.
digest=$(forge mixed)
rewrite "$digest" "${foreign%%.*}.$(release_of "$digest" | cut -d. -f2).${foreign##*.}"
never_runs mixed "$digest" release
digest=$(forge bytes)
stack kill "$dir" transfer TERM
for file in "$dir"/content/content/"${digest#sha256:}"*; do
  # Changes one byte in the middle of each stored form of the content (plain and zstd).
  size=$(stat -c %s "$file")
  byte=$(od -An -tu1 -j $((size / 2)) -N 1 "$file" | tr -d ' ')
  # shellcheck disable=SC2059
  printf "\\x$(printf %02x $(((byte + 1) % 256)))" | dd of="$file" bs=1 seek=$((size / 2)) conv=notrunc status=none
done
stack start "$dir" transfer
never_runs bytes "$digest" checksum
check "$([ "$(run_good)" = fine ] && echo yes)" "the good job at the end"

verdict
