"""The demo behind examples/demo.sh: runs the parts as processes, cuts the link, counts, and prints a table."""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

DESCRIPTION = """\
Sensors (the C client, a process each) -> broker -> work queue with a worker
                                                 -> log -> bridge -> Kafka

The link to the Kafka is cut for a while and restored. Without --kafka the Kafka is librdkafka's MOCK cluster, run as a
separate small process on this machine, and the link is cut by taking its brokers down. With --kafka it is yours; a
demo cannot unplug it, so the bridge is killed (-9) for the same while instead, and its restart is the link's return.
"""

BROKER_CONFIG = """\
[gateway]
id = "demo-gateway"
[store]
path = "{home}/store"
bytes_max = "64M"
[native]
listen = "127.0.0.1:{port}"
[[queue]]
name = "work"
[[topic]]
name = "readings"
partitions = 2
retention_bytes = "16M"
[[binding]]
exchange = "amq.topic"
routing_key = "sensors.#"
queue = "work"
[[binding]]
exchange = "amq.topic"
routing_key = "sensors.#"
topic = "readings"
"""

BRIDGE_CONFIG = """\
[broker]
address = "127.0.0.1:{port}"
[bridge]
status_file = "{home}/bridge.json"
backoff_min = "200ms"
backoff_max = "1s"
[[route]]
name = "centre"
topic = "readings"
sink = "kafka"
brokers = "{kafka}"
destination = "{topic}"
linger_ms = 50
"""

PROGRAMS = {
    "broker": "broker/main/tidegate-broker",
    "bridge": "bridge/tidegate-bridge",
    "tool": "client/tidegate",
    "sensor": "firmware/tidegate-sensor",
    "mock": "examples/mock-kafka/tidegate-mock-kafka",
    "topic": "examples/mock-kafka/tidegate-kafka-topic",
    "dump": "examples/mock-kafka/tidegate-kafka-dump",
}


