"""Scenarios of how messages live and die: dead letters, time to live, limits and priorities."""

import time

import processes
from scenarios import scenario


def letters(side, queue, count):
    """Returns `count` messages of the queue with their deaths, and what else is there then."""
    found = []

    def look():
        while (one := side.letter(queue)) is not None:
            found.append(one)
        return len(found) >= count

    processes.wait_until(look, 5, f"{count} messages in {queue}")
    return found


def fill(side, queue, *bodies, **properties):
    return [side.publish("", queue, body, **properties) for body in bodies]


# --------------------------------------------------------------------------------------------- dead letters

@scenario
def a_discarded_message_dies(side, notes):
    side.queue("dies", exclusive=True, dead_exchange="", dead_key="dead1")
    side.queue("dead1", exclusive=True)
    fill(side, "dies", b"a", b"b")
    for outcome in (side.discard, side.requeue):
        outcome(side.get("dies")[2])
    notes.see(letters(side, "dead1", 1))
    notes.drain("dies")


@scenario
def a_dead_letter_keeps_its_key(side, notes):
    side.exchange("dlx", "topic")
    side.queue("dies2", exclusive=True, dead_exchange="dlx")
    side.queue("dead2", exclusive=True)
    side.bind("dlx", "dead2", "plant.#")
    side.bind("amq.topic", "dies2", "plant.#")
    side.publish("amq.topic", "plant.1", b"a")
    side.discard(side.get("dies2")[2])
    notes.see(letters(side, "dead2", 1))
    side.delete_exchange("dlx")


@scenario
def a_dead_letter_without_a_target_is_gone(side, notes):
    side.queue("dies3", exclusive=True, dead_exchange="no such exchange")
    fill(side, "dies3", b"a")
    side.discard(side.get("dies3")[2])
    side.settle_down()
    notes.drain("dies3")


@scenario
def without_a_dead_letter_exchange_a_discarded_message_is_gone(side, notes):
    side.queue("dies4", exclusive=True)
    fill(side, "dies4", b"a", b"b")
    side.discard(side.get("dies4")[2])
    notes.drain("dies4")


@scenario
def deaths_are_counted_by_queue_and_reason(side, notes):
    side.queue("one", exclusive=True, dead_exchange="", dead_key="two")
    side.queue("two", exclusive=True, dead_exchange="", dead_key="one")
    fill(side, "one", b"a")
    for queue in ("one", "two", "one", "two", "one"):
        processes.wait_until(lambda: side.queue(queue, passive=True)[1] == 1, 5, f"the message in {queue}")
        side.discard(side.get(queue)[2])
    notes.see(letters(side, "two", 1))


@scenario
def a_message_that_only_circulates_is_dropped(side, notes):
    side.queue("circle1", exclusive=True, ttl=50, dead_exchange="", dead_key="circle2")
    side.queue("circle2", exclusive=True, ttl=50, dead_exchange="", dead_key="circle1")
    fill(side, "circle1", b"a")
    time.sleep(0.5)
    notes.see([side.queue(name, passive=True)[1] for name in ("circle1", "circle2")])


@scenario
def a_discarded_message_may_circulate(side, notes):
    side.queue("circle3", exclusive=True, dead_exchange="")
    fill(side, "circle3", b"a")
    for _ in range(3):
        processes.wait_until(lambda: side.queue("circle3", passive=True)[1] == 1, 5, "the message")
        side.discard(side.get("circle3")[2])
    notes.see(letters(side, "circle3", 1))


@scenario
def several_targets_get_a_dead_letter_each(side, notes):
    side.queue("dies5", exclusive=True, dead_exchange="amq.fanout")
    for name in ("dead5a", "dead5b"):
        side.queue(name, exclusive=True)
        side.bind("amq.fanout", name)
    fill(side, "dies5", b"a")
    side.discard(side.get("dies5")[2])
    notes.see([letters(side, name, 1) for name in ("dead5a", "dead5b")])


