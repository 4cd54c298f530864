"""A real RabbitMQ of Debian's package, with an epmd of its own, and the same small set of calls on it and on Tidegate.

Both sides answer in the same words, so that a scenario can be played on both and what it saw compared:
    publish  -> "confirmed", "returned" or "refused"
    get      -> None, or (body, is redelivered, tag)
    letter   -> None, or {body, exchange, key, priority, expiration, deaths: (queue, reason, count, exchange, keys,
                expiration) each}
    refusals -> Refused with "not found", "precondition", "not allowed" or "locked"
"""

import pathlib
import struct

import processes
import wire

SCRIPTS = pathlib.Path("/usr/lib/rabbitmq/bin")
START_SECONDS = 120
WAIT_SECONDS = 5
QUIET_SECONDS = 0.3  # in which nothing more comes


class Refused(Exception):
    """A request was refused; the argument says how."""


def missing():
    """Returns what is not installed; empty if all is there."""
    if not (SCRIPTS / "rabbitmq-server").exists():
        return "rabbitmq-server"
    try:
        import pika  # noqa: F401
    except ImportError:
        return "python3-pika"
    return ""


class RabbitMq:
    """A running RabbitMQ."""

    def __init__(self, desk):
        self.folder = desk.folder / "rabbitmq"
        self.folder.mkdir()
        self.port, epmd_port, distribution_port = (processes.free_port() for _ in range(3))
        files = {"rabbitmq.conf": f"listeners.tcp.1 = 127.0.0.1:{self.port}\n", "plugins": "[].\n", "env.conf": ""}
        for name, text in files.items():
            (self.folder / name).write_text(text)
        environment = {
            "HOME": self.folder, "ERL_EPMD_PORT": epmd_port, "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": "compared@localhost", "RABBITMQ_DIST_PORT": distribution_port,
            "RABBITMQ_CONF_ENV_FILE": self.folder / "env.conf", "RABBITMQ_CONFIG_FILE": self.folder / "rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.folder / "plugins", "RABBITMQ_MNESIA_BASE": self.folder / "data",
            "RABBITMQ_LOG_BASE": self.folder / "log", "RABBITMQ_LOGS": "-",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RUNNING_UNDER_SYSTEMD": "true"}  # the Erlang machine then replaces the script that starts it
        self.epmd = desk.make("epmd", ["/usr/bin/epmd", "-port", str(epmd_port), "-address", "127.0.0.1"])
        self.server = desk.make("rabbitmq", [SCRIPTS / "rabbitmq-server"],
                                {name: str(value) for name, value in environment.items()})

    def start(self):
        self.epmd.start()
        self.server.start()
        self.server.wait_output("Server startup complete", START_SECONDS)
        return self

    def connect(self):
        return AmqpSide(self.port)


class AmqpSide:
    """One connection to RabbitMQ, by pika. A refused request closes its channel, and the next one opens another."""

    def __init__(self, port):
        import pika
        self.pika = pika
        self.connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port, heartbeat=0))
        self.consumers = {}
        self.open()

    def open(self):
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()

    def close(self):
        self.connection.close()

    def ask(self, call, **fields):
        words = {403: "not allowed", 404: "not found", 405: "locked", 406: "precondition"}
        try:
            return call(**fields)
        except self.pika.exceptions.ChannelClosedByBroker as closed:
            self.open()
            raise Refused(words.get(closed.reply_code, str(closed.reply_code))) from None

    def exchange(self, name, kind="direct", passive=False, auto_delete=False, internal=False, alternate=None):
        arguments = {} if alternate is None else {"alternate-exchange": alternate}
        self.ask(self.channel.exchange_declare, exchange=name, exchange_type=kind, passive=passive, durable=True,
                 auto_delete=auto_delete, internal=internal, arguments=arguments)

    def queue(self, name="", passive=False, exclusive=False, auto_delete=False, length=None, bytes_max=None,
              overflow=None, single_active=False, ttl=None, expires=None, dead_exchange=None, dead_key=None, limit=None,
              priorities=None):
        """Returns (name, ready messages, consumers)."""
        overflows = {"reject": "reject-publish", "reject-dead-letter": "reject-publish-dlx", None: None}
        arguments = {"x-max-length": length, "x-max-length-bytes": bytes_max, "x-overflow": overflows[overflow],
                     "x-single-active-consumer": single_active or None, "x-message-ttl": ttl, "x-expires": expires,
                     "x-dead-letter-exchange": dead_exchange, "x-dead-letter-routing-key": dead_key,
                     "x-max-priority": priorities}
        if limit is not None:  # only quorum queues count deliveries
            arguments |= {"x-queue-type": "quorum", "x-delivery-limit": limit}
        done = self.ask(self.channel.queue_declare, queue=name, passive=passive, durable=not exclusive,
                        exclusive=exclusive, auto_delete=auto_delete,
                        arguments={key: value for key, value in arguments.items() if value is not None}).method
        return done.queue, done.message_count, done.consumer_count

    def bind(self, exchange, queue, key="", arguments=None):
        self.ask(self.channel.queue_bind, queue=queue, exchange=exchange, routing_key=key, arguments=arguments)

    def unbind(self, exchange, queue, key="", arguments=None):
        self.ask(self.channel.queue_unbind, queue=queue, exchange=exchange, routing_key=key, arguments=arguments)

    def link(self, source, target, key=""):
        self.ask(self.channel.exchange_bind, destination=target, source=source, routing_key=key)

    def unlink(self, source, target, key=""):
        self.ask(self.channel.exchange_unbind, destination=target, source=source, routing_key=key)

    def delete_exchange(self, name, if_unused=False):
        self.ask(self.channel.exchange_delete, exchange=name, if_unused=if_unused)

    def delete_queue(self, name, if_unused=False, if_empty=False):
        return self.ask(self.channel.queue_delete, queue=name, if_unused=if_unused,
                        if_empty=if_empty).method.message_count

    def purge(self, name):
        return self.ask(self.channel.queue_purge, queue=name).method.message_count

    def publish(self, exchange, key, body, headers=None, mandatory=True, expiration=None, priority=None, reply_to=None):
        properties = self.pika.BasicProperties(headers=headers, delivery_mode=2, expiration=expiration,
                                               priority=priority, reply_to=reply_to)
        try:
            self.ask(self.channel.basic_publish, exchange=exchange, routing_key=key, body=body, mandatory=mandatory,
                     properties=properties)
        except self.pika.exceptions.UnroutableError:
            return "returned"
        except self.pika.exceptions.NackError:
            return "refused"
        return "confirmed"

    def get(self, queue, auto_ack=False):
        method, _, body = self.ask(self.channel.basic_get, queue=queue, auto_ack=auto_ack)
        return None if method is None else (body, method.redelivered, method.delivery_tag)

    def address(self, queue):
        """Takes a request from the queue and returns where its reply is to go."""
        return self.channel.basic_get(queue, auto_ack=True)[1].reply_to

    def letter(self, queue):
        method, properties, body = self.ask(self.channel.basic_get, queue=queue, auto_ack=True)
        if method is None:
            return None
        deaths = [(one["queue"], one["reason"], one["count"], one["exchange"], tuple(one["routing-keys"]),
                   one.get("original-expiration")) for one in (properties.headers or {}).get("x-death", [])]
        return {"body": body, "exchange": method.exchange, "key": method.routing_key,
                "priority": properties.priority, "expiration": properties.expiration, "deaths": deaths}

    def ack(self, tag, multiple=False):
        self.channel.basic_ack(tag, multiple)

    def requeue(self, tag, multiple=False):
        self.channel.basic_nack(tag, multiple, requeue=True)

    def discard(self, tag):
        self.channel.basic_reject(tag, requeue=False)

    def consume(self, queue, prefetch=0, auto_ack=False, exclusive=False, priority=0):
        """Returns a name for the consumer, whose deliveries come by received()."""
        self.channel.basic_qos(prefetch_count=prefetch)
        mine = []
        tag = self.ask(self.channel.basic_consume, queue=queue, auto_ack=auto_ack, exclusive=exclusive,
                       arguments={"x-priority": priority} if priority else None,
                       on_message_callback=lambda _, method, properties, body: mine.append(
                           (body, method.redelivered, method.delivery_tag)))
        self.consumers[tag] = mine
        self.channel.add_on_cancel_callback(lambda frame: self.consumers[frame.method.consumer_tag].append("cancelled"))
        return tag

    def received(self, consumer, count):
        """Returns `count` deliveries of the consumer, and any that come soon after them."""
        mine = self.consumers[consumer]
        processes.wait_until(lambda: self.turn(0.02) or len(mine) >= count, WAIT_SECONDS, f"{count} deliveries")
        self.turn(QUIET_SECONDS)
        taken, mine[:] = list(mine), []
        return taken

    def turn(self, seconds):
        self.connection.process_data_events(seconds)

    def cancel(self, consumer):
        self.channel.basic_cancel(consumer)

    def settle_down(self):
        """Returns when the broker has processed everything that was sent before."""
        self.channel.queue_declare("", exclusive=True, auto_delete=True)


