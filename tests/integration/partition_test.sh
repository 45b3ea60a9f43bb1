#!/usr/bin/env bash
# Half of a fleet of four loses its link for a minute, while its agents and programs run on: each job ends as its contract says, with
# one effect, and when the link is back no copy is left that nobody wants. The link of edge-3 and edge-4 is a relay that stands still,
# so their connections hang, as in a network that is cut, and are not closed. Needs /usr/bin/python3, which comes with
# python3-aiosmtpd. Usage: partition_test.sh BIN_DIR
bin=$1
await_s=90
python=/usr/bin/python3 # Debian's
[ -x $python ] || { echo "FAIL missing: apt-get install python3-aiosmtpd" >&2; exit 1; }
# shellcheck source=tests/support/stack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/stack.sh"

relay="" hears=""
end() {
  local pid
  for pid in $relay $hears; do kill -KILL "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; done
  "$top/scripts/stack" down "$dir"
  rm -rf "$dir"
}
trap end EXIT
is() { check "$([ "$2" = "$3" ] && echo yes)" "$1: '$2', not '$3'"; }

# --- the stack, and a link that can be cut ---

# Carries each connection to the port of its argument. Prints its own port.
cat >"$dir/relay.py" <<'P'
import socket, sys, threading
def carry(source, sink):
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
    except OSError:
        pass
    for one in (source, sink):
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    near, _ = listener.accept()
    try:
        far = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    except OSError:
        near.close()
        continue
    for pair in (near, far), (far, near):
        threading.Thread(target=carry, args=pair, daemon=True).start()
P
stack up "$dir" --bin "$bin" --fast-disk --ttl 400 --no-agents --devices "edge-1:side=kept edge-2:side=kept edge-3:side=cut edge-4:side=cut"
$python "$dir/relay.py" "$(port devices)" >"$dir/relay.port" 2>"$dir/log/relay.log" &
relay=$!
await "the relay" test -s "$dir/relay.port"
for device in edge-3 edge-4; do sed -i "s|^url = .*|url = \"ssl://localhost:$(cat "$dir/relay.port")\"|" "$dir/etc/$device.toml"; done
for device in edge-1 edge-2 edge-3 edge-4; do stack start "$dir" "$device"; done
all_are() {  # the states of all devices
  [ "$(cli device ls --json | jq -r '[.[] | .lifecycle + " " + .presence] | join(", ")')" = "$1" ]
}
together="active online, active online, active online, active online"
apart="active online, active online, active lost, active lost"
await "the devices" all_are "$together"

mapfile -t door < <(door "$(port operators)" "$dir/pki/operators/operator")
# The fleet's summary is retained: it says that the subscriptions are made.
mosquitto_sub "${door[@]}" -i operator-hears -t fieldwork/v1/event/execution/moved -t fieldwork/v1/state/fleet/summary -W 300 >"$dir/heard" 2>"$dir/log/hears.log" &
hears=$!
await "the listener" test -s "$dir/heard"

# --- the work ---

