#!/usr/bin/env bash
# Makes again what the openssl command line can make of sealed.json: the ciphertext of each chunk (without its tag), the root, the
# ECDH secret, the key that HKDF makes of it, and the keys that were wrapped. Exit codes: 0 ok, 1 a value differs.
set -euo pipefail
vectors=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/sealed.json
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

say() { jq -r "$1" "$vectors"; }
bytes() { tr a-f A-F | basenc --base16 --decode --wrap=0; } # of hex
hex() { basenc --base16 --wrap=0 | tr A-F a-f; }
sha256() { openssl dgst -sha256 -binary | hex; }
base64url_hex() { tr -- '-_' '+/' | base64 --decode 2>/dev/null | hex || true; } # base64 misses the padding, after all bytes
same() { # WHAT IS WANTED
  if [ -z "$2" ] || [ "$2" != "$3" ]; then
    echo "sealed_openssl: $1: $2 instead of $3" >&2
    exit 1
  fi
}

# CIPHER KEY NONCE, plain bytes on stdin: the key stream of both modes begins at block 1, after the one that makes the tag.
encrypted() {
  case $1 in
    aes-256-gcm) openssl enc -aes-256-ctr -K "$2" -iv "${3}00000002" ;;
    chacha20-poly1305) openssl enc -chacha20 -K "$2" -iv "01000000$3" ;;
  esac | hex
}

cipher_byte() { [ "$1" = aes-256-gcm ] && echo 01 || echo 02; }

# The root over the hex lines on stdin.
root() {
  local level=() above line i
  while read -r line; do level+=("$(printf '00%s' "$line" | bytes | sha256)"); done
  while [ ${#level[@]} -gt 1 ]; do
    above=()
    for ((i = 0; i < ${#level[@]}; i += 2)); do
      if ((i + 1 < ${#level[@]})); then
        above+=("$(printf '01%s%s' "${level[i]}" "${level[i + 1]}" | bytes | sha256)")
      else
        above+=("${level[i]}")
      fi
    done
    level=("${above[@]}")
  done
  echo "${level[0]}"
}

content() { # NUMBER
  local at=".contents[$1]" cipher key encoded sealed size count number plain nonce chunks=()
  cipher=$(say "$at.encryption_algorithm") key=$(say "$at.key") encoded=$(say "$at.encoded")
  size=$((2 * $(say "$at.chunk_bytes"))) # hex digits, as all sizes below
  same "content $1, digest" "sha256:$(printf %s "$encoded" | bytes | sha256)" "$(say "$at.digest")"
  same "content $1, header" "$(say "$at.header")" "$(printf '46575301%s%s000000%08x%016x%s' "$(say "$at.content")" \
    "$(cipher_byte "$cipher")" $((size / 2)) $((${#encoded} / 2)) "$(say "$at.digest[7:]")")"
  sealed=$(say "$at.frames[].bytes[64:]" | tr -d '\n')
  count=$(((${#encoded} + size - 1) / size))
  for ((number = 0; number < count; ++number)); do
    plain=${encoded:number * size:size}
    nonce=$(printf '%014d%08x%02x' 0 "$number" $((number + 1 == count)))
    chunks+=("${sealed:0:${#plain} + 32}")
    sealed=${sealed:${#plain} + 32}
    same "content $1, chunk $number" "$(printf %s "$plain" | bytes | encrypted "$cipher" "$key" "$nonce")" "${chunks[-1]:0:${#plain}}"
  done
  same "content $1: bytes after the last chunk" "-$sealed" "-"
  same "content $1, root" "$(printf '%s\n' "${chunks[@]}" | root)" "$(say "$at.root")"
}

ecdh() {
  local at=.wraps.ecdh secret kek wrapped
  say "$at.receiver_key" >receiver.pem
  say "$at.ephemeral_key" >ephemeral.pem
  openssl pkey -in ephemeral.pem -pubout -out ephemeral.pub
  same "ephemeral" "$(openssl pkey -in ephemeral.pem -pubout -outform DER | tail -c 65 | hex)" "$(say "$at.wrapped_key.ephemeral" | base64url_hex)"
  secret=$(openssl pkeyutl -derive -inkey receiver.pem -peerkey ephemeral.pub | hex)
  same "ECDH secret" "$secret" "$(say "$at.secret")"
  kek=$(openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt "hexkey:$secret" -kdfopt "hexinfo:$(say "$at.info")" -binary HKDF | hex)
  same "key of HKDF" "$kek" "$(say "$at.kek")"
  wrapped=$(say "$at.wrapped_key.wrapped" | base64url_hex)
  same "key wrapped by ECDH" "$(say "$at.key" | bytes | encrypted aes-256-gcm "$kek" 000000000000000000000000)" "${wrapped:0:64}"
}

oaep() {
  local at=.wraps.oaep
  say "$at.receiver_key" >rsa.pem
  say "$at.wrapped_key.wrapped" | base64url_hex | bytes >wrapped
  same "key wrapped by RSA-OAEP" "$(openssl pkeyutl -decrypt -inkey rsa.pem -in wrapped -pkeyopt rsa_padding_mode:oaep \
    -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256 -pkeyopt "rsa_oaep_label:$(say "$at.info")" | hex)" "$(say "$at.key")"
}

info() { # WRAP
  local at=.wraps.$1
  same "info of $1" "$(say "$at.info")" "$(printf 'fieldwork content key v1\0' | hex)$(say "$at.content")$(say "$at.fingerprint")"
}

contents=$(say '.contents | length')
for ((i = 0; i < contents; ++i)); do content "$i"; done
info ecdh
ecdh
info oaep
oaep
echo "ok: $contents contents, 2 wraps"
