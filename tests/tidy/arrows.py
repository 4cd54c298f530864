"""Checks every #include against the table of rooms in docs/inside.md, which is here as data: which room may include
which."""

import re
from pathlib import Path, PurePosixPath

import shape

# room: (folder, the other rooms whose headers its files may include). A file belongs to the room with the longest
# matching folder.
ROOMS = {
    "wire": ("firmware/wire", []),
    "firmware": ("firmware", ["wire"]),
    "base": ("broker/base", []),
    "settings": ("broker/base/settings", ["base"]),
    "model": ("broker/model", ["base"]),
    "store": ("broker/store", ["base", "model"]),
    "offline": ("broker/store/offline", ["base", "model", "store"]),
    "events": ("broker/core/events", ["base", "model"]),
    "commits": ("broker/core/commits", ["base", "model", "store", "events"]),
    "routing": ("broker/core/routing", ["base", "model"]),
    "topics": ("broker/core/topics", ["base", "model", "store", "events"]),
    "queues": ("broker/core/queues", ["base", "model", "store", "events"]),
    "groups": ("broker/core/groups", ["base", "model", "store"]),
    "timers": ("broker/core/timers", ["base", "model", "store"]),
    "catalog": ("broker/core/catalog",
                ["base", "model", "store", "events", "commits", "routing", "topics", "queues", "groups"]),
    "transfer": ("broker/core/transfer",
                 ["base", "model", "store", "events", "commits", "routing", "topics", "queues", "timers", "catalog"]),
    "api": ("broker/core/api",
            ["base", "model", "store", "events", "commits", "routing", "topics", "queues", "groups", "catalog",
             "transfer"]),
    "core": ("broker/core",
             ["base", "model", "store", "commits", "groups", "catalog", "transfer", "api", "events"]),
    "net": ("broker/net", ["base"]),
    "native": ("broker/frontends/native", ["base", "model", "api", "events", "net", "wire"]),
    "admin": ("broker/admin", ["base", "model", "core", "net"]),
    "main": ("broker/main",
             ["base", "settings", "model", "store", "core", "api", "commits", "net", "native", "admin"]),
    "client": ("client", ["wire", "base", "model"]),
    "tool": ("client/tool", ["client", "wire", "base", "model", "store", "offline"]),
    "bridge": ("bridge", ["client", "base", "settings", "model"]),
    "tests": ("tests", None),  # None = may include every room
    "examples": ("examples", None),
}

# Rooms that the unit tests of a room and its testing.hpp may include in addition: a front-end is tested over the whole
# of core.
OF_TESTS = {"native": ["core"], "core": ["topics", "queues"]}
TEST_FILES = re.compile(r"(_test\.cpp|/testing\.hpp)$")

# Folders on the build's include path; "" is the top folder.
INCLUDE_PATHS = ["", "firmware/include", "firmware/wire"]

# (pattern of the include, pattern of the files that may have it, the rule in words). Files are paths from the top.
LIBRARIES = [
    (r"boost/(asio|beast)\b",
     r"(broker/(net|admin|main)|client|bridge|tests|examples)/|broker/frontends/\w+/serve\.[ch]pp$",
     "Asio only in net, admin, main, client, bridge and a front-end's serve.cpp: the rest is stepped without a socket"),
    (r"lmdb\.h$", r"broker/store/", "LMDB only in broker/store"),
    (r"librdkafka/", r"(bridge|tests|examples)/", "librdkafka only in the bridge"),
    (r"toml\+\+/", r"broker/base/settings/reader\.cpp$",
     "toml++ only in broker/base/settings/reader.cpp: it is the heaviest header"),
    (r"(lz4frame|snappy-c|zlib|zstd)\.h$", r"broker/model/|(broker/store|bridge)/.*_test\.cpp$",
     "codecs only in broker/model, which opens compressed batches"),
    (r"pb(_\w+)?\.h$", r"(firmware|client|tests|examples|broker/frontends/native)/",
     "nanopb only where the wire schema is spoken"),
    (r"(gtest|gmock)/", r".*_test\.cpp$|(.*/)?tests/", "GoogleTest only in *_test.cpp and tests/"),
]

