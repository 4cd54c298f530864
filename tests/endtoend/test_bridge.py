"""The bridge with a real Kafka and one broker, in cases that could mislead it: a topic deleted and declared again, a
second bridge of the same name, a time that is years off. Also the example configurations, unchanged, at work."""

import glob
import json
import re
import time

import pytest

import gateway
import processes

TWENTY_YEARS_S = 20 * 365 * 24 * 3600


@pytest.fixture
def tidegate(desk):
    """tidegate(broker's address, words...) runs the tool and returns its lines of JSON."""
    def run(address, *words):
        result = desk.run([processes.program("tidegate"), "--broker", address, *words, "--json"], seconds=120)
        assert result.returncode == 0, f"{words}: {result}"
        return [json.loads(line) for line in result.stdout.splitlines()]
    return run


def numbers(kafka, topic="readings"):
    """Returns the body and the source topic's id of each record in Kafka."""
    return [(record["body"], record["headers"]["tg-topic-id"]) for record in kafka.records(topic)]


def publish(tidegate, broker, first, count):
    for number in range(first, first + count):
        tidegate(broker.address, "publish", "--exchange", "amq.topic", "--key", "sensors.a", str(number))


def wait_forwarded(broker, link_pb2):
    processes.wait_until(lambda: gateway.is_forwarded(broker, link_pb2, "readings", 1, "bridge/readings"), 60,
                         "the bridge to forward all", pause=0.2)


def test_a_topic_declared_again_under_a_running_bridge_is_forwarded_from_its_start(desk, kafka, link_pb2, tidegate):
    kafka.create_topic("readings", 1)
    broker = gateway.Broker(desk, gateway.DEFINITIONS.replace("partitions = 4", "partitions = 1")).start()
    bridge = gateway.Bridge(desk, broker, kafka)
    bridge.process.start()
    publish(tidegate, broker, 0, 6)
    wait_forwarded(broker, link_pb2)
    kafka.process.freeze()  # messages published from now on are not forwarded
    publish(tidegate, broker, 6, 2)
    time.sleep(1.5)
    tidegate(broker.address, "delete", "topic", "readings")
    kafka.process.thaw()
    tidegate(broker.address, "declare", "topic", "readings")
    tidegate(broker.address, "bind", "amq.topic", "topic", "readings", "sensors.#")
    publish(tidegate, broker, 100, 4)  # fewer messages than the cursor of the old topic counts
    wait_forwarded(broker, link_pb2)
    found = numbers(kafka)
    new = tidegate(broker.address, "list", "topics")[0][0]["uuid"]
    assert [body for body, topic in found if topic == new] == ["100", "101", "102", "103"]
    assert [body for body, topic in found if topic != new][:6] == [str(number) for number in range(6)]
    loss, = [row for row in tidegate(broker.address, "list", "losses")[0] if row["reason"] == "deleted"]
    assert (loss["name"], loss["first"], loss["end"], loss["unread"]) == ("readings", 6, 8, 2)
    assert bridge.process.terminate() == 0
    broker.stop()


def test_a_second_bridge_of_the_name_waits_and_takes_up_the_work(desk, kafka, link_pb2, tidegate):
    kafka.create_topic("readings", 1)
    broker = gateway.Broker(desk, gateway.DEFINITIONS.replace("partitions = 4", "partitions = 1")).start()
    bridge = gateway.Bridge(desk, broker, kafka)
    bridge.process.start()
    publish(tidegate, broker, 0, 3)
    wait_forwarded(broker, link_pb2)
    config = bridge.folder / "bridge.toml"
    second = desk.make("second", [processes.program("tidegate-bridge"), "--config", config,
                                  "--status-file", bridge.folder / "second.json"])
    second.start()
    second.wait_output("'bridge/readings' is held by application tidegate-bridge/bridge")
    publish(tidegate, broker, 3, 3)
    wait_forwarded(broker, link_pb2)
    assert [body for body, _ in numbers(kafka)] == [str(number) for number in range(6)]
    bridge.process.kill()
    publish(tidegate, broker, 6, 3)
    wait_forwarded(broker, link_pb2)
    third = desk.make("third", [processes.program("tidegate-bridge"), "--config", config, "--take-over",
                                "--status-file", bridge.folder / "third.json"])
    third.start()
    second.wait_output("was taken over by another connection")
    publish(tidegate, broker, 9, 3)
    wait_forwarded(broker, link_pb2)
    third.kill()
    publish(tidegate, broker, 12, 3)
    wait_forwarded(broker, link_pb2)  # by the second again, which continues after the last message of the third
    offsets = [int(record["headers"]["tg-offset"]) for record in kafka.records("readings")]
    assert sorted(set(offsets)) == list(range(15)) and offsets == sorted(offsets) and len(offsets) <= 18
    assert second.terminate() == 0
    broker.stop()


