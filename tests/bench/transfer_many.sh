#!/usr/bin/env bash
# scripts/bench transfer-many: one package from the server to many agents on this machine, in one pass and as if each were alone. Reads
# its arguments from the environment, which scripts/bench sets: bin, devices, size, disturbed, only, patience (seconds). Prints a table
# and, last, one JSON object; says on stderr what it does.
set -euo pipefail
: "${bin:?}" "${devices:?}" "${size:?}" "${disturbed:?}" "${only:?}" "${patience:?}"
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
stack=$(mktemp -d)
out=$(mktemp -d)
chmod 755 "$stack" "$out"
say() { echo "bench: $*" >&2; }
now() { date +%s.%N; }
compute() { jq -n "$1"; }
cli() { "$bin/fieldwork" --config "$stack/etc/cli.toml" "$@"; }
port() { jq ".ports.$1" "$stack/stack.json"; }
names() { seq -f 'd-%g' "$1" "$2"; }

listener=0
end() {
  trap '' INT TERM
  [ $listener = 0 ] || kill "$listener" 2>/dev/null || true
  "$top/scripts/stack" down "$stack" 2>/dev/null || true
  rm -rf "$stack" "$out"
}
trap end EXIT
trap 'exit 130' INT TERM
set -E
trap 'say "line $LINENO failed: $BASH_COMMAND"' ERR

# await SECONDS WHAT COMMAND…: repeats the command until it succeeds
await() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ $SECONDS -lt $deadline ] || { say "$what did not come"; tail -n 5 "$stack"/log/{transfer,scheduler,d-1}.log >&2; exit 1; }
    sleep 0.1
  done
}
are_online() { [ "$(cli fleet stats by presence --json 2>/dev/null | jq 'map(select(.value == "online").devices) | add // 0')" -ge "$1" ]; }
start_agents() { local name; for name in "$@"; do "$top/scripts/stack" start "$stack" "$name"; done; }
stop_agents() { local name; for name in "$@"; do "$top/scripts/stack" kill "$stack" "$name" TERM; done; }
signal_agents() { local name; for name in "${@:2}"; do kill "-$1" "$(cat "$stack/run/$name.pid")"; done; }

# --- counters ---

pid_of() { cat "$stack/run/$1.pid"; }
# cpu_s PID/stat…
cpu_s() { cat "${@/#//proc/}" 2>/dev/null | awk -v ticks="$(getconf CLK_TCK)" '{sub(/.*\) /, ""); sum += $12 + $13} END {print sum / ticks}'; }
# agents_cpu_s: of those that run
agents_cpu_s() {
  local name stats=()
  for name in $(names 1 "$devices"); do [ ! -f "$stack/run/$name.pid" ] || stats+=("$(pid_of "$name")/stat"); done
  cpu_s "${stats[@]}"
}
# frames_bytes: what the transfer service has published as frames, with their envelope
frames_bytes() {
  (exec 3<>"/dev/tcp/127.0.0.1/$(jq .http.transfer "$stack/stack.json")" && printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3 && cat <&3) |
    awk '$1 == "fieldwork_transfer_sent_bytes_total" {sum = $2} END {printf "%.0f\n", sum}'
}
# socket_bytes PID FILTER: what its connections have sent so far, with TLS, without the headers of packets
socket_bytes() {
  ss -tinpHO state established "$2" | grep -F "pid=$1," | grep -o 'bytes_sent:[0-9]*' | awk -F: '{sum += $2} END {printf "%.0f\n", sum}'
}
counters() {
  local transfer broker
  transfer=$(pid_of transfer) broker=$(pid_of mosquitto)
  jq -n -c "{at: $(now), frames: $(frames_bytes), sender: $(socket_bytes "$transfer" "( dport = :$(port services) )"), broker: $(socket_bytes "$broker" "( sport = :$(port devices) )"),
    cpu: {transfer: $(cpu_s "$transfer/stat"), broker: $(cpu_s "$broker/stat"), agents: $(agents_cpu_s)}}"
}

# --- one run ---

door=(-V 5 -h localhost --cafile "$stack/pki/service-ca.crt" --cert "$stack/pki/operators/operator.crt" --key "$stack/pki/operators/operator.key" --tls-version tlsv1.3)
# completed DIGEST: how many devices have the content, verified
completed() { awk -v digest="$1" 'index($0, digest) && index($0, "\"state\":\"complete") {if (match($0, /"transfer":"[0-9a-f]*"/)) seen[substr($0, RSTART, RLENGTH)] = 1} END {n = 0; for (one in seen) ++n; print n}' "$out/states"; }
all_completed() { [ "$(completed "$1")" -ge "$devices" ]; }
# moments DIGEST: when each transfer was complete
moments() { awk -v digest="$1" 'index($0, digest) && index($0, "\"state\":\"complete") {if (match($0, /"transfer":"[0-9a-f]*"/)) {id = substr($0, RSTART, RLENGTH); if (!(id in seen)) print $1; seen[id] = 1}}' "$out/states"; }

# alone DIGEST: of the frames, the bytes that were not sent to all at once, by device
alone() { grep -F "$1" "$out/states" | sed 's/^[^ ]* //' | jq -s -c 'group_by(.transfer) | map(.[-1] | {(.device): .sent_bytes}) | add // {}'; }

