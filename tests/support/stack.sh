#!/usr/bin/env bash
# What the tests of a whole stack share: a directory for one stack, which is stopped and deleted when the test ends; checks that are
# counted; waiting with a bound. To be sourced after the test has read its arguments and set these variables:
#   bin       the programs' directory; unset: scripts/stack uses its default
#   cli_s     seconds that a command of the CLI may take (default 60)
#   await_s   seconds that await waits at most (default 60)
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
dir=$(mktemp -d)
chmod 755 "$dir"
trap '"$top/scripts/stack" down "$dir"; rm -rf "$dir"' EXIT
passed=0 failed=0

stack() { "$top/scripts/stack" "$@"; }
cli() { timeout "${cli_s:-60}" "${bin:-}/fieldwork" --config "$dir/etc/cli.toml" "$@"; }
port() { jq -r ".ports.$1" "$dir/stack.json"; }

# door PORT CERTIFICATE_WITHOUT_SUFFIX: prints the arguments with which mosquitto's clients connect
door() {
  printf '%s\n' -V 5 -h localhost -p "$1" --cafile "$dir/pki/service-ca.crt" --cert "$2.crt" --key "$2.key" --tls-version tlsv1.3
}

check() {  # yes|no WHAT
  if [ "$1" = yes ]; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAIL $2" >&2; fi
}

# await WHAT COMMAND…: repeats the command until it succeeds; after await_s seconds the test ends as failed
await() {
  local what=$1 deadline=$((SECONDS + ${await_s:-60}))
  shift
  until "$@"; do
    [ $SECONDS -lt $deadline ] || { echo "FAIL $what did not come"; tail -n 20 "$dir"/log/*.log; exit 1; }
    sleep 0.01
  done
}

device_is() { [ "$(cli device show "$1" --json 2>/dev/null | jq -r ".lifecycle + \" \" + .presence")" = "$2" ]; }

# What a job's tests share. job_of: the first job id of the input. submit JOB: prints the id of the job, given as JSON.
# job_field JOB FILTER: what jq finds in it. job_is JOB STATE.
job_of() { grep -o 'j-[0-9a-f]*' | head -n 1; }
submit() {
  printf '%s' "$1" >"$dir/job.json"
  cli run "$dir/job.json" 2>/dev/null | job_of
}
job_field() { cli job show "$1" --json | jq -r "$2"; }
job_is() { [ "$(job_field "$1" .state)" = "$2" ]; }

# runs_attempt PATTERN ATTEMPT: whether a program of this attempt runs whose command line fits, on whichever device of this machine
runs_attempt() {
  local pid
  for pid in $(pgrep -f "$1"); do
    if grep -qz "^FIELDWORK_ATTEMPT=$2\$" "/proc/$pid/environ" 2>/dev/null; then return 0; fi
  done
  return 1
}

# verdict: prints the test's last line and returns its exit code.
verdict() {
  echo "$passed passed, $failed failed"
  [ $failed -eq 0 ]
}
