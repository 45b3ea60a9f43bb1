#!/usr/bin/env bash
# Full disks, of the transfer service and of a device: who waits for the content is told why, nothing that was kept is lost, and it goes on
# by itself when there is room. Needs root, to mount small disks; is skipped without. Usage: transfer_disk_test.sh BIN_DIR
bin=$1
[ "$(id -u)" = 0 ] || { echo "skipped: mounting a small disk needs root"; exit 77; }
cli_s=300 await_s=120
# shellcheck source=tests/support/stack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/stack.sh"

disk=$dir/devices/edge-1 store=$dir/content
mkdir -p "$disk" "$store"
mount -t tmpfs -o size=128m,mode=755 small-disk "$disk" || { echo "skipped: a disk cannot be mounted here"; exit 77; }
mount -t tmpfs -o size=160m,mode=755 small-store "$store"
trap 'kill ${watch:-} 2>/dev/null || true; "$top/scripts/stack" down "$dir"; umount "$disk" "$store"; rm -rf "$dir"' EXIT
stack up "$dir" --bin "$bin" --fast-disk --ttl 800 --devices "edge-1:cpu=4000,mem=4096"
await "the device" device_is edge-1 "active online"
mapfile -t door < <(door "$(port operators)" "$dir/pki/operators/operator")
mosquitto_sub "${door[@]}" -i operator-watches -t 'fieldwork/v1/state/transfer/+' >"$dir/states" 2>/dev/null &
watch=$!

size=30000000
mkdir "$dir/work"
head -c $size /dev/urandom >"$dir/work/input.bin"
printf '#!/bin/sh\nsha256sum <input.bin\n' >"$dir/work/sum"
chmod +x "$dir/work/sum"
sum=$(sha256sum <"$dir/work/input.bin")
# fill DIRECTORY BYTES: leaves so many free. room DIRECTORY: gives the rest back
fill() { head -c $(($(df --output=avail -B1 "$1" | tail -n 1) - $2)) /dev/zero >"$1/ballast"; }
room() { rm "$1/ballast"; }
end() {  # SUM: makes room on the device, whose job says that its package has this digest
  room "$disk"
  local code=0
  wait $job || code=$?
  check "$([ $code -eq 0 ] && [ "$(cat "$dir/out")" = "$1" ] && echo yes)" "the job ended with $code: $(cat "$dir/out" "$dir/log/job.log")"
}
part() { local at; at=$(stat -c %s "$1"/*.part 2>/dev/null | head -n 1); echo "${at:-0}"; }
says() { grep -q "$2" "$1" 2>/dev/null; }

# --- the service's disk is too small for an upload ---
fill "$store" 10000000
cli package push "$dir/work" --name work --version 1 --json >"$dir/pushed" 2>"$dir/log/push.log" &
push=$!
await "why the upload waits" says "$dir/log/push.log" "waits: the transfer service cannot store it yet: .*No space left on device"
kept=$(part "$store/incoming")
check "$([ "$kept" -gt 1000000 ] && echo yes)" "what had room is kept: $kept bytes"
room "$store"
code=0
wait $push || code=$?
check "$([ $code -eq 0 ] && echo yes)" "the push ended with $code: $(cat "$dir/log/push.log")"
digest=$(jq -r .digest "$dir/pushed")
check "$([ "$(sha256sum <"$store/content/${digest#sha256:}" | cut -d ' ' -f 1)" = "${digest#sha256:}" ] && echo yes)" "what is stored has another digest"
check "$([ -z "$(ls "$store/incoming")" ] && echo yes)" "left over: $(ls "$store/incoming")"

# --- the device has no room for the package ---
fill "$disk" 25000000
jq -n --arg package "$digest" '{command: ["./sum"], $package, requirements: {health_min: 0}, retry: {attempts_max: 10, backoff_s: 1}}' >"$dir/job.json"
cli run "$dir/job.json" --wait >"$dir/out" 2>"$dir/log/job.log" &
job=$!
await "the device's refusal, as a state" says "$dir/states" '"state":"failed".*disk: \|disk: .*"state":"failed"'
await "the refusal, in the job's progress" says "$dir/log/job.log" "package: disk: "
id=$(jq -r 'select(.state == "failed") | .transfer' "$dir/states" | head -n 1)
cli transfer show "$id" >"$dir/shown"
check "$(grep -Eq "reason +disk: the package has [0-9]+ bytes and needs [0-9]+ more of the disk, where [0-9]+ are free" "$dir/shown" && echo yes)" \
  "transfer show: $(cat "$dir/shown")"
check "$([ "$(part "$disk/packages")" = 0 ] && echo yes)" "a part is left over"
end "$sum"

# --- the device's disk fills up while a package is on its way: its room was reserved ---
gone() { cli device prune edge-1 >/dev/null && ! compgen -G "$disk/packages/*.tar" >/dev/null; }
under_way() { [ "$(part "$disk/packages")" -gt 1000000 ]; }
begin() {  # runs the job with an empty cache, and fills the disk
  await "an empty cache" gone
  cli run "$dir/job.json" --wait >"$dir/out" 2>"$dir/log/job.log" &
  job=$!
  await "the package under way" under_way
  stack kill "$dir" edge-1 STOP
  check "$(under_way && echo yes)" "it arrived before the disk was full"
  head -c 128m /dev/zero >"$disk/ballast" 2>/dev/null || true
  stack kill "$dir" edge-1 CONT
}
begin
arrived() { compgen -G "$disk/packages/*.tar" >/dev/null; }
await "the package, on a full disk" arrived
end "$sum"

# --- the same with a package that has to be decoded: the room for that was reserved, too ---
head -c 15000000 "$dir/work/input.bin" >"$dir/half"
{ cat "$dir/half" && head -c 15000000 /dev/zero; } >"$dir/work/input.bin"
digest=$(cli package push "$dir/work" --name soft --version 1)
jq -n --arg package "$digest" '{command: ["./sum"], $package, requirements: {health_min: 0}, retry: {attempts_max: 10, backoff_s: 1}}' >"$dir/job.json"
begin
await "the decoded package, on a full disk" arrived
check "$(says "$dir/log/job.log" "disk: " || echo yes)" "it was refused: $(cat "$dir/log/job.log")"
end "$(sha256sum <"$dir/work/input.bin")"
verdict
