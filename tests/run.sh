#!/usr/bin/env bash
# Builds and tests everything. The last line of output is `N passed, N failed`, with `, N skipped` if there are any. The
# exit code is 0 if no test failed.
#
#   tests/run.sh [--unit] [--tidy] [--conversation] [--faults] [--endtoend] [--long]
#
#   --unit          unit tests of every room, with AddressSanitizer and UndefinedBehaviorSanitizer
#   --tidy          includes between rooms, lengths, names, stray characters, clang-format, quoted files, subjects of
#                   commits
#   --conversation  exact bytes against a broker built with the sanitizers
#   --faults        power cuts, failing calls, flipped bits, kills, full maps and disks: nothing confirmed is lost
#   --endtoend      release programs together with a real Kafka and beside a real RabbitMQ, processes killed under load
#   --long          more rounds of tests that have rounds; may be combined with stages, alone it runs all stages
#   --help          prints this text
#
# Runs all stages if none is given. First installs missing packages (toolchains/setup.sh tests). A stage that cannot run
# counts as one failure, so that its missing results do not look like success. Writes the results as JUnit files to
# build/results/*.xml.
set -uo pipefail
shopt -s nullglob
cd "$(dirname "$0")/.."

results=$PWD/build/results
jobs=$(nproc)
stages=()
while [ $# -gt 0 ]; do
  case "$1" in
    --unit | --tidy | --conversation | --faults | --endtoend) stages+=("${1#--}") ;;
    --long) export TIDEGATE_LONG=1 ;;
    --help | -h) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) printf 'unknown option %s, see %s --help\n' "$1" "$0" >&2; exit 2 ;;
  esac
  shift
done
[ ${#stages[@]} -gt 0 ] || stages=(unit tidy conversation faults endtoend)

broken=0   # stages that could not run
say() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }
could_not() {
  say "could not: $*"
  broken=$((broken + 1))
}
is_wanted() { [[ " ${stages[*]} " == *" $1 "* ]]; }

# build PRESET TARGETS...: configures the preset and builds the targets once; later calls return the same result. With
# --long no header is precompiled, so that a missing include fails the build.
declare -A built=()
build() {
  if [ -z "${built[$1]:-}" ]; then
    say "building $1 with $jobs jobs"
    local options=(-DCMAKE_DISABLE_PRECOMPILE_HEADERS="$([ -n "${TIDEGATE_LONG:-}" ] && echo ON || echo OFF)")
    if command -v ccache >/dev/null; then
      options+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
      export CCACHE_SLOPPINESS=pch_defines,time_macros  # else it keeps nothing that has precompiled headers
    fi
    if cmake --preset "$1" "${options[@]}" && cmake --build --preset "$1" --parallel "$jobs" --target "${@:2}"; then
      built[$1]=yes
    else
      built[$1]=no
    fi
  fi
  [ "${built[$1]}" = yes ]
}

# run NAME COMMAND...: runs a stage's tests, which write build/results/NAME.xml. Failing tests are counted from that
# file. If the command fails and the file has no failure, the stage could not run (no test found, crashed, out of time).
run() {
  local name=$1 counts
  shift
  say "$name"
  "$@"
  local code=$?
  if ! counts=$(/usr/bin/python3 tests/tally.py "$results/$name.xml"); then
    could_not "run the $name tests to their end (exit code $code)"
  elif [ "$code" -ne 0 ] && [[ "$counts" == *" 0 failed"* ]]; then
    could_not "run the $name tests without trouble (exit code $code)"
  fi
}

# Uses the system's Python with pytest's built-in plugins only, so that tests run the same on every machine. The timeout
# only ends tests that hang.
pytest_stage() {
  local name=$1
  shift
  run "$name" env PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 PYTHONDONTWRITEBYTECODE=1 "$@" \
    timeout --signal=INT --kill-after=60 "$([ -n "${TIDEGATE_LONG:-}" ] && echo 10h || echo 30m)" \
    /usr/bin/python3 -m pytest -p no:cacheprovider -v "tests/$name" --junitxml="$results/$name.xml"
}

mkdir -p "$results"
rm -f "$results"/*.xml
toolchains/setup.sh tests || could_not "install what the tests need"

if is_wanted tidy; then
  pytest_stage tidy
fi
if is_wanted unit; then
  if build debug unit_tests tidegate-broker; then
    run unit ctest --preset debug --parallel "$jobs" --output-junit "$results/unit.xml"
  else
    could_not "run the unit tests: the debug build failed"
  fi
fi
if is_wanted conversation; then
  if build debug unit_tests tidegate-broker; then
    pytest_stage conversation TIDEGATE_BUILD="$PWD/build/debug"
  else
    could_not "run the conversation tests: the debug build failed"
  fi
fi
if is_wanted faults; then
  if build release programs; then
    pytest_stage faults TIDEGATE_BUILD="$PWD/build/release"
  else
    could_not "run the faults tests: the release build failed"
  fi
fi
if is_wanted endtoend; then
  if build release programs; then
    pytest_stage endtoend TIDEGATE_BUILD="$PWD/build/release"
  else
    could_not "run the end-to-end tests: the release build failed"
  fi
fi

say "all done"
/usr/bin/python3 tests/tally.py --broken "$broken" "$results"/*.xml
