"""What all brokers have in common: a folder, processes, an end.

A load gives a dict: `messages` (all that went through, for what a million costs), `rate` (a second), and where the
client tells them `confirm_ms` and `deliver_ms`, each (p50, p99)."""

import pathlib
import signal
import socket
import subprocess
import time

import processes

from . import tree

BODY = 100
START_SECONDS = 300
STOP_SECONDS = 120


class Peer:
    """A broker with one of its settings. The same port and data over all its lives."""

    name = ""
    settings = {}    # setting: what its confirm says
    cases = ()       # of cases.CASES

    def __init__(self, options, setting):
        self.options, self.setting = options, setting
        self.title = f"{self.name}, {setting}" if len(self.settings) > 1 else self.name
        self.promise = self.settings[setting]
        self.running = []

    def missing(self):
        """Why it cannot be measured here, or nothing."""
        return ""

    def version(self):
        raise NotImplementedError

    def prepare(self, folder):
        """An empty data folder and a configuration."""
        self.folder = pathlib.Path(folder)
        self.port = processes.free_port()
        self.configure()

    def configure(self):
        raise NotImplementedError

    def launch(self):
        """Starts its processes with begin(), the broker itself last."""
        raise NotImplementedError

    def begin(self, command, environment=None):
        name = pathlib.Path(command[0]).name
        self.running.append(processes.Process(name, command, self.folder / f"{name}.log", environment).start())
        return self.running[-1]

    def start(self):
        """Seconds until it is ready."""
        before = time.monotonic()
        self.running = []
        self.launch()
        processes.wait_until(self.is_ready, START_SECONDS, f"{self.title} to be ready", 0.002)
        return time.monotonic() - before

    def is_ready(self):
        """The port takes a connection; for those that open it too early, more."""
        if not self.running[-1].is_alive():
            raise processes.Trouble(f"{self.title} ended:\n{self.last_words()}")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def last_words(self):
        return "\n".join("\n".join(process.output().splitlines()[-20:]) for process in self.running)

    def roots(self):
        """Only of those that run: the number of one that has ended may be somebody else's by now."""
        return [process.running.pid for process in self.running if process.is_alive()]

    def stop(self):
        """An orderly end. Seconds it took."""
        before = time.monotonic()
        for process in reversed(self.running):
            process.send(signal.SIGTERM)
            process.wait_end(STOP_SECONDS)
        return time.monotonic() - before

    def kill(self):
        tree.kill(self.roots())
        for process in self.running:
            process.running.wait()

    def run(self, command, seconds=900, environment=None):
        """The output of a client that has to succeed."""
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=seconds,
                              cwd=self.folder, preexec_fn=processes.die_with_parent, check=False, env=environment)
        if done.returncode != 0:
            raise processes.Trouble(f"{self.title}: {' '.join(map(str, command))} ended with {done.returncode}:\n"
                                    f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def make(self, case):
        """Before the first load: queues and topics that the client does not make."""

    def queue(self, seconds, window, rate=0):
        """Publish, deliver and acknowledge, `window` unconfirmed and as many unacknowledged at most; `rate` a second,
        or as fast as it goes."""
        raise NotImplementedError

    def produce(self, seconds):
        """Into the log, in batches."""
        raise NotImplementedError

    def fetch(self, seconds):
        """What produce() wrote."""
        raise NotImplementedError

    def hold(self, count):
        """Publishes so many that nobody takes."""
        raise NotImplementedError

    def held(self):
        """How many it holds now."""
        raise NotImplementedError


def debian_version(package):
    done = subprocess.run(["dpkg-query", "--show", "--showformat", "${Version}", package], capture_output=True,
                          text=True, check=False)
    return done.stdout
