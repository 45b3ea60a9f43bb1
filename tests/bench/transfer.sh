#!/usr/bin/env bash
# scripts/bench transfer: one file from the server to a device, over links that link-emulator makes of two network namespaces; by
# Fieldwork and by others. Reads its arguments from the environment, which scripts/bench sets: bin, links, size (0: by the link),
# rivals, compressible (yes or empty), patch (yes or empty), rounds, congestion, patience (seconds). Prints a table and, last, one JSON
# object; says on stderr what it does. With patch, what is sent is the next version of a directory that the device has.
set -euo pipefail
: "${bin:?}" "${links:?}" "${size:?}" "${rivals?}" "${compressible?}" "${patch?}" "${rounds:?}" "${congestion:?}" "${patience:?}"
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# link_shape LINK: sets rate (bit/s, 0: no limit), delay (ms, one way), loss (%), queue (bytes), cut_s (0: none)
link_shape() {
  rate=1000000 delay=100 loss=0 queue=30000 cut_s=0
  case $1 in
    lan) rate=0 delay=0 ;;
    20ms) rate=10000000 delay=10 ;;
    200ms) ;;
    200ms-loss2) loss=2 ;;
    200ms-loss10) loss=10 ;;
    200ms-loss20) loss=20 ;;
    600ms) rate=256000 delay=300 ;;
    200ms-cut) cut_s=30 ;;
    *) return 1 ;;
  esac
}

id=fieldwork-$$
server=$id-srv device=$id-dev
dir=$(mktemp -d)
out=$(mktemp -d)
chmod 755 "$dir" "$out"
stack=$dir/stack
declare -A pids=()
on_server() { nsenter --net="/run/netns/$server" "$@"; }
on_device() { nsenter --net="/run/netns/$device" "$@"; }
say() { echo "$@" >&2; }
now() { date +%s.%N; }
compute() { jq -n "$1"; }

# begin NAME COMMAND…: in the background, and pids[NAME] is that of COMMAND itself; its output is in $out/NAME.log. stop NAME
begin() {
  local name=$1
  shift
  case $1 in
    on_server) set -- nsenter --net="/run/netns/$server" "${@:2}" ;;
    on_device) set -- nsenter --net="/run/netns/$device" "${@:2}" ;;
  esac
  "$@" >"$out/$name.log" 2>&1 &
  pids[$name]=$!
}
stop() {
  [ -n "${pids[$1]:-}" ] || return 0
  kill "${pids[$1]}" 2>/dev/null || true
  wait "${pids[$1]}" 2>/dev/null || true
  unset "pids[$1]"
}
end() {
  local name space
  trap '' INT TERM
  for name in "${!pids[@]}"; do stop "$name"; done
  [ ! -d "$stack" ] || "$top/scripts/stack" down "$stack" 2>/dev/null || true
  for space in "$server" "$device"; do ip netns del "$space" 2>/dev/null || true; done
  rm -rf "$dir" "$out"
}
trap end EXIT
trap 'exit 130' INT TERM
set -E
trap 'say "bench: line $LINENO failed: $BASH_COMMAND"' ERR

