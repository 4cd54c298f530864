"""Bad input of every kind: the broker answers with a clear message or exit code, continues to serve other clients, and
loses nothing."""

import os
import random
import time

import pytest

import gateway
import processes
import wire

EXIT_FAILURE, EXIT_USAGE, EXIT_STORAGE = 1, 2, 74


def descriptors(process):
    return len(os.listdir(f"/proc/{process.running.pid}/fd"))


def run_broker(desk, config, *options):
    return desk.run([processes.program("tidegate-broker"), "--config", config, *options], seconds=30)


@pytest.fixture
def broker(desk):
    return gateway.Broker(desk, bytes_max=64 << 20).start()


@pytest.fixture
def peer(broker, link_pb2):
    peer = wire.Peer(broker.port, link_pb2)
    peer.connect()
    peer.publish(1, exchange="amq.topic", routing_key="sensors.a", body=b"confirmed before")
    return peer


def assert_serves_on(broker, link_pb2):
    """Checks that the messages confirmed before are there, and that the next publish is confirmed."""
    fresh = wire.Peer(broker.port, link_pb2)
    fresh.connect()
    fresh.publish(1, exchange="amq.topic", routing_key="sensors.a", body=b"confirmed after")
    fresh.close()
    bodies = [message.body for message in gateway.consume_all(broker, link_pb2, "work", idle_seconds=1)]
    assert bodies == [b"confirmed before", b"confirmed after"]


# ------------------------------------------------------------------------------------------ on the wire

def bad_bytes(kind, draw):
    """Returns the bytes that one hostile connection sends."""
    valid = bytes.fromhex("82 01 07 08 01 10 01 1a 01 63")  # Connect
    return {
        "garbage": lambda: draw.randbytes(draw.randrange(1, 5000)),
        "garbage after Connect": lambda: valid + draw.randbytes(draw.randrange(1, 5000)),
        "truncated": lambda: valid[:draw.randrange(1, len(valid))],
        "truncated later": lambda: valid + wire.raw_frame(30, bytes(1000))[:draw.randrange(3, 900)],
        "oversized": lambda: valid + wire.varint(30 * 8 + 2) + wire.varint(draw.randrange(1 << 21, 1 << 40)),
        "flipped bits": lambda: bytes(byte ^ (draw.random() < 0.1) << draw.randrange(8) for byte in valid * 20),
    }[kind]()


@pytest.mark.parametrize("kind", ["garbage", "garbage after Connect", "truncated", "truncated later", "oversized",
                                  "flipped bits"])
def test_hostile_bytes_hurt_nobody_else(broker, peer, link_pb2, kind):
    draw = random.Random(kind)
    before = descriptors(broker.process)
    for _ in range(100):
        hostile = wire.Peer(broker.port, link_pb2)
        try:
            hostile.send_bytes(bad_bytes(kind, draw))
        except OSError:
            pass  # the broker closed the connection before all bytes were sent
        hostile.close()
    peer.declare_queue("served-on")
    processes.wait_until(lambda: descriptors(broker.process) <= before, 10, "the hostile connections' descriptors")
    assert_serves_on(broker, link_pb2)
    broker.stop()


def test_half_handshakes_are_ended_and_give_their_descriptors_back(broker, peer, link_pb2):
    before = descriptors(broker.process)
    silent = [wire.Peer(broker.port, link_pb2) for _ in range(200)]
    for half in silent[::2]:
        half.send_bytes("82 01")
    processes.wait_until(lambda: descriptors(broker.process) >= before + len(silent), 5, "200 connections")
    processes.wait_until(lambda: descriptors(broker.process) <= before, 15, "half handshakes to be ended")
    assert "5 seconds" in silent[0].expect("error", closing=True).text
    assert_serves_on(broker, link_pb2)


def test_peer_that_does_not_read_holds_nobody_up(broker, peer, link_pb2):
    deaf = wire.Peer(broker.port, link_pb2)
    deaf.connect()
    deaf.declare_queue("big")
    for number in range(1, 41):
        deaf.publish(number, routing_key="big", body=bytes(500_000))
    deaf.send("consume", correlation=3, consumer=1, queue="big")
    began = time.monotonic()
    peer.publish(2, exchange="amq.topic", routing_key="none", body=b"")
    assert time.monotonic() - began < 5
    with open(f"/proc/{broker.process.running.pid}/status") as status:
        resident = next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))
    assert resident < 40 * 1024, f"{resident} KiB of memory for a peer that does not read"
    assert_serves_on(broker, link_pb2)


# ------------------------------------------------------------------------------------------ the store

def test_second_broker_on_the_same_store_is_told(desk, broker, peer, link_pb2):
    other = gateway.Broker(desk, name="other")
    other.config.write_text(other.config.read_text().replace(str(other.store), str(broker.store)))
    result = run_broker(desk, other.config)
    assert result.returncode == EXIT_STORAGE, result.stderr
    assert str(broker.store) in result.stderr and "in use" in result.stderr
    assert_serves_on(broker, link_pb2)


