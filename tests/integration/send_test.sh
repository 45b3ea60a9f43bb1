#!/usr/bin/env bash
# A file that is sent to two devices without a job is there byte for byte, also when one agent is killed (kill -9) in the middle: it goes on
# from what it had. What stood in the file's place stays until all of the new one is verified. A directory is only kept, out of reach
# of eviction, and a job that needs it fetches nothing. Policies say which device gets it: one that is denied is refused, and while
# security-policy is away all are.
# Usage: send_test.sh BIN_DIR
bin=$1
cli_s=200 await_s=90
# shellcheck source=tests/support/stack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/stack.sh"

stack up "$dir" --bin "$bin" --fast-disk --ttl 600 --no-agents --devices "edge-1:cpu=1000,mem=1024 edge-2:cpu=1000,mem=1024 edge-3:cpu=1000,mem=1024"
for device in edge-1 edge-2; do
  sed -i "s#^\[device\]#&\nfiles = \"$dir/files/$device\"#" "$dir/etc/$device.toml"
done
for device in edge-1 edge-2 edge-3; do stack start "$dir" $device; done
for device in edge-1 edge-2 edge-3; do await $device device_is $device "active online"; done

head -c 100000000 /dev/urandom >"$dir/map.bin"
place() { printf '%s/files/%s/maps/city.bin' "$dir" "$1"; }
for device in edge-1 edge-2; do
  mkdir -p "$(dirname "$(place $device)")"
  echo old >"$(place $device)"
done

# watch_place DEVICE: until the file is $dir/done, notes each size of the file in its place that is neither the old nor the new one
watch_place() {
  local size
  until [ -e "$dir/done" ]; do
    size=$(stat -c %s "$(place "$1")" 2>/dev/null || echo none)
    [ "$size" = 4 ] || [ "$size" = 100000000 ] || echo "$1: $size" >>"$dir/odd"
  done
}
for device in edge-1 edge-2; do watch_place $device & done

arriving() { find "$dir/devices/edge-1/packages" -name '*.part' -size +2M 2>/dev/null | grep . >/dev/null; }
is_over() { ! kill -0 "$1" 2>/dev/null; }
either() { arriving || is_over "$1"; }
code=0 caught=yes
cli send "$dir/map.bin" 'id in (edge-1, edge-2)' --as maps/city.bin --timeout 150 --json >"$dir/result" 2>"$dir/progress" &
send=$!
await "the file on its way" either $send
! is_over $send || caught=no
stack kill "$dir" edge-1 KILL
arriving || caught=no
check $caught "edge-1 was not killed in the middle"
check "$([ "$(cat "$(place edge-1)")" = old ] && echo yes)" "edge-1: the old file stands while the new one comes"
stack start "$dir" edge-1
wait $send || code=$?
touch "$dir/done"
check "$([ $code -eq 0 ] && echo yes)" "send ended with exit code $code: $(cat "$dir/progress")"
for device in edge-1 edge-2; do
  check "$(cmp -s "$dir/map.bin" "$(place $device)" && echo yes)" "$device: the file"
  check "$([ "$(find "$dir/files/$device" -type f | wc -l)" = 1 ] && echo yes)" "$device: nothing beside it"
  check "$([ -z "$(find "$dir/devices/$device/packages" -name '*.part' -o -name '*.ranges')" ] && echo yes)" "$device: no checkpoint is left"
done
check "$([ ! -e "$dir/odd" ] && echo yes)" "a file that was half there: $(sort "$dir/odd" 2>/dev/null | uniq -c | head -n 3)"
resumed=$(jq '[.items[] | select(.stage.device == "edge-1") | .transfer.resumed_from] | max' "$dir/result")
check "$([ "$resumed" -gt 0 ] && echo yes)" "edge-1 resumed from $resumed: $(head -c 600 "$dir/result")"
check "$(grep 'edge-1  is ready, resumed at' "$dir/progress" >/dev/null && echo yes)" "send says where edge-1 resumed: $(cat "$dir/progress")"

# Again: nothing is sent, and nothing is made anew.
before=$(stat -c %i "$(place edge-2)")
code=0
cli send "$dir/map.bin" edge-2 --as maps/city.bin --keep 8d >"$dir/out" 2>&1 || code=$?
check "$([ $code -eq 0 ] && [ "$(stat -c %i "$(place edge-2)")" = "$before" ] && echo yes)" "the same again: $(cat "$dir/out")"

