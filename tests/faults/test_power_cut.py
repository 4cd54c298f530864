"""The power is cut at any instant of a workload: every image that a disk may then hold opens, and nothing confirmed is
lost."""

import os

import pytest

IMAGES = 100_000 if os.environ.get("TIDEGATE_LONG") else 2_000
CONTROL_IMAGES = 200
CONTROL_FAILURES_MIN = CONTROL_IMAGES // 10
SEED = int(os.environ.get("TIDEGATE_SEED", "1"))


def test_no_cut_loses_or_damages_anything(run_faults):
    figures = run_faults("power_cut", "--images", str(IMAGES), "--seed", str(SEED))
    failed = {kind: figures[kind] for kind in ("lost", "damaged", "crashed")}
    assert not any(failed.values()), "\n".join([str(failed), *figures["failures"]])
    assert figures["opened"] + figures["refused_when_new"] == figures["faults"] == IMAGES
    assert figures["code"] == 0


@pytest.mark.parametrize("part", ["all", "tables", "journal"])
def test_the_control_without_syncs_fails(run_faults, part):
    """If syncs were no barrier, much would be lost. A control that finds nothing shows that the test above is blind.

    Without the syncs of the tables the ring is freed before its records are stored anywhere else."""
    figures = run_faults("power_cut", "--images", str(CONTROL_IMAGES), "--seed", str(SEED), "--nosync-control", part)
    assert figures["lost"] + figures["damaged"] + figures["crashed"] >= CONTROL_FAILURES_MIN
    assert figures["lost"] and figures["damaged"] and figures["code"] != 0
