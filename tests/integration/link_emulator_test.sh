#!/usr/bin/env bash
# link-emulator delays, limits, loses and cuts what it is told to, and counts each packet once. What is checked holds on a slow machine,
# too: counters, and times and rates that the link cannot beat. Needs root, /dev/net/tun and /usr/bin/python3; is skipped without.
# Usage: link_emulator_test.sh BIN_DIR
set -euo pipefail
bin=$1
python=/usr/bin/python3 # Debian's
skip() { echo "skipped: $1"; exit 77; }
[ "$(id -u)" = 0 ] || skip "only root may make network namespaces"
[ -c /dev/net/tun ] || skip "there is no /dev/net/tun"
[ -x $python ] || skip "there is no $python"
command -v ip >/dev/null || skip "there is no ip (apt-get install iproute2)"
left=emulator-$$-left right=emulator-$$-right
ip netns add "$left" 2>/dev/null || skip "network namespaces cannot be made here"
dir=$(mktemp -d)
emulator="" echoes=""
end() {
  local pid space
  for pid in $emulator $echoes; do kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; done
  for space in "$left" "$right"; do ip netns del "$space" 2>/dev/null || true; done
  rm -rf "$dir"
}
trap end EXIT
trap 'exit 1' INT TERM
ip netns add "$right"

passed=0 failed=0
check() {  # WHAT COMMAND…
  local what=$1
  shift
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAIL $what" >&2; fi
}
await() {  # WHAT COMMAND…
  local what=$1 deadline=$((SECONDS + 60))
  shift
  until "$@"; do
    [ $SECONDS -lt $deadline ] || { echo "FAIL $what did not come" >&2; cat "$dir"/*.out >&2; exit 1; }
    sleep 0.01
  done
}
true_that() { jq -n -e "$1" >/dev/null; }

# --- the two sides: right answers at port 7 and takes at port 9; left asks and floods ---

cat >"$dir/right.py" <<'P'
import select, socket, sys
echo, discard = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
echo.bind((sys.argv[1], 7))
discard.bind((sys.argv[1], 9))
print("ready", flush=True)
while True:
    for ready in select.select([echo, discard], [], [])[0]:
        data, sender = ready.recvfrom(2048)
        if ready is echo:
            echo.sendto(data, sender)
P
cat >"$dir/left.py" <<'P'
# ask ADDRESS COUNT: prints the shortest round trip in ms of those that were answered within 10 s, or "none" (1 s where COUNT is 1)
# flood ADDRESS COUNT: sends datagrams, each a packet of 1000 bytes
import socket, sys, time
verb, address, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if verb == "flood":
    for _ in range(count):
        one.sendto(bytes(972), (address, 9))
else:
    one.settimeout(1 if count == 1 else 10)
    times = []
    for i in range(count):
        began = time.monotonic()
        one.sendto(str(i).encode(), (address, 7))
        try:
            while one.recv(2048) != str(i).encode():
                pass
            times.append((time.monotonic() - began) * 1000)
        except TimeoutError:
            pass
    print(min(times, default="none"))
P
left() { ip netns exec "$left" $python "$dir/left.py" "$1" 10.77.0.2 "$2"; }

control=$dir/control
"$bin/link-emulator" --left "$left" --right "$right" --left-address 10.77.0.1 --right-address 10.77.0.2 --delay 30/20 \
  --queue 20000B --seed 7 --control "$control" >"$dir/emulator.out" &
emulator=$!
await "the link" test -p "$control"
ip netns exec "$right" $python "$dir/right.py" 10.77.0.2 >"$dir/right.out" &
echoes=$!
await "the right side" test -s "$dir/right.out"

tell() { echo "$1" >"$control"; }
asked=0
# count FIELD: prints a counter of the way from left to right
count() {
  asked=$((asked + 1))
  local label=$1-$BASHPID-$asked
  tell "stats $label"
  await "the counters" grep -qF "\"$label\"" "$dir/emulator.out"
  grep -F "\"$label\"" "$dir/emulator.out" | jq ".to_right.$1"
}
count_is() { [ "$(count "$1")" -ge "$2" ]; }
all_came() { [ "$(count in_packets)" = "$(jq -n "$(count out_packets) + $(count lost) + $(count queue_full) + $(count cut)")" ]; }

# --- delay: 30 ms there and 20 ms back ---
trip=$(left ask 5)
check "a round trip of at least 50 ms: $trip" true_that "$trip >= 50"

# --- rate and queue: no more passes than the rate allows, and what the queue cannot hold is dropped ---
tell "delay 0"
tell "rate 1e6"
before=$(count out_bytes) began=$(date +%s%N)
overfull() { left flood 100 && count_is queue_full 1; }
await "a full queue" overfull
await "all of the flood" all_came
bytes=$(($(count out_bytes) - before)) passed_ns=$(($(date +%s%N) - began))
check "$bytes bytes in $passed_ns ns at 1 Mbit/s" true_that "$bytes * 8 / 1e6 <= $passed_ns / 1e9"
check "the queue of 20,000 bytes passes" true_that "$bytes >= 20000"

# --- loss: by itself and in bursts ---
tell "rate 0"
loses() {  # LOSS BURST LEAST MOST: percent of 4000
  local in lost
  tell "loss 0" && tell "burst $2" && tell "loss $1"
  in=$(count in_packets) lost=$(count lost)
  left flood 4000
  await "the flood" count_is in_packets $((in + 4000))
  await "all of it" all_came
  lost=$(($(count lost) - lost))
  check "$1 % lost in bursts of $2: $lost of 4000" true_that "$lost >= 40 * $3 and $lost <= 40 * $4"
}
loses 30 1 26 34
loses 20 8 14 26
loses 100 1 100 100
tell "loss 0"

# --- a cut: nothing passes, and then everything does ---
tell cut
cut=$(count cut)
check "no answer during a cut" test "$(left ask 1)" = none
check "what was cut is counted" count_is cut $((cut + 1))
tell join
check "answers after it" test "$(left ask 3)" != none

# --- what is wrong is said, and the way it ends ---
tell "rate fast"
wrong() {  # TEXT CODE OPTIONS…: the error names TEXT
  local text=$1 code=0 wanted=$2
  shift 2
  "$bin/link-emulator" "$@" 2>"$dir/said" || code=$?
  check "$text: code $code, $(cat "$dir/said")" test "$code $(grep -cF -- "$text" "$dir/said")" = "$wanted 1"
}
wrong "--left-address is missing" 2 --left a --right b
wrong "--loss: '200'" 2 --loss 200
wrong "--queue: '5'" 2 --queue 5
wrong "no option '--rates'" 2 --rates 5
wrong "--left: no network namespace" 1 --left "$left-none" --right "$right" --left-address 10.78.0.1 --right-address 10.78.0.2
code=0
kill -TERM $emulator
wait $emulator || code=$?
emulator=""
check "SIGTERM ends it: $code" test $code = 0
check "its last line counts" jq -e 'select(.label == "end") | .to_right.in_packets > 12000' <(tail -n 1 "$dir/emulator.out") >"$dir/said"
check "the FIFO is gone" test ! -e "$control"
check "the devices are gone" test -z "$(ip -n "$left" -o link show type tun)"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
