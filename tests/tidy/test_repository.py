"""Checks that tidy has no findings in this repository, including files that are not committed."""

from pathlib import Path

import pytest

import tidy


def test_repository_is_tidy():
    findings = tidy.check(Path(__file__).resolve().parents[2])
    if findings:
        pytest.fail("\n".join(f"{path}:{line}: {message}" for path, line, message in findings), pytrace=False)
