"""Durability "memory" on a broker with a disk: messages are never written, they are gone after any end of the process,
and offsets are never used again."""

import json
import time

import pytest

import gateway
import processes
import wire

DEFINITIONS = gateway.DEFINITIONS + """
[[queue]]
name = "live"
durability = "memory"

[[topic]]
name = "stream"
durability = "memory"

[[binding]]
exchange = "amq.topic"
queue = "live"
routing_key = "live.#"

[[binding]]
exchange = "amq.topic"
topic = "stream"
routing_key = "live.#"
"""
MESSAGES = 10_000
EXIT_FAILURE = 1


@pytest.fixture
def broker(desk):
    return gateway.Broker(desk, definitions=DEFINITIONS, bytes_max=64 << 20).start()


def tool(desk, broker, *words, stdin=None):
    result = desk.run([processes.program("tidegate"), "--broker", broker.address, *words, "--json"], stdin=stdin)
    assert result.returncode == 0, result
    return [json.loads(line) for line in result.stdout.splitlines()]


def publish(desk, broker, key, count):
    lines = "".join(f"{number}\n" for number in range(count))
    tool(desk, broker, "publish", "--exchange", "amq.topic", "--key", key, "--lines", stdin=lines)


def listed(desk, broker, kind, name):
    return next(row for row in tool(desk, broker, "list", kind)[0] if row["name"] == name)


def partition(desk, broker):
    return listed(desk, broker, "topics", "stream")["partitions"][0]


def written(desk, broker):
    """Returns the broker's counts of its writes. Waits first, because the broker reads the kernel's count at most once
    a second."""
    time.sleep(1.1)
    status = tool(desk, broker, "status")[0]
    return {key: status[key] for key in ("commits", "bytes_written", "journal_bytes", "flash_bytes_since_start")}


def test_nothing_is_written_while_messages_go_through(desk, broker, link_pb2, say):
    publish(desk, broker, "live.a", 10)
    before = written(desk, broker)
    publish(desk, broker, "live.a", MESSAGES)
    held = tool(desk, broker, "status")[0]
    assert held["memory_bytes_max"] == 16 << 20
    taken = gateway.consume_all(broker, link_pb2, "live")
    assert [message.body for message in taken] == [b"%d" % n for n in [*range(10), *range(MESSAGES)]]
    assert partition(desk, broker)["high_watermark"] == MESSAGES + 10
    after = written(desk, broker)
    assert after == before
    status = tool(desk, broker, "status")[0]
    assert (status["published"], status["acknowledged"]) == (MESSAGES + 10, MESSAGES + 10)
    say(f"{MESSAGES} messages took {held['memory_bytes_used'] // 1024} KiB in a queue and a topic; "
        f"{after['flash_bytes_since_start']} bytes on flash before and after ")
    publish(desk, broker, "sensors.a", 1)
    assert tool(desk, broker, "status")[0]["bytes_written"] > after["bytes_written"]
    broker.stop()


@pytest.mark.parametrize("way", ["stopped", "killed"])
def test_after_a_restart_the_definitions_are_there_and_the_messages_are_not(desk, broker, link_pb2, way):
    publish(desk, broker, "live.a", 100)
    publish(desk, broker, "sensors.a", 5)
    tool(desk, broker, "tail", "stream", "--group", "g", "--count", 40)
    before = listed(desk, broker, "queues", "live")
    assert (before["durability"], before["ready"]) == ("memory", 100)
    assert before["bytes"] > 100
    broker.stop() if way == "stopped" else broker.process.kill()
    checked = json.loads(desk.run([processes.program("tidegate"), "store", "check", broker.store, "--json"]).stdout)
    assert (checked["verdict"], checked["findings"]) == ("sound", [])
    rows = [row for row in checked["streams"] if row["name"] in ("live", "stream")]
    assert [row["remark"] for row in rows] == ["memory: held nothing here"] * 2
    assert {row["remark"] for row in checked["streams"] if row not in rows} == {""}
    broker.start()
    after = listed(desk, broker, "queues", "live")
    assert (after["durability"], after["ready"], after["bytes"]) == ("memory", 0, 0)
    assert listed(desk, broker, "queues", "work")["ready"] == 5
    stream = partition(desk, broker)
    assert listed(desk, broker, "topics", "stream")["durability"] == "memory"
    assert stream["log_start"] == stream["high_watermark"]
    assert stream["high_watermark"] == 100 if way == "stopped" else stream["high_watermark"] > 100
    assert tool(desk, broker, "offsets", "stream", "--group", "g")[0][0]["committed"] == 40
    peer = wire.Peer(broker.port, link_pb2)
    peer.connect()
    peer.send("fetch", correlation=2, topic="stream", partition=0, offset=40)
    answer = peer.expect("fetched", correlation=2, code=link_pb2.OUT_OF_RANGE)
    assert (answer.log_start, answer.high_watermark) == (stream["log_start"], stream["high_watermark"])
    peer.close()
    publish(desk, broker, "live.a", 3)
    start, end, records = gateway.fetch_all(broker, link_pb2, "stream", 0)
    assert [(record.offset, record.value) for record in records] == [(start + n, b"%d" % n) for n in range(3)]
    assert start >= 100 and end == start + 3
    assert [(message.body, message.redelivered) for message in gateway.consume_all(broker, link_pb2, "live")] == [
        (b"%d" % n, False) for n in range(3)]
    broker.stop()


def test_offsets_are_used_once_however_often_it_is_killed(desk, broker, link_pb2):
    used = -1
    for _ in range(5):
        publish(desk, broker, "live.a", 50)
        records = gateway.fetch_all(broker, link_pb2, "stream", 0)[2]
        assert len(records) == 50 and records[0].offset > used
        used = records[-1].offset
        broker.restart_after_kill()
    broker.stop()


def test_at_its_bound_publishes_are_refused_and_it_comes_back(desk, broker, link_pb2):
    peer = wire.Peer(broker.port, link_pb2)
    peer.connect()
    body, refusal = b"x" * 500_000, None
    for number in range(1, 100):
        peer.send("publish_message", id=number, routing_key="live", body=body)
        answer = peer.expect("confirm", id=number)
        peer.forget()
        if answer.code != link_pb2.OK:
            refusal = answer
            break
    assert refusal.code == link_pb2.MEMORY_FULL and "store.memory_bytes_max" in refusal.text
    status = tool(desk, broker, "status")[0]
    assert status["memory_bytes_used"] <= status["memory_bytes_max"] < status["memory_bytes_used"] + 600_000
    assert len(gateway.consume_all(broker, link_pb2, "live", idle_seconds=1)) == refusal.id - 1
    peer.send("publish_message", id=1000, routing_key="live", body=body)
    peer.expect("confirm", id=1000, code=link_pb2.OK)
    peer.close()
    broker.stop()


def test_the_configuration_moves_nothing_into_memory_or_out_of_it(desk, broker):
    broker.stop()
    broker.config.write_text(broker.config.read_text().replace('name = "live"\ndurability = "memory"', 'name = "live"'))
    broker.process.start()
    assert broker.process.wait_end() == EXIT_FAILURE
    assert "queue 'live' has durability memory, and the configuration says commit" in broker.process.output()
    assert "delete it first" in broker.process.output()
