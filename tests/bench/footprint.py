"""Measures what an idle broker costs: program size; private memory, also with many idle connections and many idle
queues; time from start to ready, with an empty store and with many messages held. Prints a table, or JSON with --json.

    /usr/bin/python3 tests/bench/footprint.py [--build build/release] [--messages N] [--records N] [--json]
"""

import argparse
import contextlib
import json
import pathlib
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import wire  # noqa: E402
from gateway import private_kib  # noqa: E402

CONFIG = """\
[store]
path = "{home}/store"
bytes_max = {store_bytes}
[native]
listen = "127.0.0.1:{port}"
[[queue]]
name = "held"
[[topic]]
name = "held"
retention_bytes = {topic_bytes}
[[binding]]
exchange = "amq.direct"
topic = "held"
routing_key = "held"
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


CONNECTIONS = 1_000    # connections_max
QUEUES = 10_000
QUEUES_AT_ONCE = 200   # declarations sent before their answers are read
CONNECT = b"\x82\x01\x04\x08\x01\x10\x01"    # an application's Connect: correlation 1, version 1

# Bytes on disk of a message of 100 bytes, with its share of headers. Logs may take 70 % of a store.
MESSAGE_BYTES = 200


class Gateway:
    def __init__(self, build, messages, records):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-footprint-"))
        self.program = self.home / "tidegate-broker"
        shutil.copy(build / "broker/main/tidegate-broker", self.program)
        subprocess.run(["strip", str(self.program)], check=True)
        self.tool = build / "client/tidegate"
        self.port = free_port()
        self.config = self.home / "broker.toml"
        topic_bytes = max(512 << 20, records * MESSAGE_BYTES)
        store_bytes = max(1 << 30, 2 * (topic_bytes + messages * MESSAGE_BYTES))
        self.config.write_text(CONFIG.format(home=self.home, port=self.port, topic_bytes=topic_bytes,
                                             store_bytes=store_bytes))
        self.process = None

    def start(self):
        """Starts the broker and returns the milliseconds until its log says ready."""
        began = time.monotonic()
        command = [str(self.program), "--config", str(self.config)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if " ready: " in line:
                return (time.monotonic() - began) * 1000
        raise RuntimeError("the broker ended before it was ready")

    def stop(self, kill=False):
        self.process.kill() if kill else self.process.terminate()
        self.process.stderr.read()
        self.process.wait()

    def private_kib(self):
        return private_kib(self.process.pid)

    def private_kib_with_connections(self):
        with contextlib.ExitStack() as open_ones:
            for _ in range(CONNECTIONS):
                peer = open_ones.enter_context(socket.create_connection(("127.0.0.1", self.port), timeout=10))
                peer.sendall(CONNECT)
                if not peer.recv(1):
                    raise RuntimeError("the broker closed a connection")
            return self.private_kib()[0]

    def declare_queues(self, count):
        peer = wire.Peer(self.port, wire.load_schema(self.home / "schema", wire.SCHEMA))
        peer.send_bytes(CONNECT)
        peer.expect("connected")
        for first in range(0, count, QUEUES_AT_ONCE):
            batch = range(first, min(first + QUEUES_AT_ONCE, count))
            for number in batch:
                peer.send("declare_queue", correlation=number + 1, name=f"idle-{number}")
            for _ in batch:
                peer.receive()
        peer.close()

    def publish(self, count, *where):
        subprocess.run([str(self.tool), "--broker", f"127.0.0.1:{self.port}", "publish", *where, "--count", str(count),
                        "--size", "100", "--window", "1000"], check=True, capture_output=True)


def clean_start(gateway):
    """Returns the median milliseconds of five starts, each after a clean stop."""
    times = []
    for _ in range(5):
        gateway.stop()
        times.append(gateway.start())
    return sorted(times)[2]


def start_after_kill(gateway):
    """Returns the milliseconds of one start after a kill. Only one is measured: it replays the journal that the load
    left, and a second start would not find the same journal."""
    gateway.stop(kill=True)
    return gateway.start()


def measure(gateway, messages, records):
    rows = {"stripped program, KiB": gateway.program.stat().st_size // 1024}
    rows["first start, which fills the file, ms"] = gateway.start()
    rows["start with an empty store, ms"] = clean_start(gateway)
    rows["private memory idle, KiB"] = gateway.private_kib()[0]
    rows[f"private memory with {CONNECTIONS} idle connections, KiB"] = gateway.private_kib_with_connections()
    clean_start(gateway)  # a new process, without the heap that the connections left
    gateway.declare_queues(QUEUES - 1)  # the configuration declares one more
    rows[f"private memory with {QUEUES} idle queues, KiB"] = gateway.private_kib()[0]
    rows[f"{QUEUES} idle queues: start after a clean stop, ms"] = clean_start(gateway)
    rows[f"{QUEUES} idle queues: private memory after it, KiB"] = gateway.private_kib()[0]
    held = {f"{messages} in a queue": (messages, "--key", "held"),
            f"and {records} in a topic": (records, "--exchange", "amq.direct", "--key", "held")}
    for name, (count, *where) in held.items():
        gateway.publish(count, *where)
        rows[f"{name}: start after kill -9, ms"] = start_after_kill(gateway)
        rows[f"{name}: start after a clean stop, ms"] = clean_start(gateway)
        own, store = gateway.private_kib()
        rows[f"{name}: private memory, KiB"] = own
        rows[f"{name}: pages of the map seen, KiB"] = store
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", type=pathlib.Path, help="(default build/release)")
    parser.add_argument("--messages", default=1_000_000, type=int, help="of 100 bytes, in a queue (default 1000000)")
    parser.add_argument("--records", default=1_000_000, type=int, help="of 100 bytes, in a topic (default 1000000)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    gateway = Gateway(options.build, options.messages, options.records)
    try:
        rows = measure(gateway, options.messages, options.records)
    finally:
        gateway.process and gateway.process.kill()
        shutil.rmtree(gateway.home, ignore_errors=True)
    if options.json:
        print(json.dumps(rows))
        return
    width = max(len(name) for name in rows)
    for name, value in rows.items():
        print(f"{name:<{width}}  {value:>10.0f}")


if __name__ == "__main__":
    main()
