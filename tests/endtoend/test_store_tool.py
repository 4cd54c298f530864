"""The offline commands of the tool on stores of a real broker that was stopped or killed."""

import json

import pytest

import gateway
import processes

EXIT_FAILURE, EXIT_DAMAGED, EXIT_INCOMPLETE = 1, 2, 3
MESSAGES, TAKEN = 3000, 700


@pytest.fixture
def broker(desk):
    """A broker that was used: messages in a queue and a topic, some acknowledged, one requeued, and a group that has
    read a part of the topic."""
    broker = gateway.Broker(desk, bytes_max=64 << 20).start()
    online = desk_tool(desk, "--broker", broker.address)
    lines = "".join(f"{number}\n" for number in range(MESSAGES))
    online("publish", "--exchange", "amq.topic", "--key", "sensors.a", "--producer", "p", "--first-sequence", 1,
           "--lines", stdin=lines)
    online("consume", "work", "--count", TAKEN)
    online("consume", "work", "--count", 1, "--reject", "requeue")
    online("tail", "readings", "--group", "g", "--count", 100)
    return broker


def desk_tool(desk, *always):
    """Returns run(words...), which runs the tool and returns its JSON values. With code=..., expects this exit code and
    returns the finished process."""
    def run(*words, code=None, stdin=None):
        result = desk.run([processes.program("tidegate"), *always, *words, "--json"], stdin=stdin)
        assert result.returncode == (code or 0), f"{words}: {result}"
        return result if code is not None else [json.loads(line) for line in result.stdout.splitlines()]
    return run


@pytest.fixture
def store(desk):
    return desk_tool(desk, "store")


def end(broker, way):
    broker.stop() if way == "stopped" else broker.process.kill()


@pytest.mark.parametrize("way", ["stopped", "killed"])
def test_a_store_is_sound_however_its_broker_ended(broker, store, way):
    end(broker, way)
    checked, = store("check", broker.store)
    assert (checked["verdict"], checked["findings"]) == ("sound", [])
    shown, = store("show", broker.store)
    assert shown["stopped_cleanly"] == (way == "stopped")
    assert (shown["queues"], shown["topics"], shown["producers"]) == (1, 1, 1)
    work = next(row for row in shown["streams"] if row["name"] == "work")
    assert (work["live"], work["end"], work["requeued"]) == (MESSAGES - TAKEN, MESSAGES, 1)
    readings = [row for row in shown["streams"] if row["name"] == "readings"]
    assert sum(row["live"] for row in readings) == MESSAGES and {row["partition"] for row in readings} == {0, 1, 2, 3}
    assert sum(row["committed"] for row in shown["cursors"]) == 100
    assert shown["streams"] == checked["streams"]
    broker.start()
    broker.stop()


def visible(broker, link_pb2):
    """Returns what clients see: the topic's records by offset, and the queue's messages with their flags."""
    logs = [gateway.fetch_all(broker, link_pb2, "readings", partition) for partition in range(4)]
    delivered = [(message.body, message.redelivered, message.delivery_count)
                 for message in gateway.consume_all(broker, link_pb2, "work")]
    return [(start, end, [(r.offset, r.value) for r in records]) for start, end, records in logs], delivered


def test_what_is_whole_of_a_damaged_store_is_salvaged_and_goes_on(broker, store, desk):
    """Overwrites both pages that say where the tables are."""
    broker.process.kill()
    with open(broker.store / "data.mdb", "r+b") as data:
        data.write(bytes(2 * 4096))
    checked = store("check", broker.store, code=EXIT_DAMAGED)
    assert "damaged" in checked.stdout or "unreadable" in checked.stdout
    salvaged = store("salvage", broker.store, desk.folder / "saved", code=EXIT_INCOMPLETE)
    told = json.loads(salvaged.stdout)
    assert told["missing"] and told["records_missing"] == 0
    store("import", desk.folder / "saved", desk.folder / "new", "--bytes-max", "64M")
    shown, = store("show", desk.folder / "new")
    work = next(row for row in shown["streams"] if row["name"] == "work")
    assert (work["live"], work["end"]) == (MESSAGES - TAKEN, MESSAGES)
    readings = [row for row in shown["streams"] if row["name"] == "readings"]
    assert sum(row["live"] for row in readings) == MESSAGES


