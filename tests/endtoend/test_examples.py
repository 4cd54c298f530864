"""The tutorial, each command run as a reader would, and the example programs at its end, against a real broker."""

import json
import os
from pathlib import Path

import pytest

import console
import gateway
import processes

BUILD = Path(os.environ.get("TIDEGATE_BUILD", processes.TOP / "build" / "release")).resolve()
READINGS = [f"{28 + number}.5" for number in range(5)]


@pytest.fixture
def broker(desk):
    return gateway.Broker(desk).start()


@pytest.fixture
def tidegate(desk, broker):
    """tidegate(words...) runs the tool and returns its lines of JSON."""
    def run(*words):
        result = desk.run([processes.program("tidegate"), "--broker", broker.address, *words, "--json"])
        assert result.returncode == 0, f"{words}: {result}"
        return [json.loads(line) for line in result.stdout.splitlines()]
    return run


def device(desk, broker):
    return desk.run([processes.program("device"), "127.0.0.1", broker.port])


# ----------------------------------------------------------------------------------------- the tutorial

def lay_out_clone(folder, port):
    """Makes the files of a built clone that the tutorial needs, with a port of the test's own in the configuration."""
    (folder / "build").mkdir()
    (folder / "build" / "release").symlink_to(BUILD)
    (folder / "examples").mkdir()
    configuration = (processes.TOP / "examples" / "gateway.toml").read_text()
    (folder / "examples" / "gateway.toml").write_text(
        f'{configuration}\n[native]\nlisten = "127.0.0.1:{port}"\n\n[clock]\ntrusted = "always"\n')


def run_page(desk, page, port):
    """Runs the commands of a document and compares what they print."""
    text = (processes.TOP / "docs" / page).read_text().replace("7420", str(port))
    steps = console.steps(text)
    outputs = console.run(desk, steps, {"TIDEGATE_BROKER": f"127.0.0.1:{port}"})
    differences = console.differences(steps, outputs)
    assert not differences, "\n\n".join(differences)
    return len(steps)


def test_the_tutorial_prints_what_it_says(desk):
    port = processes.free_port()
    lay_out_clone(desk.folder, port)
    assert run_page(desk, "tutorial.md", port) > 40


@pytest.mark.parametrize("page", ["exchanges.md", "queues.md", "dead-letters.md", "limits.md", "priorities.md",
                                  "transactions.md", "confirms.md", "requests.md",
                                  "definitions.md"])
def test_the_page_of_a_concept_prints_what_it_says(desk, page, monkeypatch):
    broker = gateway.Broker(desk).start()
    monkeypatch.setenv("PATH", f"{os.path.dirname(processes.program('tidegate'))}:{os.environ['PATH']}")
    assert run_page(desk, page, broker.port) > 4


@pytest.mark.parametrize("expected, output, same", [
    ("one\n", "one\n", True),
    ("one\n", "two\n", False),
    ("one\n", "one\ntwo\n", False),
    ("", "one\n", False),
    ("one\n...\n", "one\ntwo\nthree\n", True),
    ("...\nthree\n", "one\ntwo\n", False),
    ("one ... three\n", "one two three\n", True),
    ("1  a   2026-11-28T07:29:26.619Z | 20\n", "1  a  2027-01-01T00:00:00.000Z | 20\n", True),
    ("1  a   2026-11-28T07:29:26.619Z | 20\n", "1  a  2027-01-01T00:00:00.000Z | 21\n", False),
    ("3 of 3 confirmed in 0.001 s: 1 messages/s, 2 body bytes/s\n",
     "2 of 3 confirmed in 0.001 s: 1 messages/s, 2 body bytes/s\n", False),
])
def test_outputs_are_compared_but_for_what_differs_between_runs(expected, output, same):
    assert console.matches(expected, output) == same


# ----------------------------------------------------------------------------------------- the programs

def test_a_devices_readings_are_in_queue_and_log(desk, broker, tidegate):
    sent = device(desk, broker)
    assert (sent.returncode, sent.stdout) == (0, "5 published, 5 on flash at the gateway\n")
    for rows in tidegate("tail", "readings"), tidegate("consume", "work", "--count", 5):
        assert [row["body"] for row in rows] == READINGS
        assert {(row["routing_key"], row["key"]) for row in rows} == {("sensors.hall", "hall")}


def test_a_worker_acknowledges_readings_and_publishes_alarms(desk, broker, tidegate):
    device(desk, broker)
    worked = desk.run([processes.program("worker"), 4, broker.address])
    assert worked.returncode == 0, worked
    assert worked.stdout.splitlines() == [f"sensors.hall: {reading}" for reading in READINGS[:4]]
    left, = tidegate("consume", "work", "--idle-seconds", 0.5)
    assert left["body"] == READINGS[4]
    alarms = tidegate("consume", "alarms", "--idle-seconds", 0.5)
    assert [(alarm["routing_key"], alarm["body"]) for alarm in alarms] == [("alarms.temperature", "30.5"),
                                                                            ("alarms.temperature", "31.5")]
    assert [row["body"] for row in tidegate("tail", "readings")] == READINGS


def test_a_device_may_be_started_before_its_gateway(desk):
    broker = gateway.Broker(desk)
    started = desk.start("device", [processes.program("device"), "127.0.0.1", broker.port])
    broker.start()
    assert started.wait_end() == 0, started.output()


def test_a_device_whose_readings_nobody_takes_fails(desk):
    broker = gateway.Broker(desk, definitions="").start()
    sent = device(desk, broker)
    assert (sent.returncode, sent.stdout) == (1, "5 published, 0 on flash at the gateway\n")


def test_a_worker_without_its_queue_names_it(desk):
    broker = gateway.Broker(desk, definitions="").start()
    worked = desk.run([processes.program("worker"), 1, broker.address])
    assert (worked.returncode, worked.stderr) == (1, "worker: no queue 'work'; declare it first\n")
