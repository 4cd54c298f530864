#!/usr/bin/python3
"""Adds up the results in JUnit files written by ctest and pytest.

    tests/tally.py [--broken N] FILE...

Prints `N passed, N failed`, with `, N skipped` if there are any, and exits 1 if the files have no test or one cannot be
read. With --broken it prints the result of a whole run: the N stages that could not run count as failed, tests that did
not pass are named first, and the exit code is 1 if anything failed or nothing passed.
"""

import argparse
import sys
import xml.etree.ElementTree as ElementTree


def outcomes(path):
    """Yields (name, outcome, reason) of every test case in one file."""
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = f"{case.get('classname', '')}.{case.get('name')}"
        for child in case:
            if child.tag in ("failure", "error"):
                yield name, "failed", child.get("message", "")
                break
            if child.tag == "skipped":
                yield name, "skipped", child.get("message", "")
                break
        else:
            yield name, "passed", ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--broken", type=int)
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    found, unreadable = [], 0
    for path in arguments.files:
        try:
            found += outcomes(path)
        except (OSError, ElementTree.ParseError) as error:
            print(f"tally: {path}: {error}", file=sys.stderr)
            unreadable += 1
    count = {"passed": 0, "failed": arguments.broken or 0, "skipped": 0}
    for name, outcome, reason in found:
        count[outcome] += 1
        if outcome != "passed" and arguments.broken is not None:
            print(f"{outcome}: {name}: {reason.splitlines()[0] if reason else ''}")
    skipped = f", {count['skipped']} skipped" if count["skipped"] else ""
    print(f"{count['passed']} passed, {count['failed']} failed{skipped}")
    if arguments.broken is None:
        return 0 if found and not unreadable else 1
    return 1 if count["failed"] or not count["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
