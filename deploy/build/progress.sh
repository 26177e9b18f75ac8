# Sourced by the commands at the root: progress that a person can follow.

fourfold_started=$(date +%s)

# step TEXT: announces a step with the seconds since the start.
step() { printf '\n[%4ds] == %s\n' "$(($(date +%s) - fourfold_started))" "$*" >&2; }

note() { printf '        %s\n' "$*" >&2; }

fail() {
  printf '\nerror: %s\n' "$*" >&2
  exit 1
}

# quietly LOG COMMAND...: runs the command with its output in LOG, in the foreground, so that ctrl-C
# reaches it. Meanwhile shows the log's last line: on a terminal every second, else every minute. On
# failure prints the end of the log and where the whole of it is.
quietly() {
  local log=$1 status=0 owner=$BASHPID watcher
  shift
  mkdir -p "$(dirname "$log")"
  : >"$log"
  fourfold_watch "$log" "$owner" &
  watcher=$!
  disown "$watcher" # the shell says nothing of its end
  "$@" >"$log" 2>&1 || status=$?
  kill "$watcher" 2>/dev/null || true
  [[ ! -t 2 ]] || printf '\r\033[K' >&2
  if ((status != 0)); then
    tail -n 40 "$log" >&2
    fail "'$*' failed with exit code $status; whole log: $log"
  fi
}

# fourfold_watch LOG OWNER: shows LOG's last line until it is killed or the process OWNER has ended.
fourfold_watch() {
  local seconds=0 line
  exec >/dev/null # a caller that reads our output does not wait for the watcher
  while sleep 1 && kill -0 "$2" 2>/dev/null; do
    seconds=$((seconds + 1))
    line=$(tail -n 1 "$1" | tr -d '\r' | cut -c1-90)
    if [[ -t 2 ]]; then
      printf '\r\033[K        %s' "$line" >&2
    elif ((seconds % 60 == 0)); then
      note "$((seconds / 60)) min: $line"
    fi
  done
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
