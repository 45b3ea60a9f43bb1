#!/usr/bin/env bash
# The shipped example finds the faults that were put into its input, with each awk that is installed. If real series are beside the
# repository (../shared/data/sensor-series), the example also finds an anomaly in each of their labelled windows.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
example=$top/examples/anomaly
series=$top/../shared/data/sensor-series
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "example_test: $1" >&2; exit 1; }

"$example/make-input" >made.csv
cmp made.csv "$example/input.csv" || fail "make-input no longer makes input.csv"
jq -e '.command == ["./detect", "input.csv"] and .outputs == ["result.json"]' "$example/job.json" >/dev/null || fail "job.json"

faults='["2024-03-01T14:55:00Z","2024-03-02T01:20:00Z","2024-03-02T11:45:00Z"]'
for awk in mawk gawk "busybox awk" original-awk; do
  command -v "${awk%% *}" >/dev/null || continue
  rm -f result.json
  # shellcheck disable=SC2086
  $awk -f "$example/detect" "$example/input.csv" >line || fail "$awk: detect failed"
  jq -e --argjson faults "$faults" '.points == 500 and [.anomalies[].timestamp] == $faults' result.json >/dev/null ||
    fail "$awk: found $(cat result.json)"
  grep -q '^500 readings, 3 anomalies: ' line || fail "$awk: said $(cat line)"
done

printf 'timestamp,value\nnot,a number\n' >bad.csv
! "$example/detect" bad.csv 2>/dev/null || fail "no input must be an error"
"$example/detect" threshold=2 max=5 "$example/input.csv" >/dev/null
jq -e '.found > 5 and (.anomalies | length) == 5' result.json >/dev/null || fail "max does not bound the result"

if [ -f "$series/anomaly_windows.json" ]; then
  for file in "$series"/*.csv; do
    "$example/detect" max=200 "$file"
    jq -e --arg file "${file##*/}" --slurpfile windows "$series/anomaly_windows.json" '
      [.anomalies[].timestamp] as $found
      | all($windows[0][$file][]; . as [$from, $to] | any($found[]; . >= $from and . <= $to))' result.json >/dev/null ||
      fail "${file##*/}: a labelled window without a find"
  done
fi
echo "example_test: ok"
