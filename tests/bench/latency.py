"""Measures the broker's latency at a steady rate, and the latency of two raw syncs at the same rate, because a commit
is two syncs. They take turns of a few seconds, so that a slow time of the disk affects all of them. Latencies count
from the time when each message or sync was due. The raw syncs are of 100 bytes each, written over zeros as the store
does it, or appended to a file that grows. Prints a table, or JSON with --json.

    /usr/bin/python3 tests/bench/latency.py [--build build/release] [--directory .] [--rate 1000] [--rounds 10]
                                            [--seconds 3] [--json]
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

from gateway import Gateway

PERCENTILES = ("p50", "p99")
IN_PLACE, APPENDED = "two raw syncs, in place", "two raw syncs, appended"
PAGE = 4_096
CASES = {"publish to confirm, publishing alone": (("--consumers", 0), "publish_to_confirm"),
         "publish to confirm": ((), "publish_to_confirm"),
         "publish to deliver": ((), "publish_to_deliver")}


def two_syncs(file, step, options):
    """Returns {percentile: ms} of writing and syncing 100 bytes twice, each `step` bytes after the one before."""
    taken, began = [], time.monotonic()
    for number in range(options.rate * options.seconds):
        due = began + number / options.rate
        time.sleep(max(0, due - time.monotonic()))
        for place in (2 * number, 2 * number + 1):
            os.pwrite(file.fileno(), b"x" * 100, place * step)
            os.fdatasync(file.fileno())
        taken.append((time.monotonic() - due) * 1_000)
    cuts = statistics.quantiles(taken, n=100)
    return {"p50": cuts[49], "p99": cuts[98]}


def turn(gateway, filled, options):
    """Measures each case once and returns {case: {percentile: ms}}."""
    found = {IN_PLACE: two_syncs(filled, PAGE, options)}
    with tempfile.TemporaryFile(dir=options.directory, buffering=0) as empty:
        found[APPENDED] = two_syncs(empty, 100, options)
    seen = {}
    for case, (settings, timing) in CASES.items():
        if settings not in seen:
            figures = gateway.bench("queue", "--rate", options.rate, "--seconds", options.seconds, *settings)
            seen[settings] = figures["latency_ms"]["queue"]
        found[case] = {name: seen[settings][timing][name] for name in PERCENTILES}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", type=pathlib.Path, help="(default build/release)")
    parser.add_argument("--directory", default=".", help="on the disk to be measured (default .)")
    parser.add_argument("--rate", default=1_000, type=int, help="a second (default 1000)")
    parser.add_argument("--rounds", default=10, type=int, help="(default 10)")
    parser.add_argument("--seconds", default=3, type=int, help="of each turn (default 3)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rounds = []
    with (tempfile.TemporaryFile(dir=options.directory, buffering=0) as filled,
          Gateway(options.build, options.directory) as gateway):
        filled.write(bytes(2 * options.rate * options.seconds * PAGE))
        os.fsync(filled.fileno())
        for number in range(options.rounds):
            print(f"latency: round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
            rounds.append(turn(gateway, filled, options))
    if options.json:
        print(json.dumps(rounds))
        return
    print("| | p50 ms, median (lowest - highest) | of raw | p99 ms, median (lowest - highest) | of raw |")
    print("|---|---:|---:|---:|---:|")
    for case in rounds[0]:
        cells = []
        for name in PERCENTILES:
            figures = [found[case][name] for found in rounds]
            raw = statistics.median(found[IN_PLACE][name] for found in rounds)
            middle = statistics.median(figures)
            cells.append(f"{middle:.2f} ({min(figures):.2f} - {max(figures):.2f}) | {middle / raw:.2f}")
        print(f"| {case} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
