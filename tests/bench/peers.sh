#!/usr/bin/env bash
# Measures Tidegate, Debian's RabbitMQ, NATS JetStream and Mosquitto, and a real Kafka with the same work, in turns in
# one run. With --write, puts the tables into docs/figures/benchmarks.md between its markers.
#
#   tests/bench/peers.sh [--quick] [--only rabbitmq,kafka] [--rounds 3] [--directory .] [--json FILE] ...
#
# First installs missing packages from Debian, with a message; no package is started or enabled as a service. Kafka and
# RabbitMQ's perf-test are fetched from Maven Central into ~/.cache/tidegate. Build the release preset before.
# `tests/bench/peers.sh --help` prints all options. The servers run as the calling user, from folders of their own under
# --directory, and are ended and removed at the end.
set -euo pipefail

tests=$(cd "$(dirname "$0")/.." && pwd)
packages=(rabbitmq-server nats-server mosquitto openjdk-17-jre-headless maven)
policy=/usr/sbin/policy-rc.d

say() { printf 'peers: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

is_installed() { [ "$(dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Prints the units that systemd would start at the next boot because of the packages to install.
units_to_come() {
  for package in "${missing[@]}"; do
    case "$package" in
      rabbitmq-server)
        echo rabbitmq-server.service
        is_installed erlang-base || printf 'epmd.%s\n' service socket
        ;;
      nats-server | mosquitto) echo "$package.service" ;;
    esac
  done
}

# Installs the missing packages. Debian starts a service when its package is installed, unless policy-rc.d forbids it.
# If there is no such file, makes one for the time of the installation. Disables the new units afterwards.
install_missing() {
  local own_policy=no units
  mapfile -t units < <(units_to_come)
  say "installing from Debian, without starting or enabling a service: ${missing[*]}"
  if [ ! -e "$policy" ]; then
    own_policy=yes
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    trap 'as_root rm -f "$policy"' EXIT
  elif "$policy" mosquitto start; then
    die "$policy is there and lets services start: have it exit with 101, or install yourself: ${missing[*]}"
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 update >&2
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 \
    install --yes --no-install-recommends "${missing[@]}" >&2 || die "apt-get install failed, see above"
  if [ "$own_policy" = yes ]; then
    as_root rm -f "$policy"
    trap - EXIT
  fi
  if [ -d /run/systemd/system ]; then
    for unit in "${units[@]}"; do
      as_root systemctl disable "$unit" || say "could not disable $unit: is it enabled? systemctl status $unit"
    done
  fi
}

case " $* " in
  *" --help "* | *" -h "*) ;;
  *)
    missing=()
    for package in "${packages[@]}"; do is_installed "$package" || missing+=("$package"); done
    [ ${#missing[@]} -eq 0 ] || install_missing
    ;;
esac
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$tests:$tests/bench:$tests/endtoend
exec /usr/bin/python3 -m peers "$@"
