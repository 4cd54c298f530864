"""Checks source code in documents: a fenced block whose first line names a file, as in
"```cpp examples/worker/worker.cpp", must have that file's whole text."""

import re
from pathlib import Path

BLOCK = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def first_difference(quoted, text):
    """Returns the number of the first line that differs, from 1; 0 = none."""
    if quoted == text:
        return 0
    left, right = quoted.splitlines(), text.splitlines()
    same = 0
    while same < min(len(left), len(right)) and left[same] == right[same]:
        same += 1
    return same + 1


def check(top, text):
    """Returns findings (line, message) for the files that a document quotes."""
    findings = []
    for block in BLOCK.finditer(text):
        name, quoted = block.groups()
        line = text.count("\n", 0, block.start()) + 1
        source = Path(top) / name
        if not source.is_file():
            findings.append((line, f"quotes {name}, which is not there"))
            continue
        different = first_difference(quoted, source.read_text(encoding="utf-8"))
        if different:
            findings.append((line + different, f"differs from {name} in its line {different}"))
    return findings