# Shows that it runs by its file of beats, until it may end: all of this name, this attempt, or the one on this device. Then it adds the
# effect: execution, attempt and device.
mkdir "$dir/runs" "$dir/ends" "$dir/effects"
cat >"$dir/program" <<'T'
device=${PWD##*/devices/} device=${device%%/*}
run=$1/runs/$2-$FIELDWORK_EXECUTION-$FIELDWORK_ATTEMPT
date +%s%N >"$run.began"
until [ -e "$1/ends/$2" ] || [ -e "$1/ends/$2-$FIELDWORK_ATTEMPT" ] || [ -e "$1/ends/$2-$device" ]; do
  echo >>"$run.beats"
  sleep 0.2
done
echo "$FIELDWORK_EXECUTION $FIELDWORK_ATTEMPT $device" >>"$1/effects/$2"
T
may_end() { touch "${@/#/$dir/ends/}"; }
effects() { [ ! -e "$dir/effects/$1" ] || sort "$dir/effects/$1" | tr '\n' ';'; }
some_effects() { [ -e "$dir/effects/$1" ] && [ "$(wc -l <"$dir/effects/$1")" = "$2" ]; }
began() { [ "$(find "$dir/runs" -name "$1-*-$2.beats" | wc -l)" = "$3" ]; } # NAME ATTEMPT COUNT
# goes_on NAME ATTEMPT: whether such a program runs, on whichever device of this machine
goes_on() { runs_attempt "program $dir $1\$" "$2"; }
gone() { ! goes_on "$1" "$2"; }

# work NAME FIELDS: submits a job of this name; FIELDS are the rest of its document. Sets job[NAME].
declare -A job
work() {
  job[$1]=$(submit "$(jq -nc --arg name "$1" --arg program "$dir/program" --arg dir "$dir" --argjson rest "$2" \
    '{$name, command: ["sh", $program, $dir, $name], limits: {time_s: 300}} + $rest')")
}
ended() { job_is "${job[$1]}" "$2"; }
execution() { job_field "${job[$1]}" ".executions[0].$2"; }
on() { [[ " edge-${2// / edge-} " == *" $(execution "$1" device) "* ]]; } # NAME NUMBERS

there='"placement": {"strategy": "spread", "affinity": [{"expression": "label.side == cut"}]}' # there, if it can be
bound='"placement": {"strategy": "spread"}, "requirements": {"labels": {"side": "cut"}}'       # there, or nowhere
work everywhere '{"targets": {"labels": {}}}'
work replicated '{"replicas": 4}'
work patient "{$bound, \"offline\": {\"lost_after_s\": 200}}"
work replaced "{$there, \"offline\": {\"lost_after_s\": 15}}"
work overtaken "{$there, \"offline\": {\"lost_after_s\": 15}}"
work stopped "{$there, \"offline\": {\"stop_after_s\": 8, \"lost_after_s\": 10}}"
work once "{$bound, \"semantics\": \"at_most_once\", \"offline\": {\"stop_after_s\": 8, \"lost_after_s\": 10}}"
for name in patient replaced overtaken stopped once; do
  await "$name runs" began $name 1 1
  await "$name runs" ended $name running
  check "$(on $name "3 4" && echo yes)" "$name is on $(execution $name device)"
done
for name in everywhere replicated; do
  await "$name runs on all" began $name 1 4
  await "$name runs" ended $name running
done

# --- the cut ---

status=$(stack status "$dir")
kill -STOP "$relay"
minute=$((SECONDS + 60))
# This one is on its way when the registry has not missed the devices yet, or finds them gone already.
may_end early
work early "{$there, \"offline\": {\"stop_after_s\": 8, \"lost_after_s\": 10}}"

# The devices end it by themselves.
await "$(execution stopped device) stops its work" gone stopped 1
await "$(execution once device) stops its work" gone once 1
await "both devices are lost" all_are "$apart"
await "it runs elsewhere" began stopped 2 1
check "$([ "$(stat -c %.9Y "$dir/runs/stopped-0-1.beats" | tr -d .)" -lt "$(cat "$dir/runs/stopped-0-2.began")" ] && echo yes)" \
  "the second copy began at $(cat "$dir/runs/stopped-0-2.began"), the first one was there at $(stat -c %.9Y "$dir/runs/stopped-0-1.beats")"
may_end stopped
await "it is done elsewhere" ended stopped succeeded
await "what may run once is lost" ended once failed
is "once" "$(execution once state)" lost

# New work goes to the devices that are there, though it would rather not.
for number in 1 2 3 4 5 6; do work new-$number "{$there}"; may_end new-$number; done
work later '{"targets": {"labels": {}}}'
may_end later
for number in 1 2 3 4 5 6; do
  await "new work" ended new-$number succeeded
  check "$(on new-$number "1 2" && some_effects new-$number 1 && echo yes)" "new-$number: $(effects new-$number)"
done
await "early is done" ended early succeeded
await "later is done on two" some_effects later 2

# Both are replaced. Of one the replacement ends while the original goes on; of the other both go on until the link is back.
await "replacements" began replaced 2 1
await "replacements" began overtaken 2 1
may_end overtaken-2
await "the replacement ends" ended overtaken succeeded

# What goes on over there ends over there, and nobody knows.
may_end patient replicated everywhere-edge-1 everywhere-edge-2
await "its effect" some_effects patient 1
await "four effects" some_effects replicated 4
await "two effects" some_effects everywhere 2
for device in edge-3 edge-4; do
  notices() { grep -q 'not connected to the broker' "$dir/log/$device.log"; }
  await "$device notices it" notices
done
# The partition is a minute long, as an outage of a network is; what must happen in it may be over sooner.
is_over() { [ $SECONDS -ge $minute ]; }
await "the end of the minute" is_over
check "$(all_are "$apart" && echo yes)" "after a minute: $(cli device ls)"
is "patient" "$(execution patient state)" unreachable
check "$(! ended replicated succeeded && ! ended everywhere succeeded && ! ended later succeeded && echo yes)" "ended without the devices' word"
check "$(goes_on replaced 1 && goes_on replaced 2 && goes_on overtaken 1 && goes_on everywhere 1 && echo yes)" "copies that must run: $(pgrep -af "$dir/program")"
is "the stack after a minute" "$(stack status "$dir")" "$status"

# --- the link is back ---

kill -CONT "$relay"
await "all devices are back" all_are "$together"
stale() { grep -q "job lost job=${job[$1]} .*another attempt has its place" "$dir"/log/edge-[34].log; }
for name in replaced overtaken; do
  await "$name: the original is stopped" gone $name 1
  await "$name: its device gives it up" stale $name
done
check "$(goes_on replaced 2 && echo yes)" "the replacement goes on: $(job_field "${job[replaced]}" .)"
check "$(goes_on everywhere 1 && echo yes)" "its device has it still: $(job_field "${job[everywhere]}" .)"
may_end replaced everywhere
for name in everywhere replicated patient replaced later; do await "the end of $name" ended $name succeeded; done

# --- what came of it ---

sides() { sed 's/edge-[12]/kept/g; s/edge-[34]/cut/g'; }
for name in patient once replaced overtaken stopped early; do
  case $name in
    patient) expected="0 1 cut;" ;;
    once) expected="" ;;
    early) expected="0 $(execution early attempt) kept;" ;;
    *) expected="0 2 kept;" ;;
  esac
  is "the effects of $name" "$(effects $name | sides)" "$expected"