def test_a_time_twenty_years_ahead_is_no_dead_letter(desk, kafka, link_pb2, tidegate):
    """The times are from a broker that trusted a wrong clock. The Kafka refuses times that are more than an hour ahead,
    as Kafka 4 does by default."""
    libraries = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    assert libraries, "faketime is missing: toolchains/setup.sh tests installs it"
    kafka.create_topic("readings", 1, "message.timestamp.after.max.ms=3600000")
    broker = gateway.Broker(desk, gateway.DEFINITIONS.replace("partitions = 4", "partitions = 1"))
    right = broker.process.environment
    broker.process.environment = {**right, "LD_PRELOAD": libraries[0], "FAKETIME": f"+{TWENTY_YEARS_S}s",
                                  "DONT_FAKE_MONOTONIC": "1"}
    broker.start()
    publish(tidegate, broker, 0, 3)
    broker.stop()
    broker.process.environment = right
    broker.start()
    publish(tidegate, broker, 3, 3)
    bridge = gateway.Bridge(desk, broker, kafka)
    bridge.process.start()
    wait_forwarded(broker, link_pb2)
    records = kafka.records("readings")
    now_ms = time.time() * 1000
    assert [record["body"] for record in records] == [str(number) for number in range(6)]
    assert all(abs(record["timestamp_ms"] - now_ms) < 600_000 for record in records)
    own = [record["headers"].get("tg-timestamp") for record in records]
    # If the kernel does not report the clock as synchronised, the bridge sends the times unchanged, and corrects them
    # only after Kafka's refusal.
    assert all(int(time_ms) - now_ms > (TWENTY_YEARS_S - 600) * 1000 for time_ms in own[:3]) and own[3:] == [None] * 3
    assert int(records[3]["headers"]["tg-clock-corrected"]) - now_ms > (TWENTY_YEARS_S - 600) * 1000
    status = bridge.status()["routes"][0]["partitions"][0]
    assert (status["refused_records"], status["lost_records"]) == (0, 0) and status["times_corrected"] >= 3
    assert not [row for row in tidegate(broker.address, "list", "topics")[0] if row["name"].endswith(".dlt")]
    assert bridge.process.terminate() == 0
    broker.stop()


def uncommented(text):
    """Returns the text of an example with its commented definitions switched on."""
    return re.sub(r"(?m)^# (\[\[|[a-z_]+ = )", r"\1", text)


def test_the_examples_work_together_as_they_are(desk, kafka, link_pb2, tidegate):
    """Only addresses and folders are changed, because other programs may use those of the examples."""
    address, folder = f"127.0.0.1:{processes.free_port()}", desk.folder
    text = (processes.TOP / "broker/main/tidegate-broker.example.toml").read_text()
    config = folder / "broker.toml"
    config.write_text(uncommented(text).replace("127.0.0.1:7420", address)
                      .replace("/var/lib/tidegate", f"{folder}/store")
                      .replace('# overflow = "drop-oldest"        # at the bound in bytes', 'overflow = "reject"  #'))
    broker = desk.make("broker", [processes.program("tidegate-broker"), "--config", config])
    broker.start()
    broker.wait_output(r"\bready\b", 120)
    broker.wait_output("topic readings protects 'bridge', and no group 'bridge' or 'bridge/...'")
    assert tidegate(address, "status")[0]["protected_without_group"] == ["readings: bridge"]
    kafka.create_topic("readings", 1)
    config = folder / "bridge.toml"
    text = (processes.TOP / "bridge/tidegate-bridge.example.toml").read_text()
    config.write_text(text.replace("127.0.0.1:7420", address).replace("/run/tidegate", f"{folder}")
                      .replace("kafka-1.example.org:9092,kafka-2.example.org:9092", kafka.brokers))
    bridge = desk.make("bridge", [processes.program("tidegate-bridge"), "--config", config])
    bridge.start()
    # This is more than the partition holds. The topic accepts the messages because the bridge's cursor moves on.
    for _ in range(6):
        publishes, = tidegate(address, "publish", "--exchange", "amq.topic", "--key", "sensors.hall", "--size", 50_000,
                              "--count", 300)
        assert publishes["confirmed"] == 300
        processes.wait_until(
            lambda: tidegate(address, "offsets", "readings", "--group", "bridge/readings")[0][0]["lag"] == 0, 60,
            "the bridge to forward all", pause=0.5)
    assert tidegate(address, "status")[0]["protected_without_group"] == []
    assert bridge.terminate() == 0 and broker.terminate() == 0


def test_the_small_gateway_takes_readings_into_its_queue_and_its_log(desk, tidegate):
    address = f"127.0.0.1:{processes.free_port()}"
    config = desk.folder / "gateway.toml"
    config.write_text((processes.TOP / "examples/gateway.toml").read_text() + f'\n[native]\nlisten = "{address}"\n')
    broker = desk.make("broker", [processes.program("tidegate-broker"), "--config", config])
    broker.start()
    broker.wait_output(r"\bready\b", 60)
    tidegate(address, "publish", "--exchange", "amq.topic", "--key", "sensors.hall", "21.5")
    assert [row["body"] for row in tidegate(address, "consume", "work", "--count", 1)] == ["21.5"]
    assert [row["body"] for row in tidegate(address, "tail", "readings")] == ["21.5"]
    assert broker.terminate() == 0
