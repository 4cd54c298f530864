"""The brokers that flash_wear.py compares. Each class has a broker's configuration and the part of its protocol that a
publisher needs: publish one message, count the confirms. All brokers confirm in order on one connection."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import processes  # noqa: E402
import wire  # noqa: E402

BODY = b"x" * 100
START_SECONDS = 60


class Broker:
    """A broker that runs in a folder. Subclasses have its configuration, its protocol and what its confirm promises."""

    name = promise = package = program = ""

    def __init__(self):
        self.process = self.socket = self.folder = None
        self.port = processes.free_port()
        self.unread = b""

    def missing(self):
        """Returns why this broker cannot be measured here; empty = it can."""
        return "" if shutil.which(self.program) else f"apt-get install {self.package}"

    def start(self, folder):
        self.folder = folder
        config = folder / "broker.conf"
        config.write_text(self.configuration())
        with open(folder.parent / "broker.log", "wb") as log:
            self.process = subprocess.Popen(self.command(config), stdout=log, stderr=log)
        processes.wait_until(self.is_ready, START_SECONDS, f"{self.name} to start")
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=START_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.prepare()

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def command(self, config):
        raise NotImplementedError

    def configuration(self):
        raise NotImplementedError

    def prepare(self):
        """Sends the greeting on the new connection, and creates the session or stream that holds the messages."""

    def published(self, number):
        """Returns the bytes that publish message `number`, from 1."""
        raise NotImplementedError

    def confirms(self, data):
        """Returns how many messages these bytes from the broker confirm."""
        raise NotImplementedError

    def held_at_once(self, _rate):
        """Returns how many messages the broker must hold before it writes; 0 = it writes in any case."""
        return 0

    def finish(self):
        """Makes the broker write now what it would write later by itself."""

    def charged(self):
        """Returns the bytes written that the kernel has charged to the broker's process."""
        counts = pathlib.Path(f"/proc/{self.process.pid}/io").read_text()
        return int(re.search(r"^write_bytes: (\d+)", counts, re.MULTILINE).group(1))

    def stop(self):
        if self.socket is not None:
            self.socket.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class Tidegate(Broker):
    def __init__(self, program, profile):
        super().__init__()
        self.program, self.profile, self.name = str(program), profile, f"tidegate, {profile}"
        self.promise = "confirmed after the synced commit that holds the message; nothing confirmed is lost"
        self.confirmed = 0

    def missing(self):
        return "" if os.access(self.program, os.X_OK) else f"build {self.program}"

    def command(self, config):
        return [self.program, "--config", config]

    def configuration(self):
        return f"""[store]
path = "{self.folder}/store"
bytes_max = "256M"
[commit]
profile = "{self.profile}"
[native]
listen = "127.0.0.1:{self.port}"
[[queue]]
name = "held"
"""

    def prepare(self):
        # Connect: correlation, version. The answer is not checked here: after a refusal, the first confirm fails.
        self.socket.sendall(wire.raw_frame(16, b"\x08\x01\x10\x01"))

    def published(self, number):
        identity = b"\x08" + wire.varint(number)
        return wire.raw_frame(30, identity + b"\x1a\x04held" + b"\x32" + wire.varint(len(BODY)) + BODY)

    def confirms(self, data):
        self.unread += data
        before = self.confirmed
        for member, body in self.frames():
            fields = dict(members(body))
            if member == 25 or member == 31 and fields.get(3):
                raise RuntimeError(f"{self.name} refused: {body}")
            if member == 31:
                self.confirmed = fields[1]
        return self.confirmed - before

    def frames(self):
        while True:
            try:
                key, at = take_varint(self.unread, 0)
                size, at = take_varint(self.unread, at)
            except IndexError:
                return
            if len(self.unread) < at + size:
                return
            body, self.unread = self.unread[at:at + size], self.unread[at + size:]
            yield key >> 3, body


def take_varint(data, at):
    value = shift = 0
    while True:
        byte, at = data[at], at + 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def members(body):
    """Yields (number, value) of each member of a protobuf message that has only numbers and bytes."""
    at = 0
    while at < len(body):
        key, at = take_varint(body, at)
        value, at = take_varint(body, at)
        if key & 7 == 2:
            value, at = body[at:at + value], at + value
        yield key >> 3, value


