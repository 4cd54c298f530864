"""The n-th call on the store's files fails once: EIO, ENOSPC, EINTR, a short write."""

import os

import pytest

# Runs of each workload, spread over its calls; 0 = each of the first 1,000 calls with each kind of failure.
RUNS = {"mixed": 0, "churn": 1_000, "log": 1_000, "definitions": 1_000} if os.environ.get("TIDEGATE_LONG") else {
    "mixed": 70, "definitions": 30}


@pytest.mark.parametrize("workload", RUNS)
def test_a_failing_call_stops_the_broker_and_a_restart_finds_all(run_faults, workload):
    figures = run_faults("failing_call", "--workload", workload, "--runs", str(RUNS[workload]))
    assert figures["failed"] == 0, "\n".join(figures["failures"])
    assert figures["stopped"] > 0 and figures["stopped"] + figures["absorbed"] == figures["rounds"]
