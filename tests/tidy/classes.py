"""Checks how many public functions and members a C++ class has: a class with too many is more than one noun."""

import re

import shape

PUBLIC_FUNCTIONS_MAX = 25
MEMBERS_MAX = 15

CLASS = re.compile(r"\b(class|struct)\s+(\w+)(?:\s+final)?\s*(?::(?!:)[^{;]*)?\{")
# Destructors, operators, and deleted or defaulted functions do not count: they do not show what a class is for.
NOT_COUNTED = re.compile(r"~|\boperator\b|=\s*(?:delete|default)$")
NOT_MEMBERS = re.compile(r"(?:using|friend|static|typedef|template|enum|class|struct|union)\b")


def without_angles(text):
    """Returns the text without template arguments."""
    while re.search(r"<[^<>]*>", text):
        text = re.sub(r"<[^<>]*>", "", text)
    return text


def parts(body):
    """Yields (access, statement) of each declaration at the top of a class body, without what is in braces. `access`:
    True or False (public or not) if an access specifier precedes the declaration, else None."""
    statement, access, at = "", None, 0
    while at < len(body):
        sign = body[at]
        if sign == "{":
            end = shape.closing(body, at)
            is_function = "(" in without_angles(statement).split("=")[0]
            at = end
            if is_function:
                yield access, statement.strip()
                statement, access = "", None
        elif sign == ";":
            yield access, statement.strip()
            statement, access = "", None
        elif sign == ":" and re.fullmatch(r"\s*(public|protected|private)\s*", statement):
            access, statement = "public" in statement, ""
        else:
            statement += sign
        at += 1


def count(kind, body):
    """Returns (public functions, members) of a class with this body."""
    is_public, functions, members = kind == "struct", 0, 0
    for access, statement in parts(body):
        is_public = is_public if access is None else access
        plain = re.sub(r"\[\[.*?\]\]", "", without_angles(statement))
        if not plain:
            continue
        if "(" in plain.split("=")[0] and not plain.startswith(("using", "friend", "typedef", "static_assert")):
            functions += is_public and not NOT_COUNTED.search(plain)
        elif not NOT_MEMBERS.match(plain):
            members += 1 + without_angles(plain).count(", ")
    return functions, members


def check(text):
    """Returns findings (line, message) for the classes of a source file. A struct without functions is a value and may
    have any number of members."""
    code = shape.code_only(text)
    findings = []
    for match in CLASS.finditer(code):
        functions, members = count(match.group(1), code[match.end():shape.closing(code, match.end() - 1)])
        line = code.count("\n", 0, match.start()) + 1
        if functions > PUBLIC_FUNCTIONS_MAX:
            findings.append((line, f"{match.group(2)} has {functions} public functions, at most {PUBLIC_FUNCTIONS_MAX}:"
                                   " two nouns?"))
        if members > MEMBERS_MAX and (match.group(1) == "class" or functions > 0):
            findings.append((line, f"{match.group(2)} has {members} members, at most {MEMBERS_MAX}: two nouns?"))
    return findings