@scenario
def a_dead_letter_key_needs_an_exchange(side, notes):
    notes.refusal(side.queue, "senseless", dead_key="k")


@scenario
def a_queue_with_rules_is_declared_again(side, notes):
    rules = {"ttl": 60000, "expires": 60000, "dead_exchange": "x", "dead_key": "k", "priorities": 5}
    side.queue("rules", **rules)
    notes.refusal(side.queue, "rules", **rules)
    for change in ({"ttl": 60001}, {"expires": 60001}, {"dead_exchange": "y"}, {"dead_key": "l"}, {"priorities": 6}):
        notes.refusal(side.queue, "rules", **(rules | change))
    for missing in rules:
        if missing != "dead_exchange":  # alone, the key would be refused for another reason
            notes.refusal(side.queue, "rules", **{name: rules[name] for name in rules if name != missing})
    side.delete_queue("rules")


# ------------------------------------------------------------------------------------------------ overflow

@scenario
def what_a_bound_drops_dies(side, notes):
    side.queue("short3", exclusive=True, length=2, dead_exchange="", dead_key="dead6")
    side.queue("dead6", exclusive=True)
    fill(side, "short3", b"1", b"2", b"3", b"4")
    notes.see(letters(side, "dead6", 2))
    notes.drain("short3")


@scenario
def what_a_bound_in_bytes_drops_dies(side, notes):
    side.queue("short4", exclusive=True, bytes_max=10, dead_exchange="", dead_key="dead7")
    side.queue("dead7", exclusive=True)
    fill(side, "short4", b"12345", b"678", b"abc")
    notes.see(letters(side, "dead7", 1))
    notes.drain("short4")


@scenario
def what_a_full_queue_refuses_dies(side, notes):
    side.queue("short5", exclusive=True, length=1, overflow="reject-dead-letter", dead_exchange="", dead_key="dead8")
    side.queue("dead8", exclusive=True)
    notes.see(fill(side, "short5", b"1", b"2"))
    notes.see(letters(side, "dead8", 1))
    notes.drain("short5")


# -------------------------------------------------------------------------------------------- time to live

@scenario
def messages_expire_by_their_queues_time(side, notes):
    side.queue("brief", exclusive=True, ttl=100, dead_exchange="", dead_key="dead9")
    side.queue("dead9", exclusive=True)
    fill(side, "brief", b"a", b"b")
    notes.see(letters(side, "dead9", 2))
    notes.drain("brief")


@scenario
def messages_expire_by_their_own_time(side, notes):
    side.queue("brief2", exclusive=True, dead_exchange="", dead_key="dead10")
    side.queue("dead10", exclusive=True)
    fill(side, "brief2", b"a", expiration="100", priority=3)
    notes.see(letters(side, "dead10", 1))


@scenario
def the_shorter_time_counts(side, notes):
    for name, own in (("brief3", "60000"), ("brief4", "100")):
        side.queue(name, exclusive=True, ttl=100 if own == "60000" else 60000)
        fill(side, name, b"a", expiration=own)
    time.sleep(0.5)
    notes.see([side.queue(name, passive=True)[1] for name in ("brief3", "brief4")])


@scenario
def an_expired_message_without_an_exchange_is_gone(side, notes):
    side.queue("brief5", exclusive=True, ttl=50)
    fill(side, "brief5", b"a")
    time.sleep(0.4)
    notes.drain("brief5")


@scenario
def a_dead_letter_does_not_expire_by_its_own_time_again(side, notes):
    side.queue("brief6", exclusive=True, dead_exchange="", dead_key="dead11")
    side.queue("dead11", exclusive=True)
    fill(side, "brief6", b"a", expiration="50")
    time.sleep(0.5)
    notes.see(letters(side, "dead11", 1))


