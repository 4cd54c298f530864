"""The command-line tool as a person uses it, against a running broker."""

import json

import pytest

import gateway
import processes

EXIT_FAILURE, EXIT_USAGE = 1, 2


@pytest.fixture
def broker(desk):
    return gateway.Broker(desk).start()


@pytest.fixture
def tidegate(desk, broker):
    """tidegate(words...) runs the tool and returns its lines of JSON. With code=..., expects this exit code and returns
    the finished process."""
    def run(*words, code=None, stdin=None):
        command = [processes.program("tidegate"), "--broker", broker.address, *words]
        result = desk.run(command if code is not None else [*command, "--json"], stdin=stdin)
        assert result.returncode == (code or 0), f"{words}: {result}"
        return result if code is not None else [json.loads(line) for line in result.stdout.splitlines()]
    return run


def test_what_is_declared_is_listed(tidegate):
    tidegate("declare", "exchange", "plant", "--type", "topic")
    tidegate("declare", "queue", "alarms")
    tidegate("declare", "topic", "history", "--partitions", 3, "--retention-bytes", "8M", "--retention-age", "2h")
    tidegate("bind", "plant", "queue", "alarms", "*.alarm")
    tidegate("bind", "plant", "topic", "history", "#")
    made = {row["name"]: row for row in tidegate("list", "exchanges")[0]}["plant"]
    assert made == {"name": "plant", "type": "topic", "auto_delete": False, "internal": False, "alternate": None,
                    "bindings": made["bindings"]}
    assert {"alarms", "work"} == {row["name"] for row in tidegate("list", "queues")[0]}
    history = next(row for row in tidegate("list", "topics")[0] if row["name"] == "history")
    assert (len(history["partitions"]), history["retention_bytes"], history["retention_ms"]) == (3, 8 << 20, 7200000)
    assert len([row for row in tidegate("list", "bindings")[0] if row["exchange"] == "plant"]) == 2
    tidegate("unbind", "plant", "queue", "alarms", "*.alarm")
    tidegate("delete", "queue", "alarms")
    assert {"work"} == {row["name"] for row in tidegate("list", "queues")[0]}


def test_unbinding_tells_whether_there_was_a_binding(tidegate):
    binding = ["amq.topic", "queue", "work"]
    assert tidegate("unbind", *binding, "sensors.typo")[0]["change"] == "none"
    assert "no such binding" in tidegate("unbind", *binding, "sensors.typo", code=0).stdout
    assert tidegate("unbind", *binding, "sensors.#")[0]["change"] == "unbound"
    assert "unbound" in tidegate("unbind", "amq.topic", "topic", "readings", "sensors.#", code=0).stdout
    assert tidegate("list", "bindings") == [[]]


def test_what_is_published_is_consumed_and_stays_in_the_topic(tidegate):
    published, = tidegate("publish", "--exchange", "amq.topic", "--key", "sensors.a", "--header", "unit=C",
                          "--partition-key", "a", "21.5")
    assert (published["sent"], published["confirmed"]) == (1, 1)
    tidegate("publish", "--exchange", "amq.topic", "--key", "sensors.b", "--lines", stdin="22.5\n23.5\n")
    rows = tidegate("consume", "work", "--idle-seconds", 0.5)
    assert [(row["body"], row["routing_key"], row["redelivered"]) for row in rows] == [
        ("21.5", "sensors.a", False), ("22.5", "sensors.b", False), ("23.5", "sensors.b", False)]
    assert tidegate("consume", "work", "--idle-seconds", 0.2) == []
    assert sorted(row["body"] for row in tidegate("tail", "readings")) == ["21.5", "22.5", "23.5"]


def test_a_group_goes_on_where_it_stands(tidegate):
    for body in "a", "b":
        tidegate("publish", "--exchange", "amq.topic", "--key", "sensors.a", "--partition-key", "k", body)
    assert [row["body"] for row in tidegate("tail", "readings", "--group", "g", "--count", 1)] == ["a"]
    assert [row["body"] for row in tidegate("tail", "readings", "--group", "g")] == ["b"]
    tidegate("offsets", "readings", "--group", "g", "--set", "start")
    assert [row["body"] for row in tidegate("tail", "readings", "--group", "g")] == ["a", "b"]


def test_looking_takes_nothing(tidegate):
    tidegate("publish", "--key", "work", "one")
    look = tidegate("consume", "work", "--reject", "requeue", "--count", 1)
    assert [row["body"] for row in look] == ["one"]
    again = tidegate("consume", "work", "--count", 1)
    assert [(row["body"], row["redelivered"]) for row in again] == [("one", True)]


def test_what_is_unroutable_may_be_let_go(tidegate):
    published, = tidegate("publish", "--key", "nowhere", "--no-mandatory", "body")
    assert (published["confirmed"], published["unroutable"]) == (1, 0)


@pytest.mark.parametrize("words, shown", [(["consume", "work"], "1 of 2 messages: interrupted"),
                                          (["tail", "readings", "--follow"], "interrupted before all was shown")],
                         ids=["consume", "tail"])
def test_an_interrupt_before_the_count_is_told(desk, broker, tidegate, words, shown):
    tidegate("publish", "--exchange", "amq.topic", "--key", "sensors.a", "body")
    reader = desk.start("reader", [processes.program("tidegate"), "--broker", broker.address, *words, "--count", 2])
    reader.wait_output("body")
    assert reader.terminate() == EXIT_FAILURE
    assert shown in reader.output()