class NativeSide:
    """One connection to Tidegate with the same calls."""

    def __init__(self, port, link_pb2):
        self.peer = wire.Peer(port, link_pb2)
        self.link_pb2 = link_pb2
        self.peer.connect()
        self.ids, self.consumers, self.numbers = 0, {}, 0

    def close(self):
        self.peer.close()

    def answer(self, member, **fields):
        """Sends a request and returns its answer; deliveries that come before it are kept."""
        self.peer.send(member, correlation=9, **fields)
        while True:
            name, message = self.peer.receive()
            if not self.keep(name, message):
                break
        if name == "error":
            # AMQP has one code for what is out of range and for what differs.
            words = {"NOT_FOUND": "not found", "PRECONDITION": "precondition", "INVALID": "precondition",
                     "NOT_ALLOWED": "not allowed",
                     "LOCKED": "locked"}
            code = self.link_pb2.Code.Name(message.code)
            raise Refused(words.get(code, code))
        return message

    def keep(self, name, message):
        if name == "deliver":
            self.consumers[message.consumer].append((message.body, message.redelivered, message.tag))
        if name == "cancelled":
            self.consumers[message.consumer].append("cancelled")
        return name in ("deliver", "cancelled")

    def exchange(self, name, kind="direct", passive=False, auto_delete=False, internal=False, alternate=None):
        fields = {} if alternate is None else {"alternate": alternate}
        self.answer("declare_exchange", name=name, type=kind, passive=passive, auto_delete=auto_delete,
                    internal=internal, exact=True, **fields)

    def queue(self, name="", passive=False, exclusive=False, auto_delete=False, length=None, bytes_max=None,
              overflow=None, single_active=False, ttl=None, expires=None, dead_exchange=None, dead_key=None, limit=None,
              priorities=None):
        rules = {"time_to_live_ms": ttl, "expires_ms": expires, "dead_letter_exchange": dead_exchange,
                 "dead_letter_key": dead_key, "delivery_limit": limit, "priority_max": priorities}
        done = self.answer("declare_queue", name=name, passive=passive, exclusive=exclusive, auto_delete=auto_delete,
                           messages_max=length or 0, bytes_max=bytes_max or 0, overflow=overflow or "", exact=True,
                           single_active=single_active,
                           **{name: value for name, value in rules.items() if value is not None})
        return done.name, done.message_count, done.consumers

    def bind(self, exchange, queue, key="", arguments=None):
        self.answer("bind", exchange=exchange, target_kind="queue", target=queue, routing_key=key,
                    arguments=table(arguments))

    def unbind(self, exchange, queue, key="", arguments=None):
        self.answer("unbind", exchange=exchange, target_kind="queue", target=queue, routing_key=key,
                    arguments=table(arguments))

    def link(self, source, target, key=""):
        self.answer("bind", exchange=source, target_kind="exchange", target=target, routing_key=key)

    def unlink(self, source, target, key=""):
        self.answer("unbind", exchange=source, target_kind="exchange", target=target, routing_key=key)

    def delete_exchange(self, name, if_unused=False):
        self.answer("delete", kind="exchange", name=name, if_unused=if_unused)

    def delete_queue(self, name, if_unused=False, if_empty=False):
        return self.answer("delete", kind="queue", name=name, if_unused=if_unused, if_empty=if_empty).message_count

    def purge(self, name):
        return self.answer("purge", queue=name).message_count

    def publish(self, exchange, key, body, headers=None, mandatory=True, expiration=None, priority=None, reply_to=None):
        self.ids += 1
        properties = encode_properties(headers, priority, reply_to, expiration)
        self.peer.send("publish_message", id=self.ids, exchange=exchange, routing_key=key, body=body,
                       mandatory=mandatory, properties=properties)
        is_returned = False
        while True:
            name, message = self.peer.receive()
            is_returned = is_returned or name == "return"
            if name == "confirm":
                break
            self.keep(name, message)
        codes = {0: "confirmed", self.link_pb2.TARGET_FULL: "refused"}
        if message.code not in codes:
            words = {self.link_pb2.NOT_FOUND: "not found", self.link_pb2.NOT_ALLOWED: "not allowed",
                     self.link_pb2.PRECONDITION: "precondition"}
            raise Refused(words[message.code])
        return "returned" if is_returned else codes[message.code]

    def get(self, queue, auto_ack=False):
        got = self.answer("get", queue=queue, auto_ack=auto_ack)
        delivery = got.delivery
        return (delivery.body, delivery.redelivered, delivery.tag) if got.HasField("delivery") else None

    def address(self, queue):
        got = self.answer("get", queue=queue, auto_ack=True)
        return decode_properties(got.delivery.properties)["reply_to"]

    def letter(self, queue):
        got = self.answer("get", queue=queue, auto_ack=True)
        if not got.HasField("delivery"):
            return None
        delivery = got.delivery
        deaths = [(one.queue, self.link_pb2.Deaths.Reason.Name(one.reason).lower(), one.count, one.exchange,
                   tuple(one.routing_keys), str(one.original_expiration - 1) if one.original_expiration else None)
                  for one in delivery.deaths.list]
        properties = decode_properties(delivery.properties)
        return {"body": delivery.body, "exchange": delivery.exchange, "key": delivery.routing_key,
                "priority": properties["priority"], "expiration": properties["expiration"], "deaths": deaths}

    def ack(self, tag, multiple=False):
        self.peer.send("settle", tag=tag, multiple=multiple)

    def requeue(self, tag, multiple=False):
        self.peer.send("settle", tag=tag, multiple=multiple, outcome=self.link_pb2.Settle.REQUEUE)

    def discard(self, tag):
        self.peer.send("settle", tag=tag, outcome=self.link_pb2.Settle.DISCARD)

    def consume(self, queue, prefetch=0, auto_ack=False, exclusive=False, priority=0):
        self.numbers += 1
        self.consumers[self.numbers] = []
        self.answer("consume", consumer=self.numbers, queue=queue, prefetch=prefetch, auto_ack=auto_ack,
                    exclusive=exclusive, priority=priority)
        return self.numbers

    def received(self, consumer, count):
        mine = self.consumers[consumer]
        while len(mine) < count:
            assert self.keep(*self.peer.receive())
        while (more := self.peer.receive_for(QUIET_SECONDS)) is not None:
            assert self.keep(*more)
        taken, mine[:] = list(mine), []
        return taken

    def cancel(self, consumer):
        """Here unsettled deliveries return to the queue, in AMQP they outlive the consumer: settle them before."""
        self.answer("cancel", consumer=consumer)

    def settle_down(self):
        self.answer("declare_queue", name="", exclusive=True)


