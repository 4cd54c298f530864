"""Conversations between a device and the broker, one behaviour per test."""

import pytest

import wire

TEMPERATURE = {"alias": 1, "routing_key": "sensors.s1.temperature"}


def batch(first, *payloads, **fields):
    return {"first_sequence": first, "boot": 1, "first_ticks": 100, "now_ticks": 200,
            "items": [{"alias": 1, "dt": 1, "payload": payload} for payload in payloads], **fields}


def expect_ack(peer, sequence):
    """Waits for the ack that covers `sequence`. Acks are cumulative and may arrive one by one."""
    while True:
        ack = peer.expect("ack")
        assert ack.sequence <= sequence and ack.window > 0
        if ack.sequence == sequence:
            return


def bodies(peer, count):
    """Returns the bodies of the first `count` deliveries of the queue `work`."""
    peer.connect()
    peer.send("consume", correlation=2, consumer=1, queue="work", auto_ack=True)
    peer.expect("done", correlation=2)
    return [peer.expect("deliver").body for _ in range(count)]


def test_reading_is_acknowledged_exact_bytes(talk):
    peer = talk()
    #                key len version device       epoch          boot   next   oldest largest frame
    peer.send_bytes("0a 17 08 01 12 02 73 31 1d 07 00 00 00 20 01 28 01 30 01 48 80 04 58 d2 09")
    welcome = peer.expect("welcome", status=0, durable_sequence=0, ticks=1234)
    assert welcome.window > 0 and welcome.largest_frame >= 512 and welcome.unix_ms > 0
    #                Topic: alias 1, "sensors.s1"             Publish: alias 1, "21.5"
    peer.send_bytes("1a 0e 08 01 12 0a 73656e736f72732e7331  22 08 08 01 1a 04 32312e35")
    peer.expect_bytes("3a")      # Ack
    peer.read(1)
    peer.expect_bytes("08 01")   # sequence 1


def test_reading_reaches_queue_and_topic_with_device_as_key(talk):
    device = talk()
    device.hello()
    device.send("topic", **TEMPERATURE)
    device.send("publish", alias=1, payload=b"21.5")
    expect_ack(device, 1)
    application = talk()
    application.connect()
    application.send("consume", correlation=2, consumer=1, queue="work")
    application.expect("done", correlation=2)
    application.expect("deliver", consumer=1, tag=1, redelivered=False, routing_key="sensors.s1.temperature", key=b"s1",
                       body=b"21.5", exchange="amq.topic")


def test_reconnecting_device_learns_what_is_on_flash(talk):
    first = talk()
    first.hello()
    first.send("topic", **TEMPERATURE)
    first.send("batch", **batch(1, b"a", b"b", b"c"))
    expect_ack(first, 3)
    first.close()
    assert talk().hello(next_sequence=4, oldest_sequence=1).durable_sequence == 3


def test_what_was_on_flash_survives_a_killed_broker(talk, broker):
    peer = talk()
    peer.hello()
    peer.send("topic", **TEMPERATURE)
    peer.send("batch", **batch(1, b"a", b"b"))
    expect_ack(peer, 2)
    broker.restart_after_kill()
    assert talk().hello(next_sequence=3).durable_sequence == 2
    assert bodies(talk(), 2) == [b"a", b"b"]


def test_duplicates_are_acknowledged_again_and_not_stored_again(talk):
    first = talk()
    first.hello()
    first.send("topic", **TEMPERATURE)
    first.send("batch", **batch(1, b"a", b"b", b"c"))
    expect_ack(first, 3)
    first.close()
    again = talk()
    again.hello(next_sequence=4)
    again.send("topic", **TEMPERATURE)
    again.send("batch", **batch(1, b"a", b"b", b"c"))
    expect_ack(again, 3)
    again.send("publish", alias=1, payload=b"d")
    expect_ack(again, 4)
    assert bodies(talk(), 4) == [b"a", b"b", b"c", b"d"]


def test_batch_items_without_alias_take_the_one_before(talk):
    peer = talk()
    peer.hello()
    peer.send("topic", **TEMPERATURE)
    peer.send("batch", first_sequence=1, boot=1, items=[{"alias": 1, "payload": b"a"}, {"payload": b"b"}])
    expect_ack(peer, 2)
    assert bodies(talk(), 2) == [b"a", b"b"]


@pytest.mark.parametrize("epoch", [6, 8])
def test_new_epoch_starts_anew_higher_or_lower(talk, epoch):
    first = talk()
    first.hello(epoch=7)
    first.send("topic", **TEMPERATURE)
    first.send("batch", **batch(1, b"a", b"b"))
    expect_ack(first, 2)
    again = talk()
    assert again.hello(epoch=epoch).durable_sequence == 0
    again.send("topic", **TEMPERATURE)
    again.send("batch", **batch(1, b"c"))
    expect_ack(again, 1)
    assert bodies(talk(), 3) == [b"a", b"b", b"c"]


def test_unknown_alias_is_rejected_and_the_next_reading_goes_on(talk, link_pb2):
    peer = talk()
    peer.hello()
    peer.send("topic", **TEMPERATURE)
    peer.send("publish", alias=2, payload=b"lost")
    peer.expect("reject", sequence=1, code=link_pb2.NOT_FOUND)
    peer.send("publish", alias=1, payload=b"kept")
    expect_ack(peer, 2)
    assert bodies(talk(), 1) == [b"kept"]


def test_payload_over_the_limit_is_rejected_and_the_next_reading_goes_on(talk, link_pb2):
    peer = talk()
    peer.hello()
    peer.send("topic", **TEMPERATURE)
    peer.send("publish", alias=1, payload=bytes(257))
    peer.expect("reject", sequence=1, code=link_pb2.TOO_LARGE)
    peer.send("publish", alias=1, payload=bytes(256))
    expect_ack(peer, 2)


@pytest.mark.parametrize("fields, code", [({"version": 2}, "UNSUPPORTED"), ({"device": b""}, "INVALID"),
                                          ({"device": b"x" * 17}, "INVALID")])
def test_hello_that_cannot_be_served_is_told_why(talk, link_pb2, fields, code):
    peer = talk()
    peer.send("hello", **{"version": 1, "device": b"s1", "epoch": 7, **fields})
    peer.expect("welcome", status=getattr(link_pb2, code))
    peer.expect_end()


def test_second_connection_of_a_device_ends_the_first(talk):
    first, second = talk(), talk()
    first.hello()
    second.hello()
    first.expect_end()
    second.send("topic", **TEMPERATURE)
    second.send("publish", alias=1, payload=b"a")
    expect_ack(second, 1)


def test_ping_is_answered(talk):
    peer = talk()
    peer.hello()
    peer.send("ping", ticks=99)
    assert peer.expect("pong", ticks=99).unix_ms > 0


def test_member_of_a_later_version_is_skipped(talk):
    peer = talk()
    peer.hello()
    peer.send("topic", **TEMPERATURE)
    peer.send_bytes(wire.raw_frame(6, b"a Series") + wire.raw_frame(1000, bytes(300)))
    peer.send("publish", alias=1, payload=b"a")
    expect_ack(peer, 1)


def test_frames_cut_anywhere_are_put_together(talk):
    peer = talk()
    peer.hello()
    frames = peer.frame("topic", **TEMPERATURE) + peer.frame("batch", **batch(1, b"a", b"b"))
    for byte in frames:
        peer.send_bytes(bytes([byte]))
    expect_ack(peer, 2)
