#!/usr/bin/env bash
# Builds the container image fourfold:ARCH with docker, podman or buildah, whichever is there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../deploy/build/progress.sh"

usage() {
  cat <<'TEXT'
usage: docker/build.sh [amd64|arm64] [BUILD OPTION...]

Builds docker/Dockerfile as fourfold:amd64 or fourfold:arm64, by default for this machine, and tags it
fourfold:latest if it is for this machine. arm64 is cross-compiled on amd64. Options go to the tool:

  docker/build.sh arm64 --build-arg JOBS=2        compile with two processes at a time
  docker/build.sh amd64 -v PREFIX:/onednn --build-arg FOURFOLD_ONEDNN_SOURCE=/onednn
                                                  (podman, buildah) link a oneDNN that is built already

CONTAINER_TOOL names the tool: docker, podman or buildah. A machine without an image registry needs
docker.io/library/debian:trixie-slim in the tool's store.
TEXT
}

native=$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
arch=$native
case ${1:-} in
  -h | --help)
    usage
    exit 0
    ;;
  amd64 | arm64)
    arch=$1
    shift
    ;;
  '' | -*) ;;
  *)
    usage >&2
    exit 2
    ;;
esac

tool=${CONTAINER_TOOL:-}
for candidate in docker podman buildah; do # docker is a client only: it must also find its daemon
  [[ -n $tool ]] || ! "$candidate" info >/dev/null 2>&1 || tool=$candidate
done
[[ -n $tool ]] || fail "none of docker, podman and buildah works here"

version=$(sed -nE 's/^project\(fourfold VERSION ([0-9.]+).*/\1/p' "$here/../CMakeLists.txt")
revision=$(git -C "$here" rev-parse HEAD 2>/dev/null || echo unknown)
options=(--platform "linux/$arch" -f "$here/Dockerfile" -t "fourfold:$arch"
  --build-arg "VERSION=$version" --build-arg "REVISION=$revision")
[[ $arch != "$native" ]] || options+=(-t fourfold:latest)
# docker's builder says by itself what it builds on; the health check is of docker's image format.
case $tool in
  docker) command=(docker build) ;;
  *)
    command=("$tool" build --layers --format docker)
    options+=(--build-arg "BUILDPLATFORM=linux/$native" --build-arg "BUILDARCH=$native")
    ;;
esac
exec "${command[@]}" "${options[@]}" "$@" "$here/.."
