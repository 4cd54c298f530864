"""Tests of the Kafka that the other tests use: it keeps its topics after an orderly stop and a kill, and a frozen one
does not answer until it is thawed."""

import socket

import processes


def test_kafka_starts_keeps_its_topics_and_comes_back(kafka):
    kafka.create_topic("readings", 3)
    kafka.stop()
    kafka.start()
    kafka.process.kill()
    kafka.start()
    described = kafka.tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", kafka.brokers, "--describe",
                           "--topic", "readings")
    assert "PartitionCount: 3" in described


def test_frozen_kafka_keeps_the_connection_but_does_not_answer(kafka):
    request = bytes.fromhex("0000000a 0012 0000 00000001 ffff")  # ApiVersions v0, correlation 1, no client id
    with socket.create_connection(("127.0.0.1", kafka.port), timeout=10) as link:
        link.sendall(request)
        assert link.recv(4096)[4:8] == b"\0\0\0\1"
        kafka.process.freeze()
        link.sendall(request)
        link.settimeout(1)
        try:
            raise processes.Trouble(f"a frozen Kafka answered {link.recv(4096)}")
        except TimeoutError:
            pass
        kafka.process.thaw()
        link.settimeout(10)
        assert link.recv(4096)[4:8] == b"\0\0\0\1"
