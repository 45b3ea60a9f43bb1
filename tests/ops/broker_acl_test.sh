#!/usr/bin/env bash
# Who may connect to the broker, and who may publish and receive what: each line of a table is tried on a real broker.
# shellcheck source=tests/support/stack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/stack.sh"
work=$dir/work
mkdir "$work"
root=fieldwork/v1

stack up "$dir" --devices "edge-1 edge-2" --services "" --no-agents --fast-disk --ttl 300 >&2
pki=$dir/pki
devices=$(port devices) services=$(port services) operators=$(port operators) websocket=$(port websocket)
# A stranger has certificates with the same names, signed by CAs of its own.
"$top/scripts/pki" "$work/other" --devices edge-1

# who NAME: prints the arguments with which mosquitto's clients connect as NAME, at the listener for NAME
who() {
  case $1 in
    edge-*) door "$devices" "$pki/devices/$1" ;;
    operator) door "$operators" "$pki/operators/$1" ;;
    operator-at-services) door "$services" "$pki/operators/operator" ;;
    *) door "$services" "$pki/services/$1" ;;
  esac
}

say() {  # WRITER TOPIC TEXT…
  local args
  mapfile -t args < <(who "$1")
  timeout 10 mosquitto_pub "${args[@]}" -i "cli-w$RANDOM" -q 1 -t "$root/$2" "${@:3}" >/dev/null 2>&1 || true
}

# Publishes the last message for a reader: one that the reader may receive, by a client that may publish it.
last_word() {
  case $1 in
    edge-*) echo "scheduler device/$1/down/ack" ;;
    operator | alerting) echo "scheduler event/job/changed" ;;
    transfer) echo "edge-1 device/edge-1/up/want" ;;
    security-policy) echo "registry state/device/edge-1" ;;
    *) echo "edge-1 device/edge-1/up/heartbeat" ;;
  esac
}

# try WRITER TOPIC READER yes|no [PAYLOAD ARGUMENT…]: checks whether READER, which subscribes to everything, receives the message.
# WRITER and READER must be different clients: the broker ends the first of two connections of one client.
try() {
  local args out
  tries=$((${tries:-0} + 1))
  out=$work/heard-$tries
  : >"$out"
  mapfile -t args < <(who "$3")
  timeout 20 stdbuf -oL mosquitto_sub "${args[@]}" -i cli-reader -d -q 1 -F 'heard %t %l' -t "$root/#" >"$out" 2>&1 &
  local pid=$!
  listen "$out" "$@"
  kill $pid 2>/dev/null || true
  wait $pid 2>/dev/null || true
}

# heard FILE PATTERN: succeeds when PATTERN is in FILE within 15 s
heard() {
  local deadline=$((SECONDS + 15))
  until grep -aq "$2" "$1"; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.01
  done
}

