#!/usr/bin/env bash
# scripts/stack for a second machine: on which addresses the broker listens, which names its certificate carries, and that the tar of
# `device` is enough to connect. The second machine's address is 127.0.0.2.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
place=$(mktemp -d)
dir=$place/stack
trap '[ ! -d "$dir" ] || "$top/scripts/stack" wipe "$dir"; rm -rf "$place"' EXIT
passed=0 failed=0

check() { if [ "$1" = yes ]; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAIL $2" >&2; fi; }
stack() { "$top/scripts/stack" "$@"; }
up() { stack up "$dir" --services "" --no-agents --devices edge-1 --fast-disk --ttl 300 "$@"; }
ends() {  # CODE COMMAND…
  local code=0 wanted=$1
  shift
  "$@" >"$place/out" 2>&1 || code=$?
  [ $code -eq "$wanted" ] && echo yes || echo "no: $code"
}
told() { [[ $(<"$place/out") != *"$1"* ]] || echo yes; }
port() { jq ".ports.$1" "$dir/stack.json"; }
open() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null && echo yes || echo no; }

check "$(ends 2 up --bind everywhere)" "an address that is none is usage"
check "$(told "--bind: 'everywhere' is not an address")" "and named: $(<"$place/out")"
check "$(ends 2 up --bind 0.0.0.0)" "all addresses without a name are usage"
check "$(told "--bind 0.0.0.0 needs --hosts")" "and named: $(<"$place/out")"
check "$(ends 2 up --hosts 'a;b')" "a name that is none is usage"
check "$(told "--hosts: 'a;b' is neither a name nor an address")" "and named: $(<"$place/out")"

check "$(ends 0 up)" "up: $(<"$place/out")"
check "$(open 127.0.0.1 "$(port devices)")" "the devices' door is on 127.0.0.1"
check "$([ "$(open 127.0.0.2 "$(port devices)")" = no ] && echo yes)" "and nowhere else"
check "$(ends 2 stack device "$dir" pump-7)" "no device elsewhere for a stack that is not reached"
check "$(told "start it with --bind and --hosts")" "and why: $(<"$place/out")"
ports=$(jq -c .ports "$dir/stack.json")
stack down "$dir" 2>/dev/null

check "$(ends 0 up --bind 127.0.0.2 --hosts server.example)" "up elsewhere: $(<"$place/out")"
check "$([ "$(jq -c .ports "$dir/stack.json")" = "$ports" ] && echo yes)" "the ports are those of the first up"
for door in devices operators; do
  check "$(open 127.0.0.2 "$(port $door)")" "the door of $door is where it was asked for"
  check "$([ "$(open 127.0.0.1 "$(port $door)")" = no ] && echo yes)" "the door of $door is there alone"
done
for door in services websocket; do
  check "$(open 127.0.0.1 "$(port $door)")" "the door of $door stays on 127.0.0.1"
  check "$([ "$(open 127.0.0.2 "$(port $door)")" = no ] && echo yes)" "the door of $door stays there alone"
done
for name in localhost server.example; do
  check "$(openssl x509 -in "$dir/pki/broker.crt" -noout -checkhost $name | grep -c 'does match' >/dev/null && echo yes)" "the certificate carries $name"
done
for address in 127.0.0.1 127.0.0.2; do
  check "$(openssl x509 -in "$dir/pki/broker.crt" -noout -checkip $address | grep -c 'does match' >/dev/null && echo yes)" "the certificate carries $address"
done
check "$(grep -c "url = \"ssl://127.0.0.2:$(port operators)\"" "$dir/etc/cli.toml" >/dev/null && echo yes)" "the command line finds its door"

stack device "$dir" pump-7:zone=a >"$place/pump-7.tar"
mkdir "$place/etc"
tar -C "$place/etc" -xf "$place/pump-7.tar"
keys=$place/etc/fieldwork
check "$(grep -c "url = \"ssl://server.example:$(port devices)\"" "$keys/agent.toml" >/dev/null && echo yes)" "the device's settings name the first of the hosts"
check "$(grep -c 'zone = "a"' "$keys/agent.toml" >/dev/null && echo yes)" "and its labels"
check "$([ "$(stat -c %a "$keys/device.key")" = 600 ] && echo yes)" "its key is its owner's alone"
check "$(find "$keys" -type f | wc -l | grep -cx 6 >/dev/null && echo yes)" "nothing else is in it: $(ls "$keys")"
# Connects over TCP, and verifies the certificate for server.example.
check "$(ends 0 timeout 10 openssl s_client -connect "127.0.0.2:$(port devices)" -verify_return_error -verify_hostname server.example \
  -CAfile "$keys/service-ca.crt" -cert "$keys/device.crt" -key "$keys/device.key" </dev/null)" "the door opens for it: $(tail -n 3 "$place/out")"
check "$(ends 0 timeout 10 mosquitto_pub -h 127.0.0.2 -p "$(port devices)" --cafile "$keys/service-ca.crt" --cert "$keys/device.crt" \
  --key "$keys/device.key" -i pump-7 -q 1 -t fieldwork/v1/device/pump-7/up/heartbeat -m x)" "and lets it speak: $(<"$place/out")"
check "$(ends 2 stack device "$dir" edge-1)" "a device of the stack itself is not given away"

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
