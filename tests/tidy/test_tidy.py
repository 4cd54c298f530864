"""Tests of the checker: each rule finds what it forbids, and does not object to what it allows."""

import shutil
import subprocess

import pytest

import classes
import formatting
import history
import proofs
import shape
import tidy


def messages(tmp_path, path, text, *others):
    """Returns the findings for one file with this text; `others` are further files that exist."""
    for name in others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(text)
    return [f"{line}: {message}" for found, line, message in tidy.check(tmp_path) if found == path]


@pytest.mark.parametrize("path, include", [
    ("broker/base/log.cpp", '"broker/model/message.hpp"'),
    ("broker/base/log.cpp", '"broker/base/settings/reader.hpp"'),
    ("broker/base/settings/reader.cpp", '"broker/model/message.hpp"'),
    ("broker/core/queue.cpp", '"broker/base/settings/reader.hpp"'),
    ("broker/model/message.cpp", '"broker/store/store.hpp"'),
    ("broker/store/store.hpp", '"broker/core/queue.hpp"'),
    ("broker/store/store.cpp", '"broker/store/offline/inspection.hpp"'),
    ("broker/core/queue.cpp", '"broker/net/listener.hpp"'),
    ("broker/net/listener.cpp", '"broker/core/queue.hpp"'),
    ("broker/frontends/native/session.cpp", '"broker/store/store.hpp"'),
    ("broker/core/queue.cpp", '"broker/frontends/native/session.hpp"'),
    ("client/connection.cpp", '"broker/core/queue.hpp"'),
    ("client/connection.cpp", '"broker/store/store.hpp"'),
    ("client/connection.cpp", '"client/tool/command.hpp"'),
    ("client/tool/publish.cpp", '"broker/core/queue.hpp"'),
    ("bridge/route.cpp", '"broker/store/store.hpp"'),
    ("bridge/route.cpp", '"firmware/wire/frame.h"'),
    ("firmware/src/device.c", '"broker/base/bytes.hpp"'),
    ("firmware/wire/frame.c", '"firmware/src/inner.h"'),
    ("broker/core/queue.cpp", "<boost/asio/io_context.hpp>"),
    ("broker/frontends/native/session.hpp", "<boost/asio/awaitable.hpp>"),
    ("broker/core/queue.cpp", "<lmdb.h>"),
    ("broker/store/store.cpp", "<gtest/gtest.h>"),
    ("broker/core/queue.cpp", "<link.pb.h>"),
    ("broker/core/queue.cpp", "<pb_decode.h>"),
    ("broker/main/main.cpp", "<librdkafka/rdkafka.h>"),
    ("broker/main/configuration.cpp", "<toml++/toml.h>"),
    ("broker/base/settings/reader.hpp", "<toml++/toml.h>"),
    ("broker/core/queue_test.cpp", '"client/connection.hpp"'),
])
def test_forbidden_arrow_is_found(tmp_path, path, include):
    found = messages(tmp_path, path, f"#pragma once\n\n#include {include}\n")
    assert len(found) == 1 and found[0].startswith("3: includes ")


@pytest.mark.parametrize("path, include", [
    ("broker/core/queue.cpp", '"broker/store/store.hpp"'),
    ("broker/core/queue.cpp", "<vector>"),
    ("broker/core/queue_test.cpp", "<gtest/gtest.h>"),
    ("broker/frontends/native/serve.cpp", "<boost/asio/awaitable.hpp>"),
    ("broker/frontends/native/codec.cpp", '"firmware/wire/frame.h"'),
    ("broker/main/main.cpp", '"broker/frontends/native/serve.hpp"'),
    ("broker/base/settings/reader.cpp", "<toml++/toml.h>"),
    ("broker/base/settings/reader.cpp", '"broker/base/error.hpp"'),
    ("broker/main/configuration.cpp", '"broker/base/settings/reader.hpp"'),
    ("broker/store/lmdb.cpp", "<lmdb.h>"),
    ("client/tool/publish.cpp", "<boost/asio/awaitable.hpp>"),
    ("client/tool/store_check.cpp", '"broker/store/offline/inspection.hpp"'),
    ("broker/store/offline/exporting.cpp", '"broker/store/reader.hpp"'),
    ("client/tool/publish.cpp", '"client/connection.hpp"'),
    ("bridge/route.cpp", '"client/connection.hpp"'),
    ("firmware/src/device.c", '"firmware/wire/frame.h"'),
    ("tests/fault/power.cpp", '"broker/store/store.hpp"'),
])
def test_allowed_arrow_is_left_alone(tmp_path, path, include):
    assert messages(tmp_path, path, f"#include {include}\n") == []


