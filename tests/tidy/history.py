"""Checks the subjects of commits: `room: what changes`, in at most 72 columns."""

import re
import shutil
import subprocess
from pathlib import Path

SUBJECT = re.compile(r"[a-z][a-z0-9 ,/_-]*: \S")
SUBJECT_COLUMNS_MAX = 72
# The commit that formatted the tree. It and earlier commits are not checked.
SINCE = "974b3e2"


def git(top, *words):
    """Returns git's output, or None if git fails."""
    run = subprocess.run(["git", "-C", str(top), *words], capture_output=True, text=True, errors="replace", check=False)
    return run.stdout if run.returncode == 0 else None


def commits(top, since):
    """Returns (short hash, subject) of the commits after `since`: all commits of a shallow clone that does not reach
    back to `since`, none of a full history that does not have `since`, none if there is no git."""
    if shutil.which("git") is None or not (Path(top) / ".git").exists():
        return []
    reaches = git(top, "merge-base", "--is-ancestor", since, "HEAD") is not None
    is_shallow = (git(top, "rev-parse", "--is-shallow-repository") or "").strip() == "true"
    if not reaches and not is_shallow:
        return []
    log = git(top, "log", "--no-merges", "--format=%h %s", f"{since}..HEAD" if reaches else "HEAD")
    return [tuple(line.split(" ", 1)) for line in (log or "").splitlines()]


def check_subjects(top, since=SINCE):
    """Returns findings (path, line, message) for the commits after `since`."""
    findings = []
    for short, subject in commits(top, since):
        if len(subject) > SUBJECT_COLUMNS_MAX:
            findings.append((".git", 1, f"commit {short}: subject of {len(subject)} columns, at most "
                                        f"{SUBJECT_COLUMNS_MAX}"))
        if not SUBJECT.match(subject):
            findings.append((".git", 1, f"commit {short}: subject '{subject}' is not `room: what changes`"))
    return findings
