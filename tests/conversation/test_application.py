"""Conversations between an application and the broker, one behaviour per test."""

import json
import time

import pytest

import record_batch
import wire


def ready_count(peer, queue):
    peer.send("declare_queue", correlation=9, name=queue, passive=True)
    return peer.expect("done", correlation=9).message_count


def settled(peer):
    """Waits until earlier acks are settled. Acks go with a commit, so the answer to a declaration after them shows that
    they were committed."""
    peer.declare_queue("after")


def fetch(peer, offset, correlation=5, **fields):
    peer.send("fetch", correlation=correlation, topic="readings", partition=0, offset=offset, **fields)
    return peer.expect("fetched", correlation=correlation)


# ------------------------------------------------------------------------------------------- publishing

def test_publish_is_confirmed_exact_bytes(talk):
    peer = talk()
    #                Connect: correlation 1, version 1, name "c"
    peer.send_bytes("82 01 07 08 01 10 01 1a 01 63")
    peer.expect("connected", correlation=1)
    #                DeclareQueue: correlation 2, name "q"
    peer.send_bytes("9a 01 05 08 02 12 01 71")
    peer.expect_bytes("c2 01 05 08 02 32 01 71")              # Done: correlation 2, name "q"
    #                PublishMessage: id 1, routing key "q", body "hello"
    peer.send_bytes("f2 01 0c 08 01 1a 01 71 32 05 68656c6c6f")
    peer.expect_bytes("fa 01 04 08 01 10 01")                 # Confirm: id 1 and all before it


def test_connected_names_gateway_and_incarnation(talk):
    answer = talk().connect()
    assert answer.server.startswith("tidegate-broker ")
    assert answer.gateway == "gateway-under-test"
    assert len(answer.incarnation) == 36
    assert answer.largest_frame == 1 << 20


def test_incarnation_stays_with_the_store(talk, broker):
    before = talk().connect().incarnation
    broker.restart_after_kill()
    assert talk().connect().incarnation == before


def test_published_message_is_delivered_with_all_its_parts(talk):
    peer = talk()
    peer.connect()
    peer.declare_queue("q")
    headers = [{"name": "unit", "value": b"C"}, {"name": "raw", "value": bytes(range(256))}]
    peer.publish(1, routing_key="q", key=b"k", headers=headers, body=b"\0\xff")
    peer.consume("q")
    message = peer.expect("deliver", consumer=1, tag=1, redelivered=False, delivery_count=0, routing_key="q", key=b"k",
                          body=b"\0\xff", exchange="")
    assert [(header.name, header.value) for header in message.headers] == [("unit", b"C"), ("raw", bytes(range(256)))]
    assert abs(message.timestamp_ms / 1000 - time.time()) < 60


def test_confirmed_message_survives_a_killed_broker(talk, broker):
    peer = talk()
    peer.connect()
    peer.publish(1, exchange="amq.topic", routing_key="sensors.a", body=b"kept")
    broker.restart_after_kill()
    peer = talk()
    peer.connect()
    assert ready_count(peer, "work") == 1
    peer.consume("work")
    peer.expect("deliver", body=b"kept")


def test_unroutable_is_confirmed_and_returned_only_if_mandatory(talk):
    peer = talk()
    peer.connect()
    peer.send("publish_message", id=1, routing_key="nowhere", body=b"a")
    peer.expect("confirm", id=1, code=0)
    peer.send("publish_message", id=2, routing_key="nowhere", body=b"b", mandatory=True)
    peer.expect("return", id=2, routing_key="nowhere", body=b"b")
    peer.expect("confirm", id=2, code=0)


def test_same_producer_sequence_is_confirmed_again_and_stored_once(talk, broker):
    peer = talk()
    assert peer.connect(producer="p", producer_epoch=1).producer_sequence == 0
    peer.declare_queue("q")
    peer.publish(1, routing_key="q", body=b"one", sequence=1)
    peer.publish(2, routing_key="q", body=b"one", sequence=1)
    broker.restart_after_kill()
    peer = talk()
    assert peer.connect(producer="p", producer_epoch=1).producer_sequence == 1
    peer.publish(1, routing_key="q", body=b"one", sequence=1)
    peer.publish(2, routing_key="q", body=b"two", sequence=2)
    assert ready_count(peer, "q") == 2


