# Sourced by run and real: steps with names and times, and an end that leaves no process running,
# whatever the reason for the end.
set -euo pipefail
set -m # each step is a process group, which can be ended with all its processes

timings=() at_end=() # at_end: commands for the end, the last one first

step() { # step NAME COMMAND...
	local name=$1 began=$SECONDS
	shift
	printf '\n== %s\n' "$name"
	"$@" </dev/null &
	wait "$!"
	took "$name" "$began"
}

took() { timings+=("$(printf '%5d s  %s' "$((SECONDS - $2))" "$1")"); }

# finish ends the running steps, then runs the commands of at_end.
finish() {
	local status=$? group i
	trap - EXIT INT TERM
	set +e
	for group in $(jobs -p); do end "$group"; done 2>/dev/null
	for ((i = ${#at_end[@]} - 1; i >= 0; i--)); do eval "${at_end[i]}"; done
	exit "$status"
}

end() { # end GROUP: by SIGTERM, and after half a minute by SIGKILL
	kill -TERM -- "-$1" || return
	local tries
	for tries in $(seq 60); do
		kill -0 -- "-$1" || return
		sleep 0.5
	done
	kill -KILL -- "-$1"
}

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
