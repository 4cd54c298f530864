"""Fixtures of the conversation and end-to-end tests."""

import pytest

import processes
import wire


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failed test's report carries what its processes logged last."""
    report = (yield).get_result()
    desk = getattr(item, "funcargs", {}).get("desk")
    if report.failed and desk is not None:
        report.sections.append(("logs", desk.last_words()))


@pytest.fixture
def desk(tmp_path):
    """Where a test starts processes; all are ended with it."""
    desk = processes.Desk(tmp_path)
    yield desk
    desk.close()


@pytest.fixture(scope="session")
def link_pb2():
    """The wire schema as a Python module."""
    return wire.load_schema(processes.TOP / "build" / "python", "firmware/wire/link.proto")
