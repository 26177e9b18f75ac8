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
bad=()
for file in "${files[@]}"; do
  [[ -f $file ]] || continue
  clang-format --dry-run -Werror "$file" >/dev/null 2>&1 || bad+=("$file")
done
printf 'not formatted: %s\n' "${bad[@]+"${bad[@]}"}"
echo "${#files[@]} files, ${#bad[@]} not formatted; mend with: clang-format -i FILE..."
((${#bad[@]} == 0))