def test_older_producer_epoch_is_fenced(talk, link_pb2):
    peer = talk()
    peer.connect(producer="p", producer_epoch=2)
    peer.declare_queue("q")
    peer.publish(1, routing_key="q", body=b"new", sequence=1)
    older = talk()
    older.connect(producer="p", producer_epoch=1)
    older.send("publish_message", id=1, routing_key="q", body=b"old", sequence=5)
    older.expect("confirm", id=1, code=link_pb2.FENCED)
    assert ready_count(peer, "q") == 1


def test_one_publish_reaches_every_target_once(talk):
    peer = talk()
    peer.connect()
    for number, name in enumerate(["q1", "q2"]):
        peer.declare_queue(name)
        for key in "a.*", "#":
            peer.send("bind", correlation=10 + number, exchange="amq.topic", target_kind="queue", target=name,
                      routing_key=key)
            peer.expect("done", correlation=10 + number)
    peer.publish(1, exchange="amq.topic", routing_key="a.b", body=b"x")
    assert [ready_count(peer, name) for name in ("q1", "q2")] == [1, 1]


# -------------------------------------------------------------------------------------------- consuming

def test_unacknowledged_is_delivered_again_after_the_connection_ends(talk):
    peer = talk()
    peer.connect()
    peer.declare_queue("q")
    for number in 1, 2:
        peer.publish(number, routing_key="q", body=b"%d" % number)
    peer.consume("q")
    peer.expect("deliver", body=b"1", redelivered=False)
    second = peer.expect("deliver", body=b"2", redelivered=False)
    peer.send("settle", tag=second.tag)
    settled(peer)
    peer.close()
    peer = talk()
    peer.connect()
    peer.consume("q")
    peer.expect("deliver", body=b"1", redelivered=True, delivery_count=1)
    peer.expect_silence()


def test_acknowledged_is_gone_also_after_a_kill(talk, broker):
    peer = talk()
    peer.connect()
    peer.declare_queue("q")
    for number in 1, 2, 3:
        peer.publish(number, routing_key="q", body=b"%d" % number)
    peer.consume("q")
    tags = [peer.expect("deliver").tag for _ in range(3)]
    peer.send("settle", tag=tags[1], multiple=True)
    settled(peer)
    broker.restart_after_kill()
    peer = talk()
    peer.connect()
    peer.consume("q")
    peer.expect("deliver", body=b"3", redelivered=True)
    peer.expect_silence()


def test_requeued_returns_to_its_place_and_says_so(talk, link_pb2):
    peer = talk()
    peer.connect()
    peer.declare_queue("q")
    for number in 1, 2, 3:
        peer.publish(number, routing_key="q", body=b"%d" % number)
    peer.consume("q", prefetch=1)
    first = peer.expect("deliver", body=b"1", redelivered=False)
    peer.send("settle", tag=first.tag, outcome=link_pb2.Settle.REQUEUE)
    again = peer.expect("deliver", body=b"1", redelivered=True, delivery_count=1)
    peer.send("settle", tag=again.tag)
    peer.expect("deliver", body=b"2", redelivered=False)


def test_discarded_is_gone_and_counted(talk, link_pb2):
    peer = talk()
    peer.connect()
    peer.declare_queue("q")
    peer.publish(1, routing_key="q", body=b"bad")
    peer.consume("q")
    peer.send("settle", tag=peer.expect("deliver").tag, outcome=link_pb2.Settle.DISCARD)
    settled(peer)
    peer.send("list", correlation=4, kind="queues")
    rows = {row["name"]: row for row in json.loads(peer.expect("listed", correlation=4).json)}
    assert (rows["q"]["ready"], rows["q"]["unsettled"], rows["q"]["discarded"]) == (0, 0, 1)


# ------------------------------------------------------------------------------------------------ lists

def text(string):
    return string.encode().hex()


