#!/usr/bin/python3
"""Checks what a compiler does not: includes between rooms, lengths, names, stray characters, clang-format, files quoted
in documents, and the subjects of commits.

    tests/tidy/tidy.py [TOP]

Prints `file:line: message` for each finding and exits 1 if there is one. Checks the files of the working tree, whether
in git or not; build folders and generated code are left out.
"""

import os
import re
import sys
from pathlib import Path

import arrows
import classes
import formatting
import history
import proofs
import quotes
import shape

TOP_LEVEL = {"CMakeLists.txt", "CMakePresets.json", "README.md", "LICENSE", "CHANGELOG.md",
             "firmware", "broker", "client", "bridge", "toolchains", "tests", "examples", "docs"}
SKIPPED_FOLDERS = {"build", ".git", ".cache", "__pycache__"}

C_SUFFIXES = (".c", ".h", ".cpp", ".hpp")
SOURCE_SUFFIXES = C_SUFFIXES + (".py", ".sh")
TEXT_SUFFIXES = SOURCE_SUFFIXES + (".cmake", "CMakeLists.txt", ".proto", ".options", ".toml", ".json", ".xml", ".md",
                                   ".S", ".ld", ".service")
SUPPORTS_TESTS = re.compile(r"^tests/|_test\.cpp$|testing\.hpp$|/(scratch|scripted)_\w+\.hpp$")
GENERATED_SUFFIXES = (".pb.c", ".pb.h", "_pb2.py")


def files(top):
    """Yields the paths, from the top, of all files to check."""
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(set(folders) - SKIPPED_FOLDERS)
        for name in sorted(names):
            yield (Path(folder) / name).relative_to(top).as_posix()


def read_text(top, path):
    """Returns the file's text if the file is of a kind that is written by hand, else None."""
    if path.endswith(GENERATED_SUFFIXES):
        return None
    content = (Path(top) / path).read_bytes()
    if path.endswith(TEXT_SUFFIXES) or ("." not in path.rsplit("/", 1)[-1] and content.startswith(b"#!")):
        return content.decode("utf-8", errors="replace")
    return None


def check(top):
    """Returns all findings as (path, line, message)."""
    findings = [(name, 1, "not one of the top level's files and folders") for name in sorted(os.listdir(top))
                if not name.startswith(".") and name not in TOP_LEVEL | SKIPPED_FOLDERS]
    c_texts, proof_texts = {}, {}
    for path in files(top):
        findings += [(path, *found) for found in shape.check_name(path)]
        text = read_text(top, path)
        if text is None:
            continue
        if path == proofs.RULES or path.endswith((".py", "_test.cpp")):
            proof_texts[path] = text
        found = shape.check_lines(text, wide=path.endswith(".md"))
        if path.endswith(".md"):
            found += quotes.check(top, text)
        if path.endswith(SOURCE_SUFFIXES):
            found += shape.check_lengths(path, text)
        if path.endswith(C_SUFFIXES):
            c_texts[path] = text
            found += arrows.check_file(top, path, text)
            found += [] if SUPPORTS_TESTS.search(path) else classes.check(text)
        findings += [(path, *item) for item in sorted(found)]
    findings += arrows.check_lmdb_owner(c_texts) + arrows.check_circles(c_texts) + proofs.check_rules(proof_texts)
    return findings + formatting.check_format(top, sorted(c_texts)) + history.check_subjects(top)


def main():
    top = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    findings = check(top)
    for path, line, message in findings:
        print(f"{path}:{line}: {message}")
    print(f"tidy: {len(findings)} findings" if findings else "tidy: nothing to say", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
