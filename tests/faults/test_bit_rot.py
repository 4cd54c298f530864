"""One bit of a store's files flips while no broker runs: nothing is delivered that was not published, and nothing is
missing without a report."""

import os

FLIPS = 1_000 if os.environ.get("TIDEGATE_LONG") else 50
SEED = int(os.environ.get("TIDEGATE_SEED", "1"))


def test_a_turned_bit_is_told_or_harmless(run_faults):
    figures = run_faults("bit_rot", "--flips", str(FLIPS), "--seed", str(SEED))
    assert figures["wrong"] == 0 and figures["missing"] == 0, "\n".join(figures["failures"])
    assert figures["refused"] + figures["reported"] + figures["stopped"] > 0, "void: no flip was noticed"
    assert figures["keys_harmless"] == 0, "a row that has become another's was taken for true"
