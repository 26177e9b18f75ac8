#!/usr/bin/env bash
# python_env.sh SCRIPT [ARGUMENT...]: runs a Python script with the packages of requirements.txt, or of
# the file that FOURFOLD_REQUIREMENTS names, in a virtual environment made once per machine in
# Fourfold's cache folder, keyed by the requirements and the version of Python. Exit code 77 (skipped)
# where the package index is out of reach.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${FOURFOLD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fourfold}
python=${FOURFOLD_PYTHON3:-python3}
requirements=${FOURFOLD_REQUIREMENTS:-$here/requirements.txt}

key=$( (cat "$requirements" && "$python" --version) | sha256sum | cut -c1-16)
environment=$cache/venv-$key

if [[ ! -e $environment/complete ]]; then
  mkdir -p "$cache/log"
  exec 9>"$cache/venv-$key.lock"
  flock 9 # tests that start together make it once
  if [[ ! -e $environment/complete ]]; then
    log=$cache/log/venv-$key.log
    rm -rf "$environment"
    "$python" -m venv "$environment" >"$log" 2>&1 || {
      cat "$log" >&2
      echo "error: $python cannot make a virtual environment (Debian: python3-venv)" >&2
      exit 1
    }
    if ! "$environment/bin/pip" install --disable-pip-version-check --only-binary :all: \
      -r "$requirements" >"$log" 2>&1; then
      rm -rf "$environment"
      if grep -qE 'NewConnectionError|ConnectTimeout|Network is unreachable|Temporary failure in name|ProxyError|SSLError|Read timed out|from versions: none' "$log"; then
        echo "SKIPPED: the Python package index is out of reach, so $(basename "${1:-the script}") did not run; log: $log"
        exit 77
      fi
      tail -n 20 "$log" >&2
      echo "error: the packages of $requirements do not install; log: $log" >&2
      exit 1
    fi
    touch "$environment/complete"
  fi
  exec 9>&-
fi

exec "$environment/bin/python" "$@"
