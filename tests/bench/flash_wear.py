"""Measures the bytes written to the block device for each message of 100 bytes held, at steady rates, by tidegate, and
by Debian's mosquitto and nats-server if they are installed. Prints tables, or JSON with --json.

Every cell has a new ext4 on a loop device of its own, so the device's sectors count all writes of the broker and the
file system's journal, and no others. The start, which fills a new store, is not counted. Messages are published one by
one at the rate; each waits for its confirm, and nobody consumes. A broker that cannot keep the rate is measured at the
rate that it keeps. Needs root, for the loop device.

    /usr/bin/python3 tests/bench/flash_wear.py [--build build/release] [--nats PATH] [--seconds 30] [--json]

The other brokers: apt-get install mosquitto nats-server

Debian's nats-server may be too old to sync before it acknowledges. --nats measures a newer one in addition:

    GOBIN=$PWD go install github.com/nats-io/nats-server/v2@latest      # --nats $PWD/nats-server
"""

import argparse
import collections
import functools
import json
import math
import os
import pathlib
import select
import shutil
import statistics
import sys
import tempfile
import time

import card
import wear_brokers

CARD_BYTES = 1 << 30
FILLING_RATE = 10_000
YEAR_SECONDS = 365.25 * 24 * 3600
CONFIRM_SECONDS = 60
LATE_SECONDS = 1  # a broker that is later than this does not keep the rate
UNCONFIRMED_MIN = 10  # fewer unconfirmed messages are never late: at 1/s one slow confirm must not count
FIGURES = [("Bytes given to the device per message", "device_bytes", "{:,.0f}"),
           ("Messages a second confirmed", "confirmed_rate", "{:,.0f}"),
           ("Gigabytes a year at the confirmed rate", "gigabytes_a_year", "{:,.1f}"),
           ("Bytes charged to the process per message", "process_bytes", "{:,.0f}"),
           ("Median milliseconds from publish to confirm", "median_ms", "{:,.2f}"),
           ("Messages held at the end", "messages", "{:,}")]


def publish(broker, first, count, rate, late_seconds=math.inf):
    """Publishes messages at a steady rate, whether or not earlier ones are confirmed yet, and reads every confirm.
    Pauses while the messages of `late_seconds` are unconfirmed, and stops `late_seconds` after the last message was
    due, so that the run also ends with a broker slower than the rate. Returns each message's seconds to its confirm."""
    begin, sent, waiting, waits = time.monotonic(), 0, collections.deque(), []
    end, unconfirmed_max = begin + count / rate + late_seconds, max(UNCONFIRMED_MIN, rate * late_seconds)
    while True:
        now = time.monotonic()
        if now >= end:
            count = sent
        if len(waits) == count:
            return waits
        while sent < count and begin + sent / rate <= now and len(waiting) < unconfirmed_max:
            waiting.append(time.monotonic())
            broker.socket.sendall(broker.published(first + sent))
            sent += 1
        stalled = sent == count or len(waiting) >= unconfirmed_max
        pause = CONFIRM_SECONDS if stalled else max(0.0, begin + sent / rate - time.monotonic())
        if select.select([broker.socket], [], [], pause)[0]:
            data = broker.socket.recv(1 << 16)
            if not data:
                raise RuntimeError(f"{broker.name} closed the connection")
            arrived = time.monotonic()
            waits += [arrived - waiting.popleft() for _ in range(broker.confirms(data))]
        elif stalled:
            raise RuntimeError(f"{broker.name}: {len(waiting)} messages are not confirmed")


def fill_and_finish(broker, device, rate, count):
    """Runs the counted part: publishes, and waits until all resulting writes are done. Returns the messages held, their
    seconds to confirm, and the rate that the broker kept."""
    begin = time.monotonic()
    waits = publish(broker, 1, count, rate, LATE_SECONDS)
    kept = rate if len(waits) == count else len(waits) / (time.monotonic() - begin)
    more = max(0, broker.held_at_once(rate) - len(waits))
    if more:
        publish(broker, len(waits) + 1, more, FILLING_RATE)
    broker.finish()
    device.settle()
    return len(waits) + more, waits, kept


