#!/usr/bin/env bash
# Each job of each scenario, from the command line to its result on a device: what it finds is what was planted in its input. Then what a
# scenario's needs mean: a device that is too slow never gets the job, and an unknown name is an error that lists the known.
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
  [ "$job" != obstacle-detection ] || slow=(--param response_ms_max=1000)
  cli scenario run "$scenario" "$job" "${slow[@]}" --with "$with" --privacy none --param seed=3 --output-dir "$out" >"$dir/said" 2>"$dir/log/$job" ||
    { check "" "$job: $(cat "$dir/said" "$dir/log/$job")"; continue; }
  result=$(find "$out" -name result.json | head -n 1)
  "$place/package/make-input" --seed 3 >"$dir/input"
  "$place/package/make-input" --seed 3 --truth >"$dir/truth.csv"
  check "$("$place/check" "$result" "$dir/truth.csv" "$dir/input" >"$dir/checked" 2>&1 && echo yes)" "$job: $(cat "$dir/checked")"
  echo "$job: $(head -n 1 "$dir/said"); $(tail -n 1 "$dir/checked")"
done
# Two vehicles, each on a device of its own: what each heard of the other came through their agents.
cli device set edge-2 label.sensor=lidar --wait >/dev/null
out=$dir/out/both
cli scenario run autonomous-vehicle vehicle-to-vehicle --with "$with" --privacy none --param seed=3 --param vehicles=2 --param lag_ms=10000 \
  --output-dir "$out" >"$dir/said" 2>&1 || check "" "two vehicles: $(cat "$dir/said")"
place=$bin/edge-scenarios/autonomous-vehicle/vehicle-to-vehicle
"$place/package/make-input" --seed 3 --truth >"$dir/truth.csv"
mapfile -t results < <(find "$out" -name result.json | sort)
check "$([ ${#results[@]} = 2 ] && echo yes)" "results of two vehicles: $(find "$out")"
for result in "${results[@]}"; do
  check "$("$place/check" "$result" "$dir/truth.csv" >"$dir/checked" 2>&1 && echo yes)" "two vehicles: $(cat "$dir/checked")"
  check "$(jq -e '.peer != .vehicle and .heard > 1000 and .lost < 100' "$result" >/dev/null && echo yes)" "it heard the other: $(head -c 400 "$result")"
done
check "$([ "$(jq -s 'map(.vehicle) | sort | @json' "${results[@]}")" = '"[1,2]"' ] && echo yes)" "each is one of them"
cli device set edge-2 label.sensor=none --wait >/dev/null

check "$(cli scenario run autonomous-vehicle path-planning --privacy none --json --wait | jq -e '.device == "edge-1"' >/dev/null && echo yes)" \
  "the job of the sensor runs where the sensor is"

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
