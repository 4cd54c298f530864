"""Requests that the broker cannot serve: the code and the text of its answer, and whether the connection stays open."""

import time

import pytest

import wire

FRAME_MAX = 1 << 20


@pytest.fixture
def peer(talk):
    peer = talk()
    peer.connect()
    return peer


@pytest.mark.parametrize("member, fields, code, words", [
    ("declare_queue", {"name": "x" * 250}, "INVALID", "249"),
    ("declare_queue", {"name": "none", "passive": True}, "NOT_FOUND", "no queue 'none'"),
    ("declare_exchange", {"name": "e", "type": "lake"}, "INVALID", "headers"),
    ("declare_exchange", {"name": "e", "type": "topic", "alternate": "\n"}, "INVALID", "alternate"),
    ("declare_exchange", {"name": "amq.topic", "type": "topic", "auto_delete": True}, "PRECONDITION", "auto_delete"),
    ("declare_exchange", {"name": "e", "type": "topic", "arguments": b"\1"}, "INVALID", "arguments"),
    ("declare_exchange", {"name": "e", "type": "topic", "arguments": bytes(2001)}, "TOO_LARGE", "2000"),
    ("declare_exchange", {"name": "amq.mine", "type": "topic"}, "NOT_ALLOWED", "amq."),
    ("declare_exchange", {"name": "amq.topic", "type": "fanout"}, "PRECONDITION", "amq.topic"),
    ("declare_topic", {"name": "no spaces"}, "INVALID", "no spaces"),
    ("declare_topic", {"name": "t", "partitions": 1001}, "LIMIT", "1000"),
    ("declare_topic", {"name": "readings", "partitions": 2}, "PRECONDITION", "partitions"),
    ("bind", {"exchange": "none", "target_kind": "queue", "target": "work"}, "NOT_FOUND", "no exchange 'none'"),
    ("bind", {"exchange": "amq.topic", "target_kind": "queue", "target": "none"}, "NOT_FOUND", "no queue 'none'"),
    ("bind", {"exchange": "amq.topic", "target_kind": "exchange", "target": "none"}, "NOT_FOUND", "no exchange 'none'"),
    ("bind", {"exchange": "amq.headers", "target_kind": "queue", "target": "work",
              "arguments": b"\7x-matchS\0\0\0\4most"}, "PRECONDITION", "most"),
    ("bind", {"exchange": "amq.topic", "target_kind": "lake", "target": "work"}, "INVALID", "lake"),
    ("delete", {"kind": "exchange", "name": "amq.topic"}, "NOT_ALLOWED", "built in"),
    ("delete", {"kind": "lake", "name": "work"}, "INVALID", "lake"),
    ("list", {"kind": "lakes"}, "INVALID", "lakes"),
    ("list", {"kind": "losses", "after": b"first"}, "INVALID", "after"),
    ("declare_queue", {"name": "amq.mine"}, "NOT_ALLOWED", "amq."),
    ("declare_queue", {"name": "work", "auto_delete": True}, "PRECONDITION", "auto_delete"),
    ("declare_queue", {"name": "work", "exclusive": True}, "PRECONDITION", "exclusive"),
    ("declare_queue", {"name": "q", "arguments": b"\1"}, "INVALID", "arguments"),
    ("declare_queue", {"name": "q", "expires_ms": 0}, "INVALID", "expires"),
    ("declare_queue", {"name": "q", "expires_ms": 1 << 63}, "INVALID", "4294967295"),
    ("declare_queue", {"name": "q", "time_to_live_ms": 1 << 32}, "INVALID", "time_to_live"),
    ("declare_queue", {"name": "q", "priority_max": 256}, "INVALID", "255"),
    ("declare_queue", {"name": "q", "dead_letter_key": "k"}, "PRECONDITION", "dead_letter_exchange"),
    ("declare_queue", {"name": "q", "overflow": "reject-dead-letter"}, "PRECONDITION", "dead_letter_exchange"),
    ("declare_queue", {"name": "q", "retry_delay_ms": 9, "retry_delay_max_ms": 8}, "INVALID", "retry_delay_max"),
    ("declare_queue", {"name": "work", "delivery_limit": 3}, "PRECONDITION", "delivery_limit 20, not 3"),
    ("transact", {"publish": [{"exchange": "none", "routing_key": "a"}]}, "NOT_FOUND", "message 1 of the transaction"),
    ("transact", {"publish": [{"routing_key": "work", "sequence": 1}]}, "NOT_ALLOWED", "sequences"),
    ("transact", {"publish": [{"routing_key": "none"}], "all_routable": True}, "NOT_FOUND", "nothing takes"),
    ("transact", {"settle": [{"tag": 7}]}, "NOT_FOUND", "delivery 7"),
    ("transact", {"settle": [{"tag": 7}] * 10001}, "LIMIT", "10000"),
    ("get", {"queue": "none"}, "NOT_FOUND", "no queue 'none'"),
    ("purge", {"queue": "none"}, "NOT_FOUND", "no queue 'none'"),
    ("consume", {"consumer": 1, "queue": "none"}, "NOT_FOUND", "no queue 'none'"),
    ("consume", {"consumer": 0, "queue": "work"}, "INVALID", "consumer"),
    ("cancel", {"consumer": 9}, "NOT_FOUND", "9"),
    ("fetch", {"topic": "none"}, "NOT_FOUND", "no topic 'none'"),
    ("fetch", {"topic": "readings", "partition": 4}, "NOT_FOUND", "4"),
    ("produce", {"topic": "readings", "batch": b"nonsense"}, "INVALID", "batch"),
    ("list_offset", {"topic": "none", "timestamp_ms": -1}, "NOT_FOUND", "no topic 'none'"),
    ("list_offset", {"topic": "readings", "timestamp_ms": -9}, "INVALID", "timestamp"),
    ("commit_offset", {"group": "g", "topic": "none"}, "NOT_FOUND", "no topic 'none'"),
    ("commit_offset", {"group": "g", "topic": "readings", "metadata": bytes(4001)}, "TOO_LARGE", "4000"),
])
def test_request_is_refused_and_the_connection_goes_on(peer, link_pb2, member, fields, code, words):
    peer.send(member, correlation=42, **fields)
    refusal = peer.expect("error", correlation=42, closing=False, code=getattr(link_pb2, code))
    assert words in refusal.text
    peer.declare_queue("still-served")


