"""The broker is killed by SIGKILL under load, round after round: no confirmed message is lost, none is there twice, and
each publisher's messages keep their order, both in the queue and in the topic."""

import os
import random
import time

import pytest

import gateway

ROUNDS = 100 if os.environ.get("TIDEGATE_LONG") else 10
STORE_BYTES = max(512, 32 * ROUNDS) << 20  # a fast machine confirms some 16,000 messages a round, each stored twice
CONFIRMED_MIN = 100  # a run that confirmed fewer proves nothing
PUBLISHERS = 2
NUMBERS_EACH = 1_000_000  # numbers of each publisher in a round, so that a number identifies its publisher

DEFINITIONS = f"""
[[topic]]
name = "log"
partitions = 1
retention_bytes = {STORE_BYTES // 4}

[[queue]]
name = "work"

[[binding]]
exchange = "amq.fanout"
topic = "log"

[[binding]]
exchange = "amq.fanout"
queue = "work"
"""


def publish_until_killed(broker, link_pb2, round_number, seconds):
    """Runs one round of publishers and returns (numbers confirmed, numbers tried)."""
    publishers = [gateway.Publisher(broker, link_pb2, (round_number * PUBLISHERS + which) * NUMBERS_EACH + 1,
                                    exchange="amq.fanout") for which in range(PUBLISHERS)]
    for publisher in publishers:
        publisher.start()
    time.sleep(seconds)
    broker.process.kill()
    for publisher in publishers:
        publisher.join(30)
        assert not publisher.is_alive() and not publisher.refused
    confirmed = set().union(*(publisher.confirmed for publisher in publishers))
    tried = {number for publisher in publishers for number in range(publisher.first, publisher.next)}
    return confirmed, tried


def check(where, found, confirmed, tried):
    """Checks the promises that no kill may break, at whatever time."""
    numbers = [int(body) for body in found]
    missing = confirmed - set(numbers)
    assert not missing, f"{where}: {len(missing)} of {len(confirmed)} confirmed are lost, as {sorted(missing)[:5]}"
    assert len(set(numbers)) == len(numbers), f"{where}: {len(numbers) - len(set(numbers))} came twice"
    assert set(numbers) <= tried
    last = {}
    for number in numbers:
        publisher = number // NUMBERS_EACH
        assert number > last.get(publisher, 0), f"{where}: {number} after {last[publisher]} of the same publisher"
        last[publisher] = number


@pytest.mark.parametrize("found, fault", [([b"1", b"3"], "lost"), ([b"1", b"2", b"2", b"3"], "twice"),
                                          ([b"1", b"3", b"2"], "after"), ([b"1", b"2", b"3", b"9"], "")])
def test_the_check_itself_finds_faults(found, fault):
    check("here", [b"1", b"2", b"3", b"4"], {1, 2, 3}, {1, 2, 3, 4})
    with pytest.raises(AssertionError, match=fault):
        check("here", found, {1, 2, 3}, {1, 2, 3, 4})


def test_nothing_confirmed_is_lost_by_kills(desk, link_pb2, say):
    seed = random.SystemRandom().randrange(1 << 32)
    draw = random.Random(seed)
    broker = gateway.Broker(desk, DEFINITIONS, bytes_max=STORE_BYTES).start()
    confirmed, tried = set(), set()
    for round_number in range(ROUNDS):
        fresh, attempts = publish_until_killed(broker, link_pb2, round_number, draw.uniform(0.05, 0.6))
        confirmed |= fresh
        tried |= attempts
        broker.start()
    log_start, high_watermark, records = gateway.fetch_all(broker, link_pb2, "log", 0)
    assert (log_start, high_watermark) == (0, len(records)) and [r.offset for r in records] == list(range(len(records)))
    delivered = [message.body for message in gateway.consume_all(broker, link_pb2, "work")]
    say(f"kill rounds: {ROUNDS} with seed {seed}: {len(confirmed)} confirmed of {len(tried)} published, "
        f"{len(records)} in the topic, {len(delivered)} from the queue ")
    assert len(confirmed) >= CONFIRMED_MIN, f"void: only {len(confirmed)} were confirmed in {ROUNDS} rounds"
    check("topic", [record.value for record in records], confirmed, tried)
    check("queue", delivered, confirmed, tried)
    broker.stop()
