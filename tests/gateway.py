"""Runs the programs of a gateway for tests, with folders, free ports and configurations, and starts them again after
they were ended. Also has clients that speak the wire protocol themselves: publishers, workers and readers."""

import json
import threading
import time

import processes
import record_batch
import wire

DEFINITIONS = """
[[topic]]
name = "readings"
partitions = 4
retention_bytes = 16777216

[[queue]]
name = "work"

[[binding]]
exchange = "amq.topic"
topic = "readings"
routing_key = "sensors.#"

[[binding]]
exchange = "amq.topic"
queue = "work"
routing_key = "sensors.#"
"""


class Broker:
    """A broker with its store in `folder`. Port and store stay the same when it is started again."""

    def __init__(self, desk, definitions=DEFINITIONS, bytes_max=256 << 20, name="broker"):
        self.desk = desk
        self.folder = desk.folder / name
        self.folder.mkdir()
        self.port = processes.free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.config = self.folder / "broker.toml"
        self.store = self.folder / "store"
        self.config.write_text(f"""[gateway]
id = "gateway-under-test"

[store]
path = "{self.store}"
bytes_max = {bytes_max}

[clock]
trusted = "always"

[native]
listen = "{self.address}"
device_exchange = "amq.topic"
{definitions}""")
        self.process = desk.make(name, [processes.program("tidegate-broker"), "--config", self.config])

    def start(self):
        """Starts the broker and waits until it listens."""
        self.process.start()
        self.process.wait_output(r"\bready\b", 60)
        return self

    def restart_after_kill(self):
        self.process.kill()
        return self.start()

    def stop(self):
        """Ends the broker by SIGTERM. Raises Trouble if its exit code is not 0, as after a sanitizer's finding."""
        code = self.process.terminate()
        if code != 0:
            raise processes.Trouble(f"the broker ended with {code}")


class Bridge:
    """tidegate-bridge with one route, from the broker's topic `readings` to Kafka's."""

    def __init__(self, desk, broker, kafka, topic="readings"):
        self.folder = desk.folder / "bridge"
        self.folder.mkdir()
        self.status_file = self.folder / "status.json"
        config = self.folder / "bridge.toml"
        config.write_text(f"""[broker]
address = "{broker.address}"

[bridge]
name = "bridge"
status_file = "{self.status_file}"
backoff_min = "200ms"
backoff_max = "2s"

[[route]]
name = "{topic}"
topic = "{topic}"
sink = "kafka"
destination = "{topic}"
brokers = "{kafka.brokers}"
linger_ms = 50
""")
        self.process = desk.make("bridge", [processes.program("tidegate-bridge"), "--config", config])

    def status(self):
        """Returns the content of the bridge's status file, or None if there is no file yet."""
        return json.loads(self.status_file.read_text()) if self.status_file.exists() else None


class Worker(threading.Thread):
    """A consumer that settles all messages of a queue, and connects again when the broker has ended. `done` has the
    routing keys and bodies of the messages in the order of their delivery."""

    def __init__(self, broker, link_pb2, queue="work"):
        super().__init__(daemon=True)
        self.broker, self.link_pb2, self.queue = broker, link_pb2, queue
        self.done = []
        self.stopping = threading.Event()
        self.failure = None

    def run(self):
        while not self.stopping.is_set():
            try:
                self.work()
            except (wire.Ended, OSError):
                time.sleep(0.1)  # the broker is down, or nothing was delivered for a while
            except BaseException as failure:  # raised again by stop(), in the test's own thread
                self.failure = failure
                return

    def work(self):
        peer = wire.Peer(self.broker.port, self.link_pb2)
        try:
            peer.connect(name="worker")
            peer.send("consume", correlation=2, consumer=1, queue=self.queue, prefetch=200)
            peer.expect("done", correlation=2)
            while not self.stopping.is_set():
                name, message = peer.receive()
                if name == "ping":
                    peer.send("pong", ticks=message.ticks)
                elif name == "deliver":
                    self.done.append((message.routing_key, message.body))
                    peer.send("settle", tag=message.tag)
                peer.forget()
        finally:
            peer.close()

    def stop(self):
        self.stopping.set()
        self.join(2 * wire.WAIT_SECONDS)
        if self.failure is not None:
            raise self.failure


class Publisher(threading.Thread):
    """Publishes messages with rising numbers to one exchange, many on their way at a time, until the connection ends.
    `confirmed` has the numbers that the broker has confirmed: tests check that none of these messages is lost."""

    WINDOW = 100

    def __init__(self, broker, link_pb2, first, **message):
        super().__init__(daemon=True)
        self.broker, self.link_pb2, self.message = broker, link_pb2, message
        self.first = self.next = first
        self.sent, self.confirmed, self.refused = set(), set(), {}

    def run(self):
        try:
            peer = wire.Peer(self.broker.port, self.link_pb2)
            peer.connect(name="publisher")
            while True:
                self.fill(peer)
                self.take(peer)
        except (wire.Ended, OSError):
            pass

    def fill(self, peer):
        while len(self.sent) < self.WINDOW:
            self.sent.add(self.next)
            peer.send("publish_message", id=self.next, body=b"%d" % self.next, **self.message)
            self.next += 1

    def take(self, peer):
        name, message = peer.receive()
        peer.forget()
        assert name == "confirm", name
        settled = {number for number in self.sent if number <= message.id} if message.multiple else {message.id}
        if message.code == self.link_pb2.OK:
            self.confirmed |= settled & self.sent
        else:
            self.refused[message.id] = message.text
        self.sent -= settled


def consume_all(broker, link_pb2, queue, idle_seconds=2):
    """Consumes and settles all messages of a queue, and returns them when none has been delivered for a while."""
    peer = wire.Peer(broker.port, link_pb2)
    peer.connect(name="verifier")
    peer.send("consume", correlation=2, consumer=1, queue=queue, prefetch=1000)
    peer.expect("done", correlation=2)
    peer.socket.settimeout(idle_seconds)
    found = []
    try:
        while True:
            message = peer.receive()[1]
            found.append(message)
            peer.send("settle", tag=message.tag)
            peer.forget()
    except TimeoutError:
        peer.close()
        return found


def fetch_all(broker, link_pb2, topic, partition):
    """Returns (log start, high watermark, records) of a partition."""
    peer = wire.Peer(broker.port, link_pb2)
    peer.connect(name="verifier")
    found, log_start, offset = [], 0, 0
    while True:
        peer.send("fetch", correlation=3, topic=topic, partition=partition, offset=offset)
        answer = peer.expect("fetched", correlation=3)
        if answer.code == link_pb2.OUT_OF_RANGE and offset < answer.log_start:
            offset = log_start = answer.log_start
            continue
        assert answer.code == link_pb2.OK, answer
        fresh = [record for record in record_batch.records(answer.batches) if record.offset >= offset]
        if not fresh:
            peer.close()
            return log_start, answer.high_watermark, found
        found += fresh
        offset = fresh[-1].offset + 1
        peer.forget()


def is_forwarded(broker, link_pb2, topic, partitions, group):
    """Returns whether the group's committed offsets are at the ends of all partitions."""
    peer = wire.Peer(broker.port, link_pb2)
    peer.connect(name="verifier")
    lag = 0
    for partition in range(partitions):
        where = {"topic": topic, "partition": partition}
        peer.send("list_offset", correlation=3, timestamp_ms=-1, **where)
        end = peer.expect("offset_listed", correlation=3).offset
        peer.send("fetch_offset", correlation=4, group=group, **where)
        lag += end - peer.expect("offset_fetched", correlation=4).offset
    peer.close()
    return lag == 0
