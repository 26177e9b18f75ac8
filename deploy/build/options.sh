# Sourced by the commands at the root: where this checkout builds and with which options.

fourfold_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
fourfold_cache=${FOURFOLD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fourfold}
fourfold_build=$fourfold_root/build/release
fourfold_log=$fourfold_build/log

# install_packages [--tests] [--aarch64]: all that the build, or also the test suite or a cross
# compilation, takes from Debian.
install_packages() {
  step "Packages"
  "$fourfold_root/deploy/build/packages.sh" "$@"
  note "all installed"
}

# configure_and_build TESTS TARGET...: oneDNN, then the release preset with FOURFOLD_BUILD_TESTS=TESTS.
configure_and_build() {
  local tests=$1 prefix=
  shift
  local onednn=()
  case $(uname -m) in
    x86_64 | amd64)
      step "oneDNN"
      prefix=$("$fourfold_root/kernels/onednn/build.sh")
      note "in $prefix"
      onednn=(-DFOURFOLD_WITH_ONEDNN=ON "-DFOURFOLD_ONEDNN_PREFIX=$prefix")
      ;;
    *) onednn=(-DFOURFOLD_WITH_ONEDNN=OFF) ;;
  esac

  step "Build"
  mkdir -p "$fourfold_log"
  quietly "$fourfold_log/configure.log" cmake -S "$fourfold_root" -B "$fourfold_build" \
    --preset release "${onednn[@]}" "-DFOURFOLD_BUILD_TESTS=$tests"
  quietly "$fourfold_log/build.log" cmake --build "$fourfold_build" --target "$@"
  note "programs are in $fourfold_build/bin"
}

# cross_build BIN TARGET...: switches to the preset aarch64, whose tests compare with the programs for this
# machine in BIN, and builds the targets.
cross_build() {
  local bin=$1
  shift
  fourfold_build=$fourfold_root/build/aarch64
  fourfold_log=$fourfold_build/log
  step "Build for aarch64"
  mkdir -p "$fourfold_log"
  quietly "$fourfold_log/configure.log" cmake -S "$fourfold_root" --preset aarch64 \
    "-DFOURFOLD_HOST_BIN_DIR=$bin"
  quietly "$fourfold_log/build.log" cmake --build "$fourfold_build" --target "$@"
  note "programs are in $fourfold_build/bin"
}
