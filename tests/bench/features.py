"""Measures what the features of queues cost: the queue cycle (publish, deliver, settle) plain, with a time to live,
with 10 priorities, with a queue for dead letters, and with every message discarded and moved there. Each point is
measured once a round, and every second round goes backwards, so that a slow minute affects all points. Then it measures
the broker's private memory with many messages held, each time in a new broker. Prints tables, with ratios to the plain
cycle, or JSON with --json.

    /usr/bin/python3 tests/bench/features.py [--build build/release] [--directory .] [--rounds 3] [--seconds 4]
                                             [--held 1000000] [--json]
"""

import argparse
import json
import pathlib
import statistics
import sys

from gateway import Gateway, private_kib

UNDER_WAY = 1_000
FEATURES = {
    "plain": (),
    "time to live": ("--ttl", "1h"),
    "10 priorities": ("--priorities", 10),
    "a queue for dead letters": ("--dead-letters",),
    "every message discarded": ("--discard",),
    "every message a dead letter": ("--dead-letters", "--discard"),
}


HELD = {
    "plain": (),
    "time to live": ("--ttl", "12h"),
    "delayed": ("--delay", "12h"),
    "10 priorities": ("--priority",),
}
BYTES_HELD = 400  # of the store for a message of 100 bytes: twice what the message needs


def memory_held(options, settings):
    """Returns private KiB of a broker with the messages held, and of the same broker before."""
    declared = '[[queue]]\nname = "held"\n' + ("priority_max = 9\n" if settings == ("--priority",) else "")
    with Gateway(options.build, options.directory, max(1 << 30, options.held * BYTES_HELD), declared) as gateway:
        before = private_kib(gateway.broker.pid)[0]
        parts = [("--priority", level) for level in range(10)] if settings == ("--priority",) else [settings]
        for part in parts:
            gateway.publish("held", options.held // len(parts), "--size", 100, "--window", UNDER_WAY, *part)
        return private_kib(gateway.broker.pid)[0], before


def measured(options):
    figures = {name: [] for name in FEATURES}
    with Gateway(options.build, options.directory, 4 << 30) as gateway:
        for number in range(options.rounds):
            for name in list(FEATURES)[::1 if number % 2 == 0 else -1]:
                print(f"features: round {number + 1}, {name}", file=sys.stderr, flush=True)
                seen = gateway.bench("queue", "--seconds", options.seconds, "--window", UNDER_WAY, *FEATURES[name])
                figures[name].append(seen["rates"]["queue"]["acknowledged"]["per_second"])
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--directory", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--held", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rounds = measured(options)
    held = {}
    for name, settings in HELD.items():
        print(f"features: {options.held:,} held, {name}", file=sys.stderr, flush=True)
        held[name] = memory_held(options, settings)
    middle = {name: statistics.median(figures) for name, figures in rounds.items()}
    if options.json:
        cycles = {name: {"per_second": rounds[name], "of_plain": middle[name] / middle["plain"]} for name in FEATURES}
        return print(json.dumps({"cycles": cycles, "private_kib": {name: list(held[name]) for name in HELD}}))
    for name in FEATURES:
        print(f"{name:30} {middle[name]:>10,.0f}/s {middle[name] / middle['plain']:6.2f}")
    for name in HELD:
        with_them, before = held[name]
        print(f"{options.held:,} held, {name:22} {with_them:>8,} KiB private ({before:,} before)")


if __name__ == "__main__":
    main()