listen() {  # FILE, and the arguments of try
  local out=$1 writer=$2 topic=$3 reader=$4 expected=$5 last_writer last_topic heard=no
  shift 5
  read -r last_writer last_topic <<<"$(last_word "$reader")"
  heard "$out" '^Subscribed' || { check no "$reader cannot subscribe: $(cat "$out")"; return; }
  if [ $# -gt 0 ]; then say "$writer" "$topic" "$@"; else say "$writer" "$topic" -m said; fi
  say "$last_writer" "$last_topic" -m last-word
  heard "$out" "^heard $root/$last_topic 9$" || { check no "$writer, $topic: $reader did not hear the last word"; return; }
  ! grep '^heard' "$out" | grep -v ' 9$' | grep "^heard $root/$topic " >/dev/null || heard=yes
  check "$([ $heard = "$expected" ] && echo yes)" "$writer says $topic: $reader hears it: $heard, not $expected"
}

# connects yes|no WHAT ARGUMENT…
connects() {
  local expected=$1 what=$2 got=no
  shift 2
  timeout 10 mosquitto_pub "$@" -i "cli-c$RANDOM" -q 0 -t x -m x >/dev/null 2>&1 && got=yes
  check "$([ $got = "$expected" ] && echo yes)" "$what connects: $got, not $expected"
}

# ws_connect PASSWORD: prints the reason code of the answer to an MQTT CONNECT over WebSockets (a mask of zeros leaves the bytes plain)
ws_connect() {
  local password=$1 body
  body="\\x00\\x04MQTT\\x04\\xc2\\x00\\x3c\\x00\\x05cli-d\\x00\\x09dashboard\\x00\\x$(printf %02x ${#password})$password"
  local length=$((10 + 7 + 11 + 2 + ${#password}))
  exec 3<>"/dev/tcp/127.0.0.1/$websocket"
  printf 'GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n' >&3
  while read -r -t 5 line <&3 && [ "$line" != $'\r' ]; do :; done
  # shellcheck disable=SC2059
  printf "\\x82\\x$(printf %02x $((0x80 + length + 2)))\\0\\0\\0\\0\\x10\\x$(printf %02x "$length")$body" >&3
  timeout 5 head -c 6 <&3 | od -An -tx1 | awk '{print $6}'
  exec 3>&-
}

# writer                topic                                        reader     does it hear
while read -r writer topic reader expected; do
  [ -z "$writer" ] || try "$writer" "$topic" "$reader" "$expected"
done <<'T'
edge-1                device/edge-1/up/report                        scheduler        yes
edge-1                device/edge-2/up/report                        scheduler        no
edge-1                device/edge-1/up/report/more                   scheduler        no
edge-1                device/edge-1/up/made-up                       operator         no
edge-1                state/device/edge-1                            scheduler        no
edge-1                service/scheduler/submit/edge-1                scheduler        no
edge-1                service/scheduler/authorised/security-policy   scheduler        no
edge-1                device/edge-1/down/command                     edge-2           no
edge-1                device/edge-2/down/command                     edge-2           no
edge-1                device/edge-1/up/want                          transfer         yes
edge-1                device/edge-1/up/want                          scheduler        no
edge-1                device/edge-1/up/report                        registry         no
edge-1                device/edge-1/up/log                           operator         yes
edge-1                device/edge-1/up/report                        operator         no
edge-1                device/edge-1/up/heartbeat                     alerting         no
scheduler             device/edge-1/down/command                     edge-1           yes
scheduler             device/edge-2/down/command                     edge-1           no
scheduler             state/job/j-1                                  edge-1           no
scheduler             reply/cli-reader/answer                        edge-1           no
scheduler             state/job/j-1                                  operator         yes
scheduler             state/job/j-1                                  alerting         yes
scheduler             reply/cli-reader/answer                        operator         yes
scheduler             reply/cli-other/answer                         operator         no
scheduler             state/package/p                                operator         no
scheduler             state/device/edge-1                            operator         no
registry              state/device/edge-1                            operator         yes
registry              state/device/edge-1                            scheduler        yes
registry              state/job/j-1                                  operator         no
registry              device/edge-1/down/command                     edge-1           no
registry              device/edge-1/down/enrolled                    edge-1           yes
registry              device/edge-1/down/echo                        edge-1           yes
scheduler             device/edge-1/down/echo                        edge-1           no
registry              service/scheduler/authorised/security-policy   scheduler        no
security-policy       service/scheduler/authorised/security-policy   scheduler        yes
security-policy       device/edge-1/down/command                     edge-1           no
operator              state/audit/head                               security-policy  no
scheduler             state/audit/head                               security-policy  no
alerting              device/edge-1/down/command                     edge-1           no
alerting              state/job/j-1                                  operator         no
transfer              device/edge-1/down/frame                       edge-1           yes
operator              service/scheduler/submit/operator              scheduler        yes
operator              service/scheduler/submit/somebody              scheduler        no
operator              service/scheduler/made-up/operator             scheduler        no
operator              service/made-up/submit/operator               scheduler        no
operator              service/scheduler/authorised/security-policy   scheduler        no
operator              state/job/j-1                                  operator         no
operator              device/edge-1/down/command                     edge-1           no
operator              reply/cli-reader/answer                        operator         no
operator-at-services  state/job/j-1                                  operator         no
operator-at-services  service/scheduler/submit/operator              scheduler        no
T

head -c 1000000 /dev/zero >"$work/large"
head -c 3000000 /dev/zero >"$work/too-large"
try edge-1 device/edge-1/up/frame transfer yes -f "$work/large"
try edge-1 device/edge-1/up/frame transfer no -f "$work/too-large"

# The broker retains no message on an unknown channel, and retains the messages that the protocol retains. On SIGUSR1 it writes its
# retained messages to its database file.
mapfile -t edge < <(who edge-1)
mapfile -t operator < <(who operator)
retain() { timeout 10 mosquitto_pub "$@" -i "cli-r$RANDOM" -q 1 -r -m kept >/dev/null 2>&1 || true; }
retain "${edge[@]}" -t "$root/device/edge-1/up/made-up"
retain "${edge[@]}" -t "$root/device/edge-1/made-up"
retain "${operator[@]}" -t "$root/service/scheduler/made-up/operator"
retain "${operator[@]}" -t "$root/service/made-up/list/operator"
retain "${edge[@]}" -t "$root/device/edge-1/up/presence"
kill -USR1 "$(cat "$dir/run/mosquitto.pid")"
deadline=$((SECONDS + 15))
until kept=$(find "$dir" -name mosquitto.db) && [ -n "$kept" ] && grep -aq "device/edge-1/up/presence" "$kept"; do
  [ $SECONDS -lt $deadline ] || break
  sleep 0.05
done
check "$(grep -aq "device/edge-1/up/presence" "$kept" && echo yes)" "the broker keeps what the protocol retains"
check "$(grep -aq made-up "$kept" || echo yes)" "the broker keeps nothing on made-up channels: $(grep -ao '[a-z0-9/-]*made-up[a-z/-]*' "$kept")"

mapfile -t edge < <(who edge-1)
mapfile -t operator < <(who operator)
mapfile -t scheduler < <(who scheduler)
connects yes "a device" "${edge[@]}"
connects yes "an operator" "${operator[@]}"
connects yes "a service" "${scheduler[@]}"
connects no "a device at the services' door" "${edge[@]}" -p "$services"
connects no "a device at the operators' door" "${edge[@]}" -p "$operators"
connects no "a service at the devices' door" "${scheduler[@]}" -p "$devices"
connects no "an operator at the devices' door" "${operator[@]}" -p "$devices"
connects no "a device of another CA" "${edge[@]}" --cert "$work/other/devices/edge-1.crt" --key "$work/other/devices/edge-1.key"
connects no "a service of another CA" "${scheduler[@]}" --cert "$work/other/services/scheduler.crt" --key "$work/other/services/scheduler.key"
connects no "the broker's own certificate as a client" "${scheduler[@]}" --cert "$pki/broker.crt" --key "$pki/broker.key"
connects no "no certificate" -V 5 -h localhost -p "$devices" --cafile "$pki/service-ca.crt"
for version in tls1_2:no tls1_3:yes; do  # mosquitto's clients take --tls-version as the lowest version only
  got=no
  timeout 10 openssl s_client -connect "localhost:$devices" "-${version%:*}" -CAfile "$pki/service-ca.crt" \
    -cert "$pki/devices/edge-1.crt" -key "$pki/devices/edge-1.key" </dev/null 2>/dev/null | grep "^New, TLSv1" >/dev/null && got=yes
  check "$([ $got = "${version#*:}" ] && echo yes)" "${version%:*}: $got"
done
connects no "no TLS" -V 5 -h localhost -p "$devices"
connects no "a broker that another CA vouches for" "${edge[@]}" --cafile "$work/other/service-ca.crt"
connects no "a password at the operators' door" -V 5 -h localhost -p "$operators" --cafile "$pki/service-ca.crt" -u dashboard -P "$(cat "$pki/dashboard.password")"

answer=$(ws_connect "$(cat "$pki/dashboard.password")")
check "$([ "$answer" = 00 ] && echo yes)" "a dashboard connects: '$answer', not 00"
answer=$(ws_connect wrong)
check "$([ "$answer" = 05 ] && echo yes)" "a dashboard with a wrong password connects: '$answer', not 05"

"$top/scripts/pki" "$pki" revoke edge-2
kill -HUP "$(cat "$dir/run/mosquitto.pid")"
mapfile -t revoked < <(who edge-2)
deadline=$((SECONDS + 10))
while timeout 10 mosquitto_pub "${revoked[@]}" -t x -m x 2>/dev/null && [ $SECONDS -lt $deadline ]; do sleep 0.05; done
connects no "a revoked device" "${revoked[@]}"
connects yes "a device beside a revoked one" "${edge[@]}"

verdict
