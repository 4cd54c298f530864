"""Disturbances from outside a process: signals, closed and blocked streams, limits of the system, a removed folder.
None of them stops, blocks or crashes a program without a message."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import types

import pytest

import gateway
import processes
import wire

EXIT_FAILURE, EXIT_STORAGE = 1, 74
SMALLEST_PIPE = 4096


@pytest.fixture
def broker(desk):
    return gateway.Broker(desk, bytes_max=64 << 20)


def start_under(broker, *prefix, **streams):
    """Starts the broker with `prefix` before its command, and waits until it listens. Does not need its log."""
    broker.process.command = [*prefix, processes.program("tidegate-broker"), "--config", str(broker.config)]
    broker.process.start(**streams)
    processes.wait_until(lambda: is_open(broker), 60, "the broker to listen")
    return broker


def is_open(broker):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", broker.port), timeout=1):
        return True
    return False


def connect(broker, link_pb2):
    peer = wire.Peer(broker.port, link_pb2)
    peer.connect()
    return peer


def assert_serves(broker, link_pb2):
    peer = connect(broker, link_pb2)
    peer.publish(1, exchange="amq.topic", routing_key="sensors.a", body=b"served")
    peer.close()


def provoke_lines(broker, link_pb2, count):
    """Makes the broker log at least `count` different lines, by applications that send nonsense."""
    for number in range(count):
        peer = wire.Peer(broker.port, link_pb2)
        peer.connect(name=f"application-{number}-{'x' * 100}")
        peer.send_bytes("00 00")
        with contextlib.suppress(wire.Ended, OSError):
            while peer.receive():
                pass
        peer.close()


def full_pipe():
    """Returns both ends of a pipe that holds one page and that nobody reads."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, SMALLEST_PIPE)
    return reading, writing


# ------------------------------------------------------------------------------------------ signals

def test_hangup_is_logged_and_the_broker_serves_on(broker, link_pb2):
    broker.start()
    broker.process.send(signal.SIGHUP)
    broker.process.wait_output("SIGHUP: ignored")
    assert_serves(broker, link_pb2)
    broker.process.send(signal.SIGHUP)
    broker.stop()
    assert "stopped" in broker.process.output()


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
def test_stops_are_clean(desk, broker, which):
    broker.start()
    broker.process.send(which)
    assert broker.process.wait_end() == 0
    shown = desk.run([processes.program("tidegate"), "store", "show", broker.store, "--json"])
    assert json.loads(shown.stdout)["stopped_cleanly"] is True


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_tool_ends_in_order_and_gives_back_what_it_has(desk, broker, link_pb2, which):
    broker.start()
    bench = desk.start("bench", [processes.program("tidegate"), "--broker", broker.address, "bench", "queue",
                                 "--seconds", 60])
    tool = [processes.program("tidegate"), "--broker", broker.address, "list", "queues", "--json"]

    def queues():
        return {row["name"] for row in json.loads(desk.run(tool).stdout)}

    processes.wait_until(lambda: queues() != {"work"}, 30, "the benchmark's queue")
    bench.send(which)
    bench.wait_end()
    assert queues() == {"work"}


def test_the_sensor_ends_in_order_at_a_hangup(desk, broker):
    broker.start()
    sensor = desk.start("sensor", [processes.program("tidegate-sensor"), "--device", "hall", "--broker",
                                   broker.address, "--progress", "--json"])
    sensor.wait_output("connected, published [1-9]")
    sensor.send(signal.SIGHUP)
    sensor.wait_end()
    assert json.loads(sensor.output().splitlines()[-1])["acknowledged"] > 0


# ------------------------------------------------------------------------------------------ streams

def test_a_log_that_nobody_reads_holds_nobody_up(broker, link_pb2):
    reading, writing = full_pipe()
    start_under(broker, stderr=writing)
    os.close(writing)
    provoke_lines(broker, link_pb2, 1200)
    assert_serves(broker, link_pb2)
    log = b""
    while b"were dropped here" not in log:
        log += os.read(reading, 65536)
    assert re.search(rb"warning [0-9]+ lines were dropped here", log)
    provoke_lines(broker, link_pb2, 100)
    assert broker.process.terminate() == 0
    os.close(reading)


def test_a_log_whose_reader_is_gone_stops_nothing(broker, link_pb2):
    reading, writing = os.pipe()
    start_under(broker, stderr=writing)
    os.close(writing)
    os.close(reading)
    provoke_lines(broker, link_pb2, 10)
    assert_serves(broker, link_pb2)
    broker.stop()


def test_the_bridge_needs_no_reader_of_its_log_either(desk, broker):
    broker.start()
    nowhere = types.SimpleNamespace(brokers=f"127.0.0.1:{processes.free_port()}")
    bridge = gateway.Bridge(desk, broker, nowhere)
    reading, writing = os.pipe()
    bridge.process.start(stderr=writing)
    os.close(writing)
    os.close(reading)
    processes.wait_until(lambda: bridge.status() and bridge.status()["routes"], 30, "the bridge's status")
    bridge.process.send(signal.SIGHUP)
    broker.restart_after_kill()  # the bridge has to log this
    assert bridge.process.terminate() == 0


def test_a_log_on_a_full_disk_stops_nothing(broker, link_pb2):
    with open("/dev/full", "wb") as full:
        start_under(broker, stderr=full)
    provoke_lines(broker, link_pb2, 10)
    assert_serves(broker, link_pb2)
    broker.stop()


