"""Measures whether a store at its bound keeps its speed for minutes at full load. First fills a topic that drops its
oldest messages to its bound. Then one publisher publishes into it without pause, while a queue is filled and consumed
again and again. Prints the rates, also as bars over time, the file's size and the broker's memory; or JSON with --json.

    /usr/bin/python3 tests/bench/steady_state.py [--build build/release] [--seconds 300] [--directory .] [--json]
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from gateway import CONFIG, processes

DECLARED = """\
[[queue]]
name = "work"
[[topic]]
name = "held"
retention_bytes = {retention}
[[binding]]
exchange = "amq.direct"
topic = "held"
routing_key = "held"
"""
BODY_BYTES = 100
CYCLE = 20_000       # messages that are published into the queue before they are consumed
TOPIC_SHARE = 0.6    # of the store
BARS = " ▁▂▃▄▅▆▇█"
COLUMNS = 100


class Gateway:
    """A broker of its own and the programs that load it."""

    def __init__(self, options, home):
        self.home, self.port = pathlib.Path(home), processes.free_port()
        self.retention = int(options.store * TOPIC_SHARE) << 20
        self.tool = str(options.build / "client/tidegate")
        config = self.home / "broker.toml"
        config.write_text(CONFIG.format(home=home, port=self.port, bytes_max=options.store << 20) +
                          DECLARED.format(retention=self.retention))
        self.log = open(self.home / "broker.log", "wb")
        self.broker = subprocess.Popen([str(options.build / "broker/main/tidegate-broker"), "--config", str(config)],
                                       stderr=self.log)
        self.stopping = threading.Event()
        self.refused, self.failures = 0, []

    def wait_ready(self):
        log = self.home / "broker.log"
        processes.wait_until(lambda: b" ready: " in log.read_bytes(), 120, "the broker to be ready")

    def run(self, *words):
        command = [self.tool, "--broker", f"127.0.0.1:{self.port}", *map(str, words)]
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)

    def publish(self, count, *where):
        done = self.run("publish", *where, "--count", count, "--size", BODY_BYTES, "--window", 1000, "--json")
        self.refused += json.loads(done.stdout)["refused"] if done.stdout else 0
        self.note(done)

    def publish_into_topic(self, count):
        self.publish(count, "--exchange", "amq.direct", "--key", "held")

    def cycle_queue(self):
        self.publish(CYCLE, "--key", "work")
        command = [self.tool, "--broker", f"127.0.0.1:{self.port}", "consume", "work", "--raw", "--count", str(CYCLE),
                   "--prefetch", "1000"]
        self.note(subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False))

    def note(self, done):
        if done.returncode != 0:
            self.failures.append(done.stderr.decode()[-200:])
            self.stopping.set()

    def status(self):
        return json.loads(self.run("status", "--json").stdout)

    def raw_ms(self):
        """Returns the milliseconds of one append and fdatasync beside the store: they show how fast the disk is at the
        moment, which also depends on other programs."""
        with open(self.home / "raw", "ab") as raw:
            raw.write(bytes(4096))
            raw.flush()
            began = time.monotonic()
            os.fdatasync(raw.fileno())
            return (time.monotonic() - began) * 1000

    def sample(self):
        status = self.status()
        memory = pathlib.Path(f"/proc/{self.broker.pid}/status").read_text()
        kib = {line.split(":")[0]: int(line.split()[1]) for line in memory.splitlines() if line.startswith("Rss")}
        return {"raw_ms": self.raw_ms(), "at": time.monotonic(), "published": status["published"],
                "acknowledged": status["acknowledged"], "commits": status["commits"],
                "refused": status["refused_full"] + status["refused_overflow"],
                "file": (self.home / "store/data.mdb").stat().st_size, "used": status["store_bytes_used"],
                "own_kib": kib["RssAnon"], "file_kib": kib["RssFile"]}

    def stop(self):
        self.stopping.set()
        self.broker.terminate()
        self.broker.wait()
        self.log.close()


def fill(gateway):
    """Publishes until the topic has dropped a message."""
    while True:
        gateway.publish_into_topic(200_000)
        topics = json.loads(gateway.run("list", "topics", "--json").stdout)
        if gateway.failures:
            raise RuntimeError(gateway.failures[0])
        if topics[0]["partitions"][0]["dropped"] > 0:
            return


def load(gateway, work):
    """Starts a thread that calls work() again and again until the gateway is stopping. Returns the thread."""
    def loop():
        while not gateway.stopping.is_set():
            work()
    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    return thread


def watch(gateway, seconds):
    """Returns one sample for each second under load."""
    threads = [load(gateway, lambda: gateway.publish_into_topic(500_000)), load(gateway, gateway.cycle_queue)]
    samples, begin = [gateway.sample()], time.monotonic()
    while len(samples) <= seconds and not gateway.stopping.is_set():
        time.sleep(max(0.0, begin + len(samples) - time.monotonic()))
        samples.append(gateway.sample())
        if len(samples) % 10 == 0:
            print(f"{len(samples)} of {seconds} s, {samples[-1]['published']:,} published ...", file=sys.stderr,
                  flush=True)
    gateway.stopping.set()
    for thread in threads:
        thread.join()
    return samples


def per_second(samples, name):
    return [(later[name] - earlier[name]) / (later["at"] - earlier["at"])
            for earlier, later in zip(samples, samples[1:])]


def sparkline(values):
    """Returns a bar for each group of values. Its height is the group's lowest value relative to the highest of all, so
    that a dip shows."""
    group = max(1, -(-len(values) // COLUMNS))
    lows = [min(values[at:at + group]) for at in range(0, len(values), group)]
    top = max(values) or 1
    return "".join(BARS[round(low / top * (len(BARS) - 1))] for low in lows)


def summary(gateway, samples):
    published, acknowledged = per_second(samples, "published"), per_second(samples, "acknowledged")
    half, raw = len(published) // 2, [sample["raw_ms"] for sample in samples]
    return {"seconds": len(published), "published": samples[-1]["published"] - samples[0]["published"],
            "acknowledged": samples[-1]["acknowledged"] - samples[0]["acknowledged"],
            "commits_per_second": statistics.mean(per_second(samples, "commits")),
            "published_per_second": {"median": statistics.median(published), "worst": min(published),
                                     "best": max(published), "first_half": statistics.median(published[:half]),
                                     "second_half": statistics.median(published[half:])},
            "raw_ms": {"first_half": statistics.median(raw[:half]), "second_half": statistics.median(raw[half:])},
            "acknowledged_per_second": {"median": statistics.median(acknowledged), "worst": min(acknowledged)},
            "refused": gateway.refused + samples[-1]["refused"], "failures": gateway.failures,
            "file_bytes": sorted({sample["file"] for sample in samples}),
            "used_bytes": [min(sample["used"] for sample in samples), max(sample["used"] for sample in samples)],
            "own_kib": [samples[0]["own_kib"], max(sample["own_kib"] for sample in samples), samples[-1]["own_kib"]],
            "map_kib": [samples[0]["file_kib"], max(sample["file_kib"] for sample in samples), samples[-1]["file_kib"]],
            "published_by_second": [round(value) for value in published]}


def show(result):
    rate, work = result["published_per_second"], result["acknowledged_per_second"]
    rows = [("seconds at the bound", f"{result['seconds']}"),
            ("published, each confirmed", f"{result['published']:,}"),
            ("of them worked off in the queue", f"{result['acknowledged']:,}"),
            ("published a second: median", f"{rate['median']:,.0f}"),
            ("worst second (of the median)", f"{rate['worst']:,.0f} ({rate['worst'] / rate['median']:.2f})"),
            ("median of the first and second half", f"{rate['first_half']:,.0f}, {rate['second_half']:,.0f}"),
            ("a raw append + fdatasync beside it, ms, likewise",
             f"{result['raw_ms']['first_half']:.2f}, {result['raw_ms']['second_half']:.2f}"),
            ("worked off a second: median", f"{work['median']:,.0f}"),
            ("commits a second", f"{result['commits_per_second']:,.0f}"),
            ("refused, failed", f"{result['refused']}, {len(result['failures'])}"),
            ("file, MiB: every size seen", ", ".join(f"{size / (1 << 20):g}" for size in result["file_bytes"])),
            ("of it in use, MiB: least, most", ", ".join(f"{size / (1 << 20):.0f}" for size in result["used_bytes"])),
            ("own memory, MiB: first, most, last", ", ".join(f"{kib / 1024:.1f}" for kib in result["own_kib"])),
            ("mapped pages, MiB: first, most, last", ", ".join(f"{kib / 1024:.0f}" for kib in result["map_kib"]))]
    print("| | |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")
    print(f"\n{sparkline(result['published_by_second'])}\npublished a second over time, the worst of each "
          f"{max(1, -(-result['seconds'] // COLUMNS))} s; a full bar is {rate['best']:,.0f}")
    for failure in result["failures"]:
        print(f"failed: {failure}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", type=pathlib.Path, help="(default build/release)")
    parser.add_argument("--seconds", default=300, type=int, help="(default 300)")
    parser.add_argument("--store", default=256, type=int, help="its size in MiB (default 256)")
    parser.add_argument("--directory", default=None, help="on the disk to be measured (default: the temporary one)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tidegate-steady-", dir=options.directory) as home:
        gateway = Gateway(options, home)
        try:
            gateway.wait_ready()
            print("filling the topic to its bound ...", file=sys.stderr, flush=True)
            fill(gateway)
            result = summary(gateway, watch(gateway, options.seconds))
        finally:
            gateway.stop()
    print(json.dumps(result)) if options.json else show(result)


if __name__ == "__main__":
    main()