# await WHAT COMMAND…: repeats the command until it succeeds, for at most $await_s, by default 120 s
await() {
  local what=$1 deadline=$((SECONDS + ${await_s:-120}))
  shift
  until "$@"; do
    [ $SECONDS -lt $deadline ] || { say "bench: $what did not come"; tail -n 5 "$out"/*.log "$stack"/log/*.log >&2; exit 1; }
    sleep 0.1
  done
}

# --- two machines and what joins them ---

lan=10.98.1.1 wan=10.98.0.1
make_world() {
  local space
  for space in "$server" "$device"; do
    ip netns add "$space"
    ip -n "$space" link set lo up
    # What one transfer learnt of the path is not for the next one.
    nsenter --net="/run/netns/$space" sysctl -qw net.ipv4.tcp_no_metrics_save=1
  done
  ip -n "$server" link add lan0 type veth peer name lan0 netns "$device"
  ip -n "$server" addr add $lan/24 dev lan0
  ip -n "$device" addr add ${lan%.1}.2/24 dev lan0
  for space in "$server" "$device"; do ip -n "$space" link set lan0 up; done
  begin emulator "$bin/link-emulator" --left "$server" --right "$device" --left-address $wan --right-address ${wan%.1}.2 --seed 1 --control "$out/link"
  await "the link" test -p "$out/link"
}
tell() { echo "$1" >"$out/link"; }
# use_congestion NAME: of what the two machines send each other. A sysctl would do the same where the kernel lets a namespace choose any.
use_congestion() {
  ip -n "$server" route replace "${address%.1}.2/32" dev "$door" src "$address" congctl "$1"
  ip -n "$device" route replace "$address/32" dev "$door" src "${address%.1}.2" congctl "$1"
}
# set_link clean|real
set_link() {
  [ "$rate" != 0 ] || return 0
  tell "rate $rate" && tell "delay $delay" && tell "queue ${queue}B"
  if [ "$1" = real ]; then tell "loss $loss"; else tell "loss 0"; fi
}
# wire tx|rx: bytes that the server's end has sent to, or had from, the device
wire() { ip -n "$server" -s -j link show "$door" | jq ".[0].stats64.$1.bytes"; }

# cutter SECONDS FILE: cuts the link after a time, for $cut_s; then writes into the file how much had been sent until then
cutter() {
  local nap
  trap 'kill "$nap" 2>/dev/null; exit' TERM
  sleep "$1" & nap=$!
  wait $nap
  tell cut
  sleep "$cut_s" & nap=$!
  wait $nap
  wire tx >"$2"
  tell join
}

# --- counters of processes ---

cpu_s() { awk -v ticks="$(getconf CLK_TCK)" '{sub(/.*\) /, ""); print ($12 + $13 + $14 + $15) / ticks}' "/proc/$1/stat" 2>/dev/null || echo 0; }
peak_bytes() { awk '/^VmHWM/ {print $2 * 1024}' "/proc/$1/status" 2>/dev/null || echo null; }
stack_pid() { cat "$stack/run/$1.pid"; }

# --- Fieldwork ---

cli() { on_server "$bin/fieldwork" --config "$stack/etc/cli.toml" "$@"; }
is_online() { [ "$(cli device show dev-1 --json 2>/dev/null | jq -r '.lifecycle + " " + .presence')" = "active online" ]; }
is_away() { ! is_online; }
start_agent() {
  sed -i "s|^url = .*|url = \"ssl://$address:$(jq .ports.devices "$stack/stack.json")\"|" "$stack/etc/dev-1.toml"
  begin agent on_device "$bin/fieldwork-agent" --config "$stack/etc/dev-1.toml"
  await "the device" is_online
}
end_agent() {
  stop agent
  set_link clean
  await "the device's end" is_away
}
# transfer_state DIGEST: "SECONDS JSON" of the newest state of its transfer to the device
transfer_state() { awk -v digest="$1" 'index($0, digest) && !/"direction":"up"/ {last = $0} END {print last == "" ? "0 {}" : last}' "$out/states"; }
is_complete() { [[ $(transfer_state "$1") == *'"state":"complete'* ]]; }

# have_package PATH NAME VERSION: the device has this package when it returns
have_package() {
  local digest
  digest=$(cli package push "$1" --name "$2" --version "$3" --json | jq -r .digest)
  jq -n --arg package "$digest" '{command: ["/bin/true"], package: $package, limits: {time_s: 60}}' >"$out/have.json"
  cli run "$out/have.json" --wait --timeout 120 >"$out/have.log" 2>&1
}

# Sets result_s, done, bytes_there, extra
run_fieldwork() {
  local digest began job ended deadline last package=$run
  [ -z "$patch" ] || package=bench  # of what is a version of another, a patch is tried
  digest=$(cli package push "$file" --name "$package" --version "$run" --json | jq -r .digest)
  # As gzip -9 before curl --compressed, this is not in the time.
  [ -z "$compressible" ] || await_s=900 await "the encoding made ahead" grep -q "made ahead.*$digest" "$stack/log/transfer.log"
  : >"$out/states"
  begin listen on_server stdbuf -oL mosquitto_sub -V 5 -h localhost -p "$(jq .ports.operators "$stack/stack.json")" --cafile "$stack/pki/service-ca.crt" \
    --cert "$stack/pki/operators/operator.crt" --key "$stack/pki/operators/operator.key" --tls-version tlsv1.3 -t 'fieldwork/v1/state/transfer/+' -F '%U %p'
  ln -sf listen.log "$out/states"
  jq -n --arg package "$digest" '{command: ["/bin/true"], package: $package, limits: {time_s: 60}}' >"$out/job.json"
  start_measuring
  began=$(now)
  job=$(cli run "$out/job.json" --json | jq -r .job)
  deadline=$((SECONDS + patience))
  until is_complete "$digest" || [ $SECONDS -ge $deadline ]; do sleep 0.05; done
  last=$(transfer_state "$digest")
  done=$(is_complete "$digest" && echo true || echo false)
  ended=${last%% *}
  [ "$done" = true ] || ended=$(now)
  result_s=$(compute "$ended - $began")
  bytes_there=$(jq '.acked_bytes // 0' <<<"${last#* }")
  stop_measuring
  extra=$(jq -c '{encoded_bytes, frames_bytes: .sent_bytes}' <<<"${last#* }")
  if [ "$done" = true ]; then
    cli job wait "$job" --timeout 60 >"$out/job.log" 2>&1 || true
    extra=$(jq -c ". + {job_s: ($(now) - $began)}" <<<"$extra")
  else
    cli job explain "$job" >&2 || true
    cli job cancel "$job" >"$out/job.log" 2>&1 || true
  fi
  stop listen
}

# --- the others ---

# timed COMMAND…: runs it on the device for at most $patience seconds; sets done, result_s and client_cpu_s
timed() {
  local began code=0 TIMEFORMAT='%U %S'
  began=$(now)
  # In the background: `wait` ends at Ctrl-C.
  begin client on_device timeout -k 2 "$patience" "$@"
  { time wait "${pids[client]}"; } 2>"$out/cpu" || code=$?
  unset "pids[client]"
  result_s=$(compute "$(now) - $began")
  client_cpu_s=$(awk '{print $1 + $2}' "$out/cpu")
  done=$([ $code = 0 ] && echo true || echo false)
}

start_nginx() {
  cat >"$out/nginx.conf" <<T
daemon off;
master_process off;
pid $out/nginx.pid;
error_log $out/nginx.error.log;
events {}
http {
  access_log off;
  sendfile on;
  server {
    listen 8443 ssl;
    ssl_certificate $stack/pki/broker.crt;
    ssl_certificate_key $stack/pki/broker.key;
    ssl_protocols TLSv1.3;
    root $dir/files;
    gzip_static on;
  }
}
T
  begin nginx on_server nginx -c "$out/nginx.conf"
}
start_rsyncd() {
  printf '%s\n' "pid file = $out/rsyncd.pid" "use chroot = no" "uid = 0" "gid = 0" "[files]" "path = $dir/files" >"$out/rsyncd.conf"
  begin rsyncd on_server rsync --daemon --no-detach --port 8730 --config "$out/rsyncd.conf"
}

server_process=""
# run_command SERVER_PROCESS COMMAND…
run_command() {
  server_process=$1
  shift
  start_measuring
  timed "$@"
  stop_measuring
  bytes_there=$( (cd "$out/there" && find . -type f -printf '%s\n') | sort -n | tail -n 1)
}
# shellcheck disable=SC2016 # expanded by the inner shell
run_curl() {
  run_command nginx bash -c 'until curl -sS --cacert "$1" -C - --connect-timeout 10 --speed-limit 1 --speed-time 15 -o "$2" "$3"; do sleep 1; done' \
    curl "$stack/pki/service-ca.crt" "$out/there/file" "https://$address:8443/$name"
}
# What gzip -9 made before. It cannot be resumed.
# shellcheck disable=SC2016
run_curl_gzip() {
  gzip -9 -k -n "$file"
  run_command nginx bash -c 'until curl -sS --compressed --cacert "$1" --connect-timeout 10 --speed-limit 1 --speed-time 15 -o "$2" "$3"; do sleep 1; done' \
    curl "$stack/pki/service-ca.crt" "$out/there/file" "https://$address:8443/$name"
}
# shellcheck disable=SC2016
run_rsync_tree() {
  cp -a "$dir/old" "$out/there/tree"
  run_command rsyncd bash -c 'until rsync -a -z --timeout=15 "$1" "$2"; do sleep 1; done' rsync "rsync://$address:8730/files/$name/" "$out/there/tree/"
  diff -r "$file" "$out/there/tree" >&2 || done=false
}
# shellcheck disable=SC2016
run_rsync() {
  run_command rsyncd bash -c 'until rsync --partial -z --timeout=15 "$1" "$2"; do sleep 1; done' \
    rsync "rsync://$address:8730/files/$name" "$out/there/file"
}
# run_blocks BLOCK_BYTES WINDOW
run_blocks() {
  server_process=sender
  on_server "$top/scripts/stack" kill "$stack" transfer TERM
  begin sender on_server "$bin/bench-blocks" send "$stack" "$1"
  await "the sender of blocks" grep -qs ready "$out/sender.log"
  start_measuring
  timed "$bin/bench-blocks" fetch "$stack" "ssl://$address:$(jq .ports.devices "$stack/stack.json")" dev-1 "$size_now" "$1" "$2" $((patience - 2))
  stop_measuring
  bytes_there=$(tail -n 1 "$out/client.log" | jq '.bytes // 0' 2>/dev/null || echo 0)
  extra=$(tail -n 1 "$out/client.log" | jq -c '{asked_again: .again}' 2>/dev/null || echo '{}')
  stop sender
  on_server "$top/scripts/stack" start "$stack" transfer
}

# --- one run ---

broker_cpu=0 server_cpu=0 device_cpu=0 sent=0 received=0
server_pid() { if [ -n "$server_process" ]; then echo "${pids[$server_process]}"; else stack_pid transfer; fi; }
start_measuring() {
  set_link real
  broker_cpu=$(cpu_s "$(stack_pid mosquitto)") server_cpu=$(cpu_s "$(server_pid)")
  [ -n "$server_process" ] || device_cpu=$(cpu_s "${pids[agent]}")
  sent=$(wire tx) received=$(wire rx)
  rm -f "$out/until_joined"
  [ "$cut_s" = 0 ] || begin cutter cutter "$(compute "$size_now * 8 / $rate / 2")" "$out/until_joined"
}
stop_measuring() {
  broker_cpu=$(compute "$(cpu_s "$(stack_pid mosquitto)") - $broker_cpu")
  server_cpu=$(compute "$(cpu_s "$(server_pid)") - $server_cpu")
  if [ -n "$server_process" ]; then
    device_cpu=$client_cpu_s peak=null
  else
    device_cpu=$(compute "$(cpu_s "${pids[agent]}") - $device_cpu") peak=$(peak_bytes "${pids[agent]}")
  fi
  after_cut=null
  [ ! -s "$out/until_joined" ] || after_cut=$(compute "$(wire tx) - $(cat "$out/until_joined")")
  sent=$(compute "$(wire tx) - $sent") received=$(compute "$(wire rx) - $received")
  [ "$cut_s" = 0 ] || { stop cutter; tell join; }
}

# lines SEED: lines as of a log, without an end: zstd makes about a fifth of them
lines() {
  awk -v seed="$1" 'BEGIN {srand(seed); for (;;) printf "%d sensor-%d temperature=%.2f state=%s\n", t += 7, rand() * 50, 20 + rand() * 9, rand() < .9 ? "ok" : "late"}'
}
# noise SEED: bytes that look random, without an end
noise() { openssl enc -aes-128-ctr -K "$(printf %032x "$1")" -iv "$(printf %032x 0)" -in /dev/zero 2>/dev/null; }

make_file() {
  if [ -n "$patch" ]; then
    make_change
  elif [ -z "$compressible" ]; then
    head -c "$size_now" /dev/urandom >"$file"
  else
    lines $RANDOM | head -c "$size_now" >"$file" || true
  fi
}

# The version that the device has: files of 200 kB, half of them of lines.
make_tree() {
  local i kind
  mkdir "$dir/old"
  for ((i = 0; i < (size + 199999) / 200000; i++)); do
    kind=$([ $((i % 2)) = 0 ] && echo noise || echo lines)
    "$kind" $i | head -c 200000 >"$dir/old/part-$i" || true
  done
}
# The next version: in the middle of one file of noise there are 4 kB others, and 100 bytes more.
changes=0
make_change() {
  local changed=part-$((2 * ++changes))
  cp -a "$dir/old" "$file"
  { head -c 100000 "$dir/old/$changed" && { noise $((1000000 + changes)) | head -c 4100 || true; } && tail -c +104001 "$dir/old/$changed"; } >"$file/$changed"
}

# run_one LINK WHAT ROUND
run_one() {
  local link=$1 what=$2 round=$3
  run=$link-$what-$round name=$run file=$dir/files/$run extra='{}' server_process=""
  link_shape "$link"
  address=$wan door=link0
  if [ "$rate" = 0 ]; then address=$lan door=lan0; fi
  size_now=$size
  [ "$size" != 0 ] || { [ "$rate" = 0 ] && size_now=268435456; } || size_now=$((rate * 40 / 8))
  rm -rf "$out/there" "$dir/files"
  mkdir "$out/there" "$dir/files"
  make_file
  use_congestion "$congestion"
  set_link clean
  say "bench: $link, $what, round $round: $size_now bytes"
  case $what in
    fieldwork)
      start_agent
      run_fieldwork
      end_agent
      ;;
    known)  # the agent has measured the link with another package
      start_agent
      set_link real
      head -c 2000000 /dev/urandom >"$dir/other"
      have_package "$dir/other" other "$run"
      run_fieldwork
      end_agent
      ;;
    curl-zstd)
      tar -C "$file" -c . | zstd -q -3 -o "$dir/files/$name.zst"
      name=$name.zst
      run_curl
      ;;
    rsync-tree) run_rsync_tree ;;
    curl-gzip) run_curl_gzip ;;
    curl-*)
      use_congestion "${what#curl-}"
      run_curl
      ;;
    rsync) run_rsync ;;
    blocks) run_blocks 65536 1 ;;
    relay) run_blocks 262144 16 ;;
  esac
  jq -n -c --arg link "$link" --arg what "$what" --argjson extra "$extra" "{link: \$link, what: \$what, round: $round, bytes: $size_now, s: $result_s,
    done: $done, there_bytes: ${bytes_there:-0}, rate_bit_per_s: $rate, cut_s: $cut_s, sent_bytes: $sent, received_bytes: $received, after_cut_bytes: $after_cut,
    cpu_s: {device: $device_cpu, server: $server_cpu, broker: $broker_cpu}, device_peak_bytes: $peak} + \$extra |
    (if .done then .bytes else .there_bytes end * 8 / (.s - .cut_s)) as \$got |
    . + {bit_per_s: (\$got | round), share: (if .rate_bit_per_s == 0 or \"$patch\" != \"\" then null else \$got / .rate_bit_per_s end)}" >>"$out/runs"
  say "bench: $(tail -n 1 "$out/runs" | jq -r '"\(if .done then "done after" else "not done after" end) \(.s * 100 | round / 100) s, \(.bit_per_s / 1e6 * 100 | round / 100) Mbit/s"')"
}

# The table and the JSON object: of several rounds, the median by time.
report() {
  jq -s -c '[to_entries[] | .value + {at: .key}] | group_by([.link, .what]) |
    map((map(.at) | min) as $first | sort_by(.s) | .[(length - 1) / 2 | floor] + {at: $first}) | sort_by(.at) | map(del(.at))' "$out/runs" >"$out/medians"
  jq -r 'def mb: if . == null then "-" else . / 1e3 | round / 1e3 end; def cents: . * 100 | round / 100;
    ["link", "what", "s", "Mbit/s", "share", "sent,MB", "had,MB", "after_cut,MB", "cpu:device,s", "server,s", "broker,s", "peak,MiB"],
    (.[] | [.link, .what, (if .done then .s | cents | tostring else "not in \(.s | round)" end | gsub(" "; "_")), (.bit_per_s / 1e6 | cents),
      (if .share then "\(.share * 100 | round)%" else "-" end), (.sent_bytes | mb), (.received_bytes | mb), (.after_cut_bytes | mb),
      (.cpu_s | .device, .server, .broker | cents), (if .device_peak_bytes then .device_peak_bytes / 1048576 * 10 | round / 10 else "-" end)]) | @tsv' "$out/medians" |
    column -t -s $'\t'
  jq -c --slurpfile medians "$out/medians" -s --arg congestion "$congestion" --argjson rounds "$rounds" \
    '{transfer: $medians[0], rounds: $rounds, congestion: $congestion} + if $rounds > 1 then {runs: .} else {} end' "$out/runs"
}

make_world
on_server "$top/scripts/stack" up "$stack" --bin "$bin" --bind 0.0.0.0 --hosts "$wan,$lan" --devices dev-1 --no-agents \
  --services "registry scheduler security-policy transfer" >&2
[[ " $rivals " != *" curl-"* ]] || start_nginx
[[ " $rivals " != *" rsync"* ]] || start_rsyncd
if [ -n "$patch" ]; then
  make_tree
  link_shape lan
  address=$lan door=lan0
  start_agent
  have_package "$dir/old" bench old
  end_agent
fi
for ((round = 1; round <= rounds; round++)); do
  for link in $links; do
    for what in fieldwork $rivals; do
      [ "$what" != relay ] || [ "$link" = lan ] || continue
      run_one "$link" "$what" "$round"
    done
  done
done
report
