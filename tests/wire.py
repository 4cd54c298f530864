"""A peer on a raw socket that sends and receives frames of the link protocol, by name or as exact bytes."""

import importlib
import json
import socket
import subprocess
import sys

import processes

SCHEMA = processes.TOP / "firmware" / "wire" / "link.proto"
WAIT_SECONDS = 10


def load_schema(folder, schema):
    """Returns a schema as a Python module, which protoc generates into `folder`, as any other project would do it."""
    schema = processes.TOP / schema
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["protoc", f"--proto_path={schema.parent}", f"--python_out={folder}", schema.name], check=True)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return importlib.import_module(f"{schema.stem}_pb2")


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def raw_frame(member, body):
    """Returns a frame with any member number and any body."""
    return varint(member * 8 + 2) + varint(len(body)) + body


class Ended(Exception):
    """Raised if the other side closed the connection."""


class Peer:
    """One connection. Keeps all bytes that it sent and received, in `sent` and `received`."""

    def __init__(self, port, link_pb2, accepted=None):
        """Connects to `port`. `accepted`: uses this socket of a test's own listener instead."""
        self.link_pb2 = link_pb2
        self.socket = accepted or socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS)
        self.socket.settimeout(WAIT_SECONDS)
        self.sent, self.received = bytearray(), bytearray()
        self.at = 0  # bytes of `received` that were read

    def close(self):
        self.socket.close()

    def send_bytes(self, data):
        data = bytes.fromhex(data) if isinstance(data, str) else bytes(data)
        self.sent += data
        self.socket.sendall(data)

    def frame(self, member, **fields):
        """Returns the bytes of one frame: a Link with one member."""
        message = getattr(self.link_pb2, type_name(self.link_pb2, member))(**fields)
        return self.link_pb2.Link(**{member: [message]}).SerializeToString()

    def send(self, member, **fields):
        self.send_bytes(self.frame(member, **fields))

    def read(self, size):
        """Returns the next `size` bytes."""
        while len(self.received) < self.at + size:
            data = self.socket.recv(65536)
            if not data:
                raise Ended(f"closed after {len(self.received)} bytes")
            self.received += data
        self.at += size
        return bytes(self.received[self.at - size:self.at])

    def forget(self):
        """Drops the bytes sent, and those received and read, so that a long conversation does not use up memory."""
        del self.received[:self.at]
        self.at = 0
        self.sent.clear()

    def read_varint(self):
        value = shift = 0
        while True:
            byte = self.read(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def receive(self):
        """Returns the next frame as (member's name, message)."""
        number = self.read_varint() >> 3
        field = self.link_pb2.Link.DESCRIPTOR.fields_by_number[number]
        message = getattr(self.link_pb2, field.message_type.name)()
        message.ParseFromString(self.read(self.read_varint()))
        return field.name, message

    def expect(self, member, **fields):
        """Returns the next frame, which must be this member with these fields."""
        name, message = self.receive()
        found = {field: getattr(message, field) for field in fields}
        assert (name, found) == (member, fields), f"came {name}:\n{message}"
        return message

    def expect_bytes(self, text):
        """Reads the next bytes, which must be exactly these (hex)."""
        wanted = bytes.fromhex(text)
        assert self.read(len(wanted)).hex(" ") == wanted.hex(" ")

    def expect_end(self, seconds=WAIT_SECONDS):
        """Waits until the other side closes. It may not send another byte."""
        self.socket.settimeout(seconds)
        try:
            rest = self.read(1)
        except (Ended, ConnectionResetError):
            return
        raise AssertionError(f"not closed, but 0x{rest.hex()}")

    def receive_for(self, seconds):
        """Returns the next frame like receive(), or None if none begins to come in time."""
        if len(self.received) == self.at:
            self.socket.settimeout(seconds)
            try:
                self.read(1)
                self.at -= 1
            except TimeoutError:
                return None
            finally:
                self.socket.settimeout(WAIT_SECONDS)
        return self.receive()

    def expect_silence(self, seconds=0.3):
        self.socket.settimeout(seconds)
        try:
            rest = self.read(1)
        except TimeoutError:
            self.socket.settimeout(WAIT_SECONDS)
            return
        raise AssertionError(f"not silent, but 0x{rest.hex()}")

    # Requests with which many conversations start.

    def connect(self, **fields):
        self.send("connect", **{"correlation": 1, "version": 1, "name": "conversation", **fields})
        return self.expect("connected", correlation=fields.get("correlation", 1))

    def hello(self, device=b"s1", epoch=7, **fields):
        self.send("hello", **{"version": 1, "device": device, "epoch": epoch, "boot": 1, "next_sequence": 1,
                              "oldest_sequence": 1, "largest_frame": 512, **fields})
        return self.expect("welcome", status=self.link_pb2.OK)

    def declare_queue(self, name):
        self.send("declare_queue", correlation=2, name=name)
        return self.expect("done", correlation=2)

    def consume(self, queue, consumer=1, correlation=3, **fields):
        self.send("consume", correlation=correlation, consumer=consumer, queue=queue, **fields)
        self.expect("done", correlation=correlation)

    def list(self, kind, max_bytes=0):
        """Returns the pages of a list, each as its rows."""
        pages, after = [], b""
        while not pages or after:
            self.send("list", correlation=8, kind=kind, after=after, max_bytes=max_bytes)
            listed = self.expect("listed", correlation=8)
            pages.append(json.loads(listed.json))
            after = listed.next
            self.forget()
        return pages

    def publish(self, identity, **fields):
        """Publishes and waits for the confirm."""
        self.send("publish_message", id=identity, **fields)
        return self.expect("confirm", id=identity, code=self.link_pb2.OK)


def type_name(link_pb2, member):
    return link_pb2.Link.DESCRIPTOR.fields_by_name[member].message_type.name
