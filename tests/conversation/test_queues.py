"""Conversations about exchanges, queues and their consumers, one behaviour per test."""


def test_headers_choose_the_queue_and_properties_come_back_exact_bytes(talk):
    peer = talk()
    peer.connect()
    peer.declare_queue("hot")
    #               Bind: correlation 3, amq.headers -> queue "hot", arguments {"level": text "high"}
    peer.send_bytes("aa 01 2c 08 03 12 0b 616d712e68656164657273 1a 05 7175657565 22 03 686f74"
                    " 32 0f 05 6c6576656c 53 00000004 68696768")
    peer.expect_bytes("c2 01 02 08 03")                       # Done: correlation 3
    #               PublishMessage: id 1, amq.headers, body "!", properties: headers {"level": "high"}, priority 3
    properties = "28 00 0000000f 05 6c6576656c 53 00000004 68696768 03"
    peer.send_bytes(f"f2 01 2a 08 01 12 0b 616d712e68656164657273 32 01 21 4a 16 {properties}")
    peer.expect_bytes("fa 01 04 08 01 10 01")                 # Confirm: id 1 and all before it
    peer.consume("hot")
    delivered = peer.expect("deliver", consumer=1, exchange="amq.headers", body=b"!")
    assert delivered.properties == bytes.fromhex(properties)


def test_what_no_binding_matches_comes_back_whole(talk):
    peer = talk()
    peer.connect()
    headers = [{"name": "unit", "value": b"C"}]
    peer.send("publish_message", id=1, exchange="amq.headers", routing_key="k", key=b"p", headers=headers, body=b"b",
              properties=bytes.fromhex("0800 03"), mandatory=True)
    returned = peer.expect("return", id=1, exchange="amq.headers", routing_key="k", key=b"p", body=b"b",
                           properties=bytes.fromhex("0800 03"))
    assert [(header.name, header.value) for header in returned.headers] == [("unit", b"C")]
    peer.expect("confirm", id=1, multiple=True)


def test_get_takes_one_message_and_says_how_many_are_left_exact_bytes(talk, link_pb2):
    peer = talk()
    peer.connect()
    peer.declare_queue("q")
    peer.publish(1, routing_key="q", body=b"1")
    peer.publish(2, routing_key="q", body=b"2")
    peer.send_bytes("aa 02 05 08 05 12 01 71")                # Get: correlation 5, queue "q"
    got = peer.expect("got", correlation=5, message_count=1)
    assert (got.delivery.consumer, got.delivery.tag, got.delivery.body) == (0, 1, b"1")
    peer.send("settle", tag=1, outcome=link_pb2.Settle.REQUEUE)
    peer.send("get", correlation=6, queue="q", auto_ack=True)
    again = peer.expect("got", correlation=6, message_count=1).delivery
    assert (again.body, again.redelivered, again.delivery_count) == (b"1", True, 1)
    peer.send("get", correlation=7, queue="q", auto_ack=True)
    assert peer.expect("got", correlation=7, message_count=0).delivery.body == b"2"
    peer.send_bytes("aa 02 05 08 08 12 01 71")                # Get: correlation 8, queue "q"
    peer.expect_bytes("b2 02 02 08 08")                       # Got: correlation 8, no delivery


def test_peek_shows_messages_one_after_the_other_exact_bytes(talk):
    peer = talk()
    peer.connect()
    peer.declare_queue("q")
    peer.publish(1, routing_key="q", body=b"1")
    peer.publish(2, routing_key="q", body=b"2")
    peer.send_bytes("aa 02 07 08 05 12 01 71 20 01")          # Get: correlation 5, queue "q", peek
    got = peer.expect("got", correlation=5, message_count=2)
    assert (got.delivery.consumer, got.delivery.tag, got.delivery.body) == (0, 0, b"1")
    assert got.place == bytes.fromhex("00 0000000000000001")  # level 0, after offset 0
    #               Get: correlation 6, queue "q", peek, after that place
    peer.send_bytes("aa 02 12 08 06 12 01 71 20 01 2a 09 000000000000000001")
    assert peer.expect("got", correlation=6, message_count=2).delivery.body == b"2"
    peer.send_bytes("aa 02 12 08 07 12 01 71 20 01 2a 09 000000000000000002")
    peer.expect_bytes("b2 02 04 08 07 10 02")                 # Got: correlation 7, 2 are ready, no delivery
    peer.send("get", correlation=8, queue="q", peek=True, after=b"?")
    peer.expect("error", correlation=8, code=peer.link_pb2.INVALID, field="after")
    peer.send("get", correlation=9, queue="none", peek=True)
    peer.expect("error", correlation=9, code=peer.link_pb2.NOT_FOUND)
    peer.consume("q")
    assert not peer.expect("deliver", body=b"1").redelivered


