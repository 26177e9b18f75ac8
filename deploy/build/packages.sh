#!/usr/bin/env bash
# Installs the Debian packages that Fourfold builds with. Does nothing, quickly, where all are there.
#
#   deploy/build/packages.sh [--tests] [--aarch64]
#
#   --tests     also those that only the test suite uses
#   --aarch64   also what cross-compiles for 64-bit ARM: a compiler, and the libraries of sysroot.sh,
#               which are unpacked beside the machine's own
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/progress.sh"

packages=(
  build-essential ccache cmake dpkg-dev flatbuffers-compiler ninja-build pkg-config
  libabsl-dev libcivetweb-dev libflatbuffers-dev libgrpc++-dev libjs-chart.js libonnx-dev libprotobuf-dev
  libspdlog-dev libssl-dev libstb-dev libzip-dev nlohmann-json3-dev prometheus-cpp-dev
  protobuf-compiler protobuf-compiler-grpc zlib1g-dev
)
tests=(
  chromium chromium-driver curl g++-aarch64-linux-gnu libb64-0d libgmock-dev libgtest-dev
  libonnx-testdata prometheus python3 python3-venv qemu-user strace
)

with_tests= with_aarch64=
for argument in "$@"; do
  case $argument in
    --tests) with_tests=1 ;;
    --aarch64) with_aarch64=1 ;;
    *) fail "unknown argument '$argument', wanted --tests or --aarch64" ;;
  esac
done
[[ -z $with_tests ]] || packages+=("${tests[@]}")
[[ -z $with_aarch64 ]] || packages+=(g++-aarch64-linux-gnu)

command -v apt-get >/dev/null || fail "this script knows Debian's apt-get only; install by hand: ${packages[*]}"

# Of this machine's architecture: the same package of a foreign one does not count.
native="(all|$(dpkg --print-architecture)) installed"
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Architecture} ${db:Status-Status}\n' "$package" 2>/dev/null |
    grep -qxE "$native" || missing+=("$package")
done

if ((${#missing[@]} > 0)); then
  note "installing ${missing[*]}"
  log=${FOURFOLD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fourfold}/log/packages.log
  export DEBIAN_FRONTEND=noninteractive
  quietly "$log" as_root apt-get update
  # A test package such as prometheus must not start its own service on the machine.
  quietly "$log" as_root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${missing[@]}"
fi
[[ -z $with_aarch64 ]] || "$here/sysroot.sh" >/dev/null
