"""Fixtures shared by the tests of all folders."""

import pytest

import processes
import wire


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Adds the last log lines of a failed test's processes to its report."""
    report = (yield).get_result()
    desk = getattr(item, "funcargs", {}).get("desk")
    if report.failed and desk is not None:
        report.sections.append(("logs", desk.last_words()))


@pytest.fixture
def desk(tmp_path):
    """The desk with which a test starts processes; all of these are ended with the test."""
    desk = processes.Desk(tmp_path)
    yield desk
    desk.close()


@pytest.fixture(scope="session")
def link_pb2():
    """The wire schema as a Python module."""
    return wire.load_schema(processes.TOP / "build" / "python", "firmware/wire/link.proto")
