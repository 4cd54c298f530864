"""A workload on a real file is killed by SIGKILL at any instant: nothing confirmed is lost."""

import os

KILLS = 1_000 if os.environ.get("TIDEGATE_LONG") else 20
SEED = int(os.environ.get("TIDEGATE_SEED", "1"))


def test_no_kill_loses_anything(run_faults, tmp_path):
    figures = run_faults("killed_load", "--kills", str(KILLS), "--seed", str(SEED), "--directory", str(tmp_path))
    assert figures["failed"] == 0, "\n".join(figures["failures"])