# submit_one DIGEST: one job for all. submit_each DIGEST: as many jobs of one device, in one message
submit_one() {
  jq -n --arg package "$1" --arg prefix d- "{command: [\"/bin/true\"], package: \$package, targets: {devices: [range(1; $devices + 1) | \$prefix + tostring]}, requirements: {cpu_millis: 1},
    limits: {time_s: 600}}" >"$out/job.json"
  cli run "$out/job.json" --json >/dev/null
}
submit_each() {
  jq -n -c --arg package "$1" "{v: 1, items: [range(1; $devices + 1) | {request: \"\(\$package[7:23])-\(.)\", job: {command: [\"/bin/true\"], package: \$package,
    targets: {devices: [\"d-\(.)\"]}, requirements: {cpu_millis: 1}, limits: {time_s: 600}}}]}" >"$out/jobs.json"
  mosquitto_pub "${door[@]}" -p "$(port operators)" -q 1 -i bench-submit -D publish response-topic fieldwork/v1/reply/bench-submit/submit -t fieldwork/v1/service/scheduler/submit/operator -f "$out/jobs.json"
}

has_begun() { [ "$(frames_bytes)" -gt "$(jq .frames <<<"$before")" ]; }
# Of the disturbed, half begin 5 s after the job, and half stand still for 3 s after the first frames.
disturb() {
  local still
  still=$(names $((late + 1)) "$disturbed")
  await 60 "the first frame" has_begun
  # shellcheck disable=SC2086 # words
  signal_agents STOP $still
  sleep 3
  # shellcheck disable=SC2086
  signal_agents CONT $still
  sleep 2
  # shellcheck disable=SC2046
  start_agents $(names 1 "$late")
}

# run_one WHAT HOW: HOW is one (a job for all), each (a job for each) or disturbed
run_one() {
  local what=$1 how=$2 digest before after there name
  head -c "$size" /dev/urandom >"$out/file"
  runs=$((runs + 1))
  digest=$(cli package push "$out/file" --name "bench-$runs" --version 1 --json | jq -r .digest)
  if [ "$how" = disturbed ]; then
    # shellcheck disable=SC2046
    stop_agents $(names 1 "$late")
  fi
  say "$what"
  before=$(counters)
  case $how in
    each) submit_each "$digest" ;;
    *) submit_one "$digest" ;;
  esac
  [ "$how" != disturbed ] || disturb
  local deadline=$((SECONDS + patience))
  until all_completed "$digest" || [ $SECONDS -ge $deadline ]; do sleep 0.2; done
  after=$(counters)
  there=$(completed "$digest")
  moments "$digest" | sort -n >"$out/moments"
  jq -n -c --arg what "$what" --argjson before "$before" --argjson after "$after" --slurpfile moments "$out/moments" "
    \$moments as \$m | (\$before.at) as \$began |
    {what: \$what, devices: $devices, bytes: $size, there: $there,
     s: (if $there > 0 then \$m[-1] - \$began else null end), s_median: (if $there > 0 then \$m[((\$m | length) - 1) / 2 | floor] - \$began else null end),
     frames_bytes: (\$after.frames - \$before.frames), sender_bytes: (\$after.sender - \$before.sender), broker_bytes: (\$after.broker - \$before.broker),
     cpu_s: {transfer: (\$after.cpu.transfer - \$before.cpu.transfer), broker: (\$after.cpu.broker - \$before.cpu.broker), agents: (\$after.cpu.agents - \$before.cpu.agents)}} |
    . + {ratio: (.frames_bytes / .bytes), alone_bytes: ($(alone "$digest") | {late: [range(1; $late + 1)], still: [range($late + 1; $disturbed + 1)], all: [range(1; $devices + 1)]} as
      \$who | . as \$sent | \$who | map_values(map(\$sent[\"d-\(.)\"] // 0) | add // 0))}" >>"$out/runs"
  say "$(tail -n 1 "$out/runs")"
  # The programs end, too, before the next run.
  await 120 "the end of the jobs" no_transfers
}
no_transfers() { [ "$(cli transfer ls --json | jq length)" = 0 ]; }

report() {
  jq -s -r 'def mb: . / 1e4 | round / 100; def cents: . * 100 | round / 100;
    ["what", "devices", "s", "median,s", "frames,MB", "of_size", "alone,MB", "sender,MB", "broker,MB", "cpu:transfer,s", "broker,s", "agents,s"],
    (.[] | [(.what | gsub(" "; "_")), "\(.there)/\(.devices)", (.s // 0 | cents), (.s_median // 0 | cents), (.frames_bytes | mb), (.ratio | cents), (.alone_bytes.all | mb), (.sender_bytes | mb), (.broker_bytes | mb),
      (.cpu_s | .transfer, .broker, .agents | cents)]) | @tsv' "$out/runs" | column -t -s $'\t'
  jq -s -c '{transfer_many: .}' "$out/runs"
}

runs=0 late=$((disturbed / 2))
"$top/scripts/stack" up "$stack" --bin "$bin" --devices "$(names 1 "$devices" | tr '\n' ' ')" --no-agents --services "registry scheduler security-policy transfer" >&2
say "$devices agents start"
# shellcheck disable=SC2046
start_agents $(names 1 "$devices")
await 180 "the devices" are_online "$devices"
stdbuf -oL mosquitto_sub "${door[@]}" -p "$(port operators)" -t 'fieldwork/v1/state/transfer/+' -F '%U %p' >"$out/states" 2>"$out/listener.log" &
listener=$!
for one in ${only//,/ }; do
  case $one in
    first) run_one "one pass" one ;;
    each) run_one "each alone" each ;;
    again) run_one "one pass, links known" one ;;
    disturbed) run_one "one pass, $disturbed disturbed" disturbed ;;
  esac
done
report
