"""Measures whether the queue cycle (publish, deliver, acknowledge, 1,000 under way in all) costs the same with more
messages held in another queue, with more queues, and with more connections that publish. Each point is measured once a
round, and every second round goes backwards, so that a slow minute affects all points of an axis. Prints a table, or
JSON with --json.

    /usr/bin/python3 tests/bench/flat.py [--build build/release] [--directory .] [--rounds 3] [--seconds 4] [--json]
"""

import argparse
import json
import pathlib
import resource
import statistics
import sys

from gateway import Gateway

UNDER_WAY = 1_000
HELD = (10_000, 1_000_000, 10_000_000)
QUEUES = (1, 10, 100, 1_000)
CONNECTIONS = (1, 10, 100, 400)  # the most that a generator opens
BYTES_HELD = 400                 # of the store for a message of 100 bytes: twice what the message needs


def cycles(gateway, seconds, settings):
    """Returns the cycles a second."""
    figures = gateway.bench("queue", "--seconds", seconds, *settings)
    return figures["rates"]["queue"]["acknowledged"]["per_second"]


def filled(options, held):
    gateway = Gateway(options.build, options.directory, max(1 << 30, held * BYTES_HELD), '[[queue]]\nname = "held"\n')
    gateway.publish("held", held, "--size", 100, "--window", UNDER_WAY)
    return gateway


def measured(options, points):
    """Returns {name: figures of the rounds} of the points [(name, gateway, settings)]."""
    figures = {name: [] for name, _, _ in points}
    for number in range(options.rounds):
        for name, gateway, settings in points if number % 2 == 0 else points[::-1]:
            print(f"flat: round {number + 1}, {name}", file=sys.stderr, flush=True)
            figures[name].append(cycles(gateway, options.seconds, settings))
    return figures


def held(options):
    gateways = []
    try:
        for count in HELD:
            print(f"flat: filling {count:,}", file=sys.stderr, flush=True)
            gateways.append(filled(options, count))
        return measured(options, [(f"{count:,} held", gateway, ()) for count, gateway in zip(HELD, gateways)])
    finally:
        for gateway in gateways:
            gateway.end()


def spread(options):
    with Gateway(options.build, options.directory) as gateway:
        queues = measured(options, [(f"{count:,} queues", gateway, ("--queues", count)) for count in QUEUES])
        connections = measured(options, [
            (f"{count:,} connections", gateway, ("--connections", count, "--window", max(1, UNDER_WAY // count)))
            for count in CONNECTIONS])
        return queues, connections


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", type=pathlib.Path, help="(default build/release)")
    parser.add_argument("--directory", default=".", help="on the disk to be measured (default .)")
    parser.add_argument("--rounds", default=3, type=int, help="(default 3)")
    parser.add_argument("--seconds", default=4, type=int, help="of each measurement (default 4)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    axes = [held(options), *spread(options)]
    if options.json:
        print(json.dumps(axes))
        return
    print("| | cycles a second, median (lowest - highest) | of the first |\n|---|---:|---:|")
    for axis in axes:
        first = statistics.median(next(iter(axis.values())))
        for name, figures in axis.items():
            middle = statistics.median(figures)
            print(f"| {name} | {middle:,.0f} ({min(figures):,.0f} - {max(figures):,.0f}) | {middle / first:.2f} |")


if __name__ == "__main__":
    main()