done
for name in everywhere replicated later; do
  is "the effects of $name" "$(cut -d ' ' -f 2- "$dir/effects/$name" | sort | tr '\n' ';')" "1 edge-1;1 edge-2;1 edge-3;1 edge-4;"
done

count() { psql -XAtq -F ' ' "$(jq -r .database "$dir/stack.json")" -c "$1"; }
is "attempts" "$(count "select name, attempt, a.state, case when a.device in ('edge-1', 'edge-2') then 'kept' else 'cut' end, count(*)
  from scheduler.attempt a join scheduler.job using (job) where name !~ '^(new|early)' group by 1, 2, 3, 4" | LC_ALL=C sort)" \
  "everywhere 1 succeeded cut 2
everywhere 1 succeeded kept 2
later 1 succeeded cut 2
later 1 succeeded kept 2
once 1 lost cut 1
overtaken 1 lost cut 1
overtaken 2 succeeded kept 1
patient 1 succeeded cut 1
replaced 1 lost cut 1
replaced 2 succeeded kept 1
replicated 1 succeeded cut 2
replicated 1 succeeded kept 2
stopped 1 lost cut 1
stopped 2 succeeded kept 1"
is "live attempts" "$(count "select count(*) from scheduler.attempt where live or state in ('assigned', 'fetching', 'running', 'unreachable')")" 0
is "jobs" "$(count "select name, state from scheduler.job where name !~ '^new' order by 1" | tr '\n' ';')" \
  "early succeeded;everywhere succeeded;later succeeded;once failed;overtaken succeeded;patient succeeded;replaced succeeded;replicated succeeded;stopped succeeded;"

names=$(for name in "${!job[@]}"; do jq -n --arg id "${job[$name]}" --arg name "$name" '{($id): $name}'; done | jq -sc add)
moves="lost once cut -
lost overtaken cut -
lost replaced cut -
lost stopped cut -
moved overtaken cut kept
moved replaced cut kept
moved stopped cut kept"
told() { jq -r --argjson names "$names" '.items // empty | .[] | "\(.event) \($names[.job]) \(.from) \(.to // "-")"' "$dir/heard" | sides | LC_ALL=C sort; }
is "what moved" "$(told | grep -v ' early ')" "$moves"
no_programs() { ! pgrep -f "sh $dir/program" >"$dir/left"; }
await "the end of all programs" no_programs
is "the devices" "$(cli device ls --json | jq -r '[.[] | .device + " " + .lifecycle + " " + .presence] | join(", ")')" \
  "edge-1 active online, edge-2 active online, edge-3 active online, edge-4 active online"
verdict