def test_a_list_comes_in_pages_exact_bytes(talk):
    peer = talk()
    peer.connect()
    kind = f"12 09 {text('exchanges')}"
    #               List: correlation 2, kind "exchanges", max_bytes 1
    peer.send_bytes(f"d2 01 0f 08 02 {kind} 20 01")
    #                 Listed: correlation 2, the first row whatever its size, and the place of the next page
    rest = '"auto_delete":false,"internal":false,"alternate":null,"bindings":0}]'
    first = text('[{"name":"amq.direct","type":"direct",' + rest)
    peer.expect_bytes(f"da 01 7a 08 02 12 6a {first} 1a 0a {text('amq.direct')}")
    #               the same after "amq.match"
    peer.send_bytes(f"d2 01 1a 08 02 {kind} 1a 09 {text('amq.match')} 20 01")
    #                 the last page: no next
    last = text('[{"name":"amq.topic","type":"topic",' + rest.replace(":0}", ":2}"))
    peer.expect_bytes(f"da 01 6c 08 02 12 68 {last}")


def test_without_a_place_and_a_bound_the_first_page_comes_as_it_always_did(talk):
    peer = talk()
    peer.connect()
    #               List: correlation 2, kind "queues"
    peer.send_bytes(f"d2 01 0a 08 02 12 06 {text('queues')}")
    listed = peer.expect("listed", correlation=2, next=b"")
    assert [row["name"] for row in json.loads(listed.json)] == ["work"]


@pytest.mark.parametrize("max_bytes", [0, 10_000])
def test_pages_together_have_every_row_once(talk, max_bytes):
    peer = talk()
    peer.connect()
    for number in range(300):
        peer.declare_queue(f"q{number:03}")
    pages = peer.list("queues", max_bytes)
    assert len(pages) == 1 if max_bytes == 0 else len(pages) > 3
    assert [row["name"] for page in pages for row in page] == [*(f"q{number:03}" for number in range(300)), "work"]


# ------------------------------------------------------------------------------------------------ deliveries

def test_prefetch_holds_deliveries_back(talk):
    peer = talk()
    peer.connect()
    peer.declare_queue("q")
    for number in range(1, 6):
        peer.publish(number, routing_key="q", body=b"%d" % number)
    peer.consume("q", prefetch=2)
    first = peer.expect("deliver", body=b"1")
    peer.expect("deliver", body=b"2")
    peer.expect_silence()
    peer.send("settle", tag=first.tag)
    peer.expect("deliver", body=b"3")
    peer.expect_silence()


def test_competing_consumers_share_a_queue(talk):
    publisher, one, two = talk(), talk(), talk()
    for peer in publisher, one, two:
        peer.connect()
    publisher.declare_queue("q")
    one.consume("q", prefetch=5)
    two.consume("q", prefetch=5)
    for number in range(1, 11):
        publisher.publish(number, routing_key="q", body=b"%d" % number)
    found = [int(peer.expect("deliver").body) for peer in (one, two) for _ in range(5)]
    assert sorted(found) == list(range(1, 11))


def test_cancelled_consumer_gets_nothing_and_its_deliveries_return(talk):
    peer = talk()
    peer.connect()
    peer.declare_queue("q")
    peer.publish(1, routing_key="q", body=b"a")
    peer.consume("q")
    peer.expect("deliver", body=b"a")
    peer.send("cancel", correlation=4, consumer=1)
    peer.expect("done", correlation=4)
    peer.publish(2, routing_key="q", body=b"b")
    peer.expect_silence()
    peer.consume("q", consumer=2)
    peer.expect("deliver", consumer=2, body=b"a", redelivered=True)
    peer.expect("deliver", consumer=2, body=b"b", redelivered=False)


# ------------------------------------------------------------------------------------------------ topics

@pytest.fixture
def reader(talk):
    """A connected peer; the topic `readings` exists. publish_reading() puts all readings into its partition 0."""
    peer = talk()
    peer.connect()
    peer.send("list", correlation=2, kind="topics")
    assert [row["name"] for row in json.loads(peer.expect("listed").json)] == ["readings"]
    return peer


def publish_reading(peer, identity, body):
    # The murmur2 hash of "key-1" is 193331640, so the key belongs to partition 0, of 4 partitions and also of 6.
    peer.publish(identity, exchange="amq.topic", routing_key="sensors.a", key=b"key-1", body=body)


