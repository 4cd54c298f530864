"""Base class of the brokers whose client is peer_load (tests/bench/peers/load)."""

import json
import os

import processes

from .peer import Peer

WINDOW = 1000


class Loaded(Peer):
    protocol = ""

    def missing(self):
        return "" if os.access(self.peer_load(), os.X_OK) else f"build {self.peer_load()}"

    def peer_load(self):
        return self.options.build / "tests/bench/peer_load"

    def load(self, work, *words):
        return json.loads(self.run([self.peer_load(), self.protocol, self.port, work, *words]))

    def make(self, case):
        self.load("make-log" if case in ("log", "fetch") else "make")

    def queue(self, seconds, window, rate=0):
        seen = self.load("cycle", "--seconds", seconds, "--window", window, "--rate", rate)
        return {"messages": seen["delivered"], **figures(seen)}

    def produce(self, seconds):
        """Publishes message by message: these protocols have no batches."""
        seen = self.load("publish", "--seconds", seconds, "--window", WINDOW)
        return {"messages": seen["confirmed"], "rate": seen["rate"]}

    def fetch(self, seconds):
        """Fetches the messages of produce() once, or as many as the time allows."""
        seen = self.load("fetch", "--seconds", seconds, "--messages", self.held())
        return {"messages": seen["delivered"], "rate": seen["rate"]}

    def hold(self, count):
        seen = self.load("publish", "--seconds", 3600, "--window", WINDOW, "--messages", count)
        if seen["confirmed"] != count:
            raise processes.Trouble(f"{self.title} confirmed {seen['confirmed']} of {count}")

    def held(self):
        return self.load("count")["held"]


def figures(seen):
    return {"rate": seen["rate"], "confirm_ms": seen["confirm_ms"], "deliver_ms": seen["deliver_ms"]}
