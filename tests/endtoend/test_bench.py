"""`tidegate bench` against a running broker: every kind counts and verifies its messages and leaves nothing behind.
--verify fails if another client meddles with the messages."""

import json
import signal
import time

import pytest

import gateway
import processes
import wire

EXIT_OK, EXIT_FAILURE = 0, 1
BREACHES = ["lost", "duplicates", "out_of_order", "damaged", "foreign"]


@pytest.fixture
def broker(desk):
    return gateway.Broker(desk, definitions="").start()


@pytest.fixture
def tidegate(desk, broker):
    """tidegate(words...) runs the tool and returns its exit code, its JSON and its standard error."""
    def run(*words):
        result = desk.run([processes.program("tidegate"), "--broker", broker.address, *words, "--json"])
        return result.returncode, json.loads(result.stdout) if result.stdout else None, result.stderr
    return run


def made(tidegate):
    """Returns the exchanges, queues and topics of bench runs that exist in the broker."""
    return [row["name"] for kind in ("exchanges", "queues", "topics") for row in tidegate("list", kind)[1]
            if row["name"].startswith("bench.")]


def assert_clean(seen, checked):
    verification = seen["verification"]
    assert {name: verification[name] for name in BREACHES} == dict.fromkeys(BREACHES, 0), verification
    assert verification["checked"] == checked
    assert seen["objections"] == [] and seen["left"] == []


def totals(seen, stream):
    return {name: row["total"] for name, row in seen["rates"][stream].items() if isinstance(row, dict)}


@pytest.mark.parametrize("words", [
    [], ["--connections", 3, "--consumers", 2, "--queues", 5, "--threads", 2],
    ["--connections", 2, "--consumers", 4, "--queues", 2, "--threads", 3, "--prefetch", 7, "--window", 3],
    ["--rate", 4000, "--size", 36], ["--durability", "interval:20", "--size", 5000],
], ids=lambda words: " ".join(map(str, words)))
def test_queue(tidegate, words):
    code, seen, said = tidegate("bench", "queue", "--messages", 2000, "--verify", *words)
    assert code == EXIT_OK, said
    assert totals(seen, "queue") == dict.fromkeys(["published", "confirmed", "delivered", "acknowledged"], 2000)
    assert_clean(seen, 2000)
    for name in "publish_to_confirm", "publish_to_deliver":
        latency = seen["latency_ms"]["queue"][name]
        assert latency["count"] == 2000
        assert 0 < latency["p50"] <= latency["p99"] <= latency["p99.99"] <= latency["max"]
    assert seen["broker"]["commits"] > 0
    assert made(tidegate) == []


def test_queue_without_consumers_is_only_published(tidegate):
    code, seen, said = tidegate("bench", "queue", "--consumers", 0, "--messages", 20000, "--keep")
    assert code == EXIT_OK, said
    assert totals(seen, "queue") == {"published": 20000, "confirmed": 20000, "delivered": 0, "acknowledged": 0}
    queue, = made(tidegate)
    assert seen["left"] == [f"queue {queue}"]
    assert tidegate("list", "queues")[1][0]["ready"] == 20000


@pytest.mark.parametrize("words", [
    [], ["--partitions", 3, "--connections", 2, "--window", 2, "--consumers", 2, "--threads", 2],
], ids=lambda words: " ".join(map(str, words)))
def test_topic(tidegate, words):
    code, seen, said = tidegate("bench", "topic", "--messages", 6000, "--batch", 100, "--verify", *words)
    assert code == EXIT_OK, said
    assert totals(seen, "topic") == {"published": 6000, "confirmed": 6000, "delivered": 6000, "acknowledged": 0}
    assert_clean(seen, 6000)
    assert made(tidegate) == []


def test_topic_whose_bound_drops_is_no_breach(tidegate):
    code, seen, said = tidegate("bench", "topic", "--messages", 40000, "--verify", "--retention-bytes", "1M")
    assert code == EXIT_OK, said
    assert totals(seen, "topic")["confirmed"] == 40000
    assert seen["verification"]["lost"] == 0


def test_fetch_reads_what_it_filled_in(tidegate):
    code, seen, said = tidegate("bench", "fetch", "--messages", 4000, "--batch", 100, "--partitions", 2,
                                "--consumers", 2, "--seconds", 0.3, "--warmup", 0, "--verify")
    assert code == EXIT_OK, said
    delivered = totals(seen, "topic")["delivered"]
    assert delivered >= 2 * 4000
    assert_clean(seen, delivered)
    assert seen["latency_ms"]["topic"]["fetch"]["count"] > 0
    assert made(tidegate) == []


def test_fetch_reads_a_topic_that_exists_and_leaves_it(tidegate):
    tidegate("declare", "topic", "readings")
    tidegate("bind", "amq.topic", "topic", "readings", "#")
    tidegate("publish", "--exchange", "amq.topic", "--size", 50, "--count", 300)
    code, seen, said = tidegate("bench", "fetch", "--topic", "readings", "--seconds", 0.2, "--warmup", 0)
    assert code == EXIT_OK, said
    assert totals(seen, "topic")["delivered"] >= 300
    assert [row["name"] for row in tidegate("list", "topics")[1]] == ["readings"]


