"""Checks that C and C++ files are formatted as clang-format would, with the tree's .clang-format."""

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

VIOLATION = re.compile(r"^(.+?):(\d+):\d+: error: code should be clang-formatted")


def differences(program, top, paths):
    """Returns {path: first line that clang-format would write differently}."""
    run = subprocess.run([program, "--style=file", "--dry-run", "-Werror", "--ferror-limit=0", *paths], cwd=top,
                         capture_output=True, text=True, check=False)
    found = {}
    for match in filter(None, map(VIOLATION.match, run.stderr.splitlines())):
        found.setdefault(match.group(1), int(match.group(2)))
    if run.returncode != 0 and not found:
        raise RuntimeError(f"clang-format failed: {run.stderr.strip()}")
    return found


def check_format(top, paths):
    """Returns findings (path, line, message), one for each file that differs; none if the tree has no .clang-format."""
    if not (Path(top) / ".clang-format").is_file() or not paths:
        return []
    program = shutil.which("clang-format")
    if program is None:
        return [(".clang-format", 1, "cannot be checked, clang-format is not installed: run toolchains/setup.sh tests")]
    chunks = min(len(paths), 2 * (os.cpu_count() or 1))
    with ThreadPoolExecutor(chunks) as pool:
        parts = pool.map(lambda first: differences(program, top, paths[first::chunks]), range(chunks))
    found = {path: line for part in parts for path, line in part.items()}
    return [(path, line, "not as clang-format writes it: clang-format -i") for path, line in sorted(found.items())]
