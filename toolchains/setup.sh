#!/usr/bin/env bash
# Installs the packages of Debian 12 or Raspberry Pi OS 12 that Tidegate needs, and nothing else.
#
#   toolchains/setup.sh [build]   packages for building and running (default)
#   toolchains/setup.sh tests     also packages for ./tests/run.sh
#   toolchains/setup.sh dev       also packages for developers of Tidegate
#
# Asks dpkg first and changes nothing if all packages are installed, so it may be run before every build. Needs root or
# sudo only if a package is missing.
set -euo pipefail

build_packages=(
  g++ cmake ninja-build pkg-config    # GCC 12, CMake 3.25
  libboost1.81-dev                    # Asio, Beast; Debian's default 1.74 has trouble with coroutines in GCC 12
  libboost-json1.81-dev libboost-system1.81-dev
  liblmdb-dev                         # the store
  nanopb libnanopb-dev                # the wire schema; nanopb brings protoc and python3-protobuf
  librdkafka-dev                      # the bridge's way to Kafka
  libfmt-dev                          # text
  libtomlplusplus-dev libcli11-dev    # configuration, command lines
  libzstd-dev liblz4-dev libsnappy-dev zlib1g-dev  # record batches compressed by a producer
)
tests_packages=(
  libgtest-dev libgmock-dev libbenchmark-dev
  python3-pytest
  protobuf-compiler python3-protobuf  # conversation tests speak the wire schema from Python
  openjdk-17-jre-headless maven       # a real Kafka: Maven fetches it, Java runs it
  rabbitmq-server python3-pika        # a real RabbitMQ, without its service: the tests start their own
  procps                              # what processes weigh
  faketime                            # a broker whose clock is wrong
  valgrind                            # instructions a message costs
  clang-format                        # whether the sources are formatted
)
dev_packages=(ccache gdb git lmdb-utils debootstrap)

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

is_installed() { [ "$(dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# as_root COMMAND...: runs COMMAND as root, through sudo if the user is another one.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "installing needs root and there is no sudo here; as root, run: apt-get install ${missing[*]}"
  fi
}

# Runs apt-get with a wait for the lock and with retries: another apt may be at work on a machine that has just started,
# and a gateway's network fails now and then.
apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 "$@"
}

case "${1:-build}" in
  build) wanted=("${build_packages[@]}") ;;
  tests) wanted=("${build_packages[@]}" "${tests_packages[@]}") ;;
  dev) wanted=("${build_packages[@]}" "${tests_packages[@]}" "${dev_packages[@]}") ;;
  -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
  *) printf 'usage: %s [build|tests|dev]\n' "$0" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  die "this system has no dpkg and apt; on another one install the counterparts of: ${wanted[*]}"
fi

missing=()
for package in "${wanted[@]}"; do
  is_installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  say "all ${#wanted[@]} packages are there, nothing to do"
  exit 0
fi

# The package would start a RabbitMQ for the whole machine, and at each boot. Who wants it: systemctl unmask.
service=/etc/systemd/system/rabbitmq-server.service
if [[ " ${missing[*]} " == *" rabbitmq-server "* && ! -e $service ]]; then
  say "masking the service of rabbitmq-server: the tests start their own"
  as_root mkdir -p "${service%/*}"
  as_root ln -s /dev/null "$service"
fi

say "installing ${#missing[@]} of ${#wanted[@]} packages: ${missing[*]}"
apt_get update || die "apt-get update failed: is there a network, and are the sources under /etc/apt in order?"
apt_get install --yes --no-install-recommends "${missing[@]}" ||
  die "apt-get install failed (see above); the package names are those of Debian 12 (bookworm)"
say "done"