def test_fanout(tidegate):
    code, seen, said = tidegate("bench", "fanout", "--messages", 500, "--queues", 3, "--topics", 2, "--consumers", 2,
                                "--connections", 2, "--verify")
    assert code == EXIT_OK, said
    assert totals(seen, "queue") == {"published": 500, "confirmed": 500, "delivered": 1500, "acknowledged": 1500}
    assert totals(seen, "topic")["delivered"] == 1000
    assert_clean(seen, 2500)
    assert made(tidegate) == []


@pytest.mark.parametrize("words", [[], ["--connections", 2, "--consumers", 2, "--window", 4, "--threads", 2],
                                   ["--rate", 500], ["--direct", "--window", 4]],
                         ids=lambda words: " ".join(map(str, words)))
def test_request(tidegate, words):
    code, seen, said = tidegate("bench", "request", "--messages", 300, "--verify", *words)
    assert code == EXIT_OK, said
    assert set(totals(seen, "request").values()) == set(totals(seen, "reply").values()) == {300}
    assert seen["latency_ms"]["reply"]["round_trip"]["count"] == 300
    assert_clean(seen, 300)
    assert made(tidegate) == []


def test_mixed_in_open_loop_counts_what_was_due(tidegate):
    code, seen, said = tidegate("bench", "mixed", "--rate", 500, "--topic-rate", 2000, "--batch", 50, "--seconds", 1.5,
                                "--warmup", 0.5, "--partitions", 2, "--verify")
    assert code == EXIT_OK, said
    queue, topic = totals(seen, "queue"), totals(seen, "topic")
    assert queue["published"] + seen["rates"]["queue"]["unsent"] == 1000
    assert topic["published"] + seen["rates"]["topic"]["unsent"] == 4000
    assert queue["delivered"] == queue["confirmed"] and topic["delivered"] == topic["confirmed"]
    assert_clean(seen, queue["delivered"] + topic["delivered"])
    assert made(tidegate) == []


def test_reference_and_progress(desk, tidegate):
    folder = desk.folder / "disk"
    folder.mkdir()
    code, seen, said = tidegate("bench", "queue", "--seconds", 2.5, "--warmup", 0, "--reference", folder, "--progress")
    assert code == EXIT_OK, said
    assert seen["reference"]["bytes_at_a_time"] == 100000
    assert min(seen["reference"]["messages_per_second"]) > 0 and len(seen["reference"]["messages_per_second"]) == 2
    assert seen["reference"]["confirmed_of_raw"] > 0
    assert list(folder.iterdir()) == []
    assert "confirmed" in said and said.startswith("tidegate: ")


# ------------------------------------------------------------------------------------------------------- meddling


class Thief:
    """Another client that consumes messages from the run's queue."""

    def __init__(self, broker, link_pb2, queue):
        self.link_pb2, self.queue = link_pb2, queue
        self.peer = wire.Peer(broker.port, link_pb2)
        self.peer.connect(name="thief")
        self.peer.send("consume", correlation=2, consumer=1, queue=queue, prefetch=1)
        self.identity, self.waiting = 0, []

    def receive(self, wanted):
        """Returns the next frame of this kind. Deliveries that arrive before it are kept for later calls."""
        while True:
            name, message = ("deliver", self.waiting.pop()) if wanted == "deliver" and self.waiting else \
                self.peer.receive()
            if name == wanted:
                return message
            self.waiting += [message] if name == "deliver" else []

    def take(self):
        return self.receive("deliver")

    def take_and_fall_behind(self):
        """Takes a message and waits 50 ms, so that many later messages are delivered before it is put back."""
        message = self.take()
        time.sleep(0.05)
        return message

    def put(self, body):
        self.identity += 1
        self.peer.send("publish_message", id=self.identity, routing_key=self.queue, body=body)
        assert self.receive("confirm").id == self.identity

    def keep_for_good(self, message):
        self.peer.send("settle", tag=message.tag)


def steal(thief):
    thief.keep_for_good(thief.take())


def put_back_behind_others(thief):
    message = thief.take_and_fall_behind()
    thief.put(message.body)
    thief.keep_for_good(message)


def put_twice(thief):
    message = thief.take_and_fall_behind()
    thief.put(message.body)
    thief.put(message.body)
    thief.keep_for_good(message)


def turn_a_bit(thief):
    message = thief.take()
    thief.put(message.body[:50] + bytes([message.body[50] ^ 1]) + message.body[51:])
    thief.keep_for_good(message)


def put_something_else(thief):
    thief.put(b"hello")


def take_and_vanish(thief):
    thief.take()


