"""Scenarios of queues: declaring, consuming, bounds and confirms."""

import processes
from scenarios import scenario


# ------------------------------------------------------------------------------------------------ declaring

@scenario
def an_exchange_is_declared_again(side, notes):
    side.exchange("again", "topic")
    notes.refusal(side.exchange, "again", "topic")
    notes.refusal(side.exchange, "again", "direct")
    notes.refusal(side.exchange, "again", "topic", auto_delete=True)
    notes.refusal(side.exchange, "again", "topic", internal=True)
    notes.refusal(side.exchange, "again", "topic", alternate="x")
    notes.refusal(side.exchange, "none", "topic", passive=True)
    side.delete_exchange("again")


@scenario
def names_of_the_broker_are_refused(side, notes):
    notes.refusal(side.exchange, "amq.mine", "topic")
    notes.refusal(side.exchange, "amq.topic", "topic")
    notes.refusal(side.queue, "amq.mine")


@scenario
def a_queue_is_declared_again(side, notes):
    side.queue("requeued", length=10, overflow="reject")
    notes.refusal(side.queue, "requeued", length=10, overflow="reject")
    notes.refusal(side.queue, "requeued", length=11, overflow="reject")
    notes.refusal(side.queue, "requeued", length=10)
    notes.refusal(side.queue, "requeued", length=10, overflow="reject", auto_delete=True)
    notes.refusal(side.queue, "requeued", length=10, overflow="reject", single_active=True)
    notes.refusal(side.queue, "requeued", passive=True)
    notes.refusal(side.queue, "no-queue", passive=True)
    side.delete_queue("requeued")


@scenario
def declaring_counts_messages_and_consumers(side, notes):
    side.queue("counted", exclusive=True)
    notes.see(side.queue("counted", exclusive=True)[1:])
    notes.fill("counted", b"1", b"2", b"3")
    side.consume("counted", prefetch=1)
    side.settle_down()
    notes.see(side.queue("counted", exclusive=True)[1:])


@scenario
def a_queue_without_a_name_gets_one(side, notes):
    first, second = side.queue("")[0], side.queue("")[0]
    notes.see((first != second, first[:8], second[:8]))
    side.delete_queue(first)
    side.delete_queue(second)


@scenario
def an_exclusive_queue_is_locked_for_others(side, notes):
    side.queue("mine", exclusive=True)
    other = notes.other
    notes.refusal(other.queue, "mine", exclusive=True)
    notes.refusal(other.queue, "mine", passive=True)
    notes.refusal(other.get, "mine")
    notes.refusal(other.consume, "mine")
    notes.refusal(other.purge, "mine")
    notes.refusal(other.delete_queue, "mine")
    notes.refusal(other.bind, "amq.direct", "mine", "k4")
    notes.see(other.publish("", "mine", b"m"))
    notes.drain("mine")


@scenario
def an_exclusive_queue_ends_with_its_connection(side, notes):
    notes.other.queue("theirs", exclusive=True)
    notes.see(side.publish("", "theirs", b"m"))
    notes.other.close()
    notes.other.close = lambda: None
    notes.see(processes.wait_until(lambda: side.publish("", "theirs", b"m") == "returned", 5, "the queue's end"))


@scenario
def an_auto_delete_queue_ends_with_its_last_consumer(side, notes):
    side.queue("autoqueue", auto_delete=True)
    notes.fill("autoqueue", b"m")
    notes.bodies([side.get("autoqueue", auto_ack=True)])
    notes.refusal(side.queue, "autoqueue", passive=True)
    first, second = side.consume("autoqueue"), side.consume("autoqueue")
    side.cancel(first)
    notes.refusal(side.queue, "autoqueue", passive=True)
    side.cancel(second)
    notes.refusal(side.queue, "autoqueue", passive=True)


@scenario
def deleting_has_conditions_and_counts(side, notes):
    side.queue("deleted")
    notes.fill("deleted", b"1", b"2")
    notes.refusal(side.delete_queue, "deleted", if_empty=True)
    notes.see(side.delete_queue("deleted"))
    side.queue("deleted")
    consumer = side.consume("deleted")
    notes.refusal(notes.other.delete_queue, "deleted", if_unused=True)
    notes.see(notes.other.delete_queue("deleted", if_empty=True))
    notes.bodies(side.received(consumer, 1))
    notes.refusal(side.delete_queue, "deleted")


# ------------------------------------------------------------------------------------------------ consuming

@scenario
def order_is_kept(side, notes):
    side.queue("ordered", exclusive=True)
    notes.fill("ordered", *[b"%d" % number for number in range(20)])
    notes.bodies(side.received(side.consume("ordered", auto_ack=True), 20))


@scenario
def requeued_messages_return_to_their_places(side, notes):
    side.queue("places", exclusive=True)
    notes.fill("places", b"1", b"2", b"3", b"4")
    tags = [side.get("places")[2] for _ in range(3)]
    side.requeue(tags[1])
    side.settle_down()
    notes.bodies([side.get("places", auto_ack=True)])
    side.requeue(tags[2])
    side.requeue(tags[0])
    side.settle_down()
    notes.drain("places")


