#!/usr/bin/env bash
# Result files that are too large for a report come back byte for byte, also when the agent or the transfer service is killed
# (kill -9) while a file is on its way. A file that is larger than allowed, or missing, fails the job with a clear reason.
# Usage: outputs_test.sh BIN_DIR
bin=$1
cli_s=200 await_s=90
# shellcheck source=tests/support/stack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/stack.sh"

stack up "$dir" --bin "$bin" --fast-disk --ttl 600 --devices "edge-1:cpu=1000,mem=1024"
await "edge-1" device_is edge-1 "active online"

# pack NAME: makes a package whose program writes its input twice, and one small file
pack() {
  mkdir "$dir/$1"
  head -c 20000000 /dev/urandom >"$dir/$1/input.bin"
  printf '#!/bin/sh\nmkdir -p deep\ncat input.bin input.bin >deep/large.bin\nwc -c <deep/large.bin >small.txt\n' >"$dir/$1/go"
  chmod +x "$dir/$1/go"
  cli package push "$dir/$1" --name "$1" --version 1 --json 2>/dev/null | jq -r .digest
}
echo '{"command": ["./go"], "outputs": ["deep/large.bin", "small.txt"]}' >"$dir/job.json"

arriving() { find "$dir/content/incoming" -type f -size +1M 2>/dev/null | grep . >/dev/null; }
is_over() { ! kill -0 "$1" 2>/dev/null; }
either() { arriving || is_over "$1"; }

trial() {  # VICTIM: the part that is killed, or none
  local victim=$1 digest job code=0 caught=yes
  digest=$(pack "work-$victim")
  cli run "$dir/job.json" --set-package "$digest" --wait --timeout 150 --output-dir "$dir/out-$victim" --json >"$dir/result" 2>"$dir/progress" &
  job=$!
  if [ "$victim" != none ]; then
    # Waits until the output is on its way and not yet complete.
    await "an output on its way" either $job
    ! is_over $job || caught=no
    stack kill "$dir" "$victim" KILL
    arriving || caught=no
    stack start "$dir" "$victim"
    check $caught "kill $victim: it was not in the middle"
  fi
  wait $job || code=$?
  check "$([ $code -eq 0 ] && echo yes)" "kill $victim: exit code $code: $(cat "$dir/progress")"
  check "$(cat "$dir/work-$victim/input.bin" "$dir/work-$victim/input.bin" | cmp -s - "$dir/out-$victim/deep/large.bin" && echo yes)" "kill $victim: the large file"
  check "$([ "$(tr -d ' \n' <"$dir/out-$victim/small.txt")" = 40000000 ] && echo yes)" "kill $victim: the small file"
  check "$(jq -e '.state == "succeeded" and (.executions | length) == 1' "$dir/result" >/dev/null && echo yes)" "kill $victim: $(head -c 500 "$dir/result")"
  if [ "$victim" = none ]; then
    cli job result "$(jq -r .job "$dir/result")" --output-dir "$dir/later" >/dev/null 2>&1 || true
    check "$(diff -r "$dir/out-$victim" "$dir/later" >/dev/null && echo yes)" "the same files, later, by job result"
  fi
  rm -rf "$dir/out-$victim" "$dir/work-$victim"
}
for victim in none transfer edge-1 mosquitto; do trial $victim; done

# The device keeps no output that it has delivered, and transfer keeps no partly received file.
nothing_waits() { [ -z "$(find "$dir/devices/edge-1/outputs" "$dir/content/incoming" -type f 2>/dev/null)" ]; }
await "an empty place for outputs" nothing_waits

fails() {  # SCRIPT OUTPUT TEXT
  local code=0
  jq -n --arg script "$1" --arg output "$2" '{command: ["/bin/sh", "-c", $script], outputs: [$output], retry: {attempts_max: 1}}' >"$dir/bad.json"
  cli run "$dir/bad.json" --wait --timeout 60 --output-dir "$dir/out-bad" --json >"$dir/result" 2>"$dir/progress" || code=$?
  check "$([ $code -eq 1 ] && echo yes)" "'$1' ended with exit code $code"
  check "$(jq -r .reason "$dir/result" | grep "$3" >/dev/null && echo yes)" "'$1': '$3' is not in $(jq -c '{state, reason}' "$dir/result")"
  # The logs, at level info, say what happened to the job.
  local job line
  job=$(jq -r .job "$dir/result")
  for line in 'agent: job runs' 'agent: job failed' 'scheduler: job settled'; do
    check "$(cat "$dir"/log/{edge-1,scheduler}.log | grep "$line job=$job " >/dev/null && echo yes)" "'$1': no line '$line' of $job"
  done
}
fails 'truncate -s 1073741825 huge' huge 'output huge is larger than 1073741824 bytes'
fails 'true' absent 'output absent was not written'
verdict
