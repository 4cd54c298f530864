"""How often the broker commits and how much it writes: the settings of [commit] and [flash], and the durability of
queues and topics."""

import json
import time

import pytest

import gateway
import processes
import wire

LAZY_QUEUE = '\n[[queue]]\nname = "lazy"\ndurability = "interval:3000"\n'


def start(desk, knobs, name="broker"):
    return gateway.Broker(desk, definitions=gateway.DEFINITIONS + LAZY_QUEUE + knobs, bytes_max=64 << 20,
                          name=name).start()


def tool(desk, broker, *words):
    result = desk.run([processes.program("tidegate"), "--broker", broker.address, *words, "--json"])
    assert result.returncode == 0, result
    return json.loads(result.stdout)


def status(desk, broker):
    """Returns the broker's status. Waits first, because the broker reads the kernel's count of bytes at most once a
    second."""
    time.sleep(1.1)
    return tool(desk, broker, "status")


def publish_for(broker, link_pb2, seconds, per_second):
    """Publishes at a steady rate and waits for all confirms."""
    peer = wire.Peer(broker.port, link_pb2)
    peer.connect(name="steady")
    begin, sent, confirmed = time.monotonic(), 0, 0
    while sent < seconds * per_second:
        time.sleep(max(0, begin + sent / per_second - time.monotonic()))
        sent += 1
        peer.send("publish_message", id=sent, routing_key="work", body=b"x" * 100)
    while confirmed < sent:
        confirmed = peer.expect("confirm", code=link_pb2.OK).id
        peer.forget()
    peer.close()


def test_commits_a_second_are_limited(desk, link_pb2):
    broker = start(desk, "\n[commit]\nper_second_max = 10\n")
    before, begin = tool(desk, broker, "status")["commits"], time.monotonic()
    publish_for(broker, link_pb2, seconds=4, per_second=100)
    elapsed = time.monotonic() - begin
    commits = tool(desk, broker, "status")["commits"] - before
    assert 10 <= commits <= 12 * elapsed + 5, f"{commits} commits in {elapsed:.1f} s"
    broker.stop()


def test_an_interval_makes_no_commit_of_its_own_and_still_confirms(desk, link_pb2):
    broker = start(desk, "")
    peer = wire.Peer(broker.port, link_pb2)
    peer.connect()
    before = tool(desk, broker, "status")["commits"]
    peer.send("publish_message", id=1, routing_key="lazy", body=b"m")
    peer.expect_silence(0.5)
    assert tool(desk, broker, "status")["commits"] == before
    peer.expect("confirm", id=1, code=link_pb2.OK)
    assert tool(desk, broker, "status")["commits"] == before + 1
    peer.send("publish_message", id=2, routing_key="lazy", body=b"rides")
    peer.send("publish_message", id=3, routing_key="work", body=b"is in a hurry")
    peer.expect("confirm", id=3, multiple=True, code=link_pb2.OK)
    assert tool(desk, broker, "status")["commits"] <= before + 3
    broker.restart_after_kill()
    assert {row["name"]: row["ready"] for row in tool(desk, broker, "list", "queues")} == {"lazy": 2, "work": 1}
    broker.stop()


def test_durability_is_declared_listed_and_taken_from_the_configuration(desk):
    broker = start(desk, "")
    tool(desk, broker, "declare", "queue", "calm", "--durability", "interval:200")
    tool(desk, broker, "declare", "topic", "history", "--durability", "interval:100")
    broker.stop()
    broker.config.write_text(broker.config.read_text().replace("interval:3000", "interval:70"))
    broker.start()
    queues = {row["name"]: row["durability"] for row in tool(desk, broker, "list", "queues")}
    topics = {row["name"]: row["durability"] for row in tool(desk, broker, "list", "topics")}
    assert queues == {"calm": "interval:200", "lazy": "interval:70", "work": "commit"}
    assert topics == {"history": "interval:100", "readings": "commit"}
    broker.stop()


def written_by_load(desk, link_pb2, name, knobs):
    """Publishes 500 messages, 100 a second, and returns the (bytes, commits) that they caused."""
    broker = start(desk, knobs, name)
    before = status(desk, broker)
    if before["flash_bytes_today"] is None:
        pytest.skip("this kernel does not count what a process writes")
    publish_for(broker, link_pb2, seconds=5, per_second=100)
    after = status(desk, broker)
    broker.stop()
    return tuple(after[key] - before[key] for key in ("flash_bytes_today", "commits"))


def test_the_sd_card_profile_writes_less(desk, link_pb2, say):
    usual, usual_commits = written_by_load(desk, link_pb2, "usual", "")
    card, card_commits = written_by_load(desk, link_pb2, "card", '\n[commit]\nprofile = "sd-card"\n')
    if usual == 0:
        pytest.skip("the test's folder is on no disk: nothing is counted")
    say(f"500 messages at 100/s: default {usual} bytes in {usual_commits} commits, "
        f"sd-card {card} bytes in {card_commits} commits ({card / usual:.2f}) ")
    assert card <= 0.6 * usual
    assert card_commits < usual_commits


def test_a_budget_stretches_the_linger_and_says_when_that_is_not_enough(desk, link_pb2):
    broker = start(desk, '\n[commit]\nlinger_max = "300ms"\n[flash]\nbudget_bytes_per_day = "1M"\n')
    if status(desk, broker)["flash_bytes_today"] is None:
        pytest.skip("this kernel does not count what a process writes")
    publish_for(broker, link_pb2, seconds=4, per_second=50)
    after = status(desk, broker)
    if after["flash_bytes_today"] == 0:
        pytest.skip("the test's folder is on no disk: nothing is counted")
    assert (after["flash_budget"], after["commit_linger_in_force_ms"]) == ("exceeded", 300)
    assert after["published"] == 200 and after["commits"] < 150
    broker.stop()


def test_bytes_since_the_store_was_made_go_on_after_a_restart(desk):
    broker = start(desk, "")
    made = tool(desk, broker, "status")["flash_bytes_since_made"]
    if made is None:
        pytest.skip("this kernel does not count what a process writes")
    broker.stop()
    broker.start()
    again = tool(desk, broker, "status")
    assert again["flash_bytes_since_made"] >= made
    assert again["flash_bytes_since_made"] > again["flash_bytes_since_start"] or made == 0
    broker.stop()