class Mosquitto(Broker):
    """Mosquitto, with QoS 1 into the durable session of a subscriber that is away, so that it keeps the messages."""

    package, program = "mosquitto", "/usr/sbin/mosquitto"
    SAVED_AT_ONCE_MAX = 100_000
    on_changes = False

    def __init__(self, autosave_seconds):
        super().__init__()
        self.autosave = autosave_seconds
        self.name = f"mosquitto, autosave {autosave_seconds} s"
        self.promise = f"PUBACK from memory, saved every {autosave_seconds} s: a power cut loses what came since"

    def command(self, config):
        return [self.program, "-c", config]

    def configuration(self):
        return f"""listener {self.port} 127.0.0.1
allow_anonymous true
set_tcp_nodelay true
user root
persistence true
persistence_location {self.folder}/
autosave_interval {self.autosave}
autosave_on_changes {str(self.on_changes).lower()}
max_queued_messages 0
"""

    def prepare(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=START_SECONDS) as subscriber:
            subscriber.sendall(mqtt(0x10, b"\0\x04MQTT\x04\0\0\0\0\x06worker") + mqtt(0x82, b"\0\x01\0\x04held\x01"))
            answers = subscriber.recv(4, socket.MSG_WAITALL) + subscriber.recv(5, socket.MSG_WAITALL)
            assert answers == b"\x20\x02\0\0\x90\x03\0\x01\x01", answers
            subscriber.sendall(mqtt(0xE0, b""))
        self.socket.sendall(mqtt(0x10, b"\0\x04MQTT\x04\x02\0\0\0\x09publisher"))
        assert self.socket.recv(4, socket.MSG_WAITALL) == b"\x20\x02\0\0"

    def published(self, number):
        return mqtt(0x32, b"\0\x04held" + (number % 65535 + 1).to_bytes(2, "big") + BODY)

    def confirms(self, data):
        self.unread += data
        count = len(self.unread) // 4
        if any(self.unread[4 * at:4 * at + 2] != b"\x40\x02" for at in range(count)):
            raise RuntimeError(f"{self.name} sent what is no PUBACK")
        self.unread = self.unread[4 * count:]
        return count

    def held_at_once(self, rate):
        """With an autosave interval longer than the measurement: as many messages as a save would find, but at most
        SAVED_AT_ONCE_MAX."""
        return min(rate * self.autosave, self.SAVED_AT_ONCE_MAX) if self.autosave > 60 else 0

    def finish(self):
        if self.autosave <= 60:
            return
        self.process.send_signal(signal.SIGUSR1)  # save now
        self.wait_until_saved()

    def wait_until_saved(self):
        saved, size = self.folder / "mosquitto.db", -1
        processes.wait_until(saved.exists, START_SECONDS, "the file of mosquitto")
        while size != saved.stat().st_size:
            size = saved.stat().st_size
            time.sleep(1)


class MosquittoOnChanges(Mosquitto):
    """Mosquitto that saves everything it holds after every message. No other setting comes closer to a confirm of
    messages that are on flash."""

    on_changes = True

    def __init__(self):
        super().__init__(1)  # autosave_interval counts changes now, not seconds
        self.name = "mosquitto, autosave on changes"
        # The PUBACK precedes the save, and the save's rename reaches the flash only with the file system's next commit.
        self.promise = ("PUBACK from memory, then everything held is saved, once for each message: a power cut may "
                        "lose the last one or two confirmed")

    def finish(self):
        self.wait_until_saved()


def mqtt(kind, body):
    return bytes([kind]) + wire.varint(len(body)) + body


class Nats(Broker):
    """NATS with a JetStream stream in files. Each publish has a reply subject, to which the acknowledgement is sent."""

    package, program = "nats-server", "/usr/sbin/nats-server"

    def __init__(self, program, sync):
        """`sync`: the server's sync_interval; empty = its default of 2 minutes."""
        super().__init__()
        self.program, self.sync = program, sync
        self.name = f"nats jetstream{self.version()}, sync {sync or '2 min'}"
        self.promise = ("acknowledged after the synced write" if sync else
                        "acknowledged after write(), synced every 2 minutes: a power cut may lose what came since")

    def version(self):
        if not shutil.which(self.program):
            return ""
        shown = subprocess.run([self.program, "--version"], check=True, capture_output=True, text=True).stdout
        return " " + shown.split()[-1].removeprefix("v")

    def missing(self):
        absent = super().missing()
        if absent and self.program != Nats.program:
            return f"no program {self.program}"
        if absent or not self.sync:
            return absent
        probe = subprocess.run([self.program, "-t", "-c", "/dev/stdin"], input=f"jetstream {{ {self.option()} }}",
                               capture_output=True, text=True)
        return "" if probe.returncode == 0 else "this version has no jetstream.sync_interval"

    def option(self):
        return f"sync_interval: {self.sync}" if self.sync else ""

    def command(self, config):
        return [self.program, "-c", config]

    def configuration(self):
        return f"""listen: "127.0.0.1:{self.port}"
jetstream {{ store_dir: "{self.folder}/jetstream", max_mem: 16M, max_file: 256M, {self.option()} }}
"""

    def prepare(self):
        stream = b'{"name":"held","subjects":["held"],"storage":"file","retention":"limits","num_replicas":1}'
        request = b"PUB $JS.API.STREAM.CREATE.held _INBOX.w %d\r\n%s\r\n" % (len(stream), stream)
        self.socket.sendall(b'CONNECT {"verbose":false,"pedantic":false}\r\nSUB _INBOX.w 1\r\n' + request)
        created = 0
        while not created:
            created = self.confirms(self.socket.recv(65536))

    def published(self, _number):
        return b"PUB held _INBOX.w %d\r\n%s\r\n" % (len(BODY), BODY)

    def confirms(self, data):
        self.unread += data
        count = 0
        while b"\r\n" in self.unread:
            line, rest = self.unread.split(b"\r\n", 1)
            if line.startswith(b"-ERR"):
                raise RuntimeError(f"{self.name}: {line}")
            if line == b"PING":
                self.socket.sendall(b"PONG\r\n")
            if line.startswith(b"MSG"):
                size = int(line.split()[-1])
                if len(rest) < size + 2:
                    break
                if b'"error"' in rest[:size]:
                    raise RuntimeError(f"{self.name}: {rest[:size]}")
                rest, count = rest[size + 2:], count + 1
            self.unread = rest
        return count