def test_header_beside_and_on_the_include_path_are_followed(tmp_path):
    header = "firmware/include/tidegate/device.h"
    assert messages(tmp_path, "firmware/src/device.c", "#include <tidegate/device.h>\n", header) == []
    assert messages(tmp_path, "broker/core/a.cpp", "#include <tidegate/device.h>\n", header) != []
    assert messages(tmp_path, "broker/base/a.cpp", '#include "../core/b.hpp"\n', "broker/core/b.hpp") != []


def test_lmdb_has_one_owner(tmp_path):
    assert messages(tmp_path, "broker/store/lmdb.cpp", "#include <lmdb.h>\n") == []
    assert messages(tmp_path, "broker/store/lmdb.hpp", "#include <lmdb.h>\n") == []
    found = messages(tmp_path, "broker/store/writer.cpp", "#include <lmdb.h>\n")
    assert len(found) == 1 and "one owner" in found[0]


def test_calls_in_a_circle_are_found(tmp_path):
    (tmp_path / "firmware/src").mkdir(parents=True)
    (tmp_path / "firmware/src/a.c").write_text("void tg_a(int x) {\n  tg_b(x);\n}\nstatic void tg_c(void) {\n}\n")
    (tmp_path / "firmware/src/c.c").write_text("static void tg_c(void) {\n  tg_c();\n}\n")
    assert messages(tmp_path, "firmware/src/b.c", "bool tg_b(int x) { return x; }\n") == []
    found = messages(tmp_path, "firmware/src/b.c", "// tg_a(1)\nbool tg_b(int x) {\n  return tg_a(x);\n}\n")
    assert found == ["3: calls in a circle: firmware/src/b.c -> firmware/src/a.c -> firmware/src/b.c"]


def c_function(lines):
    return "int f(int a) {\n" + "  a += 1;\n" * (lines - 2) + "}\n"


@pytest.mark.parametrize("before, after", [
    ("", ""),
    ("namespace tidegate {\n", "}  // namespace tidegate\n"),
    ("struct point {\n  int x;\n", "};\n"),
    ('// a comment with a brace {\nconst char* text = "{ \\" {";\nconst char brace = \'{\';\n', ""),
    ('const char* raw = R"(\n{{{ )";\n#define OPEN {\n', ""),
    ("const int table[] = {1, 2};\nstatic_assert(1'000 > 10);\n", ""),
])
def test_long_function_is_found_wherever_it_stands(tmp_path, before, after):
    assert messages(tmp_path, "broker/core/a.cpp", before + c_function(70) + after) == []
    found = messages(tmp_path, "broker/core/a.cpp", before + c_function(71) + after)
    assert len(found) == 1 and "function of 71 lines" in found[0]


def test_functions_are_told_from_other_braces():
    constructor = "queue::queue(int a)\n    : a_{a},\n      b_{1} {\n  go();\n}\n"
    assert list(shape.functions(constructor)) == [(1, 5)]
    lambda_at_top = "const auto twice = [](int a) {\n  return 2 * a;\n};\n"
    assert list(shape.functions(lambda_at_top)) == [(1, 3)]
    others = "class a : public b {\n};\nenum class c : int { d };\nconst int e[] = {\n  1,\n};\nextern \"C\" {\n}\n"
    assert list(shape.functions(others)) == []
    two = "auto f() -> int {\n}\n\ntemplate <class T>\nbool operator==(T a, T b) noexcept {\n}\n"
    assert list(shape.functions(two)) == [(1, 2), (4, 6)]