@pytest.mark.parametrize("way", ["stopped", "killed"])
def test_a_broker_goes_on_in_an_imported_store(broker, desk, store, link_pb2, way):
    end(broker, way)
    archive, moved = desk.folder / "gateway.archive", desk.folder / "moved"
    exported, = store("export", broker.store, archive)
    assert exported["streams"] == 5 and exported["bytes"] == archive.stat().st_size
    imported, = store("import", archive, moved, "--bytes-max", "96M", "--keep-incarnation")
    assert imported["bytes_max"] == 96 << 20 == (moved / "data.mdb").stat().st_size
    before, after = store("show", broker.store)[0], store("show", moved)[0]
    for same in "incarnation", "stopped_cleanly", "cursors", "producers", "bindings":
        assert before[same] == after[same], same
    broker.start()
    old = visible(broker, link_pb2)
    broker.stop()
    broker.config.write_text(broker.config.read_text().replace(str(broker.store), str(moved)))
    broker.start()
    online = desk_tool(desk, "--broker", broker.address)
    group, = online("offsets", "readings", "--group", "g")
    assert sum(row["committed"] or 0 for row in group) == 100
    # The store remembers the producer: a message that it sends again is not stored again.
    online("publish", "--exchange", "amq.topic", "--key", "sensors.a", "--producer", "p", "--first-sequence", MESSAGES,
           "again")
    assert online("status")[0]["duplicates"] == 1
    new = visible(broker, link_pb2)
    assert new == old and len(new[1]) == MESSAGES - TAKEN
    online("publish", "--exchange", "amq.topic", "--key", "sensors.a", "more")
    broker.stop()
    assert store("check", moved)[0]["verdict"] == "sound"


def test_a_store_in_use_is_left_alone(broker, desk, store):
    for words in ("check", broker.store), ("show", broker.store), ("export", broker.store, desk.folder / "archive"):
        result = store(*words, code=EXIT_DAMAGED if words[0] == "check" else EXIT_FAILURE)
        assert "stop its broker first" in result.stderr + result.stdout
    assert not list(desk.folder.glob("archive*"))


def test_damage_is_told(broker, desk, store):
    broker.stop()
    file = broker.store / "data.mdb"
    content = bytearray(file.read_bytes())
    at = content.find(b"TGC2")
    while at >= 0:  # all chunks, because some of those found are in free pages
        content[at + 100] ^= 1
        at = content.find(b"TGC2", at + 1)
    file.write_bytes(content)
    result = store("check", broker.store, code=EXIT_DAMAGED)
    checked = json.loads(result.stdout)
    assert checked["verdict"] == "damaged"
    assert all("chunk of stream" in finding["where"] for finding in checked["findings"]), checked["findings"]
    result = store("export", broker.store, desk.folder / "archive", code=EXIT_FAILURE)
    assert "damaged" in result.stderr and not list(desk.folder.glob("archive*"))


def test_a_cut_archive_leaves_nothing(broker, desk, store):
    broker.stop()
    archive, moved = desk.folder / "gateway.archive", desk.folder / "moved"
    store("export", broker.store, archive)
    content = archive.read_bytes()
    archive.write_bytes(content[:len(content) // 2])
    result = store("import", archive, moved, code=EXIT_FAILURE)
    assert f"ends at byte {len(content) // 2}" in result.stderr and not moved.exists()
    assert "is not an empty directory" in store("import", archive, broker.store, code=EXIT_FAILURE).stderr
    assert "exists" in store("export", broker.store, archive, code=EXIT_FAILURE).stderr


def test_an_archive_may_go_through_a_pipe(broker, desk, store):
    broker.stop()
    tool = processes.program("tidegate")
    result = desk.run(["sh", "-c", f"{tool} store export {broker.store} - | {tool} store import - {desk.folder}/moved"])
    assert result.returncode == 0, result
    assert store("show", desk.folder / "moved")[0]["cursors"] == store("show", broker.store)[0]["cursors"]
