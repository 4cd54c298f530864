"""A store that is full: its map, or the disk under it."""

import contextlib
import json
import os
import subprocess
import time

import pytest

import processes

LONG = bool(os.environ.get("TIDEGATE_LONG"))
ROUNDS = 5 if LONG else 2
SEED = int(os.environ.get("TIDEGATE_SEED", "1"))
MIB = 1 << 20
STORE_BYTES = 4 * MIB
EXIT_STORAGE_FAILURE = 74


def test_a_full_map_is_emptied_and_takes_messages_again(run_faults):
    figures = run_faults("full_map", "--rounds", str(ROUNDS), "--seed", str(SEED))
    assert figures["failed"] == 0, "\n".join(figures["failures"])


@contextlib.contextmanager
def small_disk(folder, size):
    """Mounts a file system of `size` bytes on `folder`. Skips the test if this process may not mount one."""
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True,
                          text=True, check=False)
    if made.returncode != 0:
        line = f"NO TEST ON A FULL DISK: a small file system cannot be mounted here ({made.stderr.strip()})"
        print(line)
        pytest.skip(line)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk):
    """Fills the rest of the disk with the file `ballast`."""
    with open(disk / "ballast", "wb", buffering=0) as ballast:
        with contextlib.suppress(OSError):
            while True:
                ballast.write(bytes(4096))


def test_a_disk_too_small_is_an_error_that_says_so(desk, tmp_path):
    with small_disk(tmp_path / "disk", STORE_BYTES // 2) as disk:
        done = desk.run([processes.program("fault_load"), "--store", disk / "store"])
        assert done.returncode == EXIT_STORAGE_FAILURE
        assert "cannot fill" in done.stderr and "make room" in done.stderr, done.stderr
        assert json.loads(done.stdout)["confirmed"] == 0


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_a_store_goes_on_though_its_disk_is_full(desk, tmp_path, say, round_number):
    workload = ["churn", "log", "mixed", "definitions"][round_number % 4]
    marks = tmp_path / "marks"
    with small_disk(tmp_path / "disk", STORE_BYTES + MIB) as disk:
        load = desk.start("load", [processes.program("fault_load"), "--store", disk / "store", "--marks", marks,
                                   "--workload", workload, "--seed", SEED + round_number, "--rounds", "1000000"])
        processes.wait_until((disk / "store" / "data.mdb").exists, 30, "the store to be made")
        fill(disk)
        assert os.statvfs(disk).f_bavail == 0, "void: the disk is not full"
        before = confirmed_in(marks)
        processes.wait_until(lambda: confirmed_in(marks) > before + 1_000, 60, "messages confirmed on a full disk")
        load.kill()
        (disk / "ballast").unlink()
        done = desk.run([processes.program("judge_store"), "--store", disk / "store", "--marks", marks, "--json"])
        figures = json.loads(done.stdout)
        say(f"{workload} on a full disk: {before} confirmed before, {figures['confirmed'] - before} after")
        assert done.returncode == 0, figures


def confirmed_in(marks):
    time.sleep(0.05)
    return marks.read_text().count("\nconfirm ")
