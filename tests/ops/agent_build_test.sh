#!/usr/bin/env bash
# A device can build and install its agent without PostgreSQL's libraries and without the tests' libraries.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "agent_build_test: $1" >&2; exit 1; }

# Builds as on a machine that has none of these libraries.
mkdir "$work/pc"
for place in $(pkg-config --variable pc_path pkg-config | tr : ' '); do
  [ ! -d "$place" ] || find "$place" -name '*.pc' ! -name 'libpq*' ! -name 'g[tm]*.pc' ! -name 'benchmark*' -exec ln -sf -t "$work/pc" {} +
done
env PKG_CONFIG_LIBDIR="$work/pc" cmake --preset agent -S "$top" -B "$work/build" -DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON \
  -DCMAKE_DISABLE_FIND_PACKAGE_benchmark=ON >"$work/said" 2>&1 || fail "does not configure: $(tail -n 20 "$work/said")"
! grep -nE 'libpq|pqxx|gtest|libbenchmark' "$work/build/build.ninja" >&2 || fail "the agent's build names what a device does not have"
! grep -E '^build (all|bin/[^:]*):' "$work/build/build.ninja" | grep -E 'fieldwork-(registry|scheduler)|_test' >&2 || fail "it builds more than the agent"
grep 'bin/fieldwork-agent' "$work/build/services/cmake_install.cmake" >/dev/null || fail "the agent is not installed"
packages=$(sed -n '/^agent="/,/"$/p' "$top/scripts/deps")
for package in libpqxx-dev libmosquitto-dev libgtest-dev libbenchmark-dev; do
  [[ $packages != *"$package"* ]] || fail "scripts/deps agent installs $package"
done
echo "agent_build_test: ok"