@scenario
def many_are_requeued_at_once(side, notes):
    side.queue("many", exclusive=True)
    notes.fill("many", b"1", b"2", b"3", b"4")
    tags = [side.get("many")[2] for _ in range(3)]
    side.requeue(tags[1], multiple=True)
    side.settle_down()
    notes.drain("many")
    side.ack(tags[2])


@scenario
def acknowledging_up_to_a_tag(side, notes):
    side.queue("upto")
    notes.fill("upto", b"1", b"2", b"3")
    tags = [notes.other.get("upto")[2] for _ in range(3)]
    notes.other.ack(tags[1], multiple=True)
    notes.other.settle_down()
    notes.other.close()
    notes.other.close = lambda: None
    processes.wait_until(lambda: side.queue("upto", passive=True)[1] == 1, 5, "the message's return")
    notes.drain("upto")
    side.delete_queue("upto")


@scenario
def prefetch_bounds_what_is_delivered(side, notes):
    side.queue("bounded", exclusive=True)
    notes.fill("bounded", b"1", b"2", b"3", b"4")
    consumer = side.consume("bounded", prefetch=2)
    tags = notes.bodies(side.received(consumer, 2))
    side.ack(tags[0])
    notes.bodies(side.received(consumer, 1))
    side.ack(tags[1])
    notes.bodies(side.received(consumer, 1))


@scenario
def a_requeued_message_comes_again_at_once(side, notes):
    side.queue("again2", exclusive=True)
    notes.fill("again2", b"1", b"2")
    consumer = side.consume("again2", prefetch=1)
    tag = notes.bodies(side.received(consumer, 1))[0]
    side.requeue(tag)
    tag = notes.bodies(side.received(consumer, 1))[0]
    side.ack(tag)
    notes.bodies(side.received(consumer, 1))


@scenario
def a_discarded_message_is_gone(side, notes):
    side.queue("dropped", exclusive=True)
    notes.fill("dropped", b"1", b"2")
    side.discard(side.get("dropped")[2])
    side.settle_down()
    notes.drain("dropped")


@scenario
def a_lost_connection_requeues(side, notes):
    side.queue("lost")
    notes.fill("lost", b"1", b"2", b"3")
    consumer = notes.other.consume("lost", prefetch=2)
    notes.bodies(notes.other.received(consumer, 2))
    notes.other.close()
    notes.other.close = lambda: None
    processes.wait_until(lambda: side.queue("lost", passive=True)[1] == 3, 5, "the messages' return")
    notes.drain("lost")
    side.delete_queue("lost")


@scenario
def auto_ack_leaves_nothing(side, notes):
    side.queue("gone")
    notes.fill("gone", b"1", b"2")
    notes.bodies(notes.other.received(notes.other.consume("gone", auto_ack=True), 2))
    notes.other.close()
    notes.other.close = lambda: None
    notes.see(side.queue("gone", passive=True)[1])
    side.delete_queue("gone")


@scenario
def get_of_an_empty_and_of_no_queue(side, notes):
    side.queue("empty", exclusive=True)
    notes.see(side.get("empty"))
    notes.refusal(side.get, "no-queue")
    notes.refusal(side.consume, "no-queue")
    notes.refusal(side.purge, "no-queue")


@scenario
def purging_leaves_what_is_delivered(side, notes):
    side.queue("purged", exclusive=True)
    notes.fill("purged", b"1", b"2", b"3")
    tag = side.get("purged")[2]
    notes.see(side.purge("purged"))
    notes.see(side.purge("purged"))
    side.requeue(tag)
    side.settle_down()
    notes.drain("purged")


@scenario
def an_exclusive_consumer_is_alone(side, notes):
    side.queue("alone")
    consumer = side.consume("alone", exclusive=True)
    notes.refusal(notes.other.consume, "alone")
    side.cancel(consumer)
    consumer = side.consume("alone")
    notes.refusal(notes.other.consume, "alone", exclusive=True)
    side.cancel(consumer)
    notes.refusal(notes.other.consume, "alone", exclusive=True)
    side.delete_queue("alone")


@scenario
def consumers_take_turns(side, notes):
    side.queue("turns", exclusive=True)
    consumers = [side.consume("turns", auto_ack=True) for _ in range(3)]
    for number in range(6):
        side.publish("", "turns", b"%d" % number)
        side.settle_down()
    notes.see([len(side.received(consumer, 2)) for consumer in consumers])


@scenario
def consumers_of_a_higher_priority_come_first(side, notes):
    side.queue("ranked", exclusive=True)
    low = side.consume("ranked", prefetch=10, priority=-5)
    high = side.consume("ranked", prefetch=2, priority=5)
    for number in range(5):
        side.publish("", "ranked", b"%d" % number)
    tags = notes.bodies(side.received(high, 2))
    notes.bodies(side.received(low, 3))
    side.ack(tags[0])
    side.publish("", "ranked", b"last")
    notes.bodies(side.received(high, 1))