def test_definitions_come_together_or_not_at_all_exact_bytes(talk):
    peer = talk()
    peer.connect()
    #               Define: correlation 4, exchange "x" of type topic, queue "q", topic "t", binding x -> queue q
    exchange, queue, topic = "12 0a 12 01 78 1a 05 746f706963", "1a 03 12 01 71", "22 03 12 01 74"
    binding = "2a 0d 12 01 78 1a 05 7175657565 22 01 71"
    peer.send_bytes(f"9a 03 27 08 04 {exchange} {queue} {topic} {binding}")
    peer.expect_bytes("c2 01 04 08 04 18 04")                 # Done: correlation 4, 4 are new
    peer.send_bytes(f"9a 03 27 08 05 {exchange} {queue} {topic} {binding}")
    peer.expect_bytes("c2 01 02 08 05")                       # Done: correlation 5, none is new
    #               Define: correlation 6, queue "r", queue "amq.r"
    peer.send_bytes("9a 03 10 08 06 1a 03 12 01 72 1a 07 12 05 616d712e72")
    error = peer.expect("error", correlation=6, code=peer.link_pb2.NOT_ALLOWED, field="queues[1].name")
    assert error.text.startswith("queues[1] 'amq.r': ")
    peer.send("declare_queue", correlation=7, name="r", passive=True)
    peer.expect("error", correlation=7, code=peer.link_pb2.NOT_FOUND)


def test_purge_says_how_many_are_gone_and_leaves_what_is_delivered(talk):
    peer = talk()
    peer.connect()
    peer.declare_queue("q")
    for number in 1, 2, 3:
        peer.publish(number, routing_key="q", body=b"%d" % number)
    peer.consume("q", prefetch=1)
    tag = peer.expect("deliver", body=b"1").tag
    peer.send_bytes("e2 01 05 08 04 12 01 71")                # Purge: correlation 4, queue "q"
    peer.expect_bytes("c2 01 04 08 04 18 02")                 # Done: correlation 4, 2 messages
    peer.send("settle", tag=tag)
    peer.expect_silence()


def test_an_exclusive_queue_is_for_one_connection_and_ends_with_it(talk):
    peer, other = talk(), talk()
    peer.connect()
    other.connect()
    peer.send("declare_queue", correlation=2, name="", exclusive=True)
    name = peer.expect("done", correlation=2).name
    assert name.startswith("amq.gen-") and len(name) == 30
    for request, fields in (("declare_queue", {"name": name}), ("declare_queue", {"name": name, "passive": True}),
                            ("get", {"queue": name}), ("purge", {"queue": name}),
                            ("consume", {"queue": name, "consumer": 1}), ("delete", {"kind": "queue", "name": name})):
        other.send(request, correlation=3, **fields)
        other.expect("error", correlation=3, code=other.link_pb2.LOCKED)
    other.publish(1, routing_key=name, body=b"m")
    peer.consume(name)
    peer.expect("deliver", body=b"m")
    peer.close()
    while True:  # the broker sees the end of the connection a little later
        other.send("declare_queue", correlation=4, name=name, passive=True)
        if other.expect("error", correlation=4).code == other.link_pb2.NOT_FOUND:
            return


def test_the_end_of_a_queue_ends_its_consumers_exact_bytes(talk):
    peer, other = talk(), talk()
    peer.connect()
    other.connect()
    peer.declare_queue("q")
    peer.consume("q", consumer=7)
    other.send("delete", correlation=3, kind="queue", name="q", if_unused=True)
    other.expect("error", correlation=3, code=other.link_pb2.PRECONDITION, field="if_unused")
    other.send("delete", correlation=4, kind="queue", name="q")
    other.expect("done", correlation=4)
    peer.expect_bytes("ba 02 05 08 07 12 01 71")              # Cancelled: consumer 7, queue "q"
    peer.send("cancel", correlation=5, consumer=7)
    peer.expect("error", correlation=5, code=peer.link_pb2.NOT_FOUND)


def test_consumers_of_a_higher_priority_come_first(talk):
    low, high = talk(), talk()
    low.connect()
    high.connect()
    low.declare_queue("q")
    low.consume("q", priority=-1)
    high.consume("q", priority=1, prefetch=1)
    low.publish(1, routing_key="q", body=b"1")
    high.expect("deliver", body=b"1")
    low.publish(2, routing_key="q", body=b"2")
    low.expect("deliver", body=b"2")
    low.send("consume", correlation=6, consumer=2, queue="q", exclusive=True)
    low.expect("error", correlation=6, code=low.link_pb2.NOT_ALLOWED, field="exclusive")


