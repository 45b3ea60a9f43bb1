#!/usr/bin/env bash
# An operator removes packages: one that a job, a template or a stage needs stays, and who needs it is said. Of one that goes no file stays, it
# is not listed any more, and a job with it is refused. The same content comes back under its name, another one does not.
# Usage: package_rm_test.sh BIN_DIR
bin=$1
# shellcheck source=tests/support/stack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/stack.sh"

stack up "$dir" --bin "$bin" --fast-disk --ttl 600 --devices "edge-1:cpu=1000,mem=1024"
await edge-1 device_is edge-1 "active online"

# push VERSION [TEXT [OPTION…]]: the package work@VERSION; prints its digest
push() {
  local version=$1 text=${2:-$1}
  shift $(($# < 2 ? $# : 2))
  rm -rf "$dir/work"
  mkdir "$dir/work"
  printf '#!/bin/sh\necho %s\n' "$text" >"$dir/work/go"
  chmod +x "$dir/work/go"
  cli package push "$dir/work" --name work --version "$version" --json "$@" | jq -r .digest
}
store=$(sed -n 's/^directory = "\(.*\)"/\1/p' "$dir/etc/transfer.toml")
file() { printf '%s/content/%s' "$store" "${1#sha256:}"; }
listed() { cli package ls --json | jq -r '[.[].digest] | index("'"$1"'") != null'; }
# refuses TEXT COMMAND…: whether the command of the CLI ends with exit code 1 and this text
refuses() {
  local text=$1 code=0
  shift
  cli "$@" >"$dir/out" 2>&1 || code=$?
  if [ $code -eq 1 ] && grep -F "$text" "$dir/out" >/dev/null; then echo yes; else echo "no ($code)"; fi
}
no() { cat "$dir/out"; }

one=$(push 1) two=$(push 2) three=$(push 3)
for digest in "$one" "$two" "$three"; do check "$([ -s "$(file "$digest")" ] && echo yes)" "$digest is stored"; done

# A job that runs, one that waits, a template, a stage.
echo '{"command": ["sleep", "300"]}' >"$dir/job.json"
running=$(cli run "$dir/job.json" --set-package work@1 2>/dev/null | job_of)
await "the job to run" job_is "$running" running
check "$(refuses "work@1 is needed by job $running" package rm work@1)" "a job runs with it: $(no)"
check "$(refuses "work@1 is needed by job $running" package rm "$one")" "by its digest: $(no)"
echo '{"command": ["./go"], "requirements": {"labels": {"no": "where"}}}' >"$dir/job.json"
waiting=$(cli run "$dir/job.json" --set-package work@2 2>/dev/null | job_of)
check "$(refuses "work@2 is needed by job $waiting" package rm work@2)" "a job waits for a device: $(no)"
cli job cancel "$waiting" >/dev/null
cli send work@2 edge-1 --timeout 60 >/dev/null 2>&1
check "$(refuses "work@2 is needed by stage on edge-1" package rm work@2)" "it is staged: $(no)"
printf '{"name": "watch", "parameters": {}, "job": {"command": ["./go"], "package": "%s"}}' "$three" >"$dir/template.json"
cli template push "$dir/template.json" >/dev/null
check "$(refuses "work@3 is needed by template watch@1" package rm work@3)" "a template names it: $(no)"
for digest in "$one" "$two" "$three"; do check "$([ -s "$(file "$digest")" ] && [ "$(listed "$digest")" = true ] && echo yes)" "$digest stays"; done

# Nothing needs it any more.
cli template rm watch >/dev/null
cli package rm work@3 >"$dir/out"
check "$(grep -F "removed work@3" "$dir/out" >/dev/null && echo yes)" "removed: $(no)"
gone() { ! compgen -G "$(file "$1")*" >/dev/null; }
await "the file to go" gone "$three"
check "$([ "$(listed "$three")" = false ] && echo yes)" "it is not listed"
check "$(refuses "there is no package work@3" run "$dir/job.json" --set-package work@3)" "a job by its name: $(no)"
printf '{"command": ["./go"], "package": "%s"}' "$three" >"$dir/job.json"
check "$(refuses "no such package" run "$dir/job.json")" "a job by its digest: $(no)"
cli transfer unstage work@2 edge-1 >/dev/null
cli package rm "$(echo "$two" | cut -c 1-20)" >/dev/null
await "the other file to go" gone "$two"
check "$(job_is "$running" running && echo yes)" "the job with the first one runs"

# The name stays the content's, also when the service begins again.
stack kill "$dir" transfer KILL
stack start "$dir" transfer
await "transfer to answer" cli package show work@1 >/dev/null 2>&1
push 3 another >"$dir/other" 2>"$dir/out" || true
check "$([ ! -s "$dir/other" ] && grep -F "work@3 was $three" "$dir/out" >/dev/null && echo yes)" "another content under the name: $(no)"
check "$([ "$(push 3)" = "$three" ] && [ -s "$(file "$three")" ] && [ "$(listed "$three")" = true ] && echo yes)" "the same content is back"
echo '{"command": ["./go"]}' >"$dir/job.json"
runs() { [ "$(cli run "$dir/job.json" --set-package work@3 --wait --timeout 30 2>"$dir/out")" = 3 ]; }
check "$(runs && echo yes)" "a job with it: $(no)"

# A version for two architectures goes as one: who names one needs both.
here=$(uname -m)
mine=$(push 4 mine --architecture "$here") other=$(push 4 other --architecture riscv64)
echo '{"command": ["sleep", "300"], "requirements": {"labels": {"no": "where"}}}' >"$dir/job.json"
waiting=$(cli run "$dir/job.json" --set-package "$mine" 2>/dev/null | job_of)
check "$(refuses "work@4 is needed by job $waiting" package rm work@4 --architecture riscv64)" "a job needs all architectures: $(no)"
cli job cancel "$waiting" >/dev/null
cli package rm work@4 --json >"$dir/out"
check "$([ "$(jq -r '.digests | sort | join(" ")' "$dir/out")" = "$(printf '%s\n' "$mine" "$other" | sort | paste -sd' ')" ] && echo yes)" "both are removed: $(no)"
for digest in "$mine" "$other"; do await "the files to go" gone "$digest"; done
verdict
