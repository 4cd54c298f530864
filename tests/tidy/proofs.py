"""Checks that each test that docs/rules.md names exists."""

import re

RULES = "docs/rules.md"
NAME = re.compile(r"`(\w+)\.(\w+)`")
UNIT_TEST = re.compile(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", re.M)
PYTHON_TEST = re.compile(r"^def (test_\w+)\(", re.M)
SCENARIO = re.compile(r"^@scenario\ndef (\w+)\(", re.M)


def names_in(path, text):
    """Returns the tests that a file has, as they are named in the rules."""
    if path.endswith("_test.cpp"):
        return set(UNIT_TEST.findall(text))
    stem = path.rsplit("/", 1)[-1].removesuffix(".py")
    scenarios = {("scenario", name) for name in SCENARIO.findall(text)}
    return scenarios | {(stem, name) for name in PYTHON_TEST.findall(text)}


def check_rules(texts):
    """Takes the texts of all files by path, and returns (path, line, message) for each test that is not there."""
    rules = texts.get(RULES)
    if rules is None:
        return []
    there = set().union(*(names_in(path, text) for path, text in texts.items() if path.endswith((".py", "_test.cpp"))))
    return [(RULES, number, f"there is no test {suite}.{name}")
            for number, line in enumerate(rules.splitlines(), 1) if line.startswith("|")
            for suite, name in NAME.findall(line) if (suite, name) not in there]
