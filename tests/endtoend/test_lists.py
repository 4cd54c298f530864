"""Lists longer than a frame: the tool shows all rows, even if others are added and removed meanwhile, or reports that
the list is not complete."""

import json
import socket
import threading

import pytest

import gateway
import processes
import wire

EXIT_FAILURE = 1
QUEUES_MAX = 10_000
UNDER_WAY = 1_000


def list_command(address, *words):
    return [processes.program("tidegate"), "--broker", address, "list", *words]


@pytest.fixture
def broker(desk):
    return gateway.Broker(desk).start()


@pytest.fixture
def peer(broker, link_pb2):
    peer = wire.Peer(broker.port, link_pb2)
    peer.connect()
    yield peer
    peer.close()


def ask_all(peer, member, requests):
    """Sends all requests, many on their way at a time, and waits until each is done."""
    for first in range(0, len(requests), UNDER_WAY):
        chunk = requests[first:first + UNDER_WAY]
        peer.send_bytes(b"".join(peer.frame(member, correlation=7, **fields) for fields in chunk))
        for _ in chunk:
            peer.expect("done", correlation=7)
        peer.forget()


def listed(desk, broker, kind):
    result = desk.run([*list_command(broker.address, kind), "--json"])
    assert (result.returncode, result.stderr) == (0, ""), result
    return json.loads(result.stdout)


class Churn(threading.Thread):
    """Declares and deletes queues again and again. Their names are spread over the whole order of names."""

    def __init__(self, broker, link_pb2):
        super().__init__(daemon=True)
        self.peer = wire.Peer(broker.port, link_pb2)
        self.peer.connect()
        self.stopping = threading.Event()
        self.rounds = 0

    def run(self):
        names = [f"q{number:05}-comes-and-goes" for number in range(0, 9_000, 300)]
        while not self.stopping.is_set():
            ask_all(self.peer, "declare_queue", [{"name": name} for name in names])
            ask_all(self.peer, "delete", [{"kind": "queue", "name": name} for name in names])
            self.rounds += 1

    def stop(self):
        self.stopping.set()
        self.join(2 * wire.WAIT_SECONDS)
        self.peer.close()
        assert self.rounds > 0


def test_as_many_queues_as_there_may_be_are_listed(desk, broker, peer, link_pb2):
    names = [f"q{number:05}" for number in range(QUEUES_MAX - 1)]
    ask_all(peer, "declare_queue", [{"name": name} for name in names])
    assert [row["name"] for row in listed(desk, broker, "queues")] == [*names, "work"]
    table = desk.run(list_command(broker.address, "queues"))
    rows = [line.split()[0] for line in table.stdout.splitlines()]
    assert (table.returncode, rows) == (0, ["NAME", *names, "work"])

    ask_all(peer, "delete", [{"kind": "queue", "name": name} for name in names[9_000:]])
    churn = Churn(broker, link_pb2)
    churn.start()
    for _ in range(3):
        found = [row["name"] for row in listed(desk, broker, "queues")]
        assert [name for name in found if not name.endswith("-comes-and-goes")] == [*names[:9_000], "work"]
        assert len(set(found)) == len(found)
    churn.stop()


def test_the_whole_loss_ledger_is_listed(desk, broker, peer):
    queues = [f"q{number:04}" for number in range(3_000)]
    ask_all(peer, "declare_queue", [{"name": name, "messages_max": 1} for name in queues])
    ask_all(peer, "bind", [{"exchange": "amq.fanout", "target_kind": "queue", "target": name} for name in queues])
    for number in 1, 2:
        peer.publish(number, exchange="amq.fanout", body=b"m")
    rows = listed(desk, broker, "losses")
    assert sorted(row["name"] for row in rows) == queues
    assert [row["number"] for row in rows] == sorted({row["number"] for row in rows})
    broker.stop()
    shown = desk.run([processes.program("tidegate"), "store", "show", broker.store, "--json"])
    assert [row["loss"] for row in json.loads(shown.stdout)["losses"]] == [row["number"] for row in rows]
    broker.start()
    assert listed(desk, broker, "losses") == rows


@pytest.fixture
def broker_of_two_pages(link_pb2):
    """broker_of_two_pages(second) returns the address of a mock broker, which answers the first List with a page of one
    row, and the second List by calling second(peer, correlation)."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads = []

    def serve(second):
        peer = wire.Peer(None, link_pb2, listener.accept()[0])
        correlation = peer.receive()[1].correlation
        peer.send("connected", correlation=correlation, server="two pages", largest_frame=1 << 20)
        asked = peer.receive()[1]
        peer.send("listed", correlation=asked.correlation, json=b'[{"name":"a"}]', next=b"a")
        asked = peer.receive()[1]
        assert asked.after == b"a"
        second(peer, asked.correlation)
        peer.expect_end()
        peer.close()

    def start(second):
        threads.append(threading.Thread(target=serve, args=[second], daemon=True))
        threads[-1].start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for thread in threads:
        thread.join(2 * wire.WAIT_SECONDS)
    listener.close()


@pytest.mark.parametrize("words", [["--json"], []], ids=["json", "table"])
def test_a_list_that_an_error_ends_early_says_so(desk, broker_of_two_pages, link_pb2, words):
    def refuse(peer, correlation):
        peer.send("error", correlation=correlation, code=link_pb2.INVALID, text="row 2 is damaged")

    result = desk.run([*list_command(broker_of_two_pages(refuse), "losses"), *words])
    assert result.returncode == EXIT_FAILURE
    assert result.stdout.splitlines() == (['[{"name":"a"}]'] if words else ["NAME", "a"])
    assert "the list ends early, after 1 rows" in result.stderr and "row 2 is damaged" in result.stderr


def test_a_list_that_an_interrupt_ends_early_says_so(desk, broker_of_two_pages):
    stalled = threading.Event()
    command = list_command(broker_of_two_pages(lambda *_: stalled.set()), "queues", "--json")
    tool = desk.make("list", command)
    with open(desk.folder / "rows", "wb") as rows:
        tool.start(stdout=rows)
    assert stalled.wait(wire.WAIT_SECONDS)
    assert tool.terminate() == EXIT_FAILURE
    assert json.loads((desk.folder / "rows").read_text()) == [{"name": "a"}]
    assert "after 1 rows" in tool.output() and "interrupted" in tool.output()


def test_every_page_ends_the_list_where_it_says_so(desk, broker_of_two_pages):
    def give_last(peer, correlation):
        peer.send("listed", correlation=correlation, json=b'[{"name":"bb"}]')

    result = desk.run([*list_command(broker_of_two_pages(give_last), "queues"), "--json"])
    assert (result.returncode, result.stdout) == (0, '[{"name":"a"},{"name":"bb"}]\n')
