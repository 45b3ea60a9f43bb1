#!/usr/bin/env bash
# A standby of the scheduler takes over when the active instance is killed, or frozen while it holds the lock, and jobs go on; the
# frozen instance ends by itself when it wakes up. After a restart of PostgreSQL the active instance stays active, and the standby
# waits. While PostgreSQL hangs, /readyz answers 503.
# Prints how long each takeover took; scripts/bench takeover makes a table of these lines.
# Usage: takeover_test.sh BIN_DIR
bin=$1
await_s=120
# shellcheck source=tests/support/stack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/stack.sh"
instances=()
one=
frozen=()
trap 'kill -CONT "${frozen[@]}" 2>/dev/null || true; for one in "${instances[@]}"; do kill -CONT "$one" 2>/dev/null || true; kill "$one" 2>/dev/null || true; done; stack down "$dir"; rm -rf "$dir"' EXIT

stack up "$dir" --bin "$bin" --fast-disk --ttl 600 --devices "edge-1:cpu=4000,mem=4096"
await "edge-1" device_is edge-1 "active online"
stack kill "$dir" scheduler TERM

# libpqxx 6.4 leaks the result of a session that the server has ended. Leaks are not checked, because they would change the exit codes
# that are tested here.
export ASAN_OPTIONS=detect_leaks=0

# instance NAME: starts a scheduler as a child of this test, so that the test can read its exit code
declare -A pid
instance() {
  : >"$dir/log/$1.log"
  "$bin/fieldwork-scheduler" --config "$dir/etc/scheduler.toml" --set http.listen=127.0.0.1:0 >"$dir/log/$1.log" 2>&1 &
  pid[$1]=$!
  instances+=($!)
}
says() { grep -F "$2" "$dir/log/$1.log" >/dev/null; }
echo '{"name": "one", "command": ["true"]}' >"$dir/one.json"
job_runs() { cli run "$dir/one.json" --wait --timeout 60 >/dev/null 2>&1; }
report() { echo "takeover $1 $(($(date +%s%N) / 1000000 - began)) ms"; }
began() { began=$(($(date +%s%N) / 1000000)); }

instance first
await "the first" says first "connected to the broker"
instance second
await "a standby" says second "waiting to be the active instance"
check "$(job_runs && echo yes)" "a job before"

began
kill -KILL "${pid[first]}"
wait "${pid[first]}" 2>/dev/null || true
await "the second, after the first was killed" says second "connected to the broker"
report killed
check "$(job_runs && echo yes)" "a job after the active instance was killed"

instance third
await "a standby" says third "waiting to be the active instance"
began
kill -STOP "${pid[second]}"
await "the third, after the second froze" says third "connected to the broker"
report frozen
check "$(job_runs && echo yes)" "a job after the active instance froze"
kicked=$(grep -c "not connected" "$dir/log/third.log" || true)
began
kill -CONT "${pid[second]}"
code=0
wait "${pid[second]}" || code=$?
report woken
check "$([ $code -eq 75 ] && echo yes)" "the one that woke up ended with $code, not 75: $(tail -n 5 "$dir/log/second.log")"
check "$([ "$(grep -c "not connected" "$dir/log/third.log" || true)" -eq "$kicked" ] && echo yes)" "the one that woke up pushed the active one off the broker"

instance fourth
await "a standby" says fourth "waiting to be the active instance"
began
stack kill "$dir" postgres KILL
stack start "$dir" postgres
await "a job after the database was restarted" job_runs
report database
check "$(kill -0 "${pid[third]}" 2>/dev/null && echo yes)" "the active instance ended as the database was restarted"
check "$(says fourth "connected to the broker" || echo yes)" "the standby took over although the active instance came back"

# A database that hangs: its connections stay open, but no answers come.
readyz() {
  (exec 3<>"/dev/tcp/127.0.0.1/$(cat "$dir/run/registry.http")" && printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3 &&
    read -r -t 2 line <&3 && [[ $line == *" $1 "* ]]) 2>/dev/null
}
await "a registry that is ready" readyz 200
postmaster=$(cat "$dir/run/postgres.pid")
frozen=()
mapfile -t frozen < <(echo "$postmaster"; ps -o pid= --ppid "$postmaster" | tr -d ' ')
kill -STOP "${frozen[@]}"
await "503 of /readyz while the database hangs" readyz 503
kill -CONT "${frozen[@]}"
await "200 of /readyz after it" readyz 200
await "a job after the database hung" job_runs
verdict
