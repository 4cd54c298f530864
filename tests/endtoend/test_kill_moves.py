"""The broker is killed by SIGKILL while it moves messages by itself: dead letters of consumers, of limits and of time,
delayed messages, delayed retries, and transactions of a client. At the end every confirmed message is in exactly one
place, once."""

import json
import os
import random
import threading
import time

import gateway
import wire

ROUNDS = 200 if os.environ.get("TIDEGATE_LONG") else 12
CONFIRMED_MIN = 100  # a run that confirmed fewer proves nothing
MOVED_MIN = 50
NUMBERS_EACH = 1_000_000

DEFINITIONS = """
[[queue]]
name = "work"
dead_letter_exchange = ""
dead_letter_key = "dead"
delivery_limit = 0

[[queue]]
name = "brief"
time_to_live = "20ms"
dead_letter_exchange = ""
dead_letter_key = "dead"

[[queue]]
name = "short"
messages_max = 5
dead_letter_exchange = ""
dead_letter_key = "dead"

[[queue]]
name = "tries"
retry_delay = "10ms"
retry_delay_max = "20ms"
delivery_limit = 2
dead_letter_exchange = ""
dead_letter_key = "dead"

[[queue]]
name = "dead"
delivery_limit = 0

[[queue]]
name = "done"
"""
PASSING = ["work", "brief", "short", "tries", "amq.delayed"]  # what enters them ends in `dead`, and then in `done`


class Client(threading.Thread):
    """Does its work on a connection of its own until the broker is gone, or stop() is called."""

    def __init__(self, broker, link_pb2):
        super().__init__(daemon=True)
        self.broker, self.link_pb2, self.is_over = broker, link_pb2, False
        self.count = 0

    def run(self):
        try:
            peer = wire.Peer(self.broker.port, self.link_pb2)
            peer.connect(name=type(self).__name__)
            self.begin(peer)
            while not self.is_over:
                if (came := peer.receive_for(0.1)) is not None:
                    self.take(peer, *came)
                    peer.forget()
            peer.close()
        except (wire.Ended, OSError):
            pass

    def consume(self, peer, queue, number, prefetch):
        peer.send("consume", correlation=2, consumer=number, queue=queue, prefetch=prefetch)


class Discarding(Client):
    """Discards what is in `work`, and returns what is in `tries`, until it dies."""

    def begin(self, peer):
        self.consume(peer, "work", 1, 10)
        self.consume(peer, "tries", 2, 10)

    def take(self, peer, name, message):
        if name == "deliver":
            settle = self.link_pb2.Settle
            peer.send("settle", tag=message.tag, outcome=settle.DISCARD if message.consumer == 1 else settle.REQUEUE)
            self.count += 1


class Moving(Client):
    """Moves dead letters to `done`, each by a transaction."""

    def begin(self, peer):
        self.consume(peer, "dead", 1, 20)

    def take(self, peer, name, message):
        if name == "deliver":
            publish = self.link_pb2.PublishMessage(routing_key="done", body=message.body)
            settle = self.link_pb2.Settle(tag=message.tag)
            peer.send("transact", correlation=3, publish=[publish], settle=[settle], all_routable=True)
        assert name != "error", message
        self.count += name == "done"


def publishers(broker, link_pb2, first):
    """One publisher for each way, and one of delayed messages for `work`."""
    messages = [{"routing_key": queue} for queue in ("work", "brief", "short", "tries")]
    messages.append({"routing_key": "work", "delay_ms": 30})
    return [gateway.Publisher(broker, link_pb2, first + which * NUMBERS_EACH, **message)
            for which, message in enumerate(messages)]


def ready(broker, link_pb2):
    """Returns how many messages each queue holds, ready or not."""
    peer = wire.Peer(broker.port, link_pb2)
    peer.connect(name="looking")
    peer.send("list", correlation=4, kind="queues")
    rows = json.loads(peer.expect("listed", correlation=4).json)
    peer.close()
    return {row["name"]: row["ready"] + row["unsettled"] for row in rows}


def test_a_kill_leaves_every_message_in_one_place(desk, link_pb2, say):
    seed = random.SystemRandom().randrange(1 << 32)
    draw = random.Random(seed)
    broker = gateway.Broker(desk, DEFINITIONS, bytes_max=1 << 30).start()
    confirmed, tried = set(), set()
    moved = 0
    for round_number in range(ROUNDS):
        publishing = publishers(broker, link_pb2, round_number * 10 * NUMBERS_EACH + 1)
        for publisher in publishing:
            publisher.WINDOW = 5  # so that what moves keeps up
        clients = publishing + [Discarding(broker, link_pb2), Moving(broker, link_pb2)]
        for client in clients:
            client.start()
        time.sleep(draw.uniform(0.05, 0.4))
        broker.process.kill()
        for client in clients:
            client.join(30)
            assert not client.is_alive()
        for publisher in publishing:
            assert not publisher.refused, publisher.refused
            confirmed |= publisher.confirmed
            tried |= set(range(publisher.first, publisher.next))
        moved += clients[-1].count
        broker.start()
    clients = [Discarding(broker, link_pb2), Moving(broker, link_pb2)]
    for client in clients:
        client.start()
    deadline = time.monotonic() + 120
    while any(count for name, count in ready(broker, link_pb2).items() if name in PASSING and name != "short"):
        assert time.monotonic() < deadline, ready(broker, link_pb2)
        time.sleep(0.2)
    for client in clients:
        client.is_over = True
        client.join(30)
    found = [int(message.body) for queue in ("short", "dead", "done")
             for message in gateway.consume_all(broker, link_pb2, queue)]
    missing = confirmed - set(found)
    say(f"kills while messages move: {ROUNDS} rounds with seed {seed}: {len(confirmed)} confirmed of {len(tried)}, "
        f"{moved} moved by transactions before the last round ")
    assert not missing, f"{len(missing)} of {len(confirmed)} confirmed are lost, as {sorted(missing)[:5]}"
    assert len(set(found)) == len(found), f"{len(found) - len(set(found))} are there twice"
    assert set(found) <= tried
    assert len(confirmed) >= CONFIRMED_MIN and moved >= MOVED_MIN, "void: too little happened"
    broker.stop()