# A device without a directory for files says so; a package that no file goes with it keeps.
code=0
cli send "$dir/map.bin" edge-3 >"$dir/out" 2>&1 || code=$?
check "$([ $code -eq 1 ] && grep 'device.files is not set' "$dir/out" >/dev/null && echo yes)" "edge-3 takes no files ($code): $(cat "$dir/out")"
mkdir "$dir/work"
printf '#!/bin/sh\necho done\n' >"$dir/work/go"
chmod +x "$dir/work/go"
code=0
cli send "$dir/work" edge-3 --name work --version 1 --timeout 60 >"$dir/out" 2>&1 || code=$?
check "$([ $code -eq 0 ] && echo yes)" "a directory is kept ($code): $(cat "$dir/out")"
cli device prune edge-3 --wait >/dev/null
transfers() { cli transfer ls --all --device edge-3 --json | jq length; }
before=$(transfers)
echo '{"command": ["./go"], "requirements": {"expression": "id == edge-3"}}' >"$dir/job.json"
check "$([ "$(cli run "$dir/job.json" --set-package work@1 --wait --timeout 60 2>/dev/null)" = "done" ] && echo yes)" "a job with what was staged"
check "$([ "$(transfers)" = "$before" ] && echo yes)" "the job fetched nothing"
cli transfer unstage work@1 edge-3 >/dev/null
ended() { [ "$(cli transfer staged --device edge-3 --package work@1 --json | jq -r '.[].stage.state')" = ended ]; }
await "the end of the stage" ended

# While security-policy is away nothing is sent, and send says so.
echo "for whom policies allow it" >"$dir/note.txt"
stack kill "$dir" security-policy TERM
code=0
cli send "$dir/note.txt" edge-1 >"$dir/out" 2>&1 || code=$?
check "$([ $code -eq 1 ] && grep 'edge-1  .*security-policy does not answer' "$dir/out" >/dev/null && echo yes)" "without security-policy ($code): $(cat "$dir/out")"
check "$(grep 'security-policy does not answer' "$dir/log/transfer.log" >/dev/null && echo yes)" "the transfer service's log has it"
check "$([ ! -e "$dir/files/edge-1/note.txt" ] && echo yes)" "nothing was sent without security-policy"

# A rule denies one of two devices.
cat >"$dir/policies/keep-out.toml" <<'TOML'
[[rule]]
name = "keep-out"
effect = "deny"
actions = ["stage"]
devices = ["edge-2"]
TOML
stack start "$dir" security-policy
code=0
cli send "$dir/note.txt" 'id in (edge-1, edge-2)' --timeout 60 >"$dir/out" 2>&1 || code=$?
check "$([ $code -eq 1 ] && grep 'edge-2  .*denied by rule keep-out' "$dir/out" >/dev/null && echo yes)" "edge-2 is denied ($code): $(cat "$dir/out")"
check "$(cmp -s "$dir/note.txt" "$dir/files/edge-1/note.txt" && echo yes)" "edge-1 has the file"
check "$([ ! -e "$dir/files/edge-2/note.txt" ] && echo yes)" "edge-2 has not"
check "$([ "$(cli transfer staged --device edge-2 --json | jq '[.[] | select(.stage.file == "note.txt")] | length')" = 0 ] && echo yes)" "nothing is staged on edge-2"
database=$(jq -r .database "$dir/stack.json")
rows=$(psql -XAtq "$database" -c "select distinct device, decision, submitter, reason, trace from security_policy.audit where kind = 'permit' and trace like '% note.txt:%' order by 1")
printf '%s\n' "edge-1|allow|operator|allowed by rule operators|stage note.txt: operators decides" \
  "edge-2|deny|operator|denied by rule keep-out|stage note.txt: keep-out decides; operators matched" >"$dir/expected"
check "$([ "$rows" = "$(cat "$dir/expected")" ] && echo yes)" "the audit: $rows"
echo '{"command": ["true"], "requirements": {"expression": "id == edge-2"}}' >"$dir/job.json"
check "$(cli run "$dir/job.json" --wait --timeout 60 >"$dir/out" 2>&1 && echo yes)" "a job may run there still: $(cat "$dir/out")"
verdict
