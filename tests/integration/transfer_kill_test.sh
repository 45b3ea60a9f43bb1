#!/usr/bin/env bash
# Killing (kill -9) the agent, the transfer service, the broker and the database in turn, at random moments of a package's way to a
# device: the package arrives whole, and what is sent again is for each kill at most the window and what no checkpoint had.
# Usage: transfer_kill_test.sh BIN_DIR [VICTIM …]; FIELDWORK_KILLS: how many (8), FIELDWORK_SEED: of the moments (as printed)
bin=$1
shift
victims=("$@")
[ ${#victims[@]} -gt 0 ] || victims=(edge-1 transfer mosquitto postgres)
kills=${FIELDWORK_KILLS:-8} seed=${FIELDWORK_SEED:-$RANDOM}
unset FIELDWORK_KILLS FIELDWORK_SEED  # they are no settings of the programs
cli_s=300 await_s=120
# shellcheck source=tests/support/stack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/stack.sh"
RANDOM=$seed
echo "seed $seed"

size=67108864          # of the package's only large file; noise, so that it is sent as it is
window=4194304         # transfer.window_bytes: on its way
checkpoint=16777216    # Inbound::checkpoint_bytes: of the device
row=4194304            # of the transfer service: a row is saved after as many acknowledged bytes
in_one_transfer=4

stack up "$dir" --bin "$bin" --fast-disk --ttl 1700 --devices "edge-1:cpu=4000,mem=4096"
await "the device" device_is edge-1 "active online"
http=$(jq .http.transfer "$dir/stack.json")

mkdir "$dir/work"
head -c $size /dev/urandom >"$dir/work/input.bin"
printf '#!/bin/sh\nsha256sum <input.bin\n' >"$dir/work/sum"
chmod +x "$dir/work/sum"
# health_min: a device that has died often is not healthy.
printf '{"command": ["./sum"], "package": "%s", "requirements": {"health_min": 0}, "retry": {"attempts_max": 9}}' \
  "$(cli package push "$dir/work" --name work --version 1 --json 2>/dev/null | jq -r .digest)" >"$dir/job.json"
sum=$(sha256sum <"$dir/work/input.bin")

# sent: the bytes that were sent to receivers, over all lives of the service but for what each sent in its last milliseconds
lives=0
sent() {
  local now
  now=$(curl -s --max-time 5 "http://127.0.0.1:$http/metrics" | awk '/^fieldwork_transfer_sent_bytes_total/ {printf "%d", $2}') || true
  echo $((lives + ${now:-0}))
}
there() { compgen -G "$dir/devices/edge-1/packages/*.tar" >/dev/null; }
# position: how far the file is in which the device receives; 0: there is none
position() {
  local at
  at=$(stat -c %s "$dir"/devices/edge-1/packages/*.part 2>/dev/null | head -n 1)
  if there; then echo $size; else echo "${at:-0}"; fi
}
is_over() { ! kill -0 "$1" 2>/dev/null; }
reached() { [ "$(position)" -ge "$1" ] || is_over "$2"; }
# Its package may go 10 s after the end of the run.
pruned() { ! there || { cli device prune edge-1 >/dev/null && ! there; }; }
mib() { awk -v bytes="$1" 'BEGIN {printf "%.1f MiB", bytes / 1048576}'; }

# saved: the bytes that the device's newest checkpoint has
saved() {
  local bytes
  bytes=$(tail -q -n 1 "$dir"/devices/edge-1/packages/*.ranges 2>/dev/null | jq '[.ranges[] | .[1] - .[0]] | add // 0') || true
  echo "${bytes:-0}"
}

hits=0 total=0
# strike VICTIM JOB_PID: kills it where the transfer is now. Of the transfer are: `allowed`, what may be sent again for its kills, and
# what the device had, `had`, when its file went up to `from`.
strike() {
  local victim=$1 at now lost=0
  [ "$victim" != transfer ] || now=$(sent)
  ! there || return 0
  kill -KILL "$(cat "$dir/run/$victim.pid")"
  stack kill "$dir" "$victim" KILL
  [ "$victim" != transfer ] || lives=$now
  at=$(position)
  if [ "$at" -lt $size ]; then  # else it was not in the middle
    case $victim in
      transfer) lost=$row ;;
      edge-1)
        now=$(saved)
        lost=$((had + at - from - now)) had=$now from=$at
        check "$([ $lost -le $((checkpoint + window)) ] && echo yes)" "kill edge-1 at $at: $lost bytes were in no checkpoint"
        ;;
    esac
    hits=$((hits + 1)) allowed=$((allowed + window + lost))
    echo "kill $victim at $(mib "$at"): at most $(mib $lost) and what was on its way is lost"
  fi
  stack start "$dir" "$victim"
  await "more of the package" reached $((at + 1)) "$2"
}

transfers=0
while [ $hits -lt "$kills" ] && [ $transfers -lt $((kills + 20)) ]; do
  transfers=$((transfers + 1)) code=0 allowed=0 had=0 from=0
  await "an empty cache" pruned
  begun=$(sent)
  cli run "$dir/job.json" --wait >"$dir/out" 2>"$dir/log/job.log" &
  job=$!
  mapfile -t moments < <(for ((i = 0; i < in_one_transfer; ++i)); do echo $(((RANDOM * 32768 + RANDOM) % size)); done | sort -n)
  for at in "${moments[@]}"; do
    [ $hits -lt "$kills" ] || break
    await "byte $at" reached "$at" $job
    ! there || break
    strike "${victims[$((hits % ${#victims[@]}))]}" $job
  done
  wait $job || code=$?
  again=$(($(sent) - begun - size)) total=$((total + again))
  echo "transfer $transfers: $(mib $again) sent again, at most $(mib $allowed) allowed"
  check "$([ $again -le $allowed ] && echo yes)" "transfer $transfers: $again bytes were sent again, more than $allowed"
  check "$([ $code -eq 0 ] && echo yes)" "transfer $transfers: exit code $code: $(tail -n 5 "$dir/log/job.log")"
  check "$([ "$(cat "$dir/out")" = "$sum" ] && echo yes)" "transfer $transfers: the package has '$(head -c 200 "$dir/out")'"
  check "$([ -z "$(compgen -G "$dir/devices/edge-1/packages/*.part")" ] && echo yes)" "transfer $transfers: a part is left over"
done
check "$([ $hits -ge "$kills" ] && echo yes)" "only $hits of $kills kills were in the middle of a transfer"
echo "$hits kills in $transfers transfers, seed $seed: $(mib $total) sent again"
verdict
