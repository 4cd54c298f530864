#!/usr/bin/env bash
# Builds and tests everything. The last line is `N passed, N failed` (or with `, N skipped`); exit code 0: none failed.
#
#   tests/run.sh [--unit] [--tidy] [--conversation] [--faults] [--endtoend] [--long]
#
#   --unit          unit tests of every room, with AddressSanitizer and UndefinedBehaviorSanitizer
#   --tidy          arrows between rooms, lengths, names, stray characters, clang-format, commits' subjects
#   --conversation  exact bytes against a broker built with the sanitizers
#   --faults        power cuts, failing calls, turned bits, kills, full maps and disks: nothing confirmed is lost
#   --endtoend      release programs together with a real Kafka, processes killed under load
#   --long          more rounds where a test has rounds; with the others or alone (then all stages)
#   --help          this text
#
# Without a stage all run. Installs what is missing first (toolchains/setup.sh tests). A stage that cannot run counts as
# one failure, so the count never looks better than what was seen. Results for machines: build/results/*.xml.
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

# build PRESET TARGETS...: configures it and builds what its stages use, once, and remembers the outcome. With --long
# nothing is precompiled, so that an include which is missing shows.
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

# run NAME COMMAND...: a stage's tests, which leave build/results/NAME.xml. Failing tests are counted from that file;
# a command that fails without a failure in it could not run (no test found, crashed, out of time).
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

# Only the system's Python and its own plugins: the same on every machine. No test is meant to take this long.
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