@pytest.mark.parametrize("fields, code, words", [
    ({"exchange": "none", "routing_key": "a"}, "NOT_FOUND", "no exchange 'none'"),
    ({"routing_key": "x" * 256}, "TOO_LARGE", "255"),
    ({"routing_key": "work", "key": bytes(256)}, "TOO_LARGE", "255"),
    ({"routing_key": "work", "headers": [{"name": "tg-offset", "value": b"1"}]}, "NOT_ALLOWED", "tg-"),
    ({"routing_key": "work", "properties": b"\x80\0"}, "INVALID", "properties"),
    ({"routing_key": "work", "properties": b"\1\0\4soon"}, "PRECONDITION", "expiration 'soon'"),
    ({"routing_key": "work", "delay_ms": 1 << 32}, "INVALID", "4294967295"),
    ({"routing_key": "work", "delay_ms": 1 << 63}, "INVALID", "delay"),
    ({"exchange": "none", "delay_ms": 5}, "NOT_FOUND", "no exchange 'none'"),
    ({"routing_key": "work", "properties": bytes(33000)}, "TOO_LARGE", "32768"),
    ({"routing_key": "work", "headers": [{"name": "h"}] * 65}, "TOO_LARGE", "64"),
    ({"routing_key": "work", "headers": [{"name": "h", "value": bytes(9000)}]}, "TOO_LARGE", "8192"),
    ({"routing_key": "work", "body": bytes(FRAME_MAX - 65536 + 1)}, "TOO_LARGE", "983040"),
    ({"routing_key": "work", "sequence": 1}, "NOT_ALLOWED", "producer"),
])
def test_publish_is_refused_and_the_connection_goes_on(peer, link_pb2, fields, code, words):
    peer.send("publish_message", id=1, **fields)
    assert words in peer.expect("confirm", id=1, code=getattr(link_pb2, code)).text
    peer.publish(2, routing_key="work", body=bytes(FRAME_MAX - 65536))


