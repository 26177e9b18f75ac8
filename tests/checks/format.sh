#!/usr/bin/env bash
# Every C++ file of the repository is formatted as .clang-format says. Exit code 77 (skipped) where
# there is no clang-format; versions before 14 and after 21 lay some lines out differently.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if ! command -v clang-format >/dev/null; then
  echo "SKIPPED: clang-format is not installed"
  exit 77
fi
if ! git rev-parse --git-dir >/dev/null 2>&1; then
  echo "SKIPPED: not a git checkout, so there is no list of our files"
  exit 77
fi
clang-format --version
mapfile -t files < <(git ls-files -- '*.cc' '*.h')
((${#files[@]} > 0)) || { echo "no C++ file found"; exit 1; }
there=()
for file in "${files[@]}"; do [[ ! -f $file ]] || there+=("$file"); done
mapfile -t bad < <(clang-format --dry-run -Werror "${there[@]}" 2>&1 |
  sed -nE 's/^([^:]+):[0-9]+:[0-9]+: (error|warning): .*/\1/p' | sort -u)
for file in "${bad[@]+"${bad[@]}"}"; do echo "not formatted: $file"; done
echo "${#files[@]} files, ${#bad[@]} not formatted; mend with: clang-format -i FILE..."
((${#bad[@]} == 0))
