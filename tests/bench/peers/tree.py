"""Measures what processes and all their descendants use, with the figures of /proc."""

import os
import pathlib
import re
import signal
import threading

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
SAMPLE_SECONDS = 0.25


def pids(roots):
    """Returns those of the given processes that run, and all their descendants."""
    children = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = stat(int(entry.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [pid for pid in roots if stat(pid)]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def stat(pid):
    """Returns the fields of /proc/PID/stat from the state on; empty = the process has ended."""
    text = read(pid, "stat")
    return text.rpartition(")")[2].split()


def read(pid, name):
    try:
        return pathlib.Path(f"/proc/{pid}/{name}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def used(roots):
    """Returns (CPU seconds, bytes charged as written) so far, including those of ended children that their parents have
    collected."""
    seconds = written = 0
    for pid in pids(roots):
        fields = stat(pid)
        seconds += sum(map(int, fields[11:15])) / TICKS if fields else 0
        charged = re.search(r"^write_bytes: (\d+)", read(pid, "io"), re.MULTILINE)
        written += int(charged.group(1)) if charged else 0
    return seconds, written


def resident(roots):
    """Returns the bytes in memory. Pages shared between the processes count in each."""
    return sum(int((read(pid, "statm") or "0 0").split()[1]) for pid in pids(roots)) * PAGE


def private(roots):
    """Returns the bytes that only these processes use. Shared mappings of files do not count: they are the kernel's
    cache."""
    kilobytes = 0
    for pid in pids(roots):
        for line in read(pid, "smaps").splitlines():
            fields = line.split()
            if "-" in fields[0]:
                counts = fields[1].endswith("p")
            elif counts and fields[0].startswith("Private_"):
                kilobytes += int(fields[1])
    return kilobytes << 10


def kill(roots):
    """Kills the processes and all their descendants, as a power cut would end them."""
    for pid in pids(roots):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


class Meter:
    """Measures what the processes use during a `with` block: CPU `seconds`, bytes `written`, the highest `resident`
    memory, and the `private` memory at the end."""

    def __init__(self, roots):
        self.roots = roots

    def __enter__(self):
        self.before = used(self.roots)
        self.resident = 0
        self.ended = threading.Event()
        self.sampler = threading.Thread(target=self.sample)
        self.sampler.start()
        return self

    def sample(self):
        while True:
            self.resident = max(self.resident, resident(self.roots))
            if self.ended.wait(SAMPLE_SECONDS):
                return

    def __exit__(self, *_error):
        self.ended.set()
        self.sampler.join()
        after = used(self.roots)
        self.seconds, self.written = after[0] - self.before[0], after[1] - self.before[1]
        self.private = private(self.roots)
