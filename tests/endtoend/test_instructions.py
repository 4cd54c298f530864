"""The hot paths cost about as many instructions as the baseline in tests/bench/instructions.json: not more, and not so
much less that the next increase would stay below the baseline and go unnoticed."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))

import instructions  # noqa: E402


@pytest.mark.parametrize("path", instructions.PATHS)
def test_a_message_costs_what_it_did(path):
    known = instructions.baseline()[path]
    counted = instructions.count(pathlib.Path(os.environ["TIDEGATE_BUILD"]), path)
    change = counted / known - 1
    assert abs(change) <= instructions.ALLOWED, (
        f"{path}: {counted:,} instructions a message, {change:+.1%} against the baseline of {known:,}. If that is "
        f"meant: /usr/bin/python3 tests/bench/instructions.py --write, and say why in the commit")