def test_why_it_ends_is_said_and_never_waited_for(desk, broker):
    broker.store.mkdir()
    (broker.store / "data.mdb").write_bytes(b"no store" * 10000)
    said = desk.run(broker.process.command)
    assert said.returncode == EXIT_STORAGE and said.stderr.splitlines()[-1].startswith("tidegate-broker: ")
    reading, writing = full_pipe()
    os.write(writing, bytes(SMALLEST_PIPE))
    broker.process.start(stderr=writing)
    assert broker.process.wait_end() == EXIT_STORAGE
    os.close(reading)
    os.close(writing)


def test_closed_streams_do_not_become_the_stores(desk, broker, link_pb2):
    start_under(broker, "sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh")
    for number in 0, 1, 2:
        assert os.readlink(f"/proc/{broker.process.running.pid}/fd/{number}") == "/dev/null"
    provoke_lines(broker, link_pb2, 10)
    assert_serves(broker, link_pb2)
    broker.stop()
    checked = desk.run([processes.program("tidegate"), "store", "check", broker.store])
    assert checked.returncode == 0, checked


@pytest.mark.parametrize("stream", ["2>/dev/full", "2>&-"])
def test_the_tool_needs_nobody_to_complain_to(desk, stream):
    words = [processes.program("tidegate"), "--broker", f"127.0.0.1:{processes.free_port()}", "status"]
    assert desk.run(["sh", "-c", f'exec "$@" {stream}', "sh", *words]).returncode == EXIT_FAILURE


@pytest.mark.parametrize("ignores", [False, True], ids=["as a shell starts it", "SIGPIPE ignored"])
def test_the_tool_ends_quietly_when_its_reader_has_had_enough(desk, broker, ignores):
    broker.start()
    tool = [processes.program("tidegate"), "--broker", broker.address]
    lines = "".join(f"{number}\n" for number in range(20000))
    published = desk.run([*tool, "publish", "--exchange", "amq.topic", "--key", "sensors.a", "--lines"], stdin=lines)
    assert published.returncode == 0, published
    tail = subprocess.Popen([*tool, "tail", "readings"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            restore_signals=not ignores, preexec_fn=processes.die_with_parent)
    tail.stdout.readline()
    tail.stdout.close()
    assert (tail.stderr.read(), tail.wait(30)) == (b"", EXIT_FAILURE)
    tail.stderr.close()


# ------------------------------------------------------------------------------------------ limits

def test_without_descriptors_accepting_pauses_and_goes_on_by_itself(broker, link_pb2):
    start_under(broker, "prlimit", "--nofile=64:64")
    served = connect(broker, link_pb2)
    crowd = [socket.create_connection(("127.0.0.1", broker.port)) for _ in range(100)]
    broker.process.wait_output("no connection can be accepted for now: Too many open files")
    for number in range(1, 21):
        served.publish(number, exchange="amq.topic", routing_key="sensors.a", body=b"%d" % number)
    # Waits until the broker has closed the first silent connections, so that others of the crowd are accepted.
    processes.wait_until(lambda: "silent" in broker.process.output() or "5 seconds" in broker.process.output(), 20,
                         "the first of the crowd to be ended")
    for one in crowd:
        one.close()
    broker.process.wait_output("accepting connections again")
    assert_serves(broker, link_pb2)
    broker.stop()
    pauses = [line for line in broker.process.output().splitlines() if "no connection can be accepted" in line]
    assert 1 <= len(pauses) <= 4, broker.process.output()


def test_the_limit_of_open_files_is_raised_where_it_may_be_and_told_where_not(broker):
    start_under(broker, "prlimit", "--nofile=64:2048")
    with open(f"/proc/{broker.process.running.pid}/limits") as limits:
        soft = next(int(line.split()[3]) for line in limits if line.startswith("Max open files"))
    assert soft >= 1000
    broker.stop()
    assert "LimitNOFILE" not in broker.process.output()
    start_under(broker, "prlimit", "--nofile=64:64")
    broker.process.wait_output("native.connections_max is 1000, and this process may open 64 files")
    broker.stop()


def test_a_limit_of_file_sizes_is_told(desk, broker):
    said = desk.run(["prlimit", "--fsize=33554432", *broker.process.command])
    assert said.returncode == EXIT_STORAGE, said
    assert "File too large" in said.stderr and "LimitFSIZE" in said.stderr


def test_a_limit_of_file_sizes_below_a_stores_ends_the_broker_with_the_reason(desk, broker, link_pb2):
    broker.start()
    assert_serves(broker, link_pb2)
    broker.stop()
    said = desk.run(["prlimit", "--fsize=16384", *broker.process.command])
    assert said.returncode == EXIT_STORAGE, said
    assert "File too large" in said.stderr and "LimitFSIZE" in said.stderr
    broker.start()
    assert [message.body for message in gateway.consume_all(broker, link_pb2, "work")] == [b"served"]
    broker.stop()


# ------------------------------------------------------------------------------------------ the store's folder

def test_a_removed_folder_is_told_once_and_the_broker_serves_on(broker, link_pb2):
    broker.start()
    shutil.rmtree(broker.store)
    broker.process.wait_output("data.mdb was removed or replaced", 60)
    assert_serves(broker, link_pb2)
    broker.stop()
    assert broker.process.output().count("was removed or replaced") == 1
    broker.start()
    assert gateway.consume_all(broker, link_pb2, "work", idle_seconds=1) == []
    broker.stop()
