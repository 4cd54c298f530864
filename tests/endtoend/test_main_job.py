"""The main job, end to end with a real Kafka: sensors publish, a worker consumes the queue, the bridge forwards the
topic, and broker, bridge and Kafka are killed or stopped meanwhile. Afterwards every reading of the file is at the
centre exactly once (after duplicates were dropped by header), in order and unchanged, and the worker has received it
at least once."""

import base64
import csv
import json
import math
import time

import gateway
import processes

SENSORS = 4
PARTITIONS = 4
INTERVAL_MS = 4  # between a sensor's readings: the load lasts some 20 s, and all faults happen in it


def start_sensors(desk, broker, readings):
    return [desk.start(f"sensor-{which}", [
        processes.program("tidegate-sensor"), "--broker", broker.address, "--device", f"s{which}",
        "--topic", f"sensors.s{which}", "--csv", readings, "--every", SENSORS, "--phase", which,
        "--interval-ms", INTERVAL_MS, "--retry-max-ms", 1000, "--linger-seconds", 120, "--json"])
        for which in range(SENSORS)]


def make_trouble(rows, sensors, broker, bridge, kafka, worker, say):
    """Makes broker, bridge and Kafka fail once or twice, each time when the worker has received a share of the load."""
    def at(share, what):
        processes.wait_until(lambda: len(worker.done) >= rows * share, 120, f"{share:.0%} of the readings")
        assert any(sensor.is_alive() for sensor in sensors), f"void: the load was over before {what}"
        say(f"main job: {len(worker.done)} of {rows} worked, now {what}")

    at(0.1, "kill -9 of the broker")
    broker.restart_after_kill()
    at(0.2, "kill -9 of the bridge")
    bridge.process.kill()
    bridge.process.start()
    at(0.3, "a frozen Kafka")
    kafka.process.freeze()
    time.sleep(2)
    kafka.process.thaw()
    at(0.4, "a stop of Kafka")
    kafka.stop()
    at(0.55, "kill -9 of the broker while Kafka is away")
    broker.process.kill()
    time.sleep(1)
    broker.start()
    at(0.65, "kill -9 of the bridge while Kafka is away, then Kafka's return")
    bridge.process.kill()
    bridge.process.start()
    kafka.start()


def end_sensors(sensors, rows):
    """Checks that all readings of each sensor were acknowledged, and none lost or rejected."""
    published = 0
    for sensor in sensors:
        assert sensor.wait_end(180) == 0, sensor.output()
        summary = json.loads(sensor.output().splitlines()[-1])
        assert (summary["lost"], summary["rejected"]) == (0, 0)
        assert summary["acknowledged"] == summary["published"]
        published += summary["published"]
    assert published == rows


class Consumer:
    """Does what docs/bridge.md says of consumers at the centre: remembers the highest offset of each source, and drops
    records that are not above it."""

    def __init__(self):
        self.highest = {}
        self.kept = []
        self.duplicates = 0

    def take(self, record):
        headers = record["headers"]
        source = tuple(headers[name] for name in ("tg-gateway", "tg-incarnation", "tg-topic-id", "tg-partition"))
        offset = int(headers["tg-offset"])
        if offset <= self.highest.get(source, -1):
            self.duplicates += 1
            return
        assert offset == self.highest.get(source, -1) + 1, f"{source}: {offset} after {self.highest.get(source)}"
        self.highest[source] = offset
        self.kept.append(record)


def body_of(record):
    return record["body"].encode() if "body" in record else base64.b64decode(record["body_base64"])


def expected(readings):
    """Returns the file's rows as a sensor sends them: number -> channels in thousandths, halves rounded away from 0."""
    def thousandths(text):
        value = float(text) * 1000
        return int(math.copysign(math.floor(abs(value) + 0.5), value))

    with open(readings) as file:
        rows = list(csv.reader(file))[1:]
    return {number: [thousandths(value) for value in row[1:]] for number, row in enumerate(rows)}


def test_every_reading_reaches_the_centre_exactly_once(desk, kafka, link_pb2, reading_pb2, readings, say):
    wanted = expected(readings)
    kafka.create_topic("readings", PARTITIONS)
    broker = gateway.Broker(desk).start()
    bridge = gateway.Bridge(desk, broker, kafka)
    bridge.process.start()
    worker = gateway.Worker(broker, link_pb2)
    worker.start()
    sensors = start_sensors(desk, broker, readings)
    make_trouble(len(wanted), sensors, broker, bridge, kafka, worker, say)
    end_sensors(sensors, len(wanted))
    processes.wait_until(
        lambda: gateway.is_forwarded(broker, link_pb2, "readings", PARTITIONS, "bridge/readings"), 120,
        "the bridge to forward all", pause=0.5)

    consumer = Consumer()
    for record in kafka.records("readings"):
        consumer.take(record)
    assert len({source[1] for source in consumer.highest}) == 1  # one incarnation
    found = {}
    for record in consumer.kept:
        reading = reading_pb2.Reading.FromString(body_of(record))
        assert record["key"] == f"s{reading.number % SENSORS}"
        assert reading.number not in found, f"reading {reading.number} came twice"
        found[reading.number] = list(reading.milli)
    assert found == wanted

    processes.wait_until(lambda: len({body for _, body in worker.done}) == len(wanted), 60, "the worker to work all")
    worker.stop()
    say(f"main job: {len(wanted)} readings, each at the centre once; {consumer.duplicates} duplicates dropped by "
        f"header, {len(worker.done) - len(wanted)} worked a second time ")
    assert bridge.process.terminate() == 0
    broker.stop()
