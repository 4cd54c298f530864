"""Fixtures of the end-to-end tests."""

import pytest

import kafka as kafka_module


@pytest.fixture(scope="session")
def kafka_jars(pytestconfig):
    """Kafka's jars. Only a Maven Central that cannot be reached excuses from a test with Kafka, and loudly."""
    try:
        return kafka_module.jars()
    except kafka_module.Unreachable as reason:
        line = f"NO TEST AGAINST A REAL KAFKA: Maven Central cannot be reached and the cache is empty ({reason})"
        with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f"\n{'!' * 100}\n{line}\n{'!' * 100}", flush=True)
        pytest.skip(line)


@pytest.fixture
def kafka(desk, kafka_jars):
    """A running Kafka of the test's own."""
    return kafka_module.Kafka(desk, kafka_jars).start()
