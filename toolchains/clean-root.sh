#!/usr/bin/env bash
# Runs a command in a clone of this repository on a newly made minimal Debian 12. Shows that toolchains/setup.sh names
# every package, and that a documented command works for somebody who has just cloned the repository.
#
#   toolchains/clean-root.sh [--keep] COMMAND [ARGUMENT...]
#
#   toolchains/clean-root.sh ./tests/run.sh
#   toolchains/clean-root.sh ./examples/demo.sh
#   toolchains/clean-root.sh sh -c './toolchains/setup.sh && ./toolchains/setup.sh'
#
# Makes the Debian 12 with debootstrap in a folder of its own and copies this machine's apt configuration, name
# resolution and certificates into it. Clones what is committed here (HEAD) and runs COMMAND at the clone's top, as
# root, in mount and process namespaces of its own. Processes and mounts that COMMAND leaves end with the namespaces;
# then the folder is removed. The network is this machine's, so ports must be free. --keep keeps the folder and prints
# its path. Exit code: COMMAND's; 125 if the root could not be made. Needs root, debootstrap and about 3 GB in $TMPDIR.
set -euo pipefail

say() { printf 'clean-root: %s\n' "$*" >&2; }
die() { say "$*"; exit 125; }

# Prints the mirror that this machine's apt uses for Debian itself. Asks apt, because its sources may be written in
# several forms.
mirror_in_use() {
  apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "bookworm" {print $2; exit}'
}

# Copies apt's configuration, certificates and name resolution. Some of these paths may be missing: keys and sources may
# be in any of them.
copy_machine_configuration() {
  local path
  rm "$root/etc/apt/sources.list"
  for path in /etc/apt /usr/share/keyrings /etc/ssl/certs/ca-certificates.crt /usr/local/share/ca-certificates \
    /etc/resolv.conf /etc/hosts; do
    if [ -e "$path" ]; then
      mkdir -p "$root$(dirname "$path")"
      cp -aL "$path" "$root$(dirname "$path")/" 2>/dev/null || say "not all of $path could be copied"
    fi
  done
}

# enter COMMAND...: runs COMMAND in the new root, as the first process of the namespaces. /dev is the one that
# debootstrap made: it has the plain devices, without this machine's disks.
enter() {
  mount -t proc proc "$root/proc"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount -t tmpfs tmpfs "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
  exec chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" \
    ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
    ${no_proxy:+no_proxy="$no_proxy"} sh -c 'cd ~/tidegate && exec "$@"' sh "$@"
}

# The script calls itself again with --inside, in the new namespaces.
if [ "${1:-}" = --inside ]; then
  root=$2
  shift 2
  enter "$@"
fi

keep=false
if [ "${1:-}" = --keep ]; then
  keep=true
  shift
fi
case "${1:-}" in
  '' | -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
esac
[ "$(id -u)" -eq 0 ] || die "needs root: debootstrap and chroot do"
command -v debootstrap >/dev/null || die "debootstrap is missing: toolchains/setup.sh dev"

top=$(cd "$(dirname "$0")/.." && pwd)
root=$(mktemp -d "${TMPDIR:-/tmp}/tidegate-root.XXXXXX")
chmod 755 "$root"  # apt downloads as a user of its own
finish() {
  if $keep; then say "kept: $root"; else rm -rf --one-file-system "$root"; fi
}
trap finish EXIT

mirror=$(mirror_in_use)
say "making a minimal Debian 12 in $root"
debootstrap --variant=minbase bookworm "$root" ${mirror:+"$mirror"} >"$root.log" 2>&1 ||
  { tail -n 20 "$root.log" >&2; die "debootstrap failed, its whole output is in $root.log"; }
rm -f "$root.log"
copy_machine_configuration
git clone --quiet --no-hardlinks "$top" "$root/root/tidegate" || die "cannot clone $top"
say "running in a clone of $(git -C "$top" rev-parse --short HEAD): $*"
result=0
unshare --mount --pid --fork --kill-child "$0" --inside "$root" "$@" || result=$?
say "exit code $result"
exit "$result"
