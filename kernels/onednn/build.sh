#!/usr/bin/env bash
# Builds the pinned oneDNN once for this machine and prints the prefix it is installed in.
#
#   kernels/onednn/build.sh            build if needed, print the prefix on standard output
#   kernels/onednn/build.sh --prefix   print the prefix only, build nothing
#
# The source is Debian 13's package, fetched with apt-get source from the mirror that this machine's
# apt already uses. FOURFOLD_ONEDNN_SOURCE may name an unpacked source tree or an installed prefix.
# The cache is FOURFOLD_CACHE, or fourfold/ in the user's cache folder; its key is version + options
# + compiler, so that a second clone links what the first one built.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../deploy/build/progress.sh"

version=3.7.2
options=(
  -DCMAKE_BUILD_TYPE=Release
  -DONEDNN_LIBRARY_TYPE=STATIC
  -DONEDNN_CPU_RUNTIME=THREADPOOL
  -DONEDNN_GPU_RUNTIME=NONE
  -DONEDNN_BUILD_DOC=OFF
  -DONEDNN_BUILD_EXAMPLES=OFF
  -DONEDNN_BUILD_TESTS=OFF
  -DONEDNN_BUILD_GRAPH=OFF
  -DONEDNN_ENABLE_WORKLOAD=INFERENCE
  "-DONEDNN_ENABLE_PRIMITIVE=BINARY;CONVOLUTION;ELTWISE;MATMUL;POOLING;REORDER;RESAMPLING;SOFTMAX"
  -DONEDNN_ENABLE_JIT_PROFILING=OFF
  -DONEDNN_ENABLE_ITT_TASKS=OFF
  -DCMAKE_POSITION_INDEPENDENT_CODE=ON
  -DCMAKE_INSTALL_LIBDIR=lib
)

cache=${FOURFOLD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fourfold}
compiler=${CXX:-c++}

# A prefix given by hand needs no build.
if [[ -n ${FOURFOLD_ONEDNN_SOURCE:-} && -d $FOURFOLD_ONEDNN_SOURCE/lib/cmake/dnnl ]]; then
  echo "$FOURFOLD_ONEDNN_SOURCE"
  exit 0
fi

command -v "$compiler" >/dev/null || fail "no C++ compiler '$compiler': run deploy/build/packages.sh first"
key=$(printf '%s\n' "$version" "${options[@]}" "$("$compiler" --version | head -n 1)" \
  "${FOURFOLD_ONEDNN_SOURCE:-}" | sha256sum | cut -c1-16)
prefix=$cache/onednn-$version-$key

if [[ ${1:-} == --prefix || -e $prefix/complete ]]; then
  echo "$prefix"
  exit 0
fi

mkdir -p "$cache/log"
exec 9>"$cache/onednn.lock"
flock 9 # a second clone waits for the first one's build instead of repeating it
if [[ -e $prefix/complete ]]; then
  echo "$prefix"
  exit 0
fi

work=$(mktemp -d "$cache/onednn-build.XXXXXX")
list=/etc/apt/sources.list.d/fourfold-onednn-source.list
cleanup() {
  rm -rf "$work"
  [[ ! -e $list ]] || as_root rm -f "$list"
}
trap cleanup EXIT

fetch_from_debian() {
  command -v apt-get >/dev/null ||
    fail "no apt-get here: set FOURFOLD_ONEDNN_SOURCE to a oneDNN $version source tree or prefix"
  local mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL) $(COMPONENT)' |
    awk '$2 == "Debian" && $3 == "Debian" && $4 == "main" { print $1; exit }')
  [[ -n $mirror ]] || fail "apt on this machine names no Debian mirror"
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  echo "deb-src [signed-by=$keyring] $mirror trixie main" | as_root tee "$list" >/dev/null
  # Only this list: nothing else on the machine is refreshed or can fail.
  quietly "$cache/log/onednn-index.log" as_root apt-get update \
    -o Dir::Etc::sourcelist="$list" -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0
  (cd "$work" && quietly "$cache/log/onednn-fetch.log" apt-get source --only-source \
    "onednn=$(apt-cache showsrc --only-source onednn |
      awk -v v="$version" '$1 == "Version:" && index($2, v) == 1 { print $2; exit }')")
  as_root rm -f "$list"
  mv "$work"/onednn-"$version"* "$work/source" 2>/dev/null || true
  [[ -d $work/source ]] || mv "$(find "$work" -mindepth 1 -maxdepth 1 -type d | head -n 1)" "$work/source"
}

if [[ -n ${FOURFOLD_ONEDNN_SOURCE:-} ]]; then
  [[ -f $FOURFOLD_ONEDNN_SOURCE/CMakeLists.txt ]] ||
    fail "FOURFOLD_ONEDNN_SOURCE=$FOURFOLD_ONEDNN_SOURCE is neither a source tree nor an installed prefix"
  ln -s "$FOURFOLD_ONEDNN_SOURCE" "$work/source"
else
  note "fetching the source of oneDNN $version"
  fetch_from_debian
fi

note "building oneDNN $version: about 15 minutes on two cores, once per machine"
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_C_COMPILER_LAUNCHER=ccache)
quietly "$cache/log/onednn-configure.log" cmake -G Ninja -S "$work/source" -B "$work/build" \
  "${options[@]}" "${launcher[@]}" -DCMAKE_INSTALL_PREFIX="$prefix.part"
quietly "$cache/log/onednn-build.log" cmake --build "$work/build"
rm -rf "$prefix.part" "$prefix"
quietly "$cache/log/onednn-install.log" cmake --install "$work/build"
touch "$prefix.part/complete"
mv "$prefix.part" "$prefix"
note "oneDNN $version is in $prefix"
echo "$prefix"