def test_an_interrupt_is_how_a_reader_without_a_count_ends(desk, broker, tidegate):
    tidegate("publish", "--exchange", "amq.topic", "--key", "sensors.a", "body")
    reader = desk.start("reader", [processes.program("tidegate"), "--broker", broker.address, "tail", "readings",
                                   "--follow"])
    reader.wait_output("body")
    assert reader.terminate() == 0


def test_records_that_the_broker_passes_over_are_told(tidegate, broker):
    tidegate("publish", "--exchange", "amq.topic", "--key", "sensors.a", "rotten-record")
    broker.stop()
    for file in broker.store.iterdir():
        content = file.read_bytes()
        file.write_bytes(content.replace(b"rotten-record", b"Rotten-record"))
    broker.start()
    result = tidegate("tail", "readings", code=EXIT_FAILURE)
    assert result.stdout == "" and "offsets 0 to 0 are not shown: damaged or dropped" in result.stderr


def test_a_group_is_moved_in_all_partitions_or_in_none(tidegate):
    tidegate("publish", "--exchange", "amq.topic", "--key", "sensors.a", "--partition-key", "a", "body")  # partition 0
    tidegate("offsets", "readings", "--group", "g", "--set", 1, code=EXIT_FAILURE)
    assert {row["committed"] for row in tidegate("offsets", "readings", "--group", "g")[0]} == {None}


def test_a_passive_declaration_tells_no_attribute_that_it_does_not_know(tidegate):
    assert tidegate("declare", "exchange", "amq.topic", "--passive") == [{"kind": "exchange", "name": "amq.topic"}]


def test_status_tells_the_state_and_the_counters(tidegate):
    tidegate("publish", "--key", "work", "--size", 100, "--count", 50)
    status, = tidegate("status")
    assert (status["state"], status["published"], status["gateway"]) == ("ready", 50, "gateway-under-test")
    assert 0 < status["store_bytes_used"] < status["store_bytes_max"]


def test_repeating_a_publish_cut_off_by_kills_stores_everything_once(desk, tidegate, broker, say):
    """The purpose of --producer: the same lines are published again and again until all are confirmed."""
    lines = desk.folder / "lines"
    count = 60000
    lines.write_text("".join(f"{number}\n" for number in range(count)))
    words = ["publish", "--exchange", "amq.topic", "--key", "sensors.a", "--partition-key", "k", "--lines",
             "--producer", "p", "--first-sequence", 1]

    def stored():
        return sum(partition["high_watermark"] for partition in tidegate("list", "topics")[0][0]["partitions"])

    for share in 0.1, 0.3, 0.5:
        publish = desk.make(f"publish-{share}",
                            [processes.program("tidegate"), "--broker", broker.address, *words, "--json"])
        with open(lines) as stdin:
            publish.start(stdin=stdin)
        processes.wait_until(lambda: stored() >= count * share, 30, f"{share:.0%} of the lines", pause=0)
        broker.process.kill()
        assert publish.wait_end() == EXIT_FAILURE, f"void: the kill came too late\n{publish.output()}"
        broker.start()
    again = stored()
    published, = tidegate(*words, stdin=lines.read_text())
    assert (published["sent"], published["confirmed"]) == (count, count)
    assert tidegate("status")[0]["duplicates"] == again
    rows = tidegate("consume", "work", "--idle-seconds", 1)
    assert [int(row["body"]) for row in rows] == list(range(count))
    assert [int(row["body"]) for row in tidegate("tail", "readings")] == list(range(count))
    say(f"repeated publish: {count} lines, {again} of them on flash already after three attempts that a kill cut off ")


@pytest.mark.parametrize("words, said", [
    (["consume", "nowhere"], "no queue 'nowhere'"),
    (["tail", "nowhere"], "no topic 'nowhere'"),
    (["delete", "exchange", "amq.topic"], "built in"),
    (["publish", "--exchange", "nowhere", "body"], "no exchange 'nowhere'"),
    (["publish", "--key", "nowhere", "body"], "1 unroutable, stored nowhere: no queue 'nowhere'"),
    (["publish", "--exchange", "amq.topic", "--key", "k", "--mandatory", "--size", 1, "--count", 2],
     "2 unroutable, stored nowhere: no binding of exchange 'amq.topic' matches the key 'k'"),
    (["delete", "exchange", "nowhere"], "no exchange 'nowhere'"),
    (["delete", "queue", "nowhere"], "no queue 'nowhere'"),
    (["delete", "topic", "nowhere"], "no topic 'nowhere'"),
    (["consume", "work", "--count", 1, "--idle-seconds", 0.1], "0 of 1 messages: nothing more came in time"),
])
def test_refusals_are_told(tidegate, words, said):
    result = tidegate(*words, code=EXIT_FAILURE)
    assert said in result.stderr and result.stderr.startswith("tidegate: ")


@pytest.mark.parametrize("words", [[], ["swim"], ["publish"], ["list", "lakes"], ["tail", "t", "--from", "whenever"],
                                   ["publish", "--header", "x", "body"]], ids=" ".join)
def test_mistakes_on_the_command_line_are_told(desk, words):
    result = desk.run([processes.program("tidegate"), *words])
    assert result.returncode == EXIT_USAGE and "--help" in result.stderr


def test_no_broker_is_told(desk):
    address = f"127.0.0.1:{processes.free_port()}"
    result = desk.run([processes.program("tidegate"), "--broker", address, "status"])
    assert result.returncode == EXIT_FAILURE
    assert address in result.stderr and "tidegate-broker" in result.stderr
