#!/usr/bin/env bash
# Cross-compiles kernels/ and its tests for 64-bit ARM and runs them under qemu-user as three kinds of
# processor, one for each level of the tables: NEON alone, with SDOT and float16, with SMMLA.
#
#   tests/kernels/aarch64.sh [BUILD_FOLDER]     default build/aarch64-kernels
#
# Exit code 77 (skipped) where compiler, emulator or GoogleTest's sources are missing.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${1:-$root/build/aarch64-kernels}

skip() {
  echo "SKIPPED: $*"
  exit 77
}
for program in aarch64-linux-gnu-g++ qemu-aarch64 ninja; do
  command -v "$program" >/dev/null || skip "$program is not installed (deploy/build/packages.sh --tests)"
done
[[ -e /usr/src/googletest/CMakeLists.txt ]] ||
  skip "no sources in /usr/src/googletest (Debian: package googletest)"

log=$build/build.log
mkdir -p "$build"
if ! {
  cmake -G Ninja -S "$root" -B "$build" --toolchain "$root/deploy/build/aarch64.cmake" \
    -DCMAKE_BUILD_TYPE=Release -DFOURFOLD_KERNELS_ONLY=ON &&
    cmake --build "$build" -j2
} >"$log" 2>&1; then
  tail -n 40 "$log"
  echo "the build for aarch64 failed; whole log: $log"
  exit 1
fi

status=0
shopt -s nullglob
programs=("$build"/bin/kernels*_test)
((${#programs[@]} > 0)) || { echo "no test program in $build/bin"; exit 1; }
for cpu in cortex-a53 neoverse-n1 max; do
  passed=0 skipped=0 failed=0
  for program in "${programs[@]}"; do
    output=$build/$(basename "$program").$cpu.log
    code=0
    QEMU_CPU=$cpu qemu-aarch64 -L /usr/aarch64-linux-gnu "$program" --gtest_brief=1 >"$output" 2>&1 ||
      code=$?
    # GoogleTest's counts: "[  PASSED  ] 12 tests."
    count() { sed -nE "s/^\[ +$1 +\] ([0-9]+) tests?[.,].*/\1/p" "$output" | tail -n 1; }
    program_passed=$(count PASSED)
    program_failed=$(count FAILED)
    program_skipped=$(count SKIPPED)
    passed=$((passed + ${program_passed:-0}))
    skipped=$((skipped + ${program_skipped:-0}))
    # A program that failed or died without a count is one failure.
    ((code == 0)) || failed=$((failed + ${program_failed:-1}))
    if ((code != 0 || ${program_passed:-0} == 0)); then
      status=1
      grep -vE 'Skipped|^$' "$output" | tail -n 40
      echo "$(basename "$program") on $cpu: exit code $code; whole log: $output"
    fi
  done
  echo "$cpu: passed $passed, skipped $skipped, failed $failed"
done
exit "$status"
