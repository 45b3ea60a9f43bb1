#!/usr/bin/env bash
# Killing (kill -9) any service, the broker, the database or the agent in the middle of a job delays the job and does nothing else.
# Usage: kill_test.sh BIN_DIR [VICTIM …]
bin=$1
shift
victims=("$@")
# shellcheck source=scripts/lib/services
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/services"
[ ${#victims[@]} -gt 0 ] || read -ra victims <<<"$all_services mosquitto postgres edge-1 wipe"
cli_s=120 await_s=30
# shellcheck source=tests/support/stack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/stack.sh"

stack up "$dir" --bin "$bin" --fast-disk --ttl 1200 --devices "edge-1:cpu=4000,mem=4096,zone=a edge-2:cpu=2000,mem=1024,zone=b"
both_ready() { [ "$(cli device ls --json | jq '[.[] | select(.lifecycle == "active" and .presence == "online")] | length')" -eq 2 ]; }
await "the devices" both_ready

# trial VICTIM: one job whose package is new, so that each part has work. The devices are enrolled already; transfer, grant and run
# are still to come.
trial() {
  local victim=$1 work=$dir/work-$1 digest job deadline code=0
  mkdir "$work"
  head -c 3000000 /dev/urandom >"$work/input.bin"
  # The program marks each run in a file outside its working directory: an attempt must not run twice.
  # shellcheck disable=SC2016
  printf '#!/bin/sh\necho run >>%s\nsleep 0.3\nwc -c <input.bin >result.txt\n' "$dir/runs-$victim" >"$work/count"
  chmod +x "$work/count"
  cat >"$dir/job-$victim.json" <<J
{"name": "$victim", "command": ["./count"], "requirements": {"cpu_millis": 100, "labels": {"zone": "a"}}, "outputs": ["result.txt"]}
J
  digest=$(cli package push "$work" --name "$victim" --version 1 --json | jq -r .digest)
  cli run "$dir/job-$victim.json" --set-package "$digest" --wait --json >"$dir/result-$victim.json" 2>"$dir/progress-$victim.txt" &
  job=$!
  # Kills the victim once the device has the job, or after 60 s; by then the job may have ended.
  deadline=$((SECONDS + 60))
  until grep -q fetching "$dir/progress-$victim.txt"; do [ $SECONDS -lt $deadline ] || break; done
  if [ "$victim" = wipe ]; then
    stack wipe-broker "$dir"
  else
    stack kill "$dir" "$victim" KILL
    stack start "$dir" "$victim"
  fi
  wait $job || code=$?
  local state content runs
  state=$(jq -r .state "$dir/result-$victim.json")
  content=$(jq -r '.executions[0].result.files[0].content | @base64d' "$dir/result-$victim.json" | tr -d ' \n')
  runs=$(wc -l <"$dir/runs-$victim")
  # The death of the agent may fail the attempt that ran, and then a second attempt runs. The death of any other victim may not.
  if [ "$state" = succeeded ] && [ "$content" = 3000000 ] && { [ "$runs" -eq 1 ] || { [ "$victim" = edge-1 ] && [ "$runs" -le 2 ]; }; }; then
    echo "ok   kill $victim: $state, ran $runs time(s)"
    passed=$((passed + 1))
  else
    echo "FAIL kill $victim: exit $code, state $state, content '$content', ran $runs time(s)"
    cat "$dir/progress-$victim.txt"
    tail -n 20 "$dir"/log/{scheduler,transfer,edge-1}.log
    failed=$((failed + 1))
  fi
}
for victim in "${victims[@]}"; do trial "$victim"; done
verdict