def table(fields):
    """Returns a field table of AMQP 0-9-1 without its length, as pika encodes the same values."""
    out = b""
    for name, value in (fields or {}).items():
        out += bytes([len(name)]) + name.encode()
        if value is None:
            out += b"V"
        elif isinstance(value, bool):
            out += b"t" + bytes([value])
        elif isinstance(value, int):
            out += b"l" + struct.pack(">q", value)
        elif isinstance(value, float):
            out += b"d" + struct.pack(">d", value)
        else:
            out += b"S" + struct.pack(">I", len(value)) + value.encode()
    return out


HEADERS, PRIORITY, REPLY_TO, EXPIRATION = 1 << 13, 1 << 11, 1 << 9, 1 << 8


def short_text(value):
    return bytes([len(value)]) + value.encode()


def encode_properties(headers, priority=None, reply_to=None, expiration=None):
    """Returns properties in the layout of AMQP's content header."""
    flags, values = 0, b""
    if headers is not None:
        encoded = table(headers)
        flags, values = flags | HEADERS, values + struct.pack(">I", len(encoded)) + encoded
    if priority is not None:
        flags, values = flags | PRIORITY, values + bytes([priority])
    for flag, text in ((REPLY_TO, reply_to), (EXPIRATION, expiration)):
        if text is not None:
            flags, values = flags | flag, values + short_text(text)
    return struct.pack(">H", flags) + values if flags else b""


def decode_properties(encoded):
    """Returns those properties that encode_properties() takes, without headers; there may be no others."""
    found = dict.fromkeys(("priority", "reply_to", "expiration"))
    if not encoded:
        return found
    flags, at = struct.unpack(">H", encoded[:2])[0], 2
    assert flags & ~(HEADERS | PRIORITY | REPLY_TO | EXPIRATION) == 0
    if flags & HEADERS:
        at += 4 + struct.unpack(">I", encoded[at:at + 4])[0]
    if flags & PRIORITY:
        found["priority"] = encoded[at]
        at += 1
    for flag, name in ((REPLY_TO, "reply_to"), (EXPIRATION, "expiration")):
        if flags & flag:
            end = at + 1 + encoded[at]
            found[name] = encoded[at + 1:end].decode()
            at = end
    return found