def arguments():
    parser = argparse.ArgumentParser(
        prog="examples/demo.sh", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kafka", metavar="HOST:PORT", help="a real Kafka instead of the mock; it gets a new topic")
    parser.add_argument("--csv", metavar="FILE", help="readings from a file (first column time, others numbers) "
                        "instead of this machine's own vital signs from /proc and /sys")
    parser.add_argument("--sensors", type=int, default=4, help="how many sensor processes (default 4)")
    parser.add_argument("--interval-ms", type=int, default=50, help="between two readings of a sensor (default 50)")
    parser.add_argument("--live", type=int, default=10, help="seconds with the link up, before and after (default 10)")
    parser.add_argument("--cut", type=int, default=15, help="seconds with the link cut (default 15)")
    parser.add_argument("--json", action="store_true", help="print the table as JSON, and progress on standard error")
    parser.add_argument("--keep", action="store_true", help="keep the working directory with all logs")
    parser.add_argument("--build", default="build/demo", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sensors < 1 or options.interval_ms < 1 or options.live < 1 or options.cut < 1:
        parser.error("--sensors, --interval-ms, --live and --cut take numbers from 1")
    if options.csv and not pathlib.Path(options.csv).is_file():
        parser.error(f"--csv: no file {options.csv}")
    return options


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Demo:
    def __init__(self, options):
        self.options = options
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-demo-"))
        self.programs = {name: pathlib.Path(options.build) / path for name, path in PROGRAMS.items()}
        self.port = free_port()
        self.topic = f"tidegate-demo-{os.getpid()}"
        self.running = []
        self.worked = set()
        self.worker_deliveries = 0
        self.held_at_worst = 0
        self.screen = sys.stderr if options.json else sys.stdout

    # Processes

    def start(self, name, *command, **how):
        log = open(self.home / f"{name}.log", "ab")
        process = subprocess.Popen([str(part) for part in command], stderr=log, stdin=subprocess.DEVNULL, **how)
        self.running.append(process)
        return process

    def stop_all(self):
        for process in reversed(self.running):
            if process.poll() is None:
                process.terminate()
        for process in self.running:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start_kafka(self):
        if self.options.kafka:
            make = [self.programs["topic"], "--brokers", self.options.kafka, "--topic", self.topic, "--partitions", "2"]
            made = subprocess.run([str(part) for part in make], capture_output=True, text=True)
            if made.returncode != 0:
                raise RuntimeError(made.stderr.strip())
            self.say(f"Kafka: {self.options.kafka}, new topic {self.topic}")
            return self.options.kafka
        ports = self.home / "mock.address"
        command = [self.programs["mock"], "--port-file", ports, "--topic", f"{self.topic}:2"]
        self.mock = self.start("mock-kafka", *command, stdout=subprocess.DEVNULL)
        address = wait_for(lambda: ports.is_file() and ports.read_text().strip(), 10, "the mock Kafka's address")
        self.say(f"Kafka: librdkafka's MOCK cluster at {address} (a real one: --kafka HOST:PORT)")
        return address

    def start_broker(self):
        config = self.home / "broker.toml"
        config.write_text(BROKER_CONFIG.format(home=self.home, port=self.port))
        broker = self.start("broker", self.programs["broker"], "--config", config)
        log = self.home / "broker.log"
        wait_for(lambda: broker.poll() is not None or b"ready" in log.read_bytes(), 30, "the broker")
        if broker.poll() is not None:
            raise RuntimeError("the broker did not start: " + log.read_text())

    def start_bridge(self):
        config = self.home / "bridge.toml"
        config.write_text(BRIDGE_CONFIG.format(home=self.home, port=self.port, kafka=self.kafka, topic=self.topic))
        self.bridge = self.start("bridge", self.programs["bridge"], "--config", config)

    def start_worker(self):
        command = [self.programs["tool"], "--broker", f"127.0.0.1:{self.port}", "--json", "consume", "work"]
        self.worker = self.start("worker", *command, stdout=subprocess.PIPE)
        threading.Thread(target=self.read_worker, daemon=True).start()

    def read_worker(self):
        for line in self.worker.stdout:
            delivery = json.loads(line)
            self.worker_deliveries += 1
            self.worked.add((delivery["key"], body_of(delivery)))

    def start_sensors(self):
        self.sensors = []
        for number in range(self.options.sensors):
            command = [self.programs["sensor"], "--broker", f"127.0.0.1:{self.port}",
                       "--device", f"sensor-{number + 1}", "--topic", f"sensors.room-{number + 1}",
                       "--interval-ms", self.options.interval_ms, "--json",
                       "--linger-seconds", 20, "--retry-max-ms", 1000]
            if self.options.csv:
                command += ["--csv", self.options.csv, "--every", self.options.sensors, "--phase", number]
            self.sensors.append(self.start(f"sensor-{number + 1}", *command, stdout=subprocess.PIPE))

    def stop_sensors(self):
        for sensor in self.sensors:
            if sensor.poll() is None:
                sensor.send_signal(signal.SIGTERM)
        return [json.loads(sensor.communicate(timeout=60)[0]) for sensor in self.sensors]

    # The link

    def cut_link(self):
        if self.options.kafka:
            self.bridge.kill()
            self.bridge.wait()
        else:
            self.mock.send_signal(signal.SIGUSR1)

    def restore_link(self):
        if self.options.kafka:
            self.start_bridge()
        else:
            self.mock.send_signal(signal.SIGUSR2)

    # What can be seen

    def tool(self, *command):
        run = subprocess.run([str(self.programs["tool"]), "--broker", f"127.0.0.1:{self.port}", "--json", *command],
                             capture_output=True, text=True, timeout=30, check=True)
        return json.loads(run.stdout)

    def held(self):
        """Records in the log that the centre has not confirmed: by the bridge's cursor, which lives in the broker."""
        ends = {part["partition"]: part["high_watermark"] for part in self.tool("list", "topics")[0]["partitions"]}
        cursors = {row["partition"]: row["offset"] for row in self.tool("list", "groups")}
        return sum(end - cursors.get(partition, 0) for partition, end in ends.items()), sum(ends.values())

    def per_second(self):
        """Readings that come in a second: what is held when nothing lags."""
        return self.options.sensors * 1000 // self.options.interval_ms

    def say(self, text):
        print(text, file=self.screen, flush=True)

    def watch(self, phase, seconds, until=None):
        """A line a second. Ends after `seconds`, or when `until` says so of what is held; tells how long it took."""
        began = time.monotonic()
        next_line = 0.0
        while True:
            held, in_log = self.held()
            self.held_at_worst = max(self.held_at_worst, held)
            elapsed = time.monotonic() - began
            done = elapsed >= seconds if until is None else until(held)
            if elapsed >= next_line or done:
                next_line = elapsed + 0.95
                bar = "#" * min(40, held * 40 // max(self.per_second() * self.options.cut, self.held_at_worst))
                self.say(f"{phase:<12} {elapsed:5.1f} s   in the log {in_log:6}   worked {len(self.worked):6}   "
                         f"held {held:6} {bar}")
            if done:
                return elapsed
            if elapsed >= seconds:
                raise RuntimeError(f"after {seconds} s {held} records are still held")
            time.sleep(min(1.0 if until is None else 0.25, max(0.05, seconds - elapsed)))

    def run(self):
        self.kafka = self.start_kafka()
        self.start_broker()
        self.start_bridge()
        self.start_worker()
        source = self.options.csv or "this machine's vital signs, live from /proc and /sys"
        self.say(f"{self.options.sensors} sensors, one reading each every {self.options.interval_ms} ms: {source}\n")
        self.start_sensors()
        self.watch("link up", self.options.live)
        self.cut_link()
        self.watch("LINK CUT", self.options.cut)
        self.restore_link()
        drained = self.watch("draining", 120, until=lambda held: held <= self.per_second())
        self.watch("link up", self.options.live)
        sensors = self.stop_sensors()
        self.watch("last ones", 60, until=lambda held: held == 0)
        published = sum(sensor["published"] for sensor in sensors)
        deadline = time.monotonic() + 20
        while len(self.worked) < published and time.monotonic() < deadline:
            time.sleep(0.1)
        return self.judge(sensors, drained)

    def judge(self, sensors, drained):
        centre = Centre(self.read_centre())
        published = sum(sensor["published"] for sensor in sensors)
        return {
            "published": published,
            "confirmed": sum(sensor["acknowledged"] for sensor in sensors),
            "worked off the queue": len(self.worked),
            "held at the worst moment": self.held_at_worst,
            "forwarded": centre.readings,
            "lost": published - centre.readings,
            "duplicated after dedup": centre.duplicates,
            "dropped by dedup": centre.resent,
            "out of order": centre.out_of_order,
            "seconds to drain": round(drained, 1),
        }

    def read_centre(self):
        command = [self.programs["dump"], "--brokers", self.kafka, "--topic", self.topic, "--idle-seconds", "3",
                   "--json"]
        run = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, check=True)
        return [json.loads(line) for line in run.stdout.splitlines()]


class Centre:
    """What a consumer at the centre sees, remembering one number per (gateway, incarnation, topic id, partition)."""

    def __init__(self, records):
        highest, seen = {}, set()
        self.resent = self.duplicates = self.out_of_order = 0
        last_reading = {}
        for record in records:
            headers = record["headers"]
            source = tuple(headers[name] for name in ("tg-gateway", "tg-incarnation", "tg-topic-id", "tg-partition"))
            offset = int(headers["tg-offset"])
            if offset <= highest.get(source, -1):
                self.resent += 1
                continue
            highest[source] = offset
            reading = (record["key"], body_of(record))
            self.duplicates += reading in seen
            seen.add(reading)
            number = number_of(record)
            self.out_of_order += number <= last_reading.get(record["key"], -1)
            last_reading[record["key"]] = number
        self.readings = len(seen)


def body_of(record):
    return record["body"] if "body" in record else record["body_base64"]


def number_of(record):
    """Field 1 of the sensor's Reading, a varint; protobuf leaves out a zero."""
    import base64

    body = record["body"].encode() if "body" in record else base64.b64decode(record["body_base64"])
    if not body or body[0] != 0x08:
        return 0
    number, shift = 0, 0
    for byte in body[1:]:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return number


def wait_for(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise RuntimeError(f"waited {seconds} s for {what}")


def print_table(table, options, screen):
    if options.json:
        print(json.dumps(table))
        return
    width = max(len(name) for name in table)
    print("\n" + "-" * (width + 14))
    for name, value in table.items():
        print(f"{name:<{width}}  {value:>10}")
    print("-" * (width + 14), flush=True)


def is_perfect(table):
    return (
        table["published"] > 0
        and table["published"] == table["confirmed"] == table["worked off the queue"] == table["forwarded"]
        and table["held at the worst moment"] > 0
        and table["lost"] == table["duplicated after dedup"] == table["out of order"] == 0
    )


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    demo = Demo(options)
    perfect = False
    try:
        table = demo.run()
        perfect = is_perfect(table)
        print_table(table, options, demo.screen)
        demo.say("perfect: nothing lost, nothing doubled, everything in order" if perfect else "NOT perfect")
    except KeyboardInterrupt:
        demo.say("interrupted")
    except (RuntimeError, subprocess.SubprocessError) as failure:
        demo.say(f"demo: {failure}")
    finally:
        demo.stop_all()
        if perfect and not options.keep:
            shutil.rmtree(demo.home, ignore_errors=True)
        else:
            demo.say(f"logs: {demo.home}")
    return 0 if perfect else 1


if __name__ == "__main__":
    sys.exit(main())
