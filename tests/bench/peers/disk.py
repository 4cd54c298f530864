"""Measures the disk without a broker: append and fdatasync, again and again."""

import os
import pathlib
import statistics
import time

SYNCS_MIN = 5


def reference(directory, size, seconds):
    """Appends and flushes `size` bytes again and again. Returns the flushes a second, and (p50, p99) of their
    milliseconds."""
    path = pathlib.Path(directory) / "reference"
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    taken, start = [], time.monotonic()
    try:
        while len(taken) < SYNCS_MIN or time.monotonic() < start + seconds:
            before = time.monotonic()
            os.write(file, b"x" * size)
            os.fdatasync(file)
            taken.append(1000 * (time.monotonic() - before))
    finally:
        os.close(file)
        path.unlink()
    return len(taken) / (time.monotonic() - start), (statistics.median(taken), sorted(taken)[len(taken) * 99 // 100])
