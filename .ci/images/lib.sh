# Sourced by the recipes. Each recipe fills a folder with an image's files, from the packages that are
# installed on this machine.

# programs ROOT PROGRAM... copies programs, with the shared libraries that they load, to the same paths
# below ROOT.
programs() {
	local root=$1 file
	shift
	for file in "$@"; do
		copy_to "$root" "$file"
		libraries "$root" "$file"
	done
}

# libraries ROOT FILE copies the libraries that ldd lists for FILE, and the loader. A static program
# has none.
libraries() {
	local root=$1 lib
	{ ldd "$2" 2>/dev/null || :; } | sed -n 's|^[^/]*\(/[^ ]*\) (0x.*|\1|p' | while read -r lib; do
		[ -e "$root$lib" ] || copy_to "$root" "$lib"
	done
}

copy_to() { mkdir -p "$1$(dirname "$2")" && cp -L "$2" "$1$2"; }

# install_packages NAME... with the system's package manager.
install_packages() {
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
		echo "images: these packages are missing: $*; install them and run this again" >&2
		return 1
	fi
	echo "images: installing $* with apt-get" >&2
	apt-get update -qq >&2
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o DPkg::Lock::Timeout=300 \
		--no-install-recommends "$@" >&2
}

# health ROOT copies a shell and curl, which the health checks of compose.yaml call.
health() {
	command -v curl >/dev/null 2>&1 || install_packages curl
	programs "$1" /bin/sh "$(command -v curl)"
}
