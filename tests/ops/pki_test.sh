#!/usr/bin/env bash
# What scripts/pki promises: files that exist stay unchanged, each certificate is for one purpose, names are checked, revoking works.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pki=$work/pki

fail() { echo "pki_test: $1" >&2; exit 1; }
refused() { ! "$top/scripts/pki" "$@" >/dev/null 2>&1 || fail "not refused: $*"; }
prints() { find "$pki" -type f ! -name '*.crl' ! -name 'crl*' ! -name 'index*' -exec sha256sum {} + | sort; }
good_for() { openssl verify -x509_strict -purpose "$1" -CAfile "$pki/$2" "$pki/$3" >/dev/null 2>&1; }

"$top/scripts/pki" "$pki" --devices "edge-1 edge-2" --operators "operator alice" --hosts "localhost broker.example"
before=$(prints)
"$top/scripts/pki" "$pki" --devices "edge-1 edge-2" --operators "operator alice"
[ "$before" = "$(prints)" ] || fail "a second run changed something"
"$top/scripts/pki" "$pki" --devices edge-3
[ -z "$(comm -23 <(echo "$before") <(prints))" ] || fail "one more device changed something"

good_for sslclient device-ca.crt devices/edge-3.crt || fail "a device's certificate does not verify"
good_for sslclient service-ca.crt services/scheduler.crt || fail "a service's certificate does not verify"
good_for sslserver service-ca.crt broker.crt || fail "the broker's certificate does not verify"
! good_for sslclient service-ca.crt devices/edge-1.crt || fail "the service CA vouches for a device"
! good_for sslclient device-ca.crt services/scheduler.crt || fail "the device CA vouches for a service"
! good_for sslserver device-ca.crt devices/edge-1.crt || fail "a device's certificate is good for a server"
! good_for sslclient service-ca.crt broker.crt || fail "the broker's certificate is good for a client"
for host in localhost broker.example; do
  openssl x509 -in "$pki/broker.crt" -noout -checkhost "$host" | grep 'does match' >/dev/null || fail "the broker's certificate lacks $host"
done
openssl x509 -in "$pki/broker.crt" -noout -checkip 127.0.0.1 | grep 'does match' >/dev/null || fail "the broker's certificate lacks 127.0.0.1"

"$top/scripts/pki" "$pki" --hosts "192.0.2.7 server.example 2001:db8::7"
for host in localhost broker.example server.example; do
  openssl x509 -in "$pki/broker.crt" -noout -checkhost "$host" | grep 'does match' >/dev/null || fail "the broker's new certificate lacks $host"
done
for address in 127.0.0.1 192.0.2.7 2001:db8::7; do
  openssl x509 -in "$pki/broker.crt" -noout -checkip "$address" | grep 'does match' >/dev/null || fail "the broker's new certificate lacks $address"
done
certificate=$(sha256sum "$pki/broker.crt")
"$top/scripts/pki" "$pki" --hosts "2001:db8:0::7 localhost"
[ "$certificate" = "$(sha256sum "$pki/broker.crt")" ] || fail "names that the certificate has make a new one"
refused "$pki" --hosts 'a,b'

while read -r key; do
  [ "$(stat -c %a "$key")" = 600 ] || fail "$key can be read by others"
  [ "$(head -n 1 "$key")" = "-----BEGIN PRIVATE KEY-----" ] || fail "$key is not PKCS#8"
  openssl pkey -in "$key" -noout -text | grep 'NIST CURVE: P-256' >/dev/null || fail "$key is not P-256"
done < <(find "$pki" -name '*.key')
[ "$(stat -c %a "$pki/dashboard.password")" = 600 ] || fail "the dashboards' password can be read by others"

for name in scheduler cli-edge ../edge "" "a/b" "-edge" "$(printf 'x%.0s' {1..65})" 'a+b'; do
  [ -z "$name" ] || refused "$pki" --devices "$name"
  [ -z "$name" ] || refused "$pki" --operators "$name"
done
# A name belongs to one party over both CAs, also in other case, which some brokers ignore.
for name in alice Alice operator EDGE-1 Scheduler; do refused "$pki" --devices "$name"; done
for name in edge-1 Edge-2 ALICE Registry; do refused "$pki" --operators "$name"; done
# A machine whose clock is some hours behind accepts the certificates.
for one in device-ca service-ca broker services/registry operators/operator devices/edge-1; do
  from=$(date -d "$(openssl x509 -in "$pki/$one.crt" -noout -startdate | cut -d= -f2)" +%s)
  [ "$from" -le $(($(date +%s) - 80000)) ] || fail "$one is valid only from now on"
done

refused
refused "$pki" --unknown x
refused "$pki" revoke nobody

standing() { openssl verify -crl_check -CAfile <(cat "$pki/device-ca.crt" "$pki/device-ca.crl") "$pki/devices/$1.crt" 2>&1 || true; }
is_revoked() { [[ $(standing "$1") == *"certificate revoked"* ]]; }
is_good() { [[ $(standing "$1") == *": OK" ]]; }
is_good edge-1 || fail "a new certificate does not pass the revocation list"
"$top/scripts/pki" "$pki" revoke edge-1
is_revoked edge-1 || fail "edge-1 is not revoked"
is_good edge-2 || fail "revoking edge-1 took edge-2 along"
refused "$pki" revoke edge-1
"$top/scripts/pki" "$pki" --devices "edge-1 edge-2"
is_revoked edge-1 || fail "a later run forgot the revocation"
"$top/scripts/pki" "$pki" revoke edge-2
is_revoked edge-1 || fail "the second revocation lost the first"
echo "pki_test: ok"