def test_fetch_gives_record_batches_of_kafkas_format(reader):
    publish_reading(reader, 1, b"one")
    publish_reading(reader, 2, b"two")
    answer = fetch(reader, 0)
    assert (answer.code, answer.log_start, answer.high_watermark) == (0, 0, 2)
    found = list(record_batch.records(answer.batches))
    assert [(record.offset, record.key, record.value) for record in found] == [(0, b"key-1", b"one"),
                                                                               (1, b"key-1", b"two")]
    assert b"two" in [record.value for record in record_batch.records(fetch(reader, 1).batches)]


def test_fetch_at_the_end_waits_for_the_next_record(reader, talk):
    publisher = talk()
    publisher.connect()
    reader.send("fetch", correlation=5, topic="readings", partition=0, offset=0, min_bytes=1, max_wait_ms=10000)
    reader.expect_silence()
    publish_reading(publisher, 1, b"late")
    answer = reader.expect("fetched", correlation=5, code=0, high_watermark=1)
    assert [record.value for record in record_batch.records(answer.batches)] == [b"late"]


def test_fetch_at_the_end_gives_up_after_its_wait(reader):
    answer = fetch(reader, 0, max_wait_ms=200)
    assert (answer.code, answer.high_watermark, answer.batches) == (0, 0, b"")


def test_fetch_out_of_range_tells_the_valid_range(reader, link_pb2):
    publish_reading(reader, 1, b"one")
    answer = fetch(reader, 7)
    assert (answer.code, answer.log_start, answer.high_watermark) == (link_pb2.OUT_OF_RANGE, 0, 1)


def test_offsets_go_on_after_a_killed_broker(reader, talk, broker):
    publish_reading(reader, 1, b"one")
    broker.restart_after_kill()
    peer = talk()
    peer.connect()
    publish_reading(peer, 1, b"two")
    answer = fetch(peer, 1)
    assert answer.high_watermark == 2 and b"two" in answer.batches


def test_produced_batch_is_stored_as_it_came(reader):
    publish_reading(reader, 1, b"one")
    batch = fetch(reader, 0).batches
    reader.send("produce", correlation=6, topic="readings", partition=1, batch=batch)
    reader.expect("produced", correlation=6, base_offset=0)
    reader.send("fetch", correlation=7, topic="readings", partition=1, offset=0)
    # The first 16 bytes are the base offset, the length and the leader epoch. The broker sets the first and the last.
    assert reader.expect("fetched", correlation=7).batches[16:] == batch[16:]


def test_produced_batch_with_a_flipped_bit_is_refused(reader, link_pb2):
    publish_reading(reader, 1, b"one")
    batch = bytearray(fetch(reader, 0).batches)
    batch[-1] ^= 1
    reader.send("produce", correlation=6, topic="readings", partition=1, batch=bytes(batch))
    assert "CRC" in reader.expect("error", correlation=6, code=link_pb2.INVALID, closing=False).text


def test_offsets_by_time_and_committed_offsets(reader, talk, broker):
    publish_reading(reader, 1, b"one")
    for timestamp, offset in [(-2, 0), (-1, 1), (0, 0), ((1 << 52), 1)]:
        reader.send("list_offset", correlation=6, topic="readings", partition=0, timestamp_ms=timestamp)
        reader.expect("offset_listed", correlation=6, offset=offset, log_start=0, high_watermark=1)
    where = {"group": "bridge/readings", "topic": "readings", "partition": 0}
    reader.send("fetch_offset", correlation=7, **where)
    reader.expect("offset_fetched", correlation=7, found=False)
    reader.send("commit_offset", correlation=8, **where, offset=1, metadata=b"note")
    reader.expect("done", correlation=8)
    broker.restart_after_kill()
    peer = talk()
    peer.connect()
    peer.send("fetch_offset", correlation=7, **where)
    peer.expect("offset_fetched", correlation=7, found=True, offset=1, metadata=b"note")


# ------------------------------------------------------------------------------------- versions that meet

def test_unknown_member_and_unknown_field_are_skipped(talk):
    peer = talk()
    peer.connect()
    peer.send_bytes(wire.raw_frame(60, b"a Heartbeat of a later version") + wire.raw_frame(2000, b""))
    known = peer.link_pb2.DeclareQueue(correlation=2, name="q").SerializeToString()
    unknown_field = wire.varint(900 * 8 + 2) + wire.varint(3) + b"new"
    peer.send_bytes(wire.raw_frame(19, known + unknown_field))
    peer.expect("done", correlation=2)