@scenario
def a_single_active_consumer_is_followed_by_the_next(side, notes):
    side.queue("active", single_active=True, auto_delete=False)
    first, second = side.consume("active", auto_ack=True), side.consume("active", auto_ack=True)
    notes.fill("active", b"1", b"2")
    notes.bodies(side.received(first, 2))
    notes.bodies(side.received(second, 0))
    side.cancel(first)
    notes.fill("active", b"3")
    notes.bodies(side.received(second, 1))
    side.delete_queue("active")


@scenario
def the_end_of_a_queue_cancels_its_consumers(side, notes):
    side.queue("ending")
    consumer = side.consume("ending")
    notes.other.delete_queue("ending")
    notes.bodies(side.received(consumer, 1))


# ------------------------------------------------------------------------------------------------ bounds and confirms

@scenario
def the_oldest_give_way_at_a_bound(side, notes):
    side.queue("short", exclusive=True, length=2)
    notes.fill("short", b"1", b"2", b"3", b"4")
    notes.drain("short")


@scenario
def delivered_messages_do_not_count(side, notes):
    side.queue("short2", exclusive=True, length=2)
    notes.fill("short2", b"1", b"2")
    tag = side.get("short2")[2]
    notes.fill("short2", b"3")
    side.requeue(tag)
    side.settle_down()
    notes.fill("short2", b"4")
    notes.drain("short2")


@scenario
def bytes_are_those_of_the_bodies(side, notes):
    side.queue("heavy", exclusive=True, bytes_max=10)
    notes.fill("heavy", b"1234", b"5678", b"90", b"x")
    notes.drain("heavy")


@scenario
def a_full_queue_refuses_and_takes_again(side, notes):
    side.queue("full", exclusive=True, length=2, overflow="reject")
    notes.fill("full", b"1", b"2", b"3")
    notes.bodies([side.get("full", auto_ack=True)])
    notes.fill("full", b"4", b"5")
    notes.drain("full")


@scenario
def unroutable_messages_come_back_or_are_confirmed(side, notes):
    notes.see(side.publish("amq.direct", "nobody", b"m"))
    notes.see(side.publish("amq.direct", "nobody", b"m", mandatory=False))


@scenario
def empty_bodies_and_keys(side, notes):
    side.queue("void", exclusive=True)
    side.bind("amq.direct", "void")
    notes.see(side.publish("amq.direct", "", b""))
    notes.drain("void")


# ----------------------------------------------------------------------------------------------- direct replies

REPLIES = "amq.rabbitmq.reply-to"


@scenario
def a_reply_comes_to_the_one_that_asked_without_a_queue(side, notes):
    notes.other.queue("asks", exclusive=False, auto_delete=True)
    mine, theirs = side.consume(REPLIES, auto_ack=True), notes.other.consume(REPLIES, auto_ack=True)
    notes.see(side.publish("", "asks", b"?", reply_to=REPLIES))
    address = notes.other.address("asks")
    notes.see(address.startswith(REPLIES + "."))
    for body in b"first", b"second":
        notes.see(notes.other.publish("", address, body, mandatory=False))
    notes.see([one[:2] for one in side.received(mine, 2)])
    notes.see(notes.other.received(theirs, 0))
    notes.other.delete_queue("asks")


@scenario
def a_declaration_finds_an_address_as_long_as_its_consumer_is_there(side, notes):
    side.queue("asks2")
    consumer = side.consume(REPLIES, auto_ack=True)
    side.publish("", "asks2", b"?", reply_to=REPLIES)
    address = side.address("asks2")
    notes.see(notes.other.queue(REPLIES, passive=True))
    notes.see(notes.other.queue(address, passive=True)[1:])
    side.cancel(consumer)
    notes.refusal(notes.other.queue, address, passive=True)
    notes.see(notes.other.publish("", address, b"late", mandatory=False))
    side.delete_queue("asks2")


@scenario
def replies_cannot_be_acknowledged(side, notes):
    notes.refusal(side.consume, REPLIES)


@scenario
def a_request_for_a_reply_needs_its_consumer(side, notes):
    side.queue("asks3")
    notes.refusal(side.publish, "", "asks3", b"?", reply_to=REPLIES)
    side.delete_queue("asks3")


@scenario
def a_connection_has_one_consumer_of_replies(side, notes):
    side.consume(REPLIES, auto_ack=True)
    notes.refusal(side.consume, REPLIES, auto_ack=True)


@scenario
def any_other_reply_to_stays_as_it_is(side, notes):
    side.queue("asks4", exclusive=True)
    side.publish("", "asks4", b"?", reply_to="my answers")
    notes.see(side.address("asks4"))
