"""Runs all rounds, cases and peers in turns, so that a slow hour of the machine affects all peers alike."""

import datetime
import os
import pathlib
import platform
import shlex
import sys
import tempfile

from . import disk
from .cases import CASES, ONCE

DISK_SECONDS = 1


def run(options, taking_part):
    """Returns the results: the conditions, the peers, a list of cells, the peers left out, and the failures."""
    seen = {"conditions": conditions(options), "peers": {}, "cells": [], "left_out": {}, "failures": []}
    present = []
    for kind, setting in taking_part:
        peer = kind(options, setting)
        why = peer.missing()
        if why:
            seen["left_out"][peer.title] = why
        else:
            present.append((kind, setting))
            seen["peers"][peer.title] = {"version": peer.version(), "promise": peer.promise}
    plan = [(number, case, member) for number in range(options.rounds) for case in options.cases
            for member in (present if number % 2 == 0 else present[::-1])
            if case in member[0].cases and (number == 0 or case not in ONCE)]
    for done, (number, case, (kind, setting)) in enumerate(plan, 1):
        peer = kind(options, setting)
        print(f"peers: {done} of {len(plan)}: round {number + 1}, {case}, {peer.title}", file=sys.stderr, flush=True)
        cell = {"round": number, "case": case, "peer": peer.title}
        try:
            seen["cells"].append({**cell, **measured(options, peer, case)})
        except Exception as trouble:  # any failure of one peer: the cells of other peers, hours of work, are kept
            print(f"peers: failed: {trouble!r}", file=sys.stderr, flush=True)
            seen["failures"].append({**cell, "why": repr(trouble)})
    return seen


def measured(options, peer, case):
    """Measures one cell: the raw disk first, then a new server, which is removed afterwards."""
    act, raw_bytes, _ = CASES[case]
    with tempfile.TemporaryDirectory(prefix="peers-", dir=options.directory, ignore_cleanup_errors=True) as folder:
        raw, (raw_p50, raw_p99) = disk.reference(folder, raw_bytes, DISK_SECONDS)
        peer.prepare(folder)
        try:
            peer.start()
            peer.make(case)
            figures = act(peer, options)
        finally:
            peer.kill()
    return {**figures, "raw_rate": raw * raw_bytes / 100, "raw_p50_ms": raw_p50, "raw_p99_ms": raw_p99}


def conditions(options):
    memory = next(line for line in pathlib.Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in line)
    model = [line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith(("model name", "Model"))]
    return {"date": datetime.date.today().isoformat(), "system": f"{platform.system()} {platform.release()}",
            "machine": f"{os.cpu_count()} x {model[0] if model else platform.machine()}",
            "memory_gb": round(int(memory.split()[1]) / 1e6), "file_system": file_system(options.directory),
            "load_before": os.getloadavg()[0], "rounds": options.rounds, "seconds": options.seconds,
            "held": options.held, "command": command()}


def command():
    """Returns the command with which others repeat the run: without the options that are of this machine only."""
    words, left = [], iter(sys.argv[1:])
    for word in left:
        if word in ("--directory", "--json", "--build"):
            next(left)
        elif word != "--write":
            words.append(word)
    return " ".join(["tests/bench/peers.sh", *map(shlex.quote, words)])


def file_system(directory):
    """Returns the type of the file system that has the directory."""
    mounts = [line.split() for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    holding = [(len(fields[1]), fields[2]) for fields in mounts if directory.is_relative_to(fields[1])]
    return max(holding)[1]
