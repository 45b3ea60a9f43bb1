#!/usr/bin/env bash
# Each job of each scenario, from the command line to its result on a device: what it finds is what was planted in its input. Then what a
# scenario's needs mean: a device that is too slow, or has no sensor, never gets the job, a job of a vehicle measures its own response,
# and an unknown name is an error that lists the known.
# Usage: scenarios_test.sh BIN_DIR
bin=$1
cli_s=180
# shellcheck source=tests/support/stack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/stack.sh"

stack up "$dir" --bin "$bin" --fast-disk --ttl 600 --devices "edge-1 edge-2"
for device in edge-1 edge-2; do await "$device" device_is "$device" "active online"; done
cli device set edge-1 label.sensor=lidar --wait >/dev/null

# What a busy test machine cannot promise is left out: its links are slow, and its devices not always well.
with='{"requirements":{"latency_ms_max":null,"bandwidth_mbit_min":null,"health_min":0}}'
for path in "$bin"/edge-scenarios/*/*/template.json; do
  place=$(dirname "$path")
  job=$(basename "$place")
  scenario=$(basename "$(dirname "$place")")
  out=$dir/out/$job
  slow=()
  [ "$scenario" != autonomous-vehicle ] || slow=(--param response_ms_max=1000)
  cli scenario run "$scenario" "$job" "${slow[@]}" --with "$with" --privacy none --param seed=3 --output-dir "$out" >"$dir/said" 2>"$dir/log/$job" ||
    { check "" "$job: $(cat "$dir/said" "$dir/log/$job")"; continue; }
  result=$(find "$out" -name result.json | head -n 1)
  "$place/package/make-input" --seed 3 >"$dir/input"
  "$place/package/make-input" --seed 3 --truth >"$dir/truth.csv"
  check "$("$place/check" "$result" "$dir/truth.csv" "$dir/input" >"$dir/checked" 2>&1 && echo yes)" "$job: $(cat "$dir/checked")"
  echo "$job: $(head -n 1 "$dir/said"); $(tail -n 1 "$dir/checked")"
  [ "$scenario" = autonomous-vehicle ] || continue
  check "$(jq -e '.within and .response_ms_max == 1000 and (.response_us | 0 < .p50 and .p50 <= .p95 and .p95 <= .p99 and .p99 <= .max)' \
    "$result" >/dev/null && grep -q 'response p95 .* ms, within 1000 ms' "$dir/said" && echo yes)" "$job says its response: $(tail -c 300 "$result")"
  check "$(jq -es '.[0].parameters.response_ms_max.default == .[1].needs.latency_ms' "$path" "$(dirname "$place")/scenario.json" >/dev/null &&
    echo yes)" "$job compares with the need of its scenario"
done

# --- what is decided on the device: edge-2 has no sensor ---
twice='{"requirements":{"health_min":0},"retry":{"attempts_max":2,"backoff_s":0}}'
vehicle() { cli scenario run autonomous-vehicle "$@" --privacy none --with "$twice"; } # JOB [OPTION …]
lacks_sensor() {
  cli job explain "$job" >"$dir/why" && grep -q 'edge-1 .*labels/sensor .*is lidar, wanted radar' "$dir/why" &&
    grep -q 'edge-2 .*labels/sensor .*has no such label, wanted radar' "$dir/why"
}
for name in obstacle-detection path-planning vehicle-to-vehicle; do
  check "$([ "$(vehicle "$name" --param response_ms_max=1000 --json --wait | jq -r .device)" = edge-1 ] && echo yes)" "$name runs where the sensor is"
  vehicle "$name" --param response_ms_max=0.001 --wait >"$dir/said" 2>&1 && check "" "$name: a microsecond was enough: $(cat "$dir/said")"
  check "$(grep -q 'failed on edge-1: exit code 3' "$dir/said" && grep -q 'response p95 .* ms, not within 0.001 ms' "$dir/said" && echo yes)" \
    "$name says that it was too slow: $(cat "$dir/said")"
  job=$(vehicle "$name" --param sensor=radar | grep -o 'j-[0-9a-f]*' | head -n 1)
  await "$name: which sensor is missing is said" lacks_sensor
  cli job cancel "$job" >/dev/null
done

# Two vehicles, each on a device of its own: what each heard of the other came through their agents.
cli device set edge-2 label.sensor=lidar --wait >/dev/null
out=$dir/out/both
cli scenario run autonomous-vehicle vehicle-to-vehicle --with "$with" --privacy none --param seed=3 --param vehicles=2 --param lag_ms=10000 \
  --param response_ms_max=1000 --output-dir "$out" >"$dir/said" 2>&1 || check "" "two vehicles: $(cat "$dir/said")"
place=$bin/edge-scenarios/autonomous-vehicle/vehicle-to-vehicle
"$place/package/make-input" --seed 3 --truth >"$dir/truth.csv"
mapfile -t results < <(find "$out" -name result.json | sort)
check "$([ ${#results[@]} = 2 ] && echo yes)" "results of two vehicles: $(find "$out")"
for result in "${results[@]}"; do
  check "$("$place/check" "$result" "$dir/truth.csv" >"$dir/checked" 2>&1 && echo yes)" "two vehicles: $(cat "$dir/checked")"
  check "$(jq -e '.peer != .vehicle and .heard > 1000 and .lost < 100 and .within and .response_us.p95 > 0' "$result" >/dev/null && echo yes)" "it heard the other: $(head -c 400 "$result")"
done
check "$([ "$(jq -s 'map(.vehicle) | sort | @json' "${results[@]}")" = '"[1,2]"' ] && echo yes)" "each is one of them"
cli device set edge-2 label.sensor=none --wait >/dev/null

# --- needs ---
far='{"requirements":{"latency_ms_max":0.000001,"bandwidth_mbit_min":null,"health_min":0}}'
job=$(cli scenario run industrial-iot anomaly-detection --with "$far" | grep -o 'j-[0-9a-f]*' | head -n 1)
why() { cli job explain "$job" >"$dir/why" && grep -q 'the round trip is .* ms, wanted at most 1e-06 ms' "$dir/why"; }
await "by how much a device is too slow is said" why
check "$(cli job show "$job" --json | jq -e '.waits.code == "no_good_link"' >/dev/null && echo yes)" "it waits for a link: $(cli job show "$job")"
cli job cancel "$job" >/dev/null
cli scenario run healthcare vital-signs >"$dir/said" 2>&1 && check "" "privacy is not enforced, and was taken"
check "$(grep -q 'no device enforces a privacy level yet' "$dir/said" && echo yes)" "the refusal: $(cat "$dir/said")"
cli scenario show moon >"$dir/said" 2>&1 && check "" "there is no such scenario"
check "$(grep -q 'there are autonomous-vehicle, healthcare, industrial-iot, smart-city' "$dir/said" && echo yes)" "the known: $(cat "$dir/said")"
verdict
