#!/usr/bin/env bash
# Shows the main job on real input in about a minute: several sensors publish through the broker, a worker empties a
# queue, the bridge forwards the log to a Kafka; then the link is cut, data is held, the link returns, and everything is
# replayed. Ends with a table, and with exit code 0 only if no message is lost, duplicated or out of order.
#
# Installs missing packages (toolchains/setup.sh), builds, and runs examples/demo.py, which has the options:
# see ./examples/demo.sh --help.
set -euo pipefail
cd "$(dirname "$0")/.."

for argument in "$@"; do
  case "$argument" in
    --help | -h)
      if [ -x /usr/bin/python3 ]; then exec /usr/bin/python3 examples/demo.py --help; fi
      sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
      exit 0
      ;;
  esac
done

./toolchains/setup.sh build
launcher=()
if command -v ccache >/dev/null; then
  launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
printf '\n== building (the first time takes some minutes)\n'
cmake -G Ninja -S . -B build/demo -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTIDEGATE_TESTS=OFF "${launcher[@]}" >/dev/null
cmake --build build/demo --parallel "$(nproc)"
exec /usr/bin/python3 examples/demo.py --build build/demo "$@"