def test_a_dead_letter_says_how_it_died_exact_bytes(talk, link_pb2):
    peer = talk()
    peer.connect()
    peer.declare_queue("d")
    #               DeclareQueue: correlation 3, name "q", dead_letter_exchange "", dead_letter_key "d"
    peer.send_bytes("9a 01 0b 08 03 12 01 71 72 00 82 01 01 64")
    peer.expect("done", correlation=3, name="q")
    peer.publish(1, routing_key="q", body=b"b")
    peer.consume("q")
    tag = peer.expect("deliver", body=b"b").tag
    peer.send("settle", tag=tag, outcome=link_pb2.Settle.DISCARD)
    peer.consume("d", consumer=2)
    dead = peer.expect("deliver", consumer=2, routing_key="d", redelivered=False, delivery_count=0)
    death, = dead.deaths.list
    assert death.time_ms > 0
    death.time_ms = 0
    #      list {queue "q", reason REJECTED, count 1, routing key "q"}, first queue "q", first reason REJECTED
    assert dead.deaths.SerializeToString().hex(" ") == "0a 0a 0a 01 71 10 01 18 01 32 01 71 12 01 71 18 01"


def test_a_transaction_publishes_and_settles_or_does_nothing(talk, link_pb2):
    peer = talk()
    peer.connect()
    for name in "in", "out":
        peer.declare_queue(name)
    peer.publish(1, routing_key="in", body=b"b")
    peer.consume("in")
    tag = peer.expect("deliver", body=b"b").tag
    to_out = {"routing_key": "out", "body": b"r", "id": 5}
    peer.send("transact", correlation=7, publish=[to_out, {"exchange": "none"}], settle=[{"tag": tag}])
    refused = peer.expect("error", correlation=7, code=link_pb2.NOT_FOUND)
    assert refused.text.startswith("message 2 of the transaction: no exchange 'none'")
    nobody = {"routing_key": "nobody", "mandatory": True, "id": 6, "body": b"n"}
    peer.send("transact", correlation=8, publish=[to_out, nobody], settle=[{"tag": tag}])
    peer.expect("return", id=6, body=b"n")
    peer.expect("done", correlation=8, message_count=1)
    peer.send("settle", tag=tag)
    peer.expect("error", code=link_pb2.NOT_FOUND)             # settled by the transaction
    peer.consume("out", consumer=2)
    peer.expect("deliver", consumer=2, body=b"r")


def test_a_delayed_message_is_confirmed_at_once_and_comes_later(talk):
    peer = talk()
    peer.connect()
    peer.declare_queue("q")
    peer.consume("q")
    #               PublishMessage: id 1, routing key "q", body "b", delay_ms 300
    peer.send_bytes("f2 01 0b 08 01 1a 01 71 32 01 62 50 ac 02")
    peer.expect_bytes("fa 01 04 08 01 10 01")                 # Confirm: id 1
    peer.expect_silence(0.15)
    peer.expect("deliver", body=b"b", redelivered=False)


def test_a_reply_comes_to_the_one_that_asked_exact_bytes(talk):
    peer, other = talk(), talk()
    peer.connect()
    other.connect()
    peer.declare_queue("q")
    #               Consume: correlation 3, consumer 1, queue "amq.rabbitmq.reply-to", auto_ack
    peer.send_bytes("8a 02 1d 08 03 10 01 1a 15 616d712e7261626269746d712e7265706c792d746f 28 01")
    peer.expect_bytes("c2 01 02 08 03")                       # Done: correlation 3
    #               PublishMessage: id 1, key "q", properties: reply_to "amq.rabbitmq.reply-to"
    peer.send_bytes("f2 01 1f 08 01 1a 01 71 4a 18 0200 15 616d712e7261626269746d712e7265706c792d746f")
    peer.expect_bytes("fa 01 04 08 01 10 01")                 # Confirm: id 1 and all before it
    other.send("get", correlation=2, queue="q", auto_ack=True)
    request = other.expect("got", correlation=2).delivery
    assert request.properties[:3] == bytes.fromhex("0200 3a")
    address = request.properties[3:].decode()
    assert address.startswith("amq.rabbitmq.reply-to.") and len(address) == 58
    other.publish(1, routing_key=address, body=b"!")
    delivered = peer.expect("deliver", consumer=1, tag=1, exchange="", routing_key=address, body=b"!")
    assert not delivered.redelivered
    peer.send("cancel", correlation=4, consumer=1)
    peer.expect("done", correlation=4)
    other.send("publish_message", id=2, routing_key=address, body=b"late", mandatory=True)
    other.expect("return", id=2, body=b"late")
    other.expect("confirm", id=2)
