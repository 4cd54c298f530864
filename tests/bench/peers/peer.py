"""Base class of all brokers that are measured: its folder, its processes, their start and end.

A load returns a dict: `messages` (the sum, for the cost of a million), `rate` (messages a second) and, if the client
reports them, `confirm_ms` and `deliver_ms`, each as (p50, p99)."""

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
    """A broker with one of its settings. Port and data stay the same when it is started again."""

    name = ""
    settings = {}    # setting: what a confirm means with it
    cases = ()       # names in cases.CASES

    def __init__(self, options, setting):
        self.options, self.setting = options, setting
        self.title = f"{self.name}, {setting}" if len(self.settings) > 1 else self.name
        self.promise = self.settings[setting]
        self.running = []

    def missing(self):
        """Returns why the broker cannot be measured here; empty = it can."""
        return ""

    def version(self):
        raise NotImplementedError

    def prepare(self, folder):
        """Sets the empty data folder and writes the configuration."""
        self.folder = pathlib.Path(folder)
        self.port = processes.free_port()
        self.configure()

    def configure(self):
        raise NotImplementedError

    def launch(self):
        """Starts the processes with begin(), the broker itself last."""
        raise NotImplementedError

    def begin(self, command, environment=None):
        name = pathlib.Path(command[0]).name
        self.running.append(processes.Process(name, command, self.folder / f"{name}.log", environment).start())
        return self.running[-1]

    def start(self):
        """Starts the broker and returns the seconds until it is ready."""
        before = time.monotonic()
        self.running = []
        self.launch()
        processes.wait_until(self.is_ready, START_SECONDS, f"{self.title} to be ready", 0.002)
        return time.monotonic() - before

    def is_ready(self):
        """Returns whether the port accepts a connection. Brokers that open it too early check more."""
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
        """Returns the pids of the processes that run. The pid of an ended one may belong to another program by now."""
        return [process.running.pid for process in self.running if process.is_alive()]

    def stop(self):
        """Stops the broker in an orderly way and returns the seconds that it took."""
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
        """Runs a client and returns its output. Raises Trouble if the client fails."""
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=seconds,
                              cwd=self.folder, preexec_fn=processes.die_with_parent, check=False, env=environment)
        if done.returncode != 0:
            raise processes.Trouble(f"{self.title}: {' '.join(map(str, command))} ended with {done.returncode}:\n"
                                    f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def make(self, case):
        """Creates queues and topics that the client does not create. Called before the first load."""

    def queue(self, seconds, window, rate=0):
        """Publishes, delivers and acknowledges, with at most `window` messages unconfirmed and as many unacknowledged;
        `rate` messages a second, 0 = as fast as possible."""
        raise NotImplementedError

    def produce(self, seconds):
        """Produces into the log, in batches."""
        raise NotImplementedError

    def fetch(self, seconds):
        """Fetches what produce() wrote."""
        raise NotImplementedError

    def hold(self, count):
        """Publishes `count` messages that nobody consumes."""
        raise NotImplementedError

    def held(self):
        """Returns how many messages the broker holds now."""
        raise NotImplementedError


def debian_version(package):
    done = subprocess.run(["dpkg-query", "--show", "--showformat", "${Version}", package], capture_output=True,
                          text=True, check=False)
    return done.stdout
