"""Counts the instructions that a message costs on each of the broker's four hot paths, with callgrind. The counts are
the same on every run, so a change of a few percent comes from the code and not from the machine. Compares them with
the accepted counts in tests/bench/instructions.json.

    /usr/bin/python3 tests/bench/instructions.py [--build build/release] [--json | --write]

Callgrind counts each byte of a long copy as an instruction: compare these figures only with one another.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
BASELINE = HERE / "instructions.json"
PATHS = ("publish", "deliver", "produce", "fetch")
ALLOWED = 0.05


def count(build, path):
    """Returns the instructions for each message on a path of hot_paths."""
    command = ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=measured",
               "--callgrind-out-file=/dev/null", str(build / "tests/bench/hot_paths"), path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if collected is None:
        raise RuntimeError(f"callgrind does not say what it collected: {done.stderr[-500:]}")
    return round(int(collected.group(1)) / int(done.stdout))


def baseline():
    return json.loads(BASELINE.read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parents[1] / "build/release")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="take what is counted as the new baseline")
    options = parser.parse_args()
    counted = {path: count(options.build, path) for path in PATHS}
    if options.write:
        BASELINE.write_text(json.dumps(counted, indent=2) + "\n")
    if options.json:
        json.dump(counted, sys.stdout, indent=2)
        return print()
    known = baseline()
    print("| path | instructions a message | baseline | change |\n|---|---:|---:|---:|")
    for path, number in counted.items():
        print(f"| {path} | {number:,} | {known[path]:,} | {number / known[path] - 1:+.1%} |")


if __name__ == "__main__":
    main()
