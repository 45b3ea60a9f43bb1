#!/usr/bin/env bash
# scripts/stack without services: a directory that PostgreSQL's user cannot enter, and whose name has the special characters of shells,
# JSON and sed; data that outlives `down`; names that do not exist.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
place=$(mktemp -d)  # mode 700
# shellcheck disable=SC2089
dir=$place/'a "b" & c |d'
# shellcheck disable=SC2090
trap '[ ! -d "$dir" ] || "$top/scripts/stack" wipe "$dir"; rm -rf "$place"' EXIT
passed=0 failed=0

check() { if [ "$1" = yes ]; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAIL $2" >&2; fi; }
stack() { "$top/scripts/stack" "$@"; }
up() { stack up "$dir" --services "" --no-agents --devices 'edge-1:cpu=1000,site=a"b' --fast-disk --ttl 300; }
sql() { psql -qAt "$(jq -r .database "$dir/stack.json")" -c "$1"; }
ends() {  # CODE COMMAND…
  local code=0 wanted=$1
  shift
  "$@" >"$place/out" 2>&1 || code=$?
  [ $code -eq "$wanted" ] && echo yes || echo "no: $code"
}

check "$(ends 0 up)" "up in a directory of mode 700 with an odd name: $(cat "$place/out")"
check "$(ends 0 sql 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)')" "the database takes a table: $(cat "$place/out")"
check "$([ "$(jq -r .pki "$dir/stack.json")" = "$dir/pki" ] && echo yes)" "stack.json names the directory as it is"
check "$([ "$(stat -c %a "$place")" = 700 ] && echo yes)" "the directory above stays closed"

echo '# mine' >>"$dir/policies/default.toml"
check "$(ends 0 stack down "$dir")" "down"
check "$(grep -c 'stays in' "$place/out" >/dev/null && echo yes)" "down says that the data stays"
check "$(ends 0 up)" "up again"
check "$([ "$(sql 'SELECT n FROM kept')" = 42 ] && echo yes)" "the database is as it was before down"
check "$([ "$(tail -n 1 "$dir/policies/default.toml")" = '# mine' ] && echo yes)" "rules that were changed there stay"
# Makes the state of an up that was interrupted before it made the schemas.
sql 'DROP SCHEMA registry, scheduler, transfer, security_policy, alerting'
rm "$dir/run/alerting.url"
check "$(ends 0 stack down "$dir")" "down"
check "$(ends 0 up)" "up after an interrupted one: $(cat "$place/out")"
check "$([ "$(psql -qAt "$(cat "$dir/run/alerting.url")" -c 'CREATE TABLE alerting.t (n int); SELECT 1')" = 1 ] && echo yes)" "each role has its schema"
check "$([ "$(find /var/tmp -maxdepth 1 -name 'fieldwork-pg.*' -newer "$dir/run/pg.password" | wc -l)" -eq 0 ] && echo yes)" "nothing is kept elsewhere"

check "$(ends 2 stack kill "$dir" nosuch)" "kill of what is not there is an error"
check "$(ends 2 stack start "$dir" nosuch)" "start of what is not there is an error"
check "$(ends 2 stack kill "$dir")" "kill of nothing is an error"
pid=$(cat "$dir/run/postgres.pid")
check "$(ends 2 stack kill "$dir" postgres FOO)" "a signal that there is not is an error"
check "$([ -e "/proc/$pid" ] && echo yes)" "and ends nothing"
for wrong in '--ttl abc' '--devices edge-1:mem=1x' '--devices edge-1:=a' '--devices bad/id' --nosuch; do
  # shellcheck disable=SC2086  # two words
  check "$(ends 2 stack up "$place/wrong" $wrong)" "up $wrong is an error: $(cat "$place/out")"
done
for verb in status down wipe kill start; do
  check "$(ends 2 stack $verb "$place/typo" edge-1)" "$verb of a directory that is not there is an error"
done
check "$([ ! -e "$place/typo" ] && echo yes)" "and none is made"
mkdir "$place/mine" && touch "$place/mine/etc"
check "$(ends 2 stack wipe "$place/mine")" "wipe of a directory without a stack is an error"
check "$([ -e "$place/mine/etc" ] && echo yes)" "and deletes nothing there"
check "$(ends 2 "$top/scripts/quickstart" --dir)" "quickstart --dir without a value is usage"

# A killed process with several threads has ended when its last thread has ended: until then it holds its port.
cat >"$place/lingers.c" <<'C'
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
static void* second(void* unused) { return sleep(2), unused; }
int main(void) {
  pthread_t thread;
  signal(SIGTERM, SIG_IGN);
  pthread_create(&thread, 0, second, 0);
  pthread_exit(0);
}
C
cc -pthread "$place/lingers.c" -o "$place/lingers"
: >"$dir/etc/lingers.toml"
"$place/lingers" &
pid=$!
echo $pid >"$dir/run/lingers.pid"
until [[ $(<"/proc/$pid/stat") == *") Z "* ]]; do :; done
check "$(ends 0 stack kill "$dir" lingers TERM)" "kill of what lingers: $(cat "$place/out")"
check "$(threads=("/proc/$pid/task/"*) && [ ${#threads[@]} -le 1 ] && echo yes)" "kill returns before the last thread ended"
wait $pid || true
rm -f "$dir/etc/lingers.toml"

pid=$(cat "$dir/run/postgres.pid")
touch "$dir/mine"
check "$(ends 0 stack wipe "$dir")" "wipe"
check "$([ ! -e "/proc/$pid" ] || [[ $(<"/proc/$pid/stat") == *") Z "* ]] && echo yes)" "wipe stops the database"
check "$([ "$(ls -A "$dir")" = mine ] && echo yes)" "wipe leaves what is not the stack's: $(ls -A "$dir")"
rm -rf "$dir"

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
