"""Fixtures of the fault programme."""

import json

import pytest

import processes

CONFIRMED_MIN = 100  # a run that confirmed fewer proves nothing


@pytest.fixture(scope="session")
def say(pytestconfig):
    """say(text) prints a line even while pytest captures output: the figures of each run."""
    def print_past_capture(text):
        with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f"\n{text} ", end="", flush=True)
    return print_past_capture


@pytest.fixture
def run_faults(desk, say):
    """run_faults(program, *options) runs one of the programs to its end and returns its figures. Fails the test if the
    program prints no report, or its run is void."""
    def run(program, *options, seconds=36_000):
        done = desk.run([processes.program(program), *options, "--json"], seconds)
        assert done.stdout.startswith("{"), f"{program} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        figures = json.loads(done.stdout)
        say(" ".join([f"{program}:"] + [f"{name} {value}" for name, value in figures.items()
                                        if isinstance(value, int)]))
        assert not figures["void"], f"void: {figures['void']}"
        assert figures["confirmed"] >= CONFIRMED_MIN, f"void: {figures['confirmed']} confirmed"
        figures["code"] = done.returncode
        return figures
    return run
