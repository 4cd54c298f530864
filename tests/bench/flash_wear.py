"""What a held message of 100 bytes costs the flash: bytes that the block device is given per message, at steady rates,
by tidegate, and by Debian's mosquitto and nats-server if they are installed. Prints tables, or JSON with --json.

Every cell has a fresh ext4 on a loop device of its own, so the device's sectors count everything, the file system's
journal included, and nothing of anybody else. Starting, and filling a new store, is not counted. Messages are published
one by one at the rate; each waits for its confirm, and nobody consumes. Needs root, for the loop device.

    /usr/bin/python3 tests/bench/flash_wear.py [--build build/release] [--seconds 30] [--json]

The other brokers: apt-get install mosquitto nats-server
"""

import argparse
import collections
import json
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
FIGURES = [("Bytes given to the device per message", "device_bytes", "{:,.0f}"),
           ("Gigabytes a year at that rate", "gigabytes_a_year", "{:,.1f}"),
           ("Bytes charged to the process per message", "process_bytes", "{:,.0f}"),
           ("Median milliseconds from publish to confirm", "median_ms", "{:,.2f}"),
           ("Messages held at the end", "messages", "{:,}")]


def publish(broker, first, count, rate):
    """Publishes messages at a steady rate, whether or not earlier ones are confirmed yet, and takes every confirm.
    The seconds that each waited for its confirm."""
    begin, sent, waiting, waits = time.monotonic(), 0, collections.deque(), []
    while len(waits) < count:
        now = time.monotonic()
        while sent < count and begin + sent / rate <= now:
            waiting.append(time.monotonic())
            broker.socket.sendall(broker.published(first + sent))
            sent += 1
        pause = max(0.0, begin + sent / rate - time.monotonic()) if sent < count else CONFIRM_SECONDS
        if select.select([broker.socket], [], [], pause)[0]:
            data = broker.socket.recv(1 << 16)
            if not data:
                raise RuntimeError(f"{broker.name} closed the connection")
            arrived = time.monotonic()
            waits += [arrived - waiting.popleft() for _ in range(broker.confirms(data))]
        elif sent == count:
            raise RuntimeError(f"{broker.name}: {len(waiting)} messages are not confirmed")
    return waits


def fill_and_finish(broker, device, rate, count):
    """The counted part: what is published, and the writing it leads to. (messages, waits)"""
    waits = publish(broker, 1, count, rate)
    more = max(0, broker.held_at_once(rate) - count)
    if more:
        publish(broker, count + 1, more, FILLING_RATE)
    broker.finish()
    device.settle()
    return count + more, waits


def measure(broker, folder, rate, seconds):
    """One cell: a fresh device, a fresh broker."""
    device = card.Card(folder, CARD_BYTES)
    try:
        home = device.mount / "broker"
        home.mkdir()
        broker.start(home)
        device.settle()
        written, charged = device.written(), broker.charged()
        messages, waits = fill_and_finish(broker, device, rate, round(rate * seconds))
        written, charged = device.written() - written, broker.charged() - charged
    finally:
        broker.stop()
        device.close()
    return {"broker": broker.name, "rate": rate, "messages": messages, "device_bytes": written / messages,
            "process_bytes": charged / messages, "gigabytes_a_year": written / messages * rate * YEAR_SECONDS / 1e9,
            "median_ms": statistics.median(waits) * 1000}


def makers(build):
    """What makes each broker anew."""
    program = build / "broker/main/tidegate-broker"
    return [lambda: wear_brokers.Tidegate(program, "default"), lambda: wear_brokers.Tidegate(program, "sd-card"),
            lambda: wear_brokers.Mosquitto(1), lambda: wear_brokers.Mosquitto(1800),
            wear_brokers.Nats, lambda: wear_brokers.Nats("always")]


def measure_all(options):
    rows, promises = [], {}
    for make in makers(options.build):
        name, absent = make().name, make().missing()
        if options.only not in name:
            continue
        promises[name] = f"not measured: {absent}" if absent else make().promise
        for rate in [] if absent else options.rates:
            # One message a second is too few in the time that is enough for the others.
            seconds = options.seconds * (2 if rate < 10 else 1)
            print(f"{name}, {rate}/s for {seconds:g} s ...", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory(prefix="tidegate-wear-", dir=options.directory) as folder:
                rows.append(measure(make(), pathlib.Path(folder), rate, seconds))
    return rows, promises


def show(rows, promises, rates):
    """Tables that read as text and as Markdown."""
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
