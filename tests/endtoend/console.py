"""Runs the commands of a document in one shell, and compares their outputs with those in the document.

A block of the language `console` has commands, each a line that starts with `$ `, and after each command its expected
output. `...` matches any text in a line, and alone on a line any lines. Times, ids, rates, encoded bodies and the
spaces between a table's columns differ between runs and are not compared.

A command that ends with `2>FILE &` starts a broker: the next command waits until FILE says `ready`.
"""

import contextlib
import os
import re
import signal
from dataclasses import dataclass

MARK = "@@ command "
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BACKGROUND = re.compile(r"2>(\S+) &$")
READY_SECONDS = 30
SHELL_NOTICE = re.compile(r"^bash: line \d+: +\d+ Killed .*\n", re.MULTILINE)  # differs from an interactive shell's

VOLATILE = [
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r"\b1\d{12}\b"), "MILLISECONDS"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"in \d+\.\d+ s: \d+ messages/s, \d+ body bytes/s"), "RATES"),
    (re.compile(r"\(\d+ bytes, base64\) \S+"), "BASE64"),
    (re.compile(r"replayed \d+ KiB"), "replayed KIB"),
    (re.compile(r" {2,}"), "  "),
]


@dataclass
class Step:
    line: int  # line number in the document
    command: str
    expected: str


def steps(text):
    """Returns the commands of all console blocks, in order."""
    found = []
    for block in BLOCK.finditer(text):
        first = text.count("\n", 0, block.start(1)) + 1
        for number, line in enumerate(block.group(1).splitlines(), first):
            if line.startswith("$ "):
                found.append(Step(number, line[2:], ""))
            else:
                found[-1].expected += line + "\n"
    return found


def script(wanted):
    """Returns a bash script that runs the commands and prints a mark before the output of each."""
    lines = []
    for number, step in enumerate(wanted):
        lines.append(f"printf '\\n{MARK}%d\\n' {number}")
        background = BACKGROUND.search(step.command)
        if background:
            lines.append(f"rm -f {background.group(1)}")  # the file of an earlier broker
        lines.append(step.command)
        if background:
            lines.append(f"for _ in $(seq {READY_SECONDS * 20}); do "
                         f"if grep -qs ready {background.group(1)}; then break; fi; sleep 0.05; done")
    return "\n".join(lines) + "\n"


def run(desk, wanted, environment, seconds=120):
    """Runs the commands in the desk's folder and returns the output of each. Kills processes that are left running."""
    shell = desk.make("shell", ["bash", "-c", script(wanted)], environment)
    shell.start(start_new_session=True)
    try:
        shell.wait_end(seconds)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.running.pid, signal.SIGKILL)
    parts = re.split(rf"^\n?{MARK}\d+\n", shell.output(), flags=re.MULTILINE)
    return [SHELL_NOTICE.sub("", part) for part in parts[1:]]


def comparable(text):
    """Returns the text with everything that differs between runs replaced by fixed words."""
    for pattern, name in VOLATILE:
        text = pattern.sub(name, text)
    return "".join(line.rstrip() + "\n" for line in text.rstrip().splitlines())


def matches(expected, output):
    """Returns whether the output is the one in the document."""
    pattern = ""
    for line in comparable(expected).splitlines():
        pattern += r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"\n"
    return re.fullmatch(pattern, comparable(output)) is not None


def differences(wanted, outputs):
    """Returns a description of each command whose output is not as in the document."""
    found = [f"line {step.line}: $ {step.command}\n--- in the document\n{step.expected}--- printed\n{output}"
             for step, output in zip(wanted, outputs) if not matches(step.expected, output)]
    if len(outputs) < len(wanted):
        found.append(f"line {wanted[len(outputs)].line}: not reached")
    return found
