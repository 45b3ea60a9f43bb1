#!/usr/bin/env bash
# Many simulated devices, of which a fifth come and go, and many jobs: each ends exactly once, though the scheduler is killed while it
# plans, and the whole fleet stands still past its contracts. Usage: chaos_test.sh BIN_DIR [DEVICES [JOBS]]
bin=$1
devices=${2:-100} jobs=${3:-1000}
await_s=900
# shellcheck source=tests/support/stack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/stack.sh"

stack up "$dir" --bin "$bin" --fast-disk --ttl 1800 --devices sim-1 --no-agents
"$bin/fieldwork-fleet" --stack "$dir" --make "$devices" >/dev/null
# A tenth loses its link every 15 s, another tenth is started again every 20 s.
cat >"$dir/scenario.toml" <<'T'
connects_per_s = 300
[[group]]
devices = "sim-*0"
cpu_millis = 4000
cut_every_s = 15
cut_s = 4
job_s_min = 0.2
job_s_max = 3.0
job_fails = 0.02
[[group]]
devices = "sim-*5"
cpu_millis = 4000
restart_every_s = 20
job_s_min = 0.2
job_s_max = 3.0
[[group]]
cpu_millis = 4000
job_s_min = 0.2
job_s_max = 3.0
job_fails = 0.02
T
"$bin/fieldwork-fleet" --stack "$dir" --scenario "$dir/scenario.toml" --json --seconds 1700 >"$dir/fleet.jsonl" 2>"$dir/fleet.err" &
fleet=$!
trap 'kill $fleet 2>/dev/null || true; kill -CONT $fleet 2>/dev/null || true; "$top/scripts/stack" down "$dir"; rm -rf "$dir"' EXIT
all_there() { [ "$(tail -n 1 "$dir/fleet.jsonl" | jq '.enrolled // 0' | grep . || echo 0)" -ge $((devices * 9 / 10)) ]; }
await "the fleet" all_there

# --- the jobs, many in a message; each is repeated, which must not make another job of it ---
mapfile -t door < <(door "$(port operators)" "$dir/pki/operators/operator")
submit_many() {  # FIRST LAST
  jq -nc --argjson first "$1" --argjson last "$2" '{v: 1, items: [range($first; $last) | {request: "r-\(.)",
    job: {command: ["work"], priority: (. % 10), requirements: {cpu_millis: (500 * (1 + . % 4))},
          offline: {lost_after_s: 20}, retry: {attempts_max: 10, backoff_s: 1, lost_max: 100}}}]}' >"$dir/items"
  mosquitto_pub "${door[@]}" -i operator-submits -q 1 -t fieldwork/v1/service/scheduler/submit/operator -f "$dir/items"
}
for ((at = 0; at < jobs; at += 200)); do
  to=$((at + 200 < jobs ? at + 200 : jobs))
  submit_many $at $to
  submit_many $at $to
done
count() { psql -XAtq "$(jq -r .database "$dir/stack.json")" -c "$1"; }
ended() { [ "$(count 'select count(*) from scheduler.job where not live')" -ge "$1" ]; }

await "a fifth of the jobs" ended $((jobs / 5))
stack kill "$dir" scheduler
stack start "$dir" scheduler
await "two fifths" ended $((jobs * 2 / 5))
# The whole fleet stands still past its contract: what it has is lost, and given out again when it is back.
kill -STOP $fleet
lost() { [ "$(count "select count(*) from scheduler.attempt where state = 'lost'")" -gt 0 ]; }
await "some are given up" lost
kill -CONT $fleet
await "all of them" ended "$jobs"

check "$([ "$(count 'select count(*) from scheduler.job')" = "$jobs" ] && echo yes)" "jobs: $(count 'select count(*) from scheduler.job')"
check "$([ "$(count "select string_agg(distinct state, ' ') from scheduler.job")" = succeeded ] && echo yes)" \
  "states: $(count "select state, count(*), min(reason) from scheduler.job group by 1")"
once="select count(*) from (select job from scheduler.attempt where state = 'succeeded' group by job, execution having count(*) <> 1) as twice"
check "$([ "$(count "$once")" = 0 ] && echo yes)" "succeeded more than once: $(count "$once")"
check "$([ "$(count 'select count(*) from scheduler.attempt where live')" = 0 ] && echo yes)" "live attempts of jobs that are over"
echo "attempts: $(count 'select state, count(*) from scheduler.attempt group by 1 order by 1' | tr '\n' ' ')"
verdict