def test_long_python_function_is_found(tmp_path):
    assert messages(tmp_path, "tests/a.py", "def f():\n" + "    a = 1\n" * 69) == []
    found = messages(tmp_path, "tests/a.py", "def f():\n" + "    a = 1\n" * 70)
    assert found == ["1: function of 71 lines, at most 70"]


def test_long_file_is_found_and_generated_one_is_not(tmp_path):
    assert messages(tmp_path, "broker/core/a.cpp", "int a;\n" * 500) == []
    assert len(messages(tmp_path, "broker/core/a.cpp", "int a;\n" * 501)) == 1
    assert messages(tmp_path, "firmware/wire/link.pb.c", "int a;\n" * 501) == []


def test_stray_characters_are_found(tmp_path):
    assert messages(tmp_path, "broker/a.cpp", "int a; \n\tint b;\n") == ["1: trailing space", "2: tab"]
    assert messages(tmp_path, "broker/a.cpp", f"// {'é' * 117}\n") == []
    assert messages(tmp_path, "broker/a.cpp", f"// {'é' * 118}\n") == ["1: 121 columns, at most 120"]
    assert messages(tmp_path, "docs/a.md", "| " * 100 + "|\n") == []


def test_a_document_quotes_files_as_they_are(tmp_path):
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples/a.py").write_text("a = 1\nb = 2\n")

    def quoting(code, name="examples/a.py"):
        return messages(tmp_path, "docs/a.md", f"See:\n\n```python {name}\n{code}```\n")

    assert quoting("a = 1\nb = 2\n") == []
    assert quoting("a = 1\nb = 3\n") == ["5: differs from examples/a.py in its line 2"]
    assert quoting("a = 1\n") == ["5: differs from examples/a.py in its line 2"]
    assert quoting("a = 1\n", "examples/b.py") == ["3: quotes examples/b.py, which is not there"]
    assert messages(tmp_path, "docs/a.md", "```python\nc = 3\n```\n") == []


def test_path_of_one_machine_is_found(tmp_path):
    for home in "work", "root":
        assert messages(tmp_path, "tests/a.sh", f"cd /{home}/main\n") == ["1: path of one machine"]
    assert messages(tmp_path, "tests/a.sh", 'cd "$root/root/tidegate"; cd net/work/a\n') == []


def test_names_are_looked_at(tmp_path):
    assert len(messages(tmp_path, "broker/core/utils.cpp", "")) == 1
    assert len(messages(tmp_path, "broker/helpers/a.cpp", "")) == 1
    assert len(messages(tmp_path, "broker/core/queue_manager.hpp", "")) == 1
    assert messages(tmp_path, "broker/core/utility_meter.cpp", "") == []


def test_top_level_is_a_closed_list(tmp_path):
    assert messages(tmp_path, "README.md", "") == [] == messages(tmp_path, ".clang-format", "")
    (tmp_path / "notes.txt").write_text("")
    assert ("notes.txt", 1, "not one of the top level's files and folders") in tidy.check(tmp_path)


def test_unformatted_file_is_found(tmp_path):
    (tmp_path / ".clang-format").write_text("BasedOnStyle: Google\nColumnLimit: 120\n")
    for number in range(20):
        assert messages(tmp_path, f"broker/core/{number}.hpp", "int f(int a);\n") == []
    found = messages(tmp_path, "broker/core/a.cpp", "int a;\nint f(int b)\n{ return b;}\n")
    assert found == ["2: not as clang-format writes it: clang-format -i"]
    assert messages(tmp_path, "firmware/src/b.c", "int  a;\n")[0].startswith("1: not as clang-format")


