"""Fixtures of the end-to-end tests."""

import math

import pytest

import kafka as kafka_module
import processes
import wire


@pytest.fixture(scope="session")
def say(pytestconfig):
    """say(text) prints a line even while pytest captures output: progress and figures of long tests."""
    def print_past_capture(text):
        with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f"\n{text}", end="", flush=True)
    return print_past_capture


@pytest.fixture(scope="session")
def kafka_jars(say):
    """The folder of Kafka's jars. If Maven Central cannot be reached, skips the test with a conspicuous message; any
    other problem fails it."""
    try:
        return kafka_module.jars()
    except kafka_module.Unreachable as reason:
        line = f"NO TEST AGAINST A REAL KAFKA: Maven Central cannot be reached and the cache is empty ({reason})"
        say(f"{'!' * 100}\n{line}\n{'!' * 100}\n")
        pytest.skip(line)


@pytest.fixture
def kafka(desk, kafka_jars):
    """A running Kafka of the test's own."""
    return kafka_module.Kafka(desk, kafka_jars).start()


@pytest.fixture(scope="session")
def reading_pb2():
    """The schema of a sample sensor's message, as a Python module."""
    return wire.load_schema(processes.TOP / "build" / "python", "firmware/samples/reading.proto")


@pytest.fixture(scope="session")
def readings(say, tmp_path_factory):
    """A CSV file of readings: the project's real data if it is beside the repository, else generated readings."""
    real = processes.TOP.parent / "shared" / "data" / "occupancy.csv"
    if real.exists():
        return real
    say("readings: ../shared/data/occupancy.csv is not here, generated ones take its place")
    made = tmp_path_factory.mktemp("readings") / "generated.csv"
    rows = ["time,temperature_c,humidity_pct,light_lux,co2_ppm,humidity_ratio,occupied"]
    for minute in range(20000):
        wave = math.sin(minute / 230)
        rows.append(f"{1700000000 + 60 * minute},{21 + 3 * wave:.3f},{40 - 5 * wave:.3f},{max(0, 400 * wave):.1f},"
                    f"{500 + minute % 700},{0.0045 + wave / 1000:.6f},{int(wave > 0)}")
    made.write_text("\n".join(rows) + "\n")
    return made