@pytest.fixture
def disturbed(desk, tidegate, broker, link_pb2):
    """disturbed(meddle) runs a bench of two seconds while meddle(thief) interferes. Returns the bench's exit code, JSON
    and output."""
    def run(meddle, *words):
        bench = desk.make("bench", [processes.program("tidegate"), "--broker", broker.address, "bench", "queue",
                                    "--rate", 20000, "--seconds", 2, "--warmup", 0, "--prefetch", 10, "--verify",
                                    "--json", *words])
        with open(desk.folder / "bench.json", "wb") as out:
            bench.start(stdout=out)
        queue = processes.wait_until(lambda: made(tidegate), 10, "the run's queue")[0]
        # Starts the thief only when the run's own consumer receives messages: before that there is nothing to disturb.
        processes.wait_until(lambda: tidegate("status")[1]["delivered"] > 100, 10, "deliveries")
        thief = Thief(broker, link_pb2, queue)
        meddle(thief)
        thief.peer.close()
        code = bench.wait_end()
        return code, json.loads((desk.folder / "bench.json").read_text()), bench.output()
    return run


@pytest.mark.parametrize("meddle, breaches", [
    (steal, {"lost"}),
    (put_back_behind_others, {"out_of_order"}),
    (put_twice, {"out_of_order", "duplicates"}),
    (turn_a_bit, {"lost", "damaged"}),
    (put_something_else, {"foreign"}),
], ids=lambda value: getattr(value, "__name__", ""))
def test_meddling_is_found(disturbed, tidegate, meddle, breaches):
    code, seen, said = disturbed(meddle)
    assert code == EXIT_FAILURE, seen
    found = {name for name in BREACHES if seen["verification"][name] > 0}
    assert found == breaches, (seen["verification"], said)
    assert "verification failed" in said
    assert made(tidegate) == []


def test_a_delivery_that_says_it_comes_again_is_no_breach(disturbed):
    code, seen, said = disturbed(take_and_vanish)
    assert code == EXIT_OK, said
    assert_clean(seen, totals(seen, "queue")["published"])


def test_meddling_with_a_topic_is_found(desk, tidegate, broker):
    bench = desk.make("bench", [processes.program("tidegate"), "--broker", broker.address, "bench", "fanout",
                                "--rate", 2000, "--seconds", 2, "--warmup", 0, "--queues", 1, "--topics", 1,
                                "--verify", "--json"])
    bench.start()
    exchange = processes.wait_until(
        lambda: [name for name in made(tidegate) if name.endswith(".x")], 10, "the run's exchange")[0]
    processes.wait_until(lambda: tidegate("status")[1]["delivered"] > 100, 10, "deliveries")
    assert tidegate("publish", "--exchange", exchange, "hello")[0] == EXIT_OK
    assert bench.wait_end() == EXIT_FAILURE
    assert "2 foreign" in bench.output()


# ------------------------------------------------------------------------------------------------ early endings


def start_bench(desk, broker, tidegate, *words):
    bench = desk.make("bench", [processes.program("tidegate"), "--broker", broker.address, "bench", *words, "--json"])
    bench.start(stdout=open(desk.folder / "bench.json", "wb"))
    processes.wait_until(lambda: tidegate("status")[1]["published"] > 1000, 20, "load")
    return bench


def result_of(desk):
    return json.loads((desk.folder / "bench.json").read_text())


@pytest.mark.parametrize("words", [["queue", "--verify"], ["topic", "--verify"], ["fanout", "--topics", "1"],
                                   ["request", "--window", "100"], ["mixed"]], ids=" ".join)
def test_a_broker_that_goes_away_ends_the_run_with_what_was_seen(desk, broker, tidegate, words):
    bench = start_bench(desk, broker, tidegate, *words, "--seconds", 60, "--warmup", 0)
    broker.process.kill()
    assert bench.wait_end() == EXIT_FAILURE
    seen = result_of(desk)
    assert max(totals(seen, stream)["confirmed"] for stream in seen["rates"]) > 0
    assert any("broker" in objection for objection in seen["objections"])
    assert seen["left"] != []


@pytest.mark.parametrize("words", [["queue", "--verify"], ["topic", "--verify"], ["fetch", "--messages", "2000"]],
                         ids=" ".join)
def test_an_interrupt_ends_it_early_with_the_table(desk, broker, tidegate, words):
    bench = start_bench(desk, broker, tidegate, *words, "--seconds", 60, "--warmup", 0)
    bench.send(signal.SIGINT)
    assert bench.wait_end() == EXIT_OK, bench.output()
    seen = result_of(desk)
    assert seen["measured_seconds"] < 50 and seen["objections"] == []
    assert made(tidegate) == []


def test_a_full_store_is_told(desk):
    small = gateway.Broker(desk, definitions="", bytes_max=64 << 20, name="small").start()
    result = desk.run([processes.program("tidegate"), "--broker", small.address, "bench", "queue", "--consumers", "0",
                       "--size", "100000", "--messages", "1000", "--window", "10"])
    assert result.returncode == EXIT_FAILURE
    assert "publishes were refused" in result.stderr and "store full" in result.stderr
    assert "confirmed" in result.stdout
