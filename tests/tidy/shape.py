"""Checks the lengths of files, functions and lines, and finds characters and names that are not allowed."""

import ast
import re

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 120

NAMES_KEPT_OUT = re.compile(r"(^|[_-])(utils?|helpers?|managers?)([_.-]|$)")
MACHINE_PATH = re.compile(r"(?<![\w.~$}])/(?:work|root)/")

# Matches text of C and C++ that is not code: comments, raw and plain strings, characters (not the ' in 1'000),
# directives.
NOT_CODE = re.compile(
    r'//[^\n]*|/\*.*?\*/|\bR"([^\s()\\]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9A-Fa-f])\'(?:\\.|[^\'\\\n])+\''
    r"|^[ \t]*#(?:\\\n|[^\n])*", re.DOTALL | re.MULTILINE)


def code_only(text):
    """Returns the text with everything that is not code replaced by spaces; lines and columns stay the same."""
    return NOT_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def closing(code, opening):
    """Returns the position of the brace that closes the one at `opening`, or the end of the code."""
    depth = 0
    for match in re.compile(r"[{}]").finditer(code, opening):
        depth += 1 if match.group() == "{" else -1
        if depth == 0:
            return match.start()
    return len(code)


def opens_function(head):
    """Returns whether the text between the last statement's end and a `{` is a function's or lambda's signature."""
    if "(" not in head or head.endswith((",", "(")):
        return False
    outside = head
    while re.search(r"\([^()]*\)", outside):
        outside = re.sub(r"\([^()]*\)", "", outside)
    if re.match(r"(template\s*<.*>\s*)?(class|struct|union|enum|namespace)\b", outside) and not head.endswith(")"):
        return False
    return "=" not in outside or "operator" in outside or "[" in outside


def functions(text):
    """Yields (first line, last line) of every outermost function of a C or C++ file.

    Walks from brace to brace. A brace that opens a function is skipped up to its closing brace; others (namespaces,
    classes, initialisers) are entered. A constructor's `: a_{1}, b_{2} {` is followed to its last group, the body.
    """
    code = code_only(text)
    at, head_start = 0, 0
    while match := re.compile(r"[{};]").search(code, at):
        at = match.end()
        head = code[head_start:match.start()]
        head_start = at
        if match.group() != "{" or not opens_function(head.strip()):
            continue
        end = closing(code, match.start())
        while following := re.compile(r"\s*(?:,[^{};]*)?\{").match(code, end + 1):
            end = closing(code, following.end() - 1)
        first = match.start() - len(head.lstrip())
        yield code.count("\n", 0, first) + 1, code.count("\n", 0, end) + 1
        at = head_start = min(end + 1, len(code))


def python_functions(text):
    """Yields (first line, last line) of every function of a Python file."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.end_lineno


def check_lengths(path, text):
    """Returns findings (line, message) about the length of a source file and of its functions."""
    findings = []
    lines = text.count("\n")
    if lines > FILE_LINES_MAX:
        findings.append((FILE_LINES_MAX + 1, f"file of {lines} lines, at most {FILE_LINES_MAX}: two nouns?"))
    try:
        found = list(python_functions(text) if path.endswith(".py") else functions(text))
    except SyntaxError as error:
        return findings + [(error.lineno or 1, f"not Python: {error.msg}")]
    for first, last in found:
        length = last - first + 1
        if length > FUNCTION_LINES_MAX:
            findings.append((first, f"function of {length} lines, at most {FUNCTION_LINES_MAX}"))
    return findings


def check_lines(text, wide=False):
    """Returns findings (line, message) about single lines of any text. `wide`: lines may have any length (prose with
    tables)."""
    findings = []
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > COLUMNS_MAX and not wide:
            findings.append((number, f"{len(line)} columns, at most {COLUMNS_MAX}"))
        if "\t" in line:
            findings.append((number, "tab"))
        if line != line.rstrip():
            findings.append((number, "trailing space"))
        if MACHINE_PATH.search(line):
            findings.append((number, "path of one machine"))
    return findings


def check_name(path):
    """Returns findings (line, message) about the name of a file and the names of its folders."""
    return [(1, f"name {part}: say what it is, not that it helps")
            for part in path.split("/") if NAMES_KEPT_OUT.search(part)]
