#!/usr/bin/env bash
# Installs the Debian packages that Fourfold builds with; with --tests also those that only its
# test suite uses. Does nothing, quickly, where all are installed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/progress.sh"

packages=(
  build-essential ccache cmake dpkg-dev ninja-build pkg-config
  libabsl-dev libcivetweb-dev libgrpc++-dev libonnx-dev libprotobuf-dev libspdlog-dev libssl-dev
  libstb-dev libzip-dev nlohmann-json3-dev prometheus-cpp-dev protobuf-compiler
  protobuf-compiler-grpc zlib1g-dev
)
tests=(curl libgmock-dev libgtest-dev prometheus python3 python3-venv)

[[ ${1:-} == --tests ]] && packages+=("${tests[@]}")

command -v apt-get >/dev/null || fail "this script knows Debian's apt-get only; install by hand: ${packages[*]}"

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
((${#missing[@]} == 0)) && exit 0

note "installing ${missing[*]}"
log=${FOURFOLD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fourfold}/log/packages.log
export DEBIAN_FRONTEND=noninteractive
quietly "$log" as_root apt-get update
# A test package such as prometheus must not start its own service on the machine.
quietly "$log" as_root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
  apt-get install -y --no-install-recommends "${missing[@]}"
