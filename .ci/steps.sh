# Sourced by run and real: steps that say their names and times, and an end that leaves nothing running, however it comes about.
set -euo pipefail
set -m # each step is a process group of its own, to be ended with all that it started

timings=() at_end=() # at_end: commands, the last one first

step() { # step NAME COMMAND...
	local name=$1 began=$SECONDS
	shift
	printf '\n== %s\n' "$name"
	"$@" </dev/null &
	wait "$!"
	took "$name" "$began"
}

took() { timings+=("$(printf '%5d s  %s' "$((SECONDS - $2))" "$1")"); }

# finish ends what still runs, then does what was put off.
finish() {
	local status=$? group i
	trap - EXIT INT TERM
	set +e
	for group in $(jobs -p); do end "$group"; done 2>/dev/null
	for ((i = ${#at_end[@]} - 1; i >= 0; i--)); do eval "${at_end[i]}"; done
	exit "$status"
}

end() { # end GROUP: orderly, and after half a minute by force
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