@pytest.mark.parametrize("member, fields", [
    ("publish_message", {"id": 1, "routing_key": "work"}),
    ("publish", {"alias": 1, "payload": b"x"}),
    ("list", {"kind": "status"}),
])
def test_first_frame_must_introduce_the_peer(talk, link_pb2, member, fields):
    peer = talk()
    peer.send(member, **fields)
    assert "first frame" in peer.expect("error", closing=True, code=link_pb2.NOT_ALLOWED).text
    peer.expect_end()


def test_connect_of_another_version_is_refused(talk, link_pb2):
    peer = talk()
    peer.send("connect", correlation=1, version=9)
    refusal = peer.expect("error", closing=True, code=link_pb2.UNSUPPORTED)
    assert "9" in refusal.text and refusal.field == "version"
    peer.expect_end()


@pytest.mark.parametrize("data", ["ff" * 16, "00 00", "08 01", "0b", "82 01 ff ff ff ff ff ff"])
def test_bytes_that_are_no_frame_end_the_connection_with_a_reason(talk, link_pb2, data):
    peer = talk()
    peer.connect()
    peer.send_bytes(data)
    refusal = peer.expect("error", closing=True)
    assert refusal.code in (link_pb2.INVALID, link_pb2.TOO_LARGE) and refusal.text
    peer.expect_end()


def test_frame_that_does_not_decode_ends_the_connection_with_a_reason(peer, link_pb2):
    peer.send_bytes(wire.raw_frame(19, b"\xff\xff\xff"))
    assert "DeclareQueue" in peer.expect("error", closing=True, code=link_pb2.INVALID).text
    peer.expect_end()


def test_publish_ids_must_rise(peer, link_pb2):
    peer.publish(5, routing_key="work")
    peer.send("publish_message", id=5, routing_key="work")
    assert peer.expect("error", closing=True, code=link_pb2.INVALID).field == "id"
    peer.expect_end()


def test_settling_what_was_not_delivered_is_told(peer, link_pb2):
    peer.send("settle", tag=77)
    assert "77" in peer.expect("error", correlation=0, closing=False, code=link_pb2.NOT_FOUND).text
    peer.declare_queue("still-served")


def test_oversized_frame_is_refused_by_its_length_alone(peer, link_pb2):
    peer.send_bytes(wire.varint(30 * 8 + 2) + wire.varint(FRAME_MAX + 1))
    assert "1048576" in peer.expect("error", closing=True, code=link_pb2.TOO_LARGE).text
    peer.expect_end()


def test_first_frame_has_a_smaller_bound(talk, link_pb2):
    peer = talk()
    peer.send_bytes(wire.varint(16 * 8 + 2) + wire.varint(513))
    assert "512" in peer.expect("error", closing=True, code=link_pb2.TOO_LARGE).text
    peer.expect_end()


def test_half_a_handshake_ends_after_five_seconds(talk, link_pb2):
    peer = talk()
    began = time.monotonic()
    peer.send_bytes("82 01 07 08 01")
    assert "5 seconds" in peer.expect("error", closing=True, code=link_pb2.NOT_ALLOWED).text
    peer.expect_end()
    assert time.monotonic() - began > 4


def test_trickling_half_a_handshake_does_not_prolong_it(talk, link_pb2):
    peer = talk()
    began = time.monotonic()
    for byte in peer.frame("connect", correlation=1, version=1, name="slow")[:7]:
        peer.send_bytes(bytes([byte]))
        time.sleep(0.6)
    assert "5 seconds" in peer.expect("error", closing=True, code=link_pb2.NOT_ALLOWED).text
    assert time.monotonic() - began < 8
