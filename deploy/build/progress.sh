# Sourced by the commands at the root: progress that a person can follow.

fourfold_started=$(date +%s)

# step TEXT: announces a step with the seconds since the start.
step() { printf '\n[%4ds] == %s\n' "$(($(date +%s) - fourfold_started))" "$*" >&2; }

note() { printf '        %s\n' "$*" >&2; }

fail() {
  printf '\nerror: %s\n' "$*" >&2
  exit 1
}

# quietly LOG COMMAND...: runs the command with its output in LOG; on a terminal shows the last line
# as it goes; on failure prints the end of the log and where the whole of it is.
quietly() {
  local log=$1 status=0
  shift
  mkdir -p "$(dirname "$log")"
  if [[ -t 2 ]]; then
    "$@" >"$log" 2>&1 &
    local pid=$!
    while kill -0 "$pid" 2>/dev/null; do
      printf '\r\033[K        %s' "$(tail -n 1 "$log" | tr -d '\r' | cut -c1-90)" >&2
      sleep 1
    done
    printf '\r\033[K' >&2
    wait "$pid" || status=$?
  else
    "$@" >"$log" 2>&1 || status=$?
  fi
  if ((status != 0)); then
    tail -n 40 "$log" >&2
    fail "'$*' failed with exit code $status; whole log: $log"
  fi
}

# as_root COMMAND...: runs it as root, through sudo for anybody else.
as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "need root to run '$*': run this as root or install sudo"
  fi
}