def test_missing_clang_format_is_told(tmp_path, monkeypatch):
    (tmp_path / ".clang-format").write_text("BasedOnStyle: Google\n")
    monkeypatch.setattr("shutil.which", lambda program: None)
    (path, _, message), = formatting.check_format(tmp_path, ["a.c"])
    assert path == ".clang-format" and "toolchains/setup.sh" in message


@pytest.fixture
def commit(tmp_path):
    """commit(subject) makes a commit in the repository tmp_path and returns its hash."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")

    def run(*words):
        identity = ["-c", "user.name=n", "-c", "user.email=e"]
        return subprocess.run(["git", "-C", str(tmp_path), *identity, *words], check=True, capture_output=True,
                              text=True).stdout.strip()

    run("init", "--quiet")

    def make(subject):
        run("commit", "--quiet", "--allow-empty", "--message", subject)
        return run("rev-parse", "HEAD")

    return make


def test_commits_subjects_are_looked_at(tmp_path, commit):
    since = commit("Whatever stood before")
    commit("core: " + "a" * 66)
    commit("core, store: two rooms")
    assert history.check_subjects(tmp_path, since) == []
    commit("core: " + "a" * 67)
    commit("Fix a bug")
    first, second = [message for _, _, message in history.check_subjects(tmp_path, since)]
    assert "subject 'Fix a bug' is not `room: what changes`" in first and "subject of 73 columns" in second


def test_commits_of_other_histories_and_of_none_are_left_alone(tmp_path, commit):
    commit("Somebody else's history")
    assert history.check_subjects(tmp_path, "974b3e2") == []
    shutil.rmtree(tmp_path / ".git")
    assert history.check_subjects(tmp_path, "974b3e2") == []


def test_commits_of_a_shallow_clone_are_looked_at(tmp_path, commit):
    since = commit("Whatever stood before")
    commit("core: what a shallow clone does not reach")
    commit("Newest")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{tmp_path}", str(clone)], check=True)
    (_, _, message), = history.check_subjects(clone, since)
    assert "'Newest'" in message


def test_command_prints_findings_and_fails(tmp_path, monkeypatch, capsys):
    (tmp_path / "README.md").write_text("a \n")
    monkeypatch.setattr("sys.argv", ["tidy.py", str(tmp_path)])
    assert tidy.main() == 1
    assert capsys.readouterr().out == "README.md:1: trailing space\n"
    (tmp_path / "README.md").write_text("a\n")
    assert tidy.main() == 0


def class_of(functions, members, kind="class"):
    calls = "".join(f"  int call{i}(std::pair<int, int> it) const {{ return it.first; }}\n" for i in range(functions))
    hidden = "  void hidden(int value);\n" * 30
    values = "".join(f"  std::map<int, int> value{i}_ = {{}};\n" for i in range(members))
    return f"{kind} noun {{\n public:\n  noun();\n  ~noun() = default;\n{calls}\n private:\n{hidden}{values}}};\n"


def test_a_class_of_two_nouns_is_found():
    assert classes.check(class_of(24, 15)) == []
    assert classes.check(class_of(25, 15)) == [(1, "noun has 26 public functions, at most 25: two nouns?")]
    assert classes.check(class_of(3, 16)) == [(1, "noun has 16 members, at most 15: two nouns?")]
    assert classes.check("struct noun {\n" + "  int value;\n" * 30 + "};\n") == []
    assert classes.check("struct noun {\n" + "  int a = 0, b = 0;\n" * 8 + "  int sum() const;\n};\n") != []


def test_rules_name_tests_that_exist():
    texts = {"docs/rules.md": "| a | `lanes.keep_order`, `scenario.plays`, `test_it.test_x_y` | `lanes.gone` |\n",
             "broker/core/lane_test.cpp": "TEST_F(lanes, keep_order) {\n", "tests/test_it.py": "def test_x_y(desk):\n",
             "tests/scenarios.py": "@scenario\ndef plays(side, notes):\n"}
    assert proofs.check_rules(texts) == [("docs/rules.md", 1, "there is no test lanes.gone")]