@scenario
def a_message_that_is_out_does_not_expire(side, notes):
    side.queue("brief7", exclusive=True, ttl=100)
    fill(side, "brief7", b"a")
    tag = side.get("brief7")[2]
    time.sleep(0.3)
    side.ack(tag)
    side.settle_down()
    notes.drain("brief7")


@scenario
def a_requeued_message_keeps_its_time(side, notes):
    side.queue("brief8", exclusive=True, ttl=200, dead_exchange="", dead_key="dead12")
    side.queue("dead12", exclusive=True)
    fill(side, "brief8", b"a")
    tag = side.get("brief8")[2]
    time.sleep(0.3)
    side.requeue(tag)
    notes.see(letters(side, "dead12", 1))


@scenario
def an_expiration_has_to_be_a_number(side, notes):
    side.queue("brief9", exclusive=True)
    for text in ("soon", "-1", "1.5"):
        notes.refusal(side.publish, "", "brief9", b"a", expiration=text)
        side.queue("brief9", exclusive=True)


@scenario
def a_queue_that_nobody_uses_is_deleted(side, notes):
    side.queue("unused", expires=200)
    notes.refusal(side.queue, "unused", passive=True)
    time.sleep(1)
    notes.refusal(side.queue, "unused", passive=True)


@scenario
def a_queue_with_a_consumer_is_in_use(side, notes):
    side.queue("used", expires=200)
    consumer = side.consume("used")
    time.sleep(0.6)
    notes.refusal(side.queue, "used", passive=True)
    side.cancel(consumer)
    time.sleep(1)
    notes.refusal(side.queue, "used", passive=True)


@scenario
def a_queue_cannot_expire_at_once(side, notes):
    notes.refusal(side.queue, "senseless2", expires=0)


# ---------------------------------------------------------------------------------------- limits, priorities

@scenario
def a_message_that_is_returned_too_often_dies(side, notes):
    side.queue("limited", limit=2, dead_exchange="", dead_key="dead13")
    side.queue("dead13")
    fill(side, "limited", b"a")
    for _ in range(3):
        processes.wait_until(lambda: side.queue("limited", passive=True)[1] == 1, 5, "the message")
        side.requeue(side.get("limited")[2])
    notes.see(letters(side, "dead13", 1))
    side.delete_queue("limited")
    side.delete_queue("dead13")


@scenario
def higher_priorities_come_first(side, notes):
    side.queue("ranked", exclusive=True, priorities=9)
    for body, priority in ((b"low1", None), (b"high1", 9), (b"middle", 5), (b"low2", 0), (b"high2", 200)):
        fill(side, "ranked", body, priority=priority)
    notes.drain("ranked")


@scenario
def a_requeued_message_returns_to_its_priority(side, notes):
    side.queue("ranked2", exclusive=True, priorities=9)
    for body, priority in ((b"1", 5), (b"2", 5), (b"3", 1)):
        fill(side, "ranked2", body, priority=priority)
    tag = side.get("ranked2")[2]
    fill(side, "ranked2", b"4", priority=5)
    side.requeue(tag)
    side.settle_down()
    notes.drain("ranked2")


@scenario
def a_queue_without_priorities_has_one_order(side, notes):
    side.queue("plain", exclusive=True)
    for body, priority in ((b"1", 1), (b"2", 9)):
        fill(side, "plain", body, priority=priority)
    notes.drain("plain")


@scenario
def priorities_are_kept_by_dead_letters(side, notes):
    side.queue("ranked3", exclusive=True, ttl=50, dead_exchange="", dead_key="ranked4")
    side.queue("ranked4", exclusive=True, priorities=9)
    for body, priority in ((b"1", 1), (b"2", 9)):
        fill(side, "ranked3", body, priority=priority)
    time.sleep(0.5)
    notes.see([one["body"] for one in letters(side, "ranked4", 2)])


@scenario
def at_most_255_priorities(side, notes):
    notes.refusal(side.queue, "senseless3", priorities=256)
