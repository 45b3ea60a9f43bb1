#!/usr/bin/env bash
# A device with a small disk that fills up: its storage comes under pressure, it gets no more work, its agent deletes the cached
# package by itself, and it is relieved. Then `device prune` and `device health`. Needs root, to mount the disk. Usage:
# pressure_test.sh BIN_DIR
bin=$1
[ "$(id -u)" = 0 ] || { echo "not run: mounting a small disk needs root"; exit 0; }
# shellcheck source=tests/support/stack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/stack.sh"

disk=$dir/devices/edge-1
mkdir -p "$disk"
mount -t tmpfs -o size=64m,mode=755 small-disk "$disk"
trap '"$top/scripts/stack" down "$dir"; umount "$disk"; rm -rf "$dir"' EXIT
export FIELDWORK_PRESSURE_RELIEVED_AFTER_S=3 FIELDWORK_PRESSURE_STORAGE_PERCENT=90
stack up "$dir" --bin "$bin" --fast-disk --ttl 300 --devices edge-1
await "the device" device_is edge-1 "active online"
cli device set edge-1 heartbeat_s=1 >/dev/null

shown() { cli device show edge-1 --json | jq -c "$1"; }
shows() { [ "$(shown "$1")" = "$2" ]; }
is() { check "$([ "$1" = "$2" ] && echo yes)" "$3: '$1', not '$2'"; }

mkdir "$dir/package"
printf '#!/bin/sh\ncat data | wc -c\n' >"$dir/package/count"
chmod +x "$dir/package/count"
head -c 12000000 /dev/urandom >"$dir/package/data"
digest=$(cli package push "$dir/package" --name big --version 1.0)
printf '{"command":["./count"],"package":"%s"}' "$digest" >"$dir/job.json"
is "$(cli run "$dir/job.json" --wait 2>/dev/null)" 12000000 "a job with the package"
await "the package is no longer needed" shows '.resources.prunable_bytes > 12000000' true

# --- nothing is wrong: an operator prunes ---
cli device prune edge-1 --wait >/dev/null
await "the cache is empty" shows '.resources.prunable_bytes' 0
is "$(cli run "$dir/job.json" --wait 2>/dev/null)" 12000000 "the package is fetched again"

# --- the disk fills up: the agent prunes by itself ---
free=$(df --output=avail -B1 "$disk" | tail -n 1)
head -c $((free - 3000000)) /dev/zero >"$disk/ballast"
mapfile -t door < <(door "$(port operators)" "$dir/pki/operators/operator")
mosquitto_sub "${door[@]}" -i operator -t 'fieldwork/v1/event/device/edge-1' >"$dir/events" 2>/dev/null &
watch=$!
await "the storage is under pressure" shows '.pressure' '["storage"]'
cli device health edge-1 >"$dir/health"
check "$(grep -Eq '^storage +[0-9]+ % .* yes$' "$dir/health" && echo yes)" "the report: $(cat "$dir/health")"
printf '{"command":["/bin/true"]}' >"$dir/next.json"
job=$(cli run "$dir/next.json" 2>/dev/null | grep -o 'j-[0-9a-f]*' | head -n 1)
waits() { cli job explain "$job" >"$dir/why" && grep -q pressure "$dir/why"; }
await "no more work is placed there" waits
await "it is relieved" shows '.pressure' null
is "$(shown '.resources.prunable_bytes')" 0 "its cache was deleted"
ended() { [ "$(cli job show "$job" --json | jq -r .state)" = succeeded ]; }
await "the job that waited runs" ended
kill $watch 2>/dev/null || true
told() { jq -r .event <"$dir/events" | tr '\n' ' '; }
check "$([[ "$(told)" =~ optimization.*wanted.*configured.*relieved ]] && echo yes)" "events: $(told)"
verdict