# Folders whose files may not call one another in a circle.
WITHOUT_CIRCLES = ("firmware/src/",)

DEFINITION = re.compile(r"^(?!static\b)[a-z][\w *]*?\b(\w+)\([^;{}]*\)\s*\{", re.MULTILINE)
INCLUDE = re.compile(r'\s*#\s*include\s*[<"]([^>"]+)[>"]')


def room_of(path):
    """Returns the room of a path from the top, or None."""
    fitting = [(len(folder), room) for room, (folder, _) in ROOMS.items() if f"{path}".startswith(folder + "/")]
    return max(fitting)[1] if fitting else None


def included_room(top, includer, included):
    """Returns the room of an included file, searched as the compiler would; None = not a file of this project."""
    beside = PurePosixPath(includer).parent / included
    if (Path(top) / beside).is_file():
        return room_of(Path(top, beside).resolve().relative_to(Path(top).resolve()).as_posix())
    if included == "link.pb.h":  # generated into the build folder
        return "wire"
    for folder in INCLUDE_PATHS:
        path = PurePosixPath(folder) / included
        if (Path(top) / path).is_file():
            return room_of(path)
    return room_of(included)  # the header does not exist (generated, or not written yet): its name gives the room


def check_file(top, path, text):
    """Returns findings (line, message) for the includes of one C or C++ file."""
    findings = []
    room = room_of(path)
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        included = match.group(1)
        for library, allowed, rule in LIBRARIES:
            if re.match(library, included) and not re.match(allowed, path):
                findings.append((number, f"includes {included}: {rule}"))
        target = included_room(top, path, included)
        if target is None or room is None or target == room:
            continue
        may = ROOMS[room][1]
        if may is not None and TEST_FILES.search(path):
            may = may + OF_TESTS.get(room, [])
        if may is not None and target not in may:
            findings.append((number, f"includes {included}: room {room} may not see room {target}, "
                                     f"only {', '.join(may) or 'itself'}"))
    return findings


def check_lmdb_owner(texts):
    """Checks that LMDB has one owner: only files of one name include lmdb.h, such as lmdb.hpp and lmdb.cpp."""
    owners = sorted(path for path, text in texts.items()
                    if any(m and m.group(1) == "lmdb.h" for m in map(INCLUDE.match, text.splitlines())))
    if len({path.rsplit(".", 1)[0] for path in owners}) <= 1:
        return []
    return [(path, 1, f"lmdb.h has one owner, but {', '.join(owners)} include it") for path in owners]


def calls_between(codes):
    """Returns {file: {file with a function that it calls: line of the first such call}}."""
    owners = {name: path for path, code in codes.items() for name in DEFINITION.findall(code)}
    calls = {path: {} for path in codes}
    for path, code in codes.items():
        for call in re.finditer(r"\b(\w+)\(", code):
            owner = owners.get(call.group(1), path)
            if owner != path:
                calls[path].setdefault(owner, code.count("\n", 0, call.start()) + 1)
    return calls


def circle_through(path, calls):
    """Returns the files of the shortest circle of calls from `path` back to `path`; empty if there is none."""
    ways = [[path]]
    seen = set()
    for way in ways:
        for called in sorted(calls[way[-1]]):
            if called == path:
                return way
            if called not in seen:
                seen.add(called)
                ways.append([*way, called])
    return []


def check_circles(texts):
    """Returns findings (path, line, message) for files of WITHOUT_CIRCLES that call one another in a circle."""
    findings = []
    for folder in WITHOUT_CIRCLES:
        calls = calls_between({path: shape.code_only(text) for path, text in texts.items()
                               if path.startswith(folder) and path.endswith((".c", ".cpp"))})
        for path in sorted(calls):
            way = circle_through(path, calls)
            if way:
                line = calls[path][[*way, path][1]]
                findings.append((path, line, f"calls in a circle: {' -> '.join([*way, path])}"))
    return findings
