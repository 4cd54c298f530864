"""Fixtures of the conversation tests: a broker and peers that talk to it."""

import pytest

import gateway
import wire


@pytest.fixture
def broker(desk):
    """A running broker of the test's own. Every test ends with a clean stop of the broker, which fails if a sanitizer
    has found anything."""
    broker = gateway.Broker(desk, bytes_max=64 << 20).start()
    yield broker
    if broker.process.is_alive():
        broker.stop()


@pytest.fixture
def talk(broker, link_pb2):
    """talk() opens a connection to the broker and returns its peer."""
    peers = []

    def open_peer():
        peers.append(wire.Peer(broker.port, link_pb2))
        return peers[-1]

    yield open_peer
    for peer in peers:
        peer.close()