def test_second_broker_on_the_same_address_is_told(desk, broker, peer, link_pb2):
    other = gateway.Broker(desk, name="other")
    other.config.write_text(other.config.read_text().replace(other.address, broker.address))
    result = run_broker(desk, other.config)
    assert result.returncode == EXIT_FAILURE, result.stderr
    assert broker.address in result.stderr
    assert_serves_on(broker, link_pb2)


def test_directory_that_cannot_be_written_is_told(desk):
    broker = gateway.Broker(desk)
    blocked = broker.folder / "a file"
    blocked.write_text("where a folder is needed")  # stops root as well, unlike permissions
    broker.config.write_text(broker.config.read_text().replace(str(broker.store), str(blocked / "store")))
    result = run_broker(desk, broker.config)
    assert result.returncode == EXIT_STORAGE, result.stderr
    assert str(blocked / "store") in result.stderr and len(result.stderr.splitlines()) <= 3


@pytest.mark.parametrize("content", [b"this is no LMDB file" * 1000, bytes(1 << 20)],
                         ids=["text", "zeros"])
def test_foreign_file_in_place_of_the_store_is_told_and_kept(desk, content):
    broker = gateway.Broker(desk)
    broker.store.mkdir()
    (broker.store / "data.mdb").write_bytes(content)
    result = run_broker(desk, broker.config)
    assert result.returncode == EXIT_STORAGE, result.stderr
    assert str(broker.store) in result.stderr
    assert (broker.store / "data.mdb").read_bytes() == content


def test_full_store_refuses_publishes_and_loses_nothing(desk, broker, link_pb2, say):
    publisher = wire.Peer(broker.port, link_pb2)
    publisher.connect()
    publisher.declare_queue("deep")
    confirmed, number = [], 0
    while True:
        number += 1
        publisher.send("publish_message", id=number, routing_key="deep", body=b"%d" % number + bytes(60_000))
        answer = publisher.expect("confirm", id=number)
        if answer.code != link_pb2.OK:
            break
        confirmed.append(number)
        assert number < 2000, "64 MiB never filled up"
    assert answer.code == link_pb2.STORE_FULL and "of 64 MiB" in answer.text
    say(f"full store: {len(confirmed)} messages of 60 KB confirmed, then: {answer.text} ")
    broker.restart_after_kill()
    found = [int(message.body.rstrip(b"\0")) for message in gateway.consume_all(broker, link_pb2, "deep")]
    assert found == confirmed
    publisher = wire.Peer(broker.port, link_pb2)
    publisher.connect()

    def is_served_again():
        publisher.send("publish_message", id=is_served_again.id, routing_key="deep", body=b"1")
        is_served_again.id += 1
        return publisher.expect("confirm").code == link_pb2.OK
    is_served_again.id = 1
    processes.wait_until(is_served_again, 20, "publishes to be taken again from an emptied store")
    broker.stop()


# ------------------------------------------------------------------------------------------ configuration

@pytest.mark.parametrize("wrong, named", [
    ("[gateway]\nid = \"g\"\ncolour = \"red\"\n", "unknown key 'colour' in [gateway]"),
    ("[store]\npaht = \"x\"\n", "unknown key 'paht' in [store]: did you mean 'path'?"),
    ("[lake]\nx = 1\n", "lake"),
    ("[[queue]]\nname = \"q\"\nlength = 3\n", "unknown key 'length' in [[queue]]"),
    ("[[queue]]\n", "queue.name"),
    ("[[topic]]\nname = \"no spaces\"\n", "topic.name"),
    ("[[topic]]\nname = \"t\"\nretention_age = \"long\"\n", "topic.retention_age"),
    ("[store]\nbytes_max = 1000\n", "store.bytes_max"),
    ("[native]\nlisten = \"nowhere\"\n", "native.listen"),
    ("[[binding]]\nexchange = \"amq.topic\"\n", "binding"),
    ("[gateway\n", "line 1"),
], ids=lambda value: value.splitlines()[0])
def test_mistake_in_the_configuration_is_named(desk, wrong, named):
    config = desk.folder / "wrong.toml"
    config.write_text(wrong)
    for options in [], ["--check-config"]:
        result = run_broker(desk, config, *options)
        assert result.returncode == EXIT_USAGE, result
        assert named in result.stderr and str(config) in result.stderr and len(result.stderr.splitlines()) == 1


def test_good_configuration_is_said_to_be_good(desk):
    broker = gateway.Broker(desk)
    result = run_broker(desk, broker.config, "--check-config")
    assert result.returncode == 0, result.stderr
    assert not broker.store.exists()


@pytest.mark.parametrize("options", [["--config", "none.toml"], ["--nonsense"], ["stray"]], ids=" ".join)
def test_mistake_on_the_command_line_is_told(desk, options):
    result = desk.run([processes.program("tidegate-broker"), *options])
    assert result.returncode == EXIT_USAGE
    assert options[-1] in result.stderr + result.stdout


def test_binding_to_what_is_not_there_is_told(desk):
    broker = gateway.Broker(desk, '[[binding]]\nexchange = "amq.topic"\nqueue = "nowhere"\nrouting_key = "#"\n')
    result = run_broker(desk, broker.config)
    assert result.returncode == EXIT_FAILURE, result.stderr
    assert "nowhere" in result.stderr