def measure(broker, folder, rate, seconds):
    """Returns the figures of one cell, measured with a new device and a new broker."""
    device = card.Card(folder, CARD_BYTES)
    try:
        home = device.mount / "broker"
        home.mkdir()
        broker.start(home)
        device.settle()
        written, charged = device.written(), broker.charged()
        messages, waits, kept = fill_and_finish(broker, device, rate, round(rate * seconds))
        written, charged = device.written() - written, broker.charged() - charged
    finally:
        broker.stop()
        device.close()
    return {"broker": broker.name, "rate": rate, "confirmed_rate": kept, "messages": messages,
            "device_bytes": written / messages, "process_bytes": charged / messages,
            "gigabytes_a_year": written / messages * kept * YEAR_SECONDS / 1e9,
            "median_ms": statistics.median(waits) * 1000}


def makers(build, nats):
    """Returns a function for each broker that makes a new one. `nats`: another nats-server to measure, or None."""
    program = build / "broker/main/tidegate-broker"
    made = [lambda: wear_brokers.Tidegate(program, "default"), lambda: wear_brokers.Tidegate(program, "sd-card"),
            lambda: wear_brokers.Mosquitto(1800), lambda: wear_brokers.Mosquitto(1), wear_brokers.MosquittoOnChanges]
    for server in [wear_brokers.Nats.program] + ([nats] if nats else []):
        made += [functools.partial(wear_brokers.Nats, server, sync) for sync in ("", "always")]
    return made


def measure_all(options):
    rows, promises = [], {}
    for make in makers(options.build, options.nats):
        name, absent = make().name, make().missing()
        if options.only not in name or name in promises:
            continue
        promises[name] = f"not measured: {absent}" if absent else make().promise
        for rate in [] if absent else options.rates:
            # At one message a second, the time that is enough for the other rates gives too few messages.
            seconds = options.seconds * (2 if rate < 10 else 1)
            print(f"{name}, {rate}/s for {seconds:g} s ...", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory(prefix="tidegate-wear-", dir=options.directory) as folder:
                rows.append(measure(make(), pathlib.Path(folder), rate, seconds))
    return rows, promises


def show(rows, promises, rates):
    """Prints tables that can be read as text and as Markdown."""
    found = {(row["broker"], row["rate"]): row for row in rows}
    names = list(dict.fromkeys(row["broker"] for row in rows))
    width = max(map(len, promises))
    for title, figure, form in FIGURES:
        print(f"{title}\n\n| {'':{width}} |" + "".join(f" {f'{rate:,}/s':>12} |" for rate in rates))
        print("|---|" + "---:|" * len(rates))
        for name in names:
            cells = (form.format(found[name, rate][figure]) for rate in rates)
            print(f"| {name:{width}} |" + "".join(f" {cell:>12} |" for cell in cells))
        print()
    for name, promise in promises.items():
        print(f"- {name}: {promise}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", type=pathlib.Path, help="(default build/release)")
    parser.add_argument("--nats", metavar="PATH", help="another nats-server, measured beside Debian's")
    parser.add_argument("--seconds", default=30, type=float, help="for each cell; twice at 1/s (default 30)")
    parser.add_argument("--rates", default=[1, 10, 100, 1000], type=int, nargs="+", help="messages a second")
    parser.add_argument("--only", default="", help="the brokers with this in their names (default: all)")
    parser.add_argument("--directory", default=None, help="for the 1 GiB image (default: the temporary one)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which("losetup"):
        sys.exit("flash_wear.py: needs root and losetup, for a block device of its own")
    rows, promises = measure_all(options)
    if options.json:
        print(json.dumps({"rows": rows, "promises": promises}))
    else:
        show(rows, promises, options.rates)


if __name__ == "__main__":
    main()
